"""The scalper: the example's rules, and none of its faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt
import pytest
from tape import OPEN, Tape

from framework import run
from framework.result import Result
from strategies.scalper import SmaCrossScalper, State

BELOW = [100.0] * 20 + [99.0]
"""The first 21 minutes of a session: the close is below its average, so that the next may cross it."""

CROSS = 101.0


class Watched(SmaCrossScalper):
    """The scalper, noting what it heard and where its first machine stood afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str, State]] = []
        self.refusals: list[float] = []

    def notify_order(self, order: Any) -> None:
        super().notify_order(order)
        if order.status == order.Rejected:
            self.refusals.append(order.created.dt)
        side = "buy" if order.isbuy() else "sell"
        self.heard.append((side, order.getstatusname(), self.machines[order.data].state))


def scalp(prices: list[Any], strategy: type[bt.Strategy] = Watched, **keywords: Any) -> Result:
    keywords.setdefault("lot", 1_000)
    return run(strategy, source=Tape({"XYZ": prices}, opens=keywords.pop("opens", OPEN)), **keywords)


def orders(result: Result) -> list[list[Any]]:
    return result.orders[["side", "type", "size", "price", "status"]].values.tolist()


def test_it_buys_at_the_last_price_when_the_close_crosses_its_average() -> None:
    """A cross above the 20-bar average buys `int(lot / price)` shares, limited to the close."""
    result = scalp([*BELOW, CROSS, 101.0])
    assert orders(result)[0] == ["buy", "Limit", 9, 101.0, "Completed"]


def test_it_sells_at_once_a_cent_above_its_entry() -> None:
    """The fill of the buy sends the sale, at the entry and a cent where the price is no higher."""
    result = scalp([*BELOW, CROSS, 100.5, 101.5])
    assert orders(result)[1] == ["sell", "Limit", 9, 100.51, "Completed"]
    assert result.trades["exit_price"].tolist() == [101.5]


def test_it_sells_at_the_last_price_where_that_is_higher() -> None:
    """A price that has run ahead of the entry is what is asked for."""
    result = scalp([*BELOW, CROSS, (100.5, 102.0, 100.5, 102.0), 101.0])
    assert orders(result)[1][:4] == ["sell", "Limit", 9, 102.0]


def test_it_walks_through_its_four_states() -> None:
    """To buy, bought, to sell, sold, and to buy again."""
    strategy = scalp([*BELOW, CROSS, 100.5, 101.5]).strategy
    assert strategy.heard == [
        ("buy", "Submitted", State.BUY_SUBMITTED),
        ("buy", "Accepted", State.BUY_SUBMITTED),
        ("buy", "Completed", State.SELL_SUBMITTED),
        ("sell", "Submitted", State.SELL_SUBMITTED),
        ("sell", "Accepted", State.SELL_SUBMITTED),
        ("sell", "Completed", State.TO_BUY),
    ]


def test_it_waits_for_twenty_one_bars_of_the_session() -> None:
    """A cross at the 20th bar is too early, one at the 21st is not."""
    assert scalp([100.0] * 18 + [99.0, CROSS, 101.0]).orders.empty
    assert len(scalp([100.0] * 19 + [99.0, CROSS, 101.0]).orders) == 2


def test_a_touch_is_no_cross() -> None:
    """The close must be below the average, then above it: equal is neither."""
    assert scalp([100.0] * 21 + [CROSS, 101.0]).orders.empty


def test_an_unfilled_buy_is_cancelled_after_two_minutes() -> None:
    """Two bars may fill it; the third finds it expired, and the next signal may buy."""
    result = scalp([*BELOW, CROSS, 103.0, 103.0, (100.0, 103.0, 100.0, 103.0)])
    assert orders(result) == [["buy", "Limit", 9, 101.0, "Expired"]]
    assert result.strategy.heard[-1] == ("buy", "Expired", State.TO_BUY)


def test_a_price_beyond_the_lot_buys_nothing() -> None:
    """No order of size 0 is sent, and a price within the lot is bought later on."""
    assert scalp([*BELOW, CROSS, 101.0], lot=50).orders.empty
    assert len(scalp([*BELOW, CROSS, *[40.0] * 20, 39.0, 45.0, 45.0], lot=50).orders) == 2


def session(last: dict[int, Any], length: int = 390) -> list[Any]:
    """Return a day's minutes that cross at the 22nd, then fall, but for the minutes given."""
    prices: list[Any] = [*BELOW, CROSS, 100.9] + [90.0] * (length - 23)
    for at, price in last.items():
        prices[at] = price
    return prices


def test_everything_is_flat_five_minutes_before_the_close() -> None:
    """At 15:55 the resting sale is cancelled; when that is confirmed, the shares are sold at the market, once."""
    result = scalp(session({}))
    assert [row[1:] for row in orders(result)[1:]] == [
        ["Limit", 9, 100.91, "Canceled"],
        ["Market", 9, 90.0, "Completed"],
    ]
    sold = result.trades["exit_time"].iloc[0]
    assert sold.tz_convert("America/New_York").strftime("%H:%M") == "15:57"


def test_it_is_flat_before_an_early_close_too() -> None:
    """The day after Thanksgiving ends at 13:00: everything is sold by 12:57."""
    opens = datetime(2025, 11, 28, 14, 30, tzinfo=UTC)
    result = scalp(session({}, 210), opens=opens)
    assert result.trades["exit_time"].iloc[0] == opens + timedelta(minutes=207)
    assert result.positions.empty


def test_nothing_is_bought_in_the_last_five_minutes() -> None:
    """A cross at 15:55 or later is left alone."""
    flat = [100.0] * 383 + [99.0, CROSS, 99.0, CROSS, 99.0, CROSS, 101.0]
    assert scalp(flat).orders.empty
    assert not scalp([100.0] * 382 + [99.0, CROSS, 101.0, *[90.0] * 5]).orders.empty


def test_bars_before_the_open_do_not_count() -> None:
    """With pre-market bars the 21 bars are still those from 09:30."""
    early = OPEN - timedelta(minutes=10)
    assert scalp([100.0] * 28 + [99.0, CROSS, 101.0], opens=early).orders.shape[0] == 0
    assert scalp([100.0] * 29 + [99.0, CROSS, 101.0], opens=early).orders.shape[0] > 0


def test_a_symbol_without_bars_keeps_no_other_waiting() -> None:
    """Each symbol is scalped on its own, from its own 21st bar."""
    tape = Tape({"XYZ": [*BELOW, CROSS, 101.0, 101.2], "THIN": [50.0, *[None] * 22, 50.0]})
    assert set(run(SmaCrossScalper, source=tape, lot=1_000).trades["symbol"]) == {"XYZ"}


def test_each_symbol_has_its_own_machine() -> None:
    """Two symbols that cross in the same minute are both bought and both sold."""
    tape = Tape({"A": [*BELOW, CROSS, 101.0, 101.2], "B": [each / 2 for each in [*BELOW, CROSS, 101.0, 101.2]]})
    result = run(SmaCrossScalper, source=tape, lot=1_000)
    assert sorted(result.trades["symbol"]) == ["A", "B"]


def test_a_signal_of_ones_own_takes_one_method() -> None:
    """A subclass that overrides `is_buy_signal` decides when to buy."""

    class Fives(SmaCrossScalper):
        def is_buy_signal(self, data: Any) -> bool:
            return len(data) % 5 == 0

    result = scalp([100.0] * 24 + [100.0, 100.0, 100.5], Fives)
    assert result.orders["created"].iloc[0] == OPEN + timedelta(minutes=25)


class PartFilled(bt.brokers.BackBroker):
    """Fills three of each order a bar, as an exchange may."""

    params = (("filler", lambda order, price, ago: min(3, abs(order.executed.remsize))),)


def part_filled(prices: list[Any]) -> Any:
    """Run the scalper in stock Cerebro over a broker that fills orders in parts."""
    from framework.engine.data import BarData

    cerebro = bt.Cerebro(stdstats=False, quicknotify=True)
    cerebro.setbroker(PartFilled(cash=100_000))
    tape = Tape({"XYZ": prices})
    cerebro.adddata(BarData(dataname=tape.history()["XYZ"], timeframe=bt.TimeFrame.Minutes), name="XYZ")
    cerebro.addstrategy(Watched, lot=1_000)
    return cerebro.run()[0]


def test_what_a_partial_fill_bought_is_for_sale_at_once() -> None:
    """Three of nine shares come: the rest of the buy is cancelled and the three are offered."""
    strategy = part_filled([*BELOW, CROSS, 100.9, 90.0])
    assert strategy.heard[2:5] == [
        ("buy", "Partial", State.BUY_SUBMITTED),
        ("buy", "Canceled", State.SELL_SUBMITTED),
        ("sell", "Submitted", State.SELL_SUBMITTED),
    ]
    assert strategy.machines[strategy.data].order.size == -3


def test_it_never_sells_more_than_it_bought() -> None:
    """Partly filled sales are followed by their remainders alone: the position never turns short."""
    strategy = part_filled([*BELOW, CROSS, 100.9, 101.0, 101.0, 101.0, *BELOW, CROSS, 101.0, 101.0, 90.0])
    assert strategy.position.size == strategy.machines[strategy.data].held >= 0


class Refused(bt.brokers.BackBroker):
    """Refuses the first `sales` sell orders."""

    params = (("sales", 3),)

    def sell(self, *args: Any, **keywords: Any) -> Any:
        self.refused = getattr(self, "refused", 0) + 1
        order = super().sell(*args, **keywords)
        if self.refused <= self.p.sales:
            self.submitted.remove(order)
            order.reject(self)
            self.notify(order)
        return order


@pytest.mark.parametrize("quicknotify", [True, False])
def test_a_refused_sale_is_tried_once_a_bar(quicknotify: bool) -> None:
    """Every refusal brings one new order with the next bar, not a storm; the shares are sold in the end."""
    from framework.engine.data import BarData

    cerebro = bt.Cerebro(stdstats=False, quicknotify=quicknotify)
    cerebro.setbroker(Refused(cash=100_000))
    tape = Tape({"XYZ": [*BELOW, CROSS, 100.9, *[90.0] * 8]})
    cerebro.adddata(BarData(dataname=tape.history()["XYZ"], timeframe=bt.TimeFrame.Minutes), name="XYZ")
    cerebro.addstrategy(Watched, lot=1_000)
    (strategy,) = cerebro.run()
    assert len(set(strategy.refusals)) == len(strategy.refusals) == 3
    assert strategy.position.size == 0
    assert strategy.machines[strategy.data].state is State.TO_BUY


def test_an_order_of_somebody_else_is_none_of_its_business() -> None:
    """News of an order that the machine did not send changes nothing."""

    class Also(Watched):
        def next(self) -> None:
            super().next()
            if len(self) == 22:
                self.buy(size=99)

    result = scalp([*BELOW, CROSS, 100.5, 101.5], Also)
    assert result.orders["size"].tolist() == [9, 99, 9]
    assert result.positions["size"].tolist() == [99]
