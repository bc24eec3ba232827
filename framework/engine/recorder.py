"""What a run leaves behind: every order, fill, closed trade, and the account's value at each instant."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from framework.engine.history import Series
from framework.engine.translate import has_limit, symbol_of


@dataclass(slots=True)
class _Round:
    """A trade while it is open: what was bought into it and sold out of it.

    `size` is summed as `bt.Trade` sums its own, so that both are zero at the same fill.
    """

    size: float = 0.0
    entered: float = 0.0
    entry_value: float = 0.0
    exited: float = 0.0
    exit_value: float = 0.0


class Recorder(bt.Analyzer):
    """Collects rows; `framework.record` makes tables of them. Times are Backtrader's numbers (UTC).

    `orders` holds the last row of each order by its ref, `fills` and `trades` rows in their order.
    `stale` counts the fills on a bar that had ended before their order was made.
    """

    def __init__(self) -> None:
        self.orders: dict[int, dict[str, Any]] = {}
        self.fills: list[dict[str, Any]] = []
        self.trades: list[dict[str, Any]] = []
        self.stale = 0
        self._open: dict[tuple[Any, int], _Round] = defaultdict(_Round)
        self._closed: dict[tuple[Any, int], deque[_Round]] = defaultdict(deque)

    def notify_order(self, order: Any) -> None:
        self.orders[order.ref] = _order_row(order)
        for bit in order.executed.iterpending():
            self.fills.append(_fill_row(order, bit))
            self.stale += bit.dt <= order.created.dt
            self._follow((order.data, order.tradeid), bit)

    def follow(self, order: Any) -> None:
        """Take an order's new fills into the open round trips, without rows: they are of an earlier run."""
        for bit in order.executed.iterpending():
            self._follow((order.data, order.tradeid), bit)

    def split(self, key: tuple[Any, int], size: float, factor: float) -> None:
        """Put an open round trip into other shares: it is of `size` now, and what it cost stays."""
        if (current := self._open.get(key)) is not None:
            current.size = size
            current.entered *= factor
            current.exited *= factor

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            self.trades.append(_trade_row(trade, self._closed[trade.data, trade.tradeid].popleft()))

    def _follow(self, key: tuple[Any, int], bit: Any) -> None:
        """Book a fill into its round trip; a fill that reverses ends one and begins the next."""
        if bit.closed:
            current = self._open[key]
            current.size += bit.closed
            current.exited += abs(bit.closed)
            current.exit_value += abs(bit.closed) * bit.price
            if not current.size:
                self._closed[key].append(self._open.pop(key))
        if bit.opened:
            current = self._open[key]
            current.size += bit.opened
            current.entered += abs(bit.opened)
            current.entry_value += abs(bit.opened) * bit.price


class EquityCurve(bt.Analyzer):
    """The account's value after each instant: `times` (Backtrader's numbers, UTC) and `values`.

    Apart from the `Recorder`, because the engine can work these out in one go after the run.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.values: list[float] = []

    def next(self) -> None:
        self.times.append(self.strategy.lines.datetime[0])
        self.values.append(self.strategy.broker.getvalue())

    def catch_up(self, series: Series, notified: int, done: int) -> None:
        """Take what the engine worked out after the run (`framework.engine.analyzers`)."""
        self.times, self.values = series.times[:done].tolist(), series.value[:done].tolist()


def _order_row(order: Any) -> dict[str, Any]:
    created, executed = order.created, order.executed
    return {
        "ref": order.ref,
        "symbol": symbol_of(order.data),
        "side": "buy" if order.isbuy() else "sell",
        "type": order.getordername(),
        "size": abs(created.size),
        "price": created.price,
        "limit_price": created.pricelimit if has_limit(order) else None,
        "valid": order.valid,
        "created": created.dt,
        "status": order.getstatusname(),
        "filled": abs(executed.size),
        "average_price": executed.price if executed.size else None,
        "finished": None if order.alive() else executed.dt,
        "reason": str(order.info.get("reason", "")),
    }


def _fill_row(order: Any, bit: Any) -> dict[str, Any]:
    return {
        "ref": order.ref,
        "symbol": symbol_of(order.data),
        "time": bit.dt,
        "side": "buy" if bit.size > 0 else "sell",
        "size": abs(bit.size),
        "price": bit.price,
        "value": abs(bit.size) * bit.price,
        "commission": bit.openedcomm + bit.closedcomm,
        "pnl": bit.pnl,
        "position": bit.psize,
    }


def _trade_row(trade: Any, done: _Round) -> dict[str, Any]:
    return {
        "symbol": symbol_of(trade.data),
        "direction": "long" if trade.long else "short",
        "size": done.entered,
        "entry_time": trade.dtopen,
        "exit_time": trade.dtclose,
        "entry_price": done.entry_value / done.entered,
        "exit_price": done.exit_value / done.exited,
        "commission": trade.commission,
        "pnl": trade.pnlcomm,
    }
