"""Whole sessions on ALGOGENE: what a backtest does, a live session in lock-step does too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import backtrader as bt
import pytest
from algogene_desk import PRICES, Scripted, backtested, book, lived, net, rows, served

Order = bt.Order

SCRIPTS: dict[str, dict[int, Any]] = {
    "market": {1: lambda s: s.buy(size=2), 4: lambda s: s.close()},
    "short": {1: lambda s: s.sell(size=2), 4: lambda s: s.close()},
    "limit": {1: lambda s: s.sell(size=1, exectype=Order.Limit, price=103.5)},
    "stop": {1: lambda s: s.buy(size=1, exectype=Order.Stop, price=103.5)},
    "larger": {1: lambda s: s.buy(size=1), 3: lambda s: s.buy(size=2), 5: lambda s: s.close()},
    "reverse": {1: lambda s: s.buy(size=1), 4: lambda s: s.sell(size=3)},
    "close_and_turn": {1: lambda s: s.buy(size=1), 4: lambda s: [s.close(), s.sell(size=1)]},
    "profit": {1: lambda s: s.buy_bracket(size=1, exectype=Order.Market, limitprice=103.5, stopprice=90)},
    "loss": {1: lambda s: s.sell_bracket(size=1, exectype=Order.Market, limitprice=90, stopprice=103.5)},
    "waiting_bracket": {1: lambda s: s.sell_bracket(size=1, price=102.5, limitprice=90, stopprice=105.5)},
    "cancelled": {
        1: lambda s: s.buy(size=1, exectype=Order.Limit, price=90.0),
        3: lambda s: s.cancel(s.orders["a"]),
    },
    "cancelled_exit": {
        1: lambda s: s.buy_bracket(size=1, exectype=Order.Market, limitprice=150, stopprice=90),
        4: lambda s: s.cancel(s.orders["b"]),
    },
    "cancelled_entry": {
        1: lambda s: s.buy_bracket(size=1, price=90, limitprice=150, stopprice=80),
        4: lambda s: s.cancel(s.orders["a"]),
    },
    "expiry": {1: lambda s: s.buy(size=1, exectype=Order.Limit, price=90.0, valid=timedelta(minutes=3))},
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_live_is_as_its_backtest(name: str) -> None:
    """The same fills, the same notifications in the same order, the same equity; and the venue holds what we do."""
    script = SCRIPTS[name]
    backtest = backtested(script)
    with served() as sandbox:
        live = lived(sandbox, script)
        assert rows(live) == rows(backtest)
        assert live.strategy.heard == backtest.strategy.heard
        assert live.strategy.held == backtest.strategy.held
        assert list(live.equity) == list(backtest.equity)
        assert net(sandbox) == live.strategy.position.size


def test_a_part_is_taken_back_by_a_trade_the_other_way() -> None:
    """There is no partial close: the net is right at once, and when it is to be nothing both trades are closed."""
    script = {1: lambda s: s.buy(size=3), 3: lambda s: s.sell(size=1), 6: lambda s: s.close()}
    with served() as sandbox:
        live = lived(sandbox, script)
        assert live.strategy.held == [0, 3, 3, 2, 2, 2, 0, 0, 0, 0]
        assert [(each.side.value, each.filled) for each in book(sandbox).entries.values()] == [("buy", 3), ("sell", 1)]
        assert book(sandbox).opened == []
        assert live.equity.iloc[-1] == backtested(script).equity.iloc[-1]


def test_a_part_is_taken_back_by_closing_and_reopening() -> None:
    """The other setting: the whole is closed, and what remains is opened when that is done."""
    script = {1: lambda s: s.buy(size=3), 3: lambda s: s.sell(size=1)}
    with served() as sandbox:
        live = lived(sandbox, script, reopens=True)
        assert [(each.side.value, each.held) for each in book(sandbox).entries.values()] == [("buy", 0), ("buy", 2)]
        assert net(sandbox) == live.strategy.position.size == 2


def test_an_order_is_changed_where_it_waits() -> None:
    """It stays the same order, under the same reference, at its new price."""

    def change(strategy: Scripted) -> None:
        strategy.broker.replace(strategy.orders["a"], price=104.0)

    script = {1: lambda s: s.sell(size=1, exectype=Order.Limit, price=150.0), 2: change}
    backtest = backtested(script)
    with served() as sandbox:
        live = lived(sandbox, script)
        [entry] = book(sandbox).entries.values()
        assert rows(live) == rows(backtest) != []
        assert entry.order_ref == "algo-1-1" or entry.order_ref.startswith("algo-1-")
        assert live.strategy.said == [each for each in live.strategy.said if "stays as it is" not in each]


def test_a_level_is_changed_on_its_trade() -> None:
    """A bracket's stop is moved; its take-profit stays."""

    def change(strategy: Scripted) -> None:
        strategy.broker.replace(strategy.orders["b"], price=99.0)

    bracket = {1: lambda s: s.buy_bracket(size=1, exectype=Order.Market, limitprice=150, stopprice=90), 3: change}
    with served() as sandbox:
        lived(sandbox, bracket)
        [entry] = book(sandbox).entries.values()
        assert (entry.take_profit, entry.stop_loss) == (150, 99)


def test_the_size_of_an_order_is_not_changed() -> None:
    """ALGOGENE changes prices and times: the order stays as it is, and that is said."""

    def change(strategy: Scripted) -> None:
        strategy.broker.replace(strategy.orders["a"], size=5)

    script = {1: lambda s: s.sell(size=1, exectype=Order.Limit, price=150.0), 2: change}
    with served() as sandbox:
        live = lived(sandbox, script)
        assert any("does not change the quantity" in each for each in live.strategy.said)
        assert [each.units for each in book(sandbox).entries.values()] == [1]


REFUSED = {
    "trailing stop": lambda s: s.sell(size=1, exectype=Order.StopTrail, trailamount=1.0),
    "stop limit": lambda s: s.buy(size=1, exectype=Order.StopLimit, price=103.0, plimit=104.0),
    "market on close": lambda s: s.buy(size=1, exectype=Order.Close),
    "amount of money": lambda s: s.buy(notional=1000),
    "day orders": lambda s: s.buy(size=1, exectype=Order.Limit, price=90.0, valid=Order.DAY),
    "extended hours": lambda s: s.buy(size=1, extended_hours=True),
    "below the smallest": lambda s: s.buy(size=0.001),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_carried_is_refused_with_a_sentence(what: str) -> None:
    """In a backtest and live alike, before anything is sent."""
    script = {2: REFUSED[what]}
    with served() as sandbox:
        for result in (backtested(script), lived(sandbox, script)):
            assert result.strategy.story("a")[-1:] in (["Rejected"], [])
            assert any(what in each for each in result.strategy.reasons)
        assert book(sandbox).entries == {}


def test_a_pair_that_cancels_each_other_is_refused_live() -> None:
    """A venue's rules are not told of it; the desk says why."""

    def pair(strategy: Scripted) -> list[Any]:
        first = strategy.sell(size=1, exectype=Order.Limit, price=120.0)
        return [first, strategy.sell(size=1, exectype=Order.Stop, price=90.0, oco=first)]

    with served() as sandbox:
        live = lived(sandbox, {1: lambda s: s.buy(size=1), 3: pair})
        assert live.strategy.story("b")[-1] == live.strategy.story("c")[-1] == "Rejected"
        assert any("no pair of orders" in each for each in live.strategy.reasons)


def test_want_of_margin_is_told_as_such() -> None:
    """By the venue's own words, as Backtrader's Margin."""
    with served() as sandbox:
        live = lived(sandbox, {1: lambda s: s.sell(size=100_000)})
        assert live.strategy.story("a")[-1] == "Margin"
        assert len(PRICES) == live.strategy.count
