"""Longer bars made of minutes as they come, beside the same bars made at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.calendar import Calendar
from framework.columns import Columns, instant, moment
from framework.live.windows import Cut, Growing, ending
from framework.model import MINUTE, Bar, Timeframe
from framework.resample import resampled

XNYS = Calendar("XNYS")
EARLY = datetime(2025, 11, 28, 14, 30, tzinfo=UTC)
"""The open of a day that closes at one o'clock; its last bar ends at 18:00 UTC."""

MINUTES = st.lists(st.integers(1, 210), unique=True, min_size=1, max_size=120).map(sorted)
TARGETS = [Timeframe.parse(each) for each in ("5Min", "15Min", "1Hour", "1Day", "1Week")]


def columns(minutes: list[int], days: int = 0) -> Columns:
    """Return bars that end so many minutes after the open, each with prices of its own."""
    ends = [instant(EARLY + timedelta(days=days, minutes=each)) for each in minutes]
    base = np.array(minutes, dtype=float)
    return Columns.of(ends, 100 + base % 7, 110 + base % 5, 90 - base % 3, 100 + base % 11, base * 1.1)


def bars(of: Columns) -> list[Bar]:
    names = ("open", "high", "low", "close", "volume")
    values = zip(of.end, *(getattr(of, name).tolist() for name in names), strict=True)
    return [Bar("ABC", moment(end), *rest) for end, *rest in values]


def grown(window: Growing, news: list[Bar]) -> list[Bar]:
    """Play the bars as the live loop does: what is over is taken at its end, or when a later bar comes."""
    taken = []
    for bar in news:
        for _ in ending([window], bar.end - timedelta(microseconds=1)):
            taken.append(window.take())
        window.add(bar)
        for _ in ending([window], bar.end):
            taken.append(window.take())
    return taken


def row(bar: Bar) -> tuple[object, ...]:
    return bar.end, bar.open, bar.high, bar.low, bar.close, bar.volume


@settings(deadline=None)  # the first one loads a calendar
@given(MINUTES, st.sampled_from(TARGETS), st.integers(0, 120))
def test_windows_are_those_of_history(minutes: list[int], target: Timeframe, known: int) -> None:
    """Any minutes of a short day, any of them as history: the bars that come out are those made at once."""
    whole, cut = columns(minutes), Cut(MINUTE, target, XNYS)
    before, after = whole[:known], whole[known:]
    until = moment(before.end[-1]) if len(before) else EARLY
    complete = resampled(before, MINUTE, target, XNYS, until)
    window = Growing.begun("ABC", target, cut, before, complete)
    live = grown(window, bars(after))
    at_once = bars(resampled(whole, MINUTE, target, XNYS, moment(whole.end[-1])))
    assert [row(each) for each in [*bars(complete), *live]] == [row(each) for each in at_once]
    assert window.late == 0


def test_a_days_bar_ends_with_an_early_close() -> None:
    """At one o'clock the day is over, and its bar is there with the minute that ends then."""
    window = Growing("ABC", Timeframe.parse("1Day"), Cut(MINUTE, Timeframe.parse("1Day"), XNYS))
    (day,) = grown(window, bars(columns([1, 2, 210])))
    assert day.end == EARLY + timedelta(minutes=210)
    assert window.ends_at is None


def test_a_window_without_its_last_minutes_is_told_with_the_next_bar() -> None:
    """Nothing trades from the third minute to the fifth: the bar after tells that the window is over."""
    window = Growing("ABC", Timeframe.parse("5Min"), Cut(MINUTE, Timeframe.parse("5Min"), XNYS))
    assert [each.end.minute for each in grown(window, bars(columns([1, 3, 6])))] == [35]
    assert window.ends_at == EARLY + timedelta(minutes=10)


def test_a_minute_that_comes_when_its_window_was_told_is_counted_and_changes_nothing() -> None:
    """What a strategy has seen is not rewritten."""
    window = Growing("ABC", Timeframe.parse("5Min"), Cut(MINUTE, Timeframe.parse("5Min"), XNYS))
    grown(window, bars(columns([1, 2, 5])))
    window.add(bars(columns([4]))[0])
    assert (window.bar, window.late) == (None, 1)


def test_ends_are_told_once_and_the_earliest_first() -> None:
    """Several symbols whose windows end together make one instant."""
    five, hour = (Timeframe.parse(each) for each in ("5Min", "1Hour"))
    windows = [Growing(name, five, Cut(MINUTE, five, XNYS)) for name in "AB"]
    windows.append(Growing("C", hour, Cut(MINUTE, hour, XNYS)))
    for window in windows:
        window.add(bars(columns([1]))[0])
    ends = ending(windows, EARLY + timedelta(hours=1))
    assert [(end - EARLY).total_seconds() / 60 for end in ends] == [5, 30]


def test_nothing_to_take_is_an_error_of_the_caller() -> None:
    """A window that is not open has no bar."""
    with pytest.raises(AssertionError):
        Growing("ABC", MINUTE, Cut(MINUTE, MINUTE, XNYS)).take()
