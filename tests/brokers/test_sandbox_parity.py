"""A backtest and a sandbox session over the same tape agree fill by fill."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from brokers import AlpacaVenue
from brokers.alpaca.book import Book
from feeds import SampleBars
from framework import run
from framework.sandbox.tape import Detail, Tape
from strategies.scalper import SmaCrossScalper
from strategies.sma_cross import SmaCross

WITHOUT_HOLES = (0, 3, 5)
"""Seeds of sample bars where both symbols have every minute. With holes, Backtrader tries an order on its
symbol's last bar again, even one that ended before the order was made: no venue can do that."""

Fill = tuple[datetime, str, str, float, float]


class Bracketed(bt.Strategy):
    """Buys with a stop and a take-profit around the price, again and again; the types of exits take turns."""

    params = (("lot", 20_000),)

    def next(self) -> None:
        for data in self.datas:
            if self.getposition(data) or any(order.data is data for order in self.broker.get_orders_open()):
                continue
            price = data.close[0]
            if len(self) % 7 == 0:
                size = int(self.p.lot / price)
                self.buy_bracket(
                    data=data,
                    size=size,
                    exectype=bt.Order.Market,
                    stopprice=round(price * 0.999, 2),
                    limitprice=round(price * 1.001, 2),
                )


def backtested(result: Any) -> list[Fill]:
    return [(row.time.to_pydatetime(), row.symbol, row.side, row.size, row.price) for row in result.fills.itertuples()]


def body(row: Any) -> dict[str, Any]:
    order = {"symbol": row.symbol, "side": row.side, "qty": row.size, "type": row.type.lower()}
    order["time_in_force"] = "gtc" if row.valid is None or pd.isna(row.valid) else "day"
    if row.type == "Limit":
        order["limit_price"] = row.price
    return order


def sent(source: SampleBars, orders: pd.DataFrame) -> list[Fill]:
    """Send a backtest's orders to the sandbox's book, each at its instant, and cancel those that ended so."""
    tape = Tape(source)
    book, at, ids = Book(tape), tape.starts_at, {}
    by_time = {time.to_pydatetime(): rows for time, rows in orders.groupby("created")}
    cancels: dict[datetime, list[int]] = {}
    for row in orders.itertuples():
        if row.status in ("Canceled", "Expired"):
            # Backtrader expires at the first bar past `valid`: the adapter cancels when that time has come.
            when = row.valid if row.status == "Expired" else row.finished
            cancels.setdefault(when.to_pydatetime(), []).append(row.ref)
    while (instant := tape.after(at)) is not None:
        at = instant.at
        book.play(instant)
        for ref in cancels.get(at, ()):
            if book.entries[ids[ref]].is_live:
                book.cancel(ids[ref], at)
        for row in by_time[at].itertuples() if at in by_time else ():
            ids[row.ref] = book.submit(body(row), at)["id"]
    return fills(book)


def fills(book: Book) -> list[Fill]:
    entries = book.entries
    return [
        (each.at, entries[each.entry].symbol, entries[each.entry].side, each.quantity, each.price)
        for each in book.executions
    ]


@pytest.mark.parametrize("strategy", [SmaCrossScalper, SmaCross])
@pytest.mark.parametrize("seed", WITHOUT_HOLES)
def test_a_strategys_orders_fill_in_the_sandbox_as_in_the_backtest(strategy: type[bt.Strategy], seed: int) -> None:
    """Two symbols over three days, limit, market and expiring orders: the same fills in the same order."""
    source = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-07", seed=seed)
    result = run(strategy, source=source, venue=AlpacaVenue(), lot=20_000)
    expected = backtested(result)
    assert len(expected) > 10
    assert sent(source, result.orders) == expected


@pytest.mark.parametrize("detail", list(Detail))
@pytest.mark.parametrize("seed", WITHOUT_HOLES)
def test_brackets_fill_in_the_sandbox_as_in_the_backtest(seed: int, detail: Detail) -> None:
    """Entry, stop and take-profit, sent as one bracket order: by whole bars, and along each bar's path."""
    source = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-05", seed=seed)
    result = run(Bracketed, source=source, venue=AlpacaVenue(), warmup=0, intrabar=detail is Detail.PATH)
    tape = Tape(source, detail=detail)
    book, at = Book(tape), tape.starts_at
    groups = {time.to_pydatetime(): rows for time, rows in result.orders.groupby("created")}
    while (instant := tape.after(at)) is not None:
        at = instant.at
        book.play(instant)
        rows = list(groups[at].itertuples()) if at in groups else []
        for entry, stop, profit in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            exits = {"take_profit": {"limit_price": profit.price}, "stop_loss": {"stop_price": stop.price}}
            book.submit({**body(entry), "order_class": "bracket", "time_in_force": "gtc", **exits}, at)
    found = [(_minute(at), *fill) for at, *fill in fills(book)]
    assert len(found) > 20
    assert found == backtested(result)


def _minute(at: datetime) -> datetime:
    """Return the end of the bar that a stretch is of: the backtest's time of a fill."""
    return (at - timedelta(microseconds=1)).replace(second=0, microsecond=0) + timedelta(minutes=1)
