"""One strategy played twice over the same bars: as a backtest, and as a live session in lock-step with the sandbox."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import backtrader as bt
import pandas as pd

from brokers import AlpacaVenue
from brokers.alpaca.settings import Settings
from feeds import AlpacaBars, AlphaHubSignals, SampleSignals
from framework import run
from framework.app.sandbox import Sandbox
from framework.live.settings import Live
from framework.ports import Source
from framework.sandbox.tape import Detail

Row = tuple[Any, ...]

DATES, MINUTE = 700_000.0, 1.001 / 1440
"""Above the first every float is a date number."""

NAMES = ("log", "orders", "fills", "trades", "equity")


class Witness:
    """Writes down, before the strategy sees it, everything that it is told, and what it could read then."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Row] = []
        self.refs: dict[int, int] = {}
        self.average = bt.ind.SMA(self.data, period=5)

    def _sight(self) -> Row:
        """What a strategy may look at inside any callback."""
        feeds = tuple((len(data), data.datetime[0], data.close[0]) if len(data) else (0,) for data in self.datas)
        average = self.average[0] if len(self.average) else None
        held = tuple((self.getposition(data).size, self.getposition(data).price) for data in self.datas)
        # Stock's own value is that of the instant before while orders are notified: read, it is part of the log.
        return len(self), feeds, average, self.broker.getcash(), self.broker.getvalue(), held

    def notify_order(self, order: Any) -> None:
        ref = self.refs.setdefault(order.ref, len(self.refs))
        done, reason = order.executed, _reason(order.status == order.Rejected, order.info.get("reason", ""))
        told = (ref, order.getstatusname(), order.data._name, reason)
        self.log.append(("order", *told, done.dt, done.size, done.price, done.value, done.pnl, *self._sight()))
        super().notify_order(order)

    def notify_trade(self, trade: Any) -> None:
        told = (trade.data._name, trade.status, trade.size, trade.price, trade.pnl, trade.dtopen, trade.dtclose)
        self.log.append(("trade", *told, trade.baropen, trade.barclose, *self._sight()))
        super().notify_trade(trade)

    def notify_timer(self, timer: Any, when: Any, *args: Any, **kwargs: Any) -> None:
        self.log.append(("timer", when, *self._sight()))
        super().notify_timer(timer, when, *args, **kwargs)

    def prenext(self) -> None:
        self.log.append(("prenext", *self._sight()))
        super().prenext()

    def next(self) -> None:
        self.log.append(("next", *self._sight()))
        super().next()


@dataclass(frozen=True)
class Run:
    """What came of one side: a dict of names and rows that must be the other side's."""

    log: list[Row]
    orders: list[Row]
    fills: list[Row]
    trades: list[Row]
    equity: list[Row]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, result: Any) -> Run:
        orders = result.orders
        reasons = [
            _reason(status == "Rejected", why) for status, why in zip(orders["status"], orders["reason"], strict=True)
        ]
        frames = (orders.assign(reason=reasons), result.fills, result.trades)
        orders, fills, trades = (_rows(each, result.orders["ref"]) for each in frames)
        return cls(result.strategy.log, orders, fills, trades, list(result.equity.items()), result.notes)


def both(
    strategy: type[bt.Strategy],
    source: Source,
    *,
    intrabar: bool = False,
    settings: Settings | None = None,
    signals: SampleSignals | None = None,
    **options: Any,
) -> tuple[Run, Run]:
    """Return the backtest and the live session of a strategy over a source, and over signals where they are given."""
    watched = type(strategy)(strategy.__name__, (Witness, strategy), {})
    told, published = ([], ()) if signals is None else ([signals], signals.publications())
    tested = run(watched, source=[source, *told], venue=AlpacaVenue(), intrabar=intrabar, **options)
    detail = Detail.PATH if intrabar else Detail.BAR
    with Sandbox(source, detail=detail, settings=settings, signals=published) as sandbox:
        heard = [AlphaHubSignals(each.algorithms, tz="UTC", **sandbox.alphahub) for each in told]
        where = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
        bars = AlpacaBars(source.symbols, hours=source.calendar.hours.value, cache=False, **where)
        lived = run(watched, source=[bars, *heard], venue=AlpacaVenue(**where), live=Live(durable="OFF"), **options)
    return Run.of(tested), Run.of(lived)


@dataclass(frozen=True)
class Grain:
    """How exactly two sides are compared: to the last bit, but for what is said here (and in docs/parity.md).

    is_path:  within a bar the backtest dates a fill by the bar's end, the venue by when it happened; and where a
              trailing stop stood is known at the bars' ends only.
    undated:  statuses whose time is not compared.
    is_text:  prices went over the wire as text, with nine decimals.
    sorts:    the news of several orders at one instant may come in another order; each order's own never may.
    leaves:   statuses whose notifications are left out of the log.
    names:    what is compared at all.
    """

    is_path: bool = False
    undated: frozenset[str] = frozenset()
    is_text: bool = False
    sorts: bool = False
    leaves: frozenset[str] = frozenset()
    names: tuple[str, ...] = NAMES


EXACT = Grain()


def difference(one: Run, other: Run, grain: Grain = EXACT) -> str:
    """Return the first rows in which two sides differ, or an empty string."""
    for name in grain.names:
        left, right = (_rearranged(name, getattr(each, name), grain) for each in (one, other))
        for number, (here, there) in enumerate(zip(left, right, strict=False)):
            if not _same(here, there, grain):
                return f"{name} {number}:\n  {here}\n  {there}"
        if len(left) != len(right):
            more = (left if len(left) > len(right) else right)[min(len(left), len(right))]
            return f"{name}: {len(left)} and {len(right)} rows; the first that one has not: {more}"
    return ""


def _reason(is_rejected: bool, reason: str) -> str:
    """Return why an order was refused. Alpaca names the order in the way by its own id; a backtest has none."""
    return re.sub(r"existing_order_id [-0-9a-f]+, ", "", reason) if is_rejected else ""


def _rearranged(name: str, rows: list[Row], grain: Grain) -> list[Row]:
    """Leave out what a grain leaves out, and sort the orders' news between two other rows of the log."""
    if name == "orders":
        return [_without(row, grain, *_ORDER_PLACES) for row in rows]
    if name != "log":
        return rows
    kept = [_without(row, grain, *_LOG_PLACES) if row[0] == "order" else row for row in rows]
    kept = [row for row in kept if row[0] != "order" or row[2] not in grain.leaves]
    if not grain.sorts:
        return kept
    found: list[Row] = []
    for is_order, block in itertools.groupby(kept, key=lambda row: row[0] == "order"):
        news = list(block)
        found += sorted(news, key=lambda row: row[1]) if is_order else news
    return found


_LOG_PLACES = (2, 5, None)
_ORDER_PLACES = (9, 12, 5)
"""Where in a row the status is, the time of the end, and the price."""


def _without(row: Row, grain: Grain, status: int, time: int, price: int | None) -> Row:
    cells = list(row)
    if row[status] in grain.undated:
        cells[time] = None
    if price is not None and grain.is_path and str(row[3]).startswith("StopTrail"):
        cells[price] = None
    return tuple(cells)


def _same(here: Any, there: Any, grain: Grain) -> bool:
    if isinstance(here, tuple) and isinstance(there, tuple):
        return len(here) == len(there) and all(_same(*pair, grain) for pair in zip(here, there, strict=True))
    if here == there or (here != here and there != there):
        return True
    if isinstance(here, pd.Timestamp) and isinstance(there, pd.Timestamp):
        return grain.is_path and timedelta() <= here - there <= timedelta(minutes=1)
    if isinstance(here, float) and isinstance(there, float):
        is_time = here > DATES and grain.is_path and 0 <= here - there <= MINUTE
        return is_time or (grain.is_text and math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-7))
    return False


def _rows(frame: pd.DataFrame, refs: pd.Series[int]) -> list[Row]:
    """Return a table's rows, each order named by its place instead of by Backtrader's counter."""
    places: Mapping[int, int] = {ref: place for place, ref in enumerate(sorted(refs))}
    rows = frame.assign(ref=frame["ref"].map(places)) if "ref" in frame else frame
    return [tuple(None if pd.isna(each) else each for each in row) for row in rows.itertuples(index=False, name=None)]
