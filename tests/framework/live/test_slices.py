"""Bars of one instant as one slice: complete at once, incomplete after the grace period, late ones by themselves."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.live.slices import Slicer
from framework.model import MINUTE, Bar, Timeframe

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
FIVE, DAY = Timeframe.parse("5Min"), Timeframe.parse("1Day")


def bar(symbol, minute, timeframe=MINUTE):
    return Bar(symbol, OPEN + timedelta(minutes=minute), 1.0, 1.0, 1.0, 1.0, 1.0, timeframe)


def shown(slices):
    """Return slices as text: the minute, the symbols, and "late"."""
    return [
        f"{(each.at - OPEN) // timedelta(minutes=1)} {''.join(bar.symbol for bar in each.bars)}"
        + (" late" if each.is_late else "")
        for each in slices
    ]


def test_slice_goes_when_all_have_come():
    """Two symbols, one slice, in the slicer's order, without a wait."""
    slicer = Slicer(["A", "B"])
    assert slicer.add(bar("B", 1), 0.0) == []
    assert shown(slicer.add(bar("A", 1), 0.01)) == ["1 AB"]
    assert slicer.deadline() is None


def test_slice_goes_after_the_grace_period():
    """A symbol without a bar costs a quarter of a second and nothing more."""
    slicer = Slicer(["A", "B"])
    slicer.add(bar("A", 1), 10.0)
    assert slicer.deadline() == 10.25
    assert slicer.due(10.2) == []
    assert shown(slicer.due(10.25)) == ["1 A"]


def test_bar_after_its_slice_makes_a_slice_of_its_own():
    """It is late, counted, and never dropped."""
    slicer = Slicer(["A", "B"])
    slicer.add(bar("A", 1), 0.0)
    slicer.due(1.0)
    assert shown(slicer.add(bar("B", 1), 1.0)) == ["1 B late"]
    assert slicer.late == 1


@pytest.mark.parametrize("now", [0.0, 1.0])
def test_bar_that_comes_twice_is_left_out(now):
    """While its instant waits, and after it has gone."""
    slicer = Slicer(["A", "B"])
    slicer.add(bar("A", 1), 0.0)
    slicer.due(now)
    assert slicer.add(bar("A", 1), now) == []
    assert (slicer.duplicates, slicer.late) == (1, 0)


def test_complete_instant_waits_for_an_earlier_one():
    """The second minute is whole before the first; both go when the first has waited."""
    slicer = Slicer(["A", "B"])
    slicer.add(bar("A", 1), 0.0)
    assert slicer.add(bar("A", 2), 0.1) == slicer.add(bar("B", 2), 0.1) == []
    assert shown(slicer.due(0.25)) == ["1 A", "2 AB"]


def test_instant_takes_an_earlier_one_along():
    """The first minute came after the second: it goes with it, before its own time is up, and first."""
    slicer = Slicer(["A", "B"])
    slicer.add(bar("A", 2), 0.0)
    slicer.add(bar("B", 1), 0.2)
    assert shown(slicer.due(0.25)) == ["1 B", "2 A"]


def test_burst_of_symbol_after_symbol_is_put_together():
    """A backfill brings one symbol's minutes, then another's; the hole in it costs no extra slice."""
    slicer = Slicer(["A", "B"])
    assert [gone for minute in (1, 2, 3) for gone in slicer.add(bar("A", minute), 0.0)] == []
    assert shown(slicer.add(bar("B", 1), 0.01)) == ["1 AB"]
    assert slicer.add(bar("B", 3), 0.02) == []
    assert shown(slicer.due(0.25)) == ["2 A", "3 AB"]


def test_longer_bars_are_awaited_where_they_can_end():
    """A minute does not wait for five; the fifth does, and has both bars of the symbol."""
    slicer = Slicer(["A", ("A", FIVE)])
    assert shown(slicer.add(bar("A", 4), 0.0)) == ["4 A"]
    assert slicer.add(bar("A", 5), 1.0) == []
    [both] = slicer.add(bar("A", 5, FIVE), 1.0)
    assert [each.timeframe for each in both.bars] == [MINUTE, FIVE]
    assert (both.bar("A"), both.bar("B")) == (bar("A", 5), None)


def test_day_bars_wait_for_one_another_only():
    """Among themselves; a minute slice does not wait for the day's, which joins where it comes in time."""
    slicer = Slicer([("A", DAY), ("B", DAY)])
    assert slicer.add(bar("A", 390, DAY), 0.0) == []
    assert shown(slicer.add(bar("B", 390, DAY), 0.1)) == ["390 AB"]
    assert shown(Slicer(["A", ("A", DAY)]).add(bar("A", 390), 0.0)) == ["390 A"]


def test_symbols_may_be_added_on_the_way():
    """The third is awaited from then on."""
    slicer = Slicer(["A"])
    assert shown(slicer.add(bar("A", 1), 0.0)) == ["1 A"]
    slicer.expect(["A", "B"])
    assert slicer.add(bar("A", 2), 60.0) == []
    assert shown(slicer.add(bar("B", 2), 60.0)) == ["2 AB"]


def test_without_a_grace_period_nothing_waits():
    """Each bar goes as it comes."""
    slicer = Slicer(["A", "B"], grace=0)
    assert shown([*slicer.add(bar("A", 1), 0.0), *slicer.add(bar("B", 1), 0.0)]) == ["1 A", "1 B late"]


@pytest.mark.parametrize("grace", [-1, float("inf"), float("nan")])
def test_grace_must_be_a_time(grace):
    """What would never go, or has gone before it came, is refused."""
    with pytest.raises(ConfigError, match="no waiting time"):
        Slicer(["A"], grace)


ARRIVALS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 6), st.sampled_from([0.0, 0.0, 0.05, 0.25, 0.4])), max_size=40
)


@given(ARRIVALS, st.booleans())
def test_each_bar_comes_out_once_and_in_time(arrivals, polls):
    """Once each, instants in order but for late ones, and none kept beyond the grace period of its instant."""
    slicer = Slicer("AB")
    now, first, gone = 0.0, {}, []
    for symbol, minute, step in arrivals:
        now += step
        if polls:
            gone += [(now, each) for each in slicer.due(now)]
        first.setdefault(bar(symbol, minute).end, now)
        gone += [(now, each) for each in slicer.add(bar(symbol, minute), now)]
        waiting = [each for each in first if each not in {slice.at for _, slice in gone}]
        assert all(first[each] + slicer.grace > now for each in waiting)
    if (deadline := slicer.deadline()) is not None:
        gone += [(deadline, each) for each in slicer.due(deadline + slicer.grace)]
    told = Counter((each.symbol, each.end) for _, slice in gone for each in slice.bars)
    assert told == Counter({(symbol, bar(symbol, minute).end): 1 for symbol, minute, _ in arrivals})
    punctual = [slice.at for _, slice in gone if not slice.is_late]
    assert punctual == sorted(set(punctual))
    assert slicer.late == sum(slice.is_late for _, slice in gone)
    assert slicer.duplicates == len(arrivals) - sum(told.values())


@given(ARRIVALS)
def test_late_is_what_comes_after_its_time(arrivals):
    """A slice is marked late exactly where an instant as late, or later, has gone before it."""
    slicer = Slicer("AB")
    now, latest = 0.0, OPEN
    for symbol, minute, step in arrivals:
        now += step
        for each in slicer.add(bar(symbol, minute), now):
            assert each.is_late == (each.at <= latest)
            latest = max(latest, each.at)


def test_a_symbol_that_is_halted_is_not_waited_for():
    """But for the minute in which that began; after the halt it is awaited again."""
    slicer = Slicer(["A", "B"])
    slicer.add(bar("A", 1), 0.0)
    assert slicer.excuse("B", OPEN + timedelta(seconds=50), 0.1) == []
    assert shown(slicer.add(bar("B", 1), 0.2)) == ["1 AB"]
    assert shown(slicer.add(bar("A", 2), 60.0)) == ["2 A"]
    slicer.expect_again("B")
    assert slicer.add(bar("A", 3), 120.0) == []
    assert shown(slicer.add(bar("B", 3), 120.1)) == ["3 AB"]


def test_what_waits_for_a_symbol_goes_when_it_is_halted():
    """A halt may be told late; a bar that comes all the same is never dropped."""
    slicer = Slicer(["A", "B"])
    slicer.add(bar("A", 2), 0.0)
    assert shown(slicer.excuse("B", OPEN + timedelta(minutes=1), 0.1)) == ["2 A"]
    assert shown(slicer.add(bar("B", 2), 0.2)) == ["2 B late"]


def test_instants_that_have_gone_share_their_names():
    """Each remembers which series it had, for a day: a pair for each bar would be thousands."""
    slicer = Slicer(["A"])
    for minute in range(1, 4):
        slicer.add(bar("A", minute), 0.0)
    assert len({id(key) for gone in slicer._gone.values() for key in gone}) == 1
