"""Real sessions against their backtests: a faultless one is it, and what goes wrong is priced under its own cause."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import backtrader as bt
import pytest
from compared import OPENS, Above, Scripted, Threshold, causes, compared, tape, trade, trade_in
from tape import Tape

from brokers import AlpacaVenue
from brokers.alpaca.settings import Settings
from feeds import SampleBars
from framework import Limits, compare
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError
from framework.live.clock import VirtualClock
from framework.live.journal import SqliteJournal
from strategies.sma_cross import SmaCross

RISING = [100.5, 100.5, 100.5, 101.0, 102.0, 103.0, 104.0, 105.0]

PEAK = [100.5, 100.5, 101.0, 100.5, 100.4, 100.3, 100.2]
"""Reaches 101 in its third minute only: who buys then loses 3 by the end."""

WIDE = (100.0, 101.0, 99.0, 100.0)
"""A bar with room for slippage."""

FLAT = [50.0] * 8


def buy(strategy: bt.Strategy) -> None:
    strategy.buy(size=10)


def sell(strategy: bt.Strategy) -> None:
    strategy.close()


def leave(strategy: bt.Strategy) -> None:
    strategy.env.runstop()


def chase(strategy: bt.Strategy) -> None:
    if strategy.data1.close[0] > 53:
        strategy.buy(data=strategy.data1, size=10)


def take_back(strategy: bt.Strategy) -> None:
    for order in strategy.broker.get_orders_open():
        strategy.cancel(order)


def bid(strategy: bt.Strategy) -> None:
    strategy.buy(size=10, exectype=bt.Order.Limit, price=100.0)


def test_a_faultless_session_is_its_backtest() -> None:
    """Over two symbols with warm-up and longer bars no order differs, and every cause is zero to the last bit."""
    source = SampleBars(["SPY", "IBM"], "2026-10-05", OPENS + timedelta(minutes=60))
    lived = trade(Above, source, resample=["5Min"], sizer=3, cash=50_000, at_close="liquidate")
    found = compare("s", Above, venue=AlpacaVenue())
    assert len(lived.fills) > 10
    assert found.backtest.fills["price"].tolist() == lived.fills["price"].tolist()
    assert (len(found.differences), found.total, *found.by_cause) == (0, 0.0, *[0.0] * 10)


def test_the_strategy_and_its_parameters_come_from_the_journal() -> None:
    """What can be imported need not be named again, and a parameter that is named again goes before."""
    source = SampleBars(["SPY"], "2026-10-05", OPENS + timedelta(minutes=40))
    trade(SmaCross, source, fast=3, slow=7)
    assert compare("s", venue=AlpacaVenue()).total == 0.0
    other = compare("s", venue=AlpacaVenue(), fast=4)
    assert other.total
    assert "knock-on" in causes(other)


def test_a_missing_bar_costs_what_its_backtest_makes_with_it() -> None:
    """The bar that reaches the threshold never comes: ten are not bought at 100.5 that are worth 100.2."""
    found = compared(
        Threshold, tape(PEAK), is_complete=True, faults=[{"name": "missing_minute", "after": 2}]
    )  # fmt: skip
    assert causes(found) == {"missing bar": 3.0}
    assert found.total == pytest.approx(3.0)
    assert found.bars[["symbol", "what", "final"]].to_numpy().tolist() == [["A", "missing bar", 101.0]]


def test_what_a_backtest_holds_that_ends_early_is_worth_the_sessions_last_price() -> None:
    """It leaves on the bar that the session never got, with ten shares that go on to rise."""
    script = {1: buy, 3: lambda strategy: leave(strategy) if strategy.data.close[0] >= 101 else None}
    missing = [{"name": "missing_minute", "after": 2}]
    found = compared(Scripted, tape([100.0, 100.0, *RISING[3:]]), is_complete=True, faults=missing, script=script)
    assert len(found.backtest.equity) == 3
    assert (found.tested.pnl, found.live.pnl, found.total) == (50.0, 50.0, 0.0)


def test_a_bar_that_nobody_has_is_no_difference() -> None:
    """Without a source of final bars a bar that never came is not known, and a note says so."""
    found = compared(Threshold, tape(PEAK), faults=[{"name": "missing_minute", "after": 2}])
    assert (found.total, len(found.differences)) == (0.0, 0)
    assert any("never came" in note for note in found.notes)


def test_a_late_bar_costs_the_entry_that_it_led_to() -> None:
    """The other symbol's instant has gone; on the bar that comes behind it no position is opened."""
    late = {"name": "missing_bar", "match": {"symbol": "A"}, "after": 2}
    found = compared(Threshold, tape(PEAK, FLAT), faults=[late])
    assert set(causes(found)) == {"late bar"}
    assert found.total == pytest.approx(3.0)
    assert found.bars["what"].tolist() == ["late bar"]


def test_a_bar_that_was_revised_costs_what_it_would_have_led_to() -> None:
    """A late print lifts the high to the threshold, when the session has decided already."""
    revised = {"name": "late_update", "after": 1, "price": 101.5}
    found = compared(Threshold, tape([100.5, 100.5, 100.5, 100.5, 100.5, 102.0, 102.0]), faults=[revised])
    assert set(causes(found)) == {"revised bar"}
    assert found.by_cause["revised bar"] == found.total < 0
    assert found.bars["what"].tolist() == ["revised bar"]


def test_a_partial_fill_costs_what_was_not_bought_and_its_exit_with_it() -> None:
    """Half of the bid is filled, and the price goes away: five shares are worth 4 more that are not there."""
    prices = [101.0, 101.0, (101.0, 101.0, 99.5, 101.0), 102.0, 103.0, 104.0, 104.0]
    script = {2: bid, 4: take_back, 5: sell}
    found = compared(Scripted, tape(prices), script=script, settings=Settings(partial=1.0))
    assert causes(found) == {"partial": -20.0}
    assert found.table[["live", "backtest"]].to_numpy().tolist()[:2] == [
        ["5 of 10 filled", "10 of 10 filled"],
        ["5 asked for", "10 asked for"],
    ]


def test_a_rejected_order_costs_the_whole_round_trip() -> None:
    """The entry is rejected; the exit that only the backtest has goes under the same cause."""
    script = {1: buy, 5: sell}
    found = compared(Scripted, tape([*RISING, 90.0]), script=script, faults=[{"name": "rejected"}])
    assert causes(found) == {"rejected": -25.0}  # bought at 100.5 and sold at 103; the fall to 90 is nobody's
    assert found.total == -25.0
    assert len(found.table) == 2


def test_a_refusal_of_the_sessions_own_limits_is_a_rejection() -> None:
    """What was never sent stands in the journal, and is matched with the backtest's order."""
    live = {"limits": Limits(order_value=500)}
    found = compared(Scripted, tape(RISING), script={1: buy}, live=live)
    assert causes(found) == {"rejected": -45.0}
    assert "limit order_value" in found.table["live"].iloc[0]


def test_another_fill_price_is_its_own_cause() -> None:
    """Slippage of 0.1 % in and out, on prices that do not move meanwhile."""
    slipped = Settings(slippage=0.001)
    found = compared(Scripted, tape([WIDE] * 8), script={1: buy, 4: sell}, settings=slipped)
    assert causes(found) == {"fill price": -2.0}


def test_a_fill_a_minute_later_is_latency_and_the_rest_its_price() -> None:
    """The order is ninety seconds on its way: what the market did meanwhile is latency, what was slipped is price."""
    slow = Settings(latency=timedelta(seconds=90), slippage=0.001)
    prices = [WIDE, WIDE, WIDE, (101.0, 102.0, 100.0, 101.0), (101.0, 102.0, 100.0, 101.0)]
    found = compared(Scripted, tape(prices), script={2: buy}, settings=slow)
    assert causes(found) == {"latency": -10.0, "fill price": -1.01}


def test_fees_are_their_own_cause() -> None:
    """The backtest is told of a commission that the session did not pay."""
    trade(Scripted, tape([100.0] * 6), script={1: buy, 3: sell})
    found = compare("s", Scripted, venue=AlpacaVenue(), script={1: buy, 3: sell}, commission=0.001)
    assert causes(found) == {"fees": 2.0}


def test_several_causes_in_one_session_stand_side_by_side() -> None:
    """Each has its own money, and together they are the whole."""
    dip, jump = (98.0, 101.0, 98.0, 100.0), 55.0
    prices, other = [WIDE, dip, *[WIDE] * 7], [*[50.0] * 5, jump, 52.0, 54.0, 54.0]
    faults = [{"name": "missing_minute", "match": {"symbol": "B"}, "after": 5}, {"name": "rejected"}]
    found = compared(
        Scripted, tape(prices, other), is_complete=True, faults=faults, settings=Settings(slippage=0.001),
        script={1: buy, 3: buy, 5: sell, 6: chase},
    )  # fmt: skip
    assert causes(found) == {"missing bar": -20.0, "rejected": -20.0, "fill price": -2.0}
    assert found.total == pytest.approx(-42.0)


def test_a_run_that_began_flat_is_compared_by_its_number() -> None:
    """A session that went on has several runs; each is a strategy that begins anew, with the cash it had."""
    source, first, second = tape([WIDE] * 16), {1: buy, 3: sell, 6: leave}, {9: buy, 12: sell}
    with Sandbox(source, settings=Settings(slippage=0.001)) as sandbox:
        for script in (first, second):
            trade_in(sandbox, Scripted, source, script=script)
    with pytest.raises(ConfigError, match=r"started 2 times.*run=2"):
        compare("s", Scripted, script=second)
    one, two = (
        compare("s", Scripted, venue=AlpacaVenue(), run=number, script=script)
        for number, script in ((1, first), (2, second))
    )
    assert (set(causes(one)), set(causes(two))) == ({"fill price"}, {"fill price"})
    assert two.backtest.cash == pytest.approx(one.backtest.cash + one.live.pnl)


def test_a_run_that_began_with_a_position_is_refused() -> None:
    """A backtest begins with nothing: the line says what was held."""
    source = tape([*RISING, *RISING])
    with Sandbox(source) as sandbox:
        for script in ({1: buy, 6: leave}, {9: sell}):
            trade_in(sandbox, Scripted, source, script=script)
    with pytest.raises(ConfigError, match="run 2, began with 10 A held"):
        compare("s", Scripted, run=2)


def test_a_session_that_still_runs_is_compared_up_to_its_last_bar(sessions_folder: Path) -> None:
    """While a process writes its journal; a note says until when."""
    trade(Scripted, tape(FLAT), script={1: buy})
    with SqliteJournal(sessions_folder / "s.sqlite", VirtualClock(OPENS), synchronous="OFF"):
        found = compare(sessions_folder / "s.sqlite", Scripted, venue=AlpacaVenue(), script={1: buy})
    assert found.until == OPENS + timedelta(minutes=8)
    assert any("it still runs: this is up to its last bar, 13:38 UTC" in note for note in found.notes)


def test_a_strategy_that_cannot_be_imported_is_asked_for() -> None:
    """One of a test's function is nowhere to be found again."""

    class Own(Scripted):
        pass

    trade(Own, tape(FLAT))
    with pytest.raises(ConfigError, match=r"Own, which is not to be found here; give strategy="):
        compare("s")


def test_what_a_journal_cannot_keep_is_asked_for() -> None:
    """A function as a parameter is a text in the journal."""
    trade(Scripted, tape(FLAT), script={1: buy})
    with pytest.raises(ConfigError, match=r"ran with script=.*a journal cannot keep; give it again"):
        compare("s", Scripted)


@pytest.mark.parametrize("name", ["live", "background", "warmup"])
def test_a_comparison_is_a_backtest_and_nothing_else(name: str) -> None:
    """What would make it something else is not taken."""
    trade(Scripted, tape(FLAT))
    with pytest.raises(ConfigError, match=f"{name} cannot be given"):
        compare("s", Scripted, **{name: True})


def test_bars_of_another_time_are_no_source() -> None:
    """Final bars that are not of the session's time are refused, and not taken for missing ones."""
    trade(Scripted, tape(FLAT))
    with pytest.raises(ConfigError, match="source has no bars of A"):
        compare("s", Scripted, source=Tape({"A": FLAT}))


def test_a_session_that_is_not_there_is_said_in_one_line() -> None:
    """With the one that is nearest."""
    trade(Scripted, tape(FLAT), session="breakout")
    with pytest.raises(ConfigError, match=r"there is no session breakaut .*breakout"):
        compare("breakaut")
