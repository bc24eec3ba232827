"""Fetching through the cache: only what is missing, only what is final is kept, never two states of the prices."""

import tempfile
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.cache import BarCache
from feeds.fetch import Fetch
from feeds.spans import Span
from framework.calendar import Calendar
from framework.columns import Columns, instant
from framework.errors import ConnectionLost, ProtocolError

ALWAYS = Calendar("24/7")
DAY0 = date(2025, 12, 1)


def day(offset: int) -> date:
    return DAY0 + timedelta(days=offset)


def span(first: int, last: int) -> Span:
    return Span(day(first), day(last))


@dataclass
class Answer:
    bars: dict[str, Columns]
    pages: int


@dataclass
class Side:
    """The other side: a bar at each noon, divided by each split that has come by `today` and lies ahead of the bar.

    A price is the day's number, from 1000 on, so that no two bars and no two states look alike.
    """

    today: int
    splits: dict[int, float] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    asked: list[tuple[tuple[str, ...], datetime, datetime]] = field(default_factory=list)
    pages: int = 1
    on_ask: list = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return ALWAYS.midnight(day(self.today)) + timedelta(hours=14)

    def bars(self, after: datetime, until: datetime) -> Columns:
        numbers = [n for n in range(self.today + 1) if n not in self.closed]
        ends = np.array([day(n) for n in numbers], dtype="datetime64[D]") + np.timedelta64(12, "h")
        prices = np.array([1000 + n for n in numbers], dtype=float)
        for at, ratio in self.splits.items():
            if at <= self.today:
                prices = np.where(np.array(numbers) < at, prices / ratio, prices)
        whole = Columns.of(ends, prices, prices, prices, prices, prices)
        return whole.between(after, min(until, self.now))

    def ask(self, symbols, after, until):
        self.asked.append((tuple(symbols), after, until))
        answer = Answer({symbol: self.bars(after, until) for symbol in symbols}, self.pages)
        if self.on_ask:
            self.on_ask.pop(0)()
        return answer

    def whole(self, wanted: Span) -> Columns:
        return self.bars(ALWAYS.midnight(wanted.first), ALWAYS.midnight(wanted.last + timedelta(days=1)))


@pytest.fixture
def cache(tmp_path: Path) -> BarCache:
    return BarCache(tmp_path, ALWAYS.midnight)


def fetch_of(side: Side, cache: BarCache, *, adjusted: bool = True) -> Fetch:
    return Fetch("Side", cache, side.ask, ALWAYS, adjusted, 1, lambda: side.now)


def load(side: Side, cache: BarCache, wanted: Span, symbols=("SPY",), **kind) -> dict[str, Columns]:
    return fetch_of(side, cache, **kind).load(symbols, wanted, side.now)


def same(left: Columns, right: Columns) -> bool:
    return np.array_equal(left.end, right.end) and np.array_equal(left.close, right.close)


def gone(*args):
    raise ConnectionLost("Side", "gone")


def test_second_time_nothing_is_asked(cache):
    """What is held is not fetched again."""
    side = Side(today=30)
    first = load(side, cache, span(0, 10))["SPY"]
    side.asked.clear()
    assert same(load(side, cache, span(0, 10))["SPY"], first)
    assert same(load(side, cache, span(3, 7))["SPY"], side.whole(span(3, 7)))
    assert side.asked == []


def test_only_missing_days_are_asked(cache):
    """Unadjusted, just the days between are downloaded."""
    side = Side(today=30)
    load(side, cache, span(0, 4), adjusted=False)
    load(side, cache, span(9, 12), adjusted=False)
    side.asked.clear()
    load(side, cache, span(2, 11), adjusted=False)
    assert [(after, until) for _, after, until in side.asked] == [(ALWAYS.midnight(day(5)), ALWAYS.midnight(day(9)))]


def test_symbols_that_miss_the_same_days_are_asked_together(cache):
    """One request serves many symbols; one of which more is held is asked for less."""
    side = Side(today=30)
    load(side, cache, span(0, 4), ("A",), adjusted=False)
    side.asked.clear()
    load(side, cache, span(0, 9), ("A", "B", "C"), adjusted=False)
    assert [symbols for symbols, _, _ in side.asked] == [("B", "C"), ("A",)]


def test_range_without_bars_is_not_asked_again(cache):
    """Days on which nothing traded are known to have nothing."""
    side = Side(today=30, closed=set(range(5)))
    load(side, cache, span(0, 4))
    side.asked.clear()
    assert len(load(side, cache, span(0, 4))["SPY"]) == 0
    assert side.asked == []


def test_recent_days_are_returned_but_not_kept(cache):
    """Today may still change, and so may yesterday until the morning is over."""
    side = Side(today=10)
    assert len(load(side, cache, span(0, 10))["SPY"]) == 11
    assert cache.held("SPY").spans == (span(0, 9),)


def test_yesterday_is_not_final_before_the_morning_is_over(cache):
    """Eight hours after midnight it is."""
    side = Side(today=10)
    early = ALWAYS.midnight(day(10)) + timedelta(hours=7)
    Fetch("Side", cache, side.ask, ALWAYS, True, 1, lambda: early).load(("SPY",), span(0, 10), early)
    assert cache.held("SPY").spans == (span(0, 8),)


def test_revised_bar_of_today_comes_through(cache):
    """What was served an hour ago for today is not served again from memory."""
    side = Side(today=10)
    load(side, cache, span(0, 10), adjusted=False)
    side.closed.add(10)
    assert len(load(side, cache, span(0, 10), adjusted=False)["SPY"]) == 10


@pytest.mark.parametrize("more", [(0, 14), (12, 14)])
def test_split_is_noticed_when_later_days_are_added(cache, more):
    """The whole series is fetched again, at the new prices; the old ones are gone."""
    side = Side(today=11, splits={12: 4.0})
    load(side, cache, span(0, 10))
    side.today = 20
    assert same(load(side, cache, span(*more))["SPY"], side.whole(span(*more)))
    assert same(load(side, cache, span(0, 14))["SPY"], side.whole(span(0, 14)))


def test_split_is_noticed_when_earlier_days_are_added(cache):
    """What lies before the held days is adjusted too, so it must not meet them."""
    side = Side(today=11, splits={12: 4.0})
    load(side, cache, span(6, 10))
    side.today = 20
    assert same(load(side, cache, span(0, 10))["SPY"], side.whole(span(0, 10)))


def test_split_is_noticed_when_a_hole_is_filled(cache):
    """Neither side of the hole fits what fills it."""
    side = Side(today=11, splits={12: 4.0})
    load(side, cache, span(0, 2))
    load(side, cache, span(7, 9))
    side.today = 20
    assert same(load(side, cache, span(0, 9))["SPY"], side.whole(span(0, 9)))


def test_split_that_is_worked_in_late_is_noticed(cache):
    """Days after it were fetched before it was worked in: the earliest bar tells all the same."""
    side = Side(today=29)
    load(side, cache, span(0, 25))
    side.splits[3] = 2.0
    assert same(load(side, cache, span(0, 27))["SPY"], side.whole(span(0, 27)))


def test_only_the_symbol_that_changed_is_fetched_again(cache):
    """The others are extended."""
    side = Side(today=20)
    load(side, cache, span(0, 9), ("A", "B"))
    edition = cache.held("B").edition
    before = cache.read("A", span(0, 9))[1]
    cache.drop("A", cache.held("A").edition)
    cache.write("A", span(0, 9), Columns.of(before.end, *[before.close / 3] * 5), None, side.now)
    loaded = load(side, cache, span(0, 12), ("A", "B"))
    assert all(same(bars, side.whole(span(0, 12))) for bars in loaded.values())
    assert list(loaded) == ["A", "B"]
    assert cache.held("B").edition == edition


def test_split_in_the_middle_of_a_download_is_noticed(cache):
    """The last question of all is for the earliest bars: it comes after the split that the pages have between them."""
    side = Side(today=11, splits={12: 4.0}, pages=2)
    side.on_ask = [lambda: setattr(side, "today", 20)]
    assert same(load(side, cache, span(0, 9))["SPY"], side.whole(span(0, 9)))


def test_raw_series_is_not_compared(cache):
    """Unadjusted bars never change, so nothing is asked twice."""
    side = Side(today=20)
    load(side, cache, span(0, 9), adjusted=False)
    load(side, cache, span(0, 12), adjusted=False)
    assert len(side.asked) == 2


def test_prices_that_never_hold_still_are_an_error(cache):
    """A side that serves other prices each time is not asked for ever."""
    side = Side(today=30, pages=2)
    side.on_ask = [lambda n=n: side.splits.update({25: 1.0 + n}) for n in range(1, 100)]
    with pytest.raises(ProtocolError, match="prices of SPY kept changing"):
        load(side, cache, span(0, 9))


def test_broken_download_leaves_the_cache_as_it_was(cache):
    """What was there before is there after, and is served."""
    side = Side(today=30)
    load(side, cache, span(0, 9))
    held = cache.held("SPY")
    side.on_ask = [gone]
    with pytest.raises(ConnectionLost):
        load(side, cache, span(0, 20))
    assert cache.held("SPY") == held
    side.asked.clear()
    assert same(load(side, cache, span(0, 9))["SPY"], side.whole(span(0, 9)))
    assert side.asked == []


def test_pieces_before_the_break_are_kept(cache, monkeypatch):
    """A long download goes on where it broke."""
    monkeypatch.setattr("feeds.fetch.PIECE", 40)
    side = Side(today=60)
    side.on_ask = [lambda: None, gone]
    with pytest.raises(ConnectionLost):
        load(side, cache, span(0, 50), adjusted=False)
    assert cache.held("SPY").spans == (Span(day(0), date(2025, 12, 31)),)
    assert same(load(side, cache, span(0, 50), adjusted=False)["SPY"], side.whole(span(0, 50)))
    assert len(side.asked) == 3


def test_damage_found_at_the_last_moment_is_mended(cache, tmp_path, caplog):
    """A year that turns out to be unreadable is downloaded again in the same call."""
    side = Side(today=60)
    load(side, cache, span(0, 50))
    next(tmp_path.glob("SPY/2026-*.parquet")).write_bytes(b"broken")
    assert same(load(side, cache, span(0, 50))["SPY"], side.whole(span(0, 50)))
    assert "set aside" in caplog.text


def test_process_that_was_faster_is_followed(cache):
    """Where another process dropped and fetched anew meanwhile, our bars do not join its own."""
    side = Side(today=11, splits={12: 4.0})
    load(side, cache, span(0, 4))

    def other():
        side.today = 20
        load(Side(today=20, splits=side.splits), cache, span(0, 6))

    side.on_ask = [lambda: None, other]  # after both of our questions, before our bars are written
    assert same(load(side, cache, span(0, 9))["SPY"], side.whole(span(0, 9)))


def test_clock_that_is_ahead_elsewhere_loses_nothing(cache):
    """Days that another process holds as final, and we take for recent, come once."""
    side = Side(today=10)
    ahead = side.now + timedelta(days=3)
    Fetch("Side", cache, side.ask, ALWAYS, True, 1, lambda: ahead).load(("SPY",), span(5, 10), ahead)
    assert same(load(side, cache, span(0, 10))["SPY"], side.whole(span(0, 10)))


STEPS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 45), st.integers(0, 12), st.sampled_from([0, 0, 1, 2])),
    min_size=2,
    max_size=8,
)
SPLITS = st.dictionaries(st.integers(1, 60), st.sampled_from([2.0, 3.0, 0.1, 1.01]), max_size=3)


@given(STEPS, SPLITS, st.sets(st.integers(0, 60), max_size=25), st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_returned_is_what_would_be_served(steps, splits, closed, late):
    """Whatever ranges are asked for, and whenever a split comes between: one state of the prices, never a mix.

    Where something was downloaded it is the state of now; where nothing was, it is one that was served.
    """
    with tempfile.TemporaryDirectory() as folder:
        cache = BarCache(Path(folder), ALWAYS.midnight)
        side = Side(today=20, splits={} if late else splits, closed=closed)
        states: list[Side] = []
        for elapsed, first, length, breaks in steps:
            side.today += elapsed
            side.splits = {at: ratio for at, ratio in splits.items() if at + 2 * late <= side.today}
            side.asked.clear()
            states.append(Side(side.today, dict(side.splits), closed))
            wanted = span(min(first, side.today), min(first + length, side.today))
            side.on_ask = [lambda: None] * (breaks - 1) + [gone] * bool(breaks)
            try:
                bars = load(side, cache, wanted)["SPY"]
            except ConnectionLost:
                continue
            if side.asked:
                assert same(bars, side.whole(wanted))
            else:
                assert any(same(bars, state.whole(wanted)) for state in states)


def test_clock_is_not_read_for_what_is_returned(cache):
    """`until` cuts the bars, to the microsecond."""
    side = Side(today=30)
    noon = ALWAYS.midnight(day(5)) + timedelta(hours=12)
    bars = fetch_of(side, cache).load(("SPY",), span(0, 5), noon - timedelta(microseconds=1))["SPY"]
    assert bars.end[-1] == instant(noon - timedelta(days=1))
    assert bars.end.dtype == np.dtype("datetime64[us]")
