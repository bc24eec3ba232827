"""Signals as a Backtrader feed, in a backtest: seen at the instant of their receipt, never before, never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tape import Tape
from told import OPEN, Told, at, told

from feeds import SampleBars
from framework import run
from framework.errors import ConfigError

PRICES = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]


class Seeing(bt.Strategy):
    """Notes at which instants it saw which signals, and what the lines said."""

    def __init__(self) -> None:
        self.seen: list[tuple[datetime, list[str]]] = []
        self.lines_seen: list[tuple[float, ...]] = []
        self.instants: list[datetime] = []

    def next(self) -> None:
        self.instants.append(now(self))
        for data in self.datas:
            if hasattr(data, "signals") and data.signals():
                self.seen.append((now(self), [each.symbol for each in data.signals()]))
                self.lines_seen.append((data.action[0], data.side[0], data.price[0], data.weight[0]))


def now(strategy: bt.Strategy) -> datetime:
    found = bt.num2date(strategy.lines.datetime[0]).replace(tzinfo=UTC)
    return found.replace(microsecond=round(found.microsecond, -3) % 1_000_000)


def played(*signals: Any, strategy: type[bt.Strategy] = Seeing, prices: Any = PRICES, **more: Any) -> Any:
    source = more.pop("source", None) or Tape({"XYZ": prices})
    return run(strategy, source=[source, Told(*signals)], **more)


@pytest.mark.parametrize("engine", ["lean", "stock"])
def test_signal_is_an_instant_of_its_own(engine: str) -> None:
    """At the time of its receipt, between two bars."""
    seen = played(told(2.5, "open buy XYZ"), engine=engine).strategy
    assert seen.seen == [(at(2.5), ["XYZ"])]
    assert seen.instants == [at(1), at(2), at(2.5), at(3), at(4), at(5), at(6)]


@pytest.mark.parametrize("engine", ["lean", "stock"])
def test_signal_at_the_end_of_a_bar_comes_with_it(engine: str) -> None:
    """One `next` sees both."""
    seen = played(told(2, "open buy XYZ"), engine=engine).strategy
    assert (seen.seen, len(seen.instants)) == ([(at(2), ["XYZ"])], 6)


def test_all_signals_of_an_instant_are_there_and_the_lines_say_the_last() -> None:
    """Closes first; a sale is -1, a price that was not told is NaN."""
    seen = played(told(2.5, "close sell IBM", "open sell XYZ 0.25")).strategy
    assert seen.seen == [(at(2.5), ["IBM", "XYZ"])]
    action, side, price, weight = seen.lines_seen[0]
    assert (action, side, weight) == (1.0, -1.0, 0.25)
    assert price != price


def test_two_messages_of_one_instant_are_one_item() -> None:
    """Neither is left out."""
    seen = played(told(2.5, "close sell IBM"), told(2.5, "open buy XYZ")).strategy
    assert seen.seen == [(at(2.5), ["IBM", "XYZ"])]


def test_next_does_not_wait_for_the_first_signal() -> None:
    """The feed begins with a neutral item, at the first bar."""
    assert len(played().strategy.instants) == len(PRICES)


def test_signals_outside_of_the_run_are_not_seen() -> None:
    """Neither from the warm-up nor from after the last bar."""
    source = Tape({"XYZ": PRICES}, start=at(3))
    seen = played(told(2.5, "open buy XYZ"), told(4.5, "open buy XYZ"), told(9, "open buy XYZ"), source=source).strategy
    assert seen.seen == [(at(4.5), ["XYZ"])]


def test_two_algorithms_have_a_feed_each() -> None:
    """Found by name."""

    class Named(Seeing):
        def next(self) -> None:
            super().next()
            assert self.getdatabyname("AlphaHub 14").p.algorithm == "14"

    signals = Told(
        told(2.5, "open buy XYZ", algorithm="14"), told(3.5, "close sell XYZ", algorithm="16"), algorithms=("14", "16")
    )
    seen = run(Named, source=[Tape({"XYZ": PRICES}), signals]).strategy
    assert [when for when, _ in seen.seen] == [at(2.5), at(3.5)]


class Buying(bt.Strategy):
    """Buys ten of what a signal names, as often as `times`, each order under its key."""

    params = (("times", 1), ("named", True))

    def next(self) -> None:
        for data in self.datas:
            for signal in data.signals() if hasattr(data, "signals") else ():
                name = {"name": signal.key} if self.p.named else {}
                for _ in range(self.p.times):
                    self.buy(self.getdatabyname(signal.symbol), size=10, **name)


@pytest.mark.parametrize("engine", ["lean", "stock"])
@pytest.mark.parametrize(("minute", "filled", "price"), [(2, 3, 102.0), (2.05, 3, 102.0), (2.5, 4, 103.0)])
def test_order_is_filled_at_a_price_that_was_still_to_be_had(
    minute: float, filled: int, price: float, engine: str
) -> None:
    """The first one of a bar until five seconds after it; later, that of the next bar."""
    result = played(told(minute, "open buy XYZ"), strategy=Buying, engine=engine)
    assert result.fills[["time", "price"]].values.tolist() == [[at(filled), price]]


def test_day_bars_first_price_is_gone_during_the_day() -> None:
    """A signal of the morning is filled at the next day's."""
    source = SampleBars(["XYZ"], "2026-01-05", "2026-01-08", timeframe="1Day")
    result = played(told(24 * 60 + 60, "open buy XYZ"), strategy=Buying, source=source)
    assert result.fills["price"].tolist() == [source.history()["XYZ"].open[2]]


def test_second_order_of_a_name_is_refused() -> None:
    """However often a signal is told, it is traded once."""
    result = played(told(2.5, "open buy XYZ"), strategy=Buying, times=3)
    assert result.orders["status"].tolist() == ["Completed", "Rejected", "Rejected"]
    assert "was made before" in result.orders["reason"].iloc[1]


def test_name_that_cannot_be_one_is_told() -> None:
    """It becomes part of the order's id at the venue."""

    class Wrong(bt.Strategy):
        def next(self) -> None:
            self.buy(size=1, name="a b")

    with pytest.raises(ConfigError, match="letters and digits"):
        played(strategy=Wrong)


def test_order_in_signals_themselves_is_refused() -> None:
    """They have no price; which feed is meant is said."""

    class Wrong(bt.Strategy):
        def next(self) -> None:
            if len(self) == 1:
                self.buy(self.datas[1], size=1)

    result = played(strategy=Wrong)
    assert result.orders["status"].tolist() == ["Rejected"]
    assert "getdatabyname" in result.orders["reason"].iloc[0]


def test_signals_of_symbols_without_bars_are_counted() -> None:
    """Those that would open something; the sentence says what to add."""
    result = played(told(1.5, "open buy ABC", "open sell XYZ"), told(2.5, "open sell ABC"), told(3.5, "close buy ABC"))
    (note,) = result.notes
    assert note.startswith("2 signals to open could not be followed")
    assert "ABC (2)" in note


def test_run_needs_bars_beside_signals() -> None:
    """Said in one line, before anything is asked for."""
    with pytest.raises(ConfigError, match="needs bars"):
        run(Seeing, source=Told())


def test_algorithm_comes_from_one_source() -> None:
    """Two would tell everything twice."""
    with pytest.raises(ConfigError, match="algorithm 16 comes from more than one source"):
        run(Seeing, source=[Tape({"XYZ": PRICES}), Told(), Told()])


MINUTES = st.floats(-2, 8, allow_nan=False).map(lambda minute: round(minute, 4)) | st.integers(-2, 8).map(float)


@settings(deadline=None, max_examples=60)
@given(st.lists(MINUTES, max_size=12), st.sampled_from(["lean", "stock"]), st.booleans())
def test_each_signal_is_seen_once_at_its_receipt(minutes: list[float], engine: str, has_two: bool) -> None:
    """In their order, by `next`s whose time is theirs; with it not one bar is missed or moved."""
    symbols = {"XYZ": PRICES, **({"IBM": [50.0, None, 51.0, None, 52.0, None]} if has_two else {})}
    signals = [told(each, f"open buy S{place}") for place, each in enumerate(minutes)]
    seen = run(Seeing, source=[Tape(symbols), Told(*signals)], engine=engine).strategy
    first = at(1)
    expected = [(each.at, each.signals[0].symbol) for each in sorted(signals, key=lambda each: each.at)]
    told_at = [(when, symbol) for when, symbols_seen in seen.seen for symbol in symbols_seen]
    assert [symbol for _, symbol in told_at] == [symbol for when, symbol in expected if first < when <= at(6)]
    for (when, _), (due, _) in zip(told_at, [each for each in expected if first < each[0] <= at(6)], strict=True):
        assert abs(when - due) <= timedelta(milliseconds=1)
    assert [each for each in seen.instants if each in {at(minute) for minute in range(1, 7)}] == [
        OPEN + timedelta(minutes=minute) for minute in range(1, 7)
    ]


def test_run_in_which_nothing_was_published_says_so() -> None:
    """It may be of other days than the signals."""
    (note,) = played(told(90, "open buy XYZ")).notes
    assert note == "AlphaHub 16 published nothing between the first bar and the last"
