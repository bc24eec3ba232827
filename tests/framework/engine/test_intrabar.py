"""`intrabar=True`: fills on the way through a bar, and answers that work from the next stretch of its path on."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import cases
import pytest

from framework.columns import Columns
from framework.engine import Cerebro
from framework.errors import ConfigError
from framework.intrabar import path


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((10.0, 12.0, 9.0, 11.0), (10.0, 9.0, 12.0, 11.0)),
        ((10.0, 11.0, 7.0, 8.0), (10.0, 11.0, 7.0, 8.0)),
        ((10.0, 11.0, 9.0, 10.5), (10.0, 9.0, 11.0, 10.5)),
        ((10.0, 11.0, 9.0, 9.5), (10.0, 11.0, 9.0, 9.5)),
        ((10.0, 10.0, 10.0, 10.0), (10.0, 10.0, 10.0, 10.0)),
    ],
)
def test_path_goes_to_the_nearer_extreme_first(bar: Any, expected: Any) -> None:
    """Open, nearer extreme, other extreme, close; of two equally near, the one against the bar's direction."""
    assert path(*bar) == expected


class Scalper(bt.Strategy):
    """Buys a little below, and sells a little above as soon as it has bought."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def next(self) -> None:
        if len(self) == 1:
            self.buy(size=1, exectype=bt.Order.Limit, price=99.0)

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            self.heard.append((len(self), order.isbuy(), order.executed.price))
            if order.isbuy():
                self.sell(size=1, exectype=bt.Order.Limit, price=101.0)


class Trailer(Scalper):
    """Holds one, with a stop that trails by 2."""

    def next(self) -> None:
        if len(self) == 1:
            self.buy(size=1)
            self.sell(size=1, exectype=bt.Order.StopTrail, trailamount=2.0)

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            self.heard.append((len(self), order.isbuy(), order.executed.price))


class Bracketed(Trailer):
    """Buys above the market, with exits around it."""

    def next(self) -> None:
        if len(self) == 1:
            self.buy_bracket(size=1, exectype=bt.Order.Stop, price=99.0, stopprice=97.0, limitprice=101.0)


class Grouped(Trailer):
    """Bids twice, and wants one of them."""

    def next(self) -> None:
        if len(self) == 1:
            first = self.buy(size=1, exectype=bt.Order.Limit, price=99.0)
            self.made = [first, self.buy(size=1, exectype=bt.Order.Limit, price=99.5, oco=first)]


class Restless(Scalper):
    """Answers every fill with an order at the market."""

    def next(self) -> None:
        if len(self) == 1:
            self.buy(size=1)

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            self.heard.append(len(self))
            self.sell(size=1) if order.isbuy() else self.buy(size=1)


def _bars(*rows: tuple[float, float, float, float]) -> Columns:
    import numpy as np

    end = np.datetime64("2024-03-01T14:31", "us") + np.arange(len(rows)) * np.timedelta64(1, "m")
    return Columns.of(end, *zip(*rows, strict=True), [100.0] * len(rows))


def _played(strategy: type[Any], bars: Columns, **options: Any) -> Any:
    cerebro = Cerebro(intrabar=True, **options)
    cerebro.adddata(cases.feed(bars))
    cerebro.addstrategy(strategy)
    (run,) = cerebro.run()
    assert cerebro.engine == "lean, intrabar"
    return run


def test_answer_to_a_fill_is_filled_in_the_same_bar() -> None:
    """Down to 99, bought; told while the bar before is seen; up to 102 and the answer is filled at 101."""
    run = _played(Scalper, _bars((100, 100, 100, 100), (100, 102, 98, 100.5), (100, 100, 100, 100)))
    assert run.heard == [(1, True, 99.0), (1, False, 101.0)]


def test_answer_does_not_work_what_is_already_past() -> None:
    """The high came before the low: the answer waits for the next bar."""
    run = _played(Scalper, _bars((100, 100, 100, 100), (100, 102, 97, 98), (100.5, 101.5, 100, 101)))
    assert run.heard == [(1, True, 99.0), (2, False, 101.0)]


def test_trailing_stop_follows_the_price_within_the_bar() -> None:
    """Up to 105, down to 101: a stop trailing by 2 is hit at 103 in the same bar."""
    run = _played(Trailer, _bars((100, 100, 100, 100), (100, 105, 99.5, 101), (101, 101, 101, 101)))
    assert run.heard == [(1, True, 100.0), (1, False, 103.0)]


def test_answers_work_from_the_next_stretch_on() -> None:
    """A strategy that answers each fill with another has one fill for each of a bar's four stretches."""
    run = _played(Restless, _bars(*[(100.0, 101.0, 99.0, 100.0)] * 3))
    assert run.heard == [1, 1, 1, 1, 2, 2, 2, 2]


def test_exits_wake_where_the_entry_is_filled() -> None:
    """Straight from 98 to 102: bought at 99, and the exit above, which the venue holds, is filled on the way."""
    run = _played(Bracketed, _bars((100, 100, 100, 100), (98, 102, 98, 101.5)))
    assert run.heard == [(1, True, 99.0), (1, False, 101.0)]


def test_price_touches_the_nearer_order_first() -> None:
    """Down to 97: of two that cancel each other the nearer is filled, though it was sent later."""
    run = _played(Grouped, _bars((100, 100, 100, 100), (100, 100, 97, 98), (98, 98, 98, 98)))
    assert run.heard == [(1, True, 99.5)]
    assert [order.getstatusname() for order in run.made] == ["Canceled", "Completed"]


def test_strategy_gets_all_bars_and_the_end_is_worth_the_same_on_a_line() -> None:
    """With orders at the market only, on bars of one price, intrabar changes no fill."""
    flat = _bars(*[(price, price, price, price) for price in (100.0, 101.0, 102.0, 101.0, 100.0)])
    stock = bt.Cerebro()
    stock.adddata(cases.feed(flat))
    stock.addstrategy(Trailer)
    stock.run()
    run = _played(Trailer, flat)
    assert run.broker.getvalue() == stock.broker.getvalue()


def test_what_cannot_be_lean_is_refused() -> None:
    """intrabar never falls back to stock's loop silently."""
    cerebro = Cerebro(intrabar=True, writer=True)
    cerebro.adddata(cases.feed(cases.bars(5)))
    with pytest.raises(ConfigError, match="writer"):
        cerebro.run()
