"""`framework.resample`: longer bars from shorter ones, by event time and the exchange's calendar."""

import functools
import math
import operator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.calendar import Calendar, Hours
from framework.columns import Columns, joined
from framework.errors import ConfigError
from framework.model import MINUTE, Timeframe
from framework.resample import check, resampled, window_ends

LATER = datetime(2030, 1, 1, tzinfo=UTC)
NEW_YORK = Calendar()
WEDNESDAY, SHORT_FRIDAY = "2025-11-26T14:31", "2025-11-28T14:31"


def bars(first, count, step=1):
    """`count` bars, the first of which ends at `first`; prices 1, 2, ..., volume 1 each."""
    ends = np.datetime64(first, "us") + (np.arange(count) * step).astype("timedelta64[m]")
    prices = np.arange(1.0, count + 1)
    return Columns.of(ends, prices, prices + 0.5, prices - 0.5, prices, np.ones(count))


def longer(given_bars, target, calendar=NEW_YORK, until=LATER, source=MINUTE):
    return resampled(given_bars, source, Timeframe.parse(target), calendar, until)


def texts(columns):
    return [str(end)[:16] for end in columns.end]


def test_five_minutes_make_one_bar():
    """First open, highest high, lowest low, last close, all the volume; stamped with the window's end."""
    found = longer(bars(WEDNESDAY, 5), "5Min")
    assert texts(found) == ["2025-11-26T14:35"]
    row = [getattr(found, name).tolist() for name in ("open", "high", "low", "close", "volume")]
    assert row == [[1.0], [5.5], [0.5], [5.0], [5.0]]


def test_a_hole_makes_a_bar_of_fewer_minutes_not_a_later_one():
    """Windows are the clock's: after a hole the next window begins where it always does."""
    day = bars(WEDNESDAY, 10)
    found = longer(day[np.array([0, 1, 7])], "5Min")
    assert texts(found) == ["2025-11-26T14:35", "2025-11-26T14:40"]
    assert found.volume.tolist() == [2, 1]


def test_an_empty_window_makes_no_bar():
    """Nothing is invented."""
    assert texts(longer(bars(WEDNESDAY, 2, step=20), "5Min")) == ["2025-11-26T14:35", "2025-11-26T14:55"]


def test_hours_are_counted_from_midnight_and_end_with_the_session():
    """09:30 to 10:00 is the first, and the last one of a short day ends at 13:00."""
    found = longer(bars(SHORT_FRIDAY, 210), "1Hour")
    assert texts(found) == [f"2025-11-28T{hour}:00" for hour in (15, 16, 17, 18)]
    assert found.volume.tolist() == [30, 60, 60, 60]


def test_a_window_that_the_close_cuts_short_ends_at_the_close():
    """Four hours from 12:00 would end at 16:00; the market closes at 13:00 and all is known then."""
    assert texts(longer(bars(SHORT_FRIDAY, 210), "4Hour")) == ["2025-11-28T17:00", "2025-11-28T18:00"]


def test_a_day_ends_at_its_close_early_closes_too():
    """16:00 on Wednesday, 13:00 on the Friday after Thanksgiving."""
    both = longer(joined([bars(WEDNESDAY, 390), bars(SHORT_FRIDAY, 210)]), "1Day")
    assert texts(both) == ["2025-11-26T21:00", "2025-11-28T18:00"]
    assert both.volume.tolist() == [390, 210]


def test_a_week_ends_with_its_last_session():
    """The week of Thanksgiving ends on Friday at 13:00, seen from its Monday."""
    assert texts(longer(bars("2025-11-24T14:31", 1), "1Week")) == ["2025-11-28T18:00"]


def test_a_month_ends_with_its_last_session():
    """May 2026 ends on a Sunday, so its last close is Friday's the 29th."""
    assert texts(longer(bars("2026-05-04T13:31", 1), "1Month")) == ["2026-05-29T20:00"]


def test_extended_hours_belong_to_their_day():
    """A day's bar with post-market is complete at 20:00, an hour into the next day in UTC."""
    post = bars("2025-11-26T23:30", 2)
    assert texts(longer(post, "1Day", Calendar("XNYS", Hours.EXTENDED))) == ["2025-11-27T01:00"]


def test_minutes_after_the_close_that_the_hours_leave_out_are_one_bar_to_midnight():
    """They cannot be in a bar that was known at the close, and are not a bar each."""
    found = longer(bars("2025-11-26T20:59", 5), "1Day")
    assert texts(found) == ["2025-11-26T21:00", "2025-11-27T05:00"]
    assert found.volume.tolist() == [2, 3]


def test_a_weekend_of_what_never_closes_has_its_days():
    """24/7 days end at midnight UTC."""
    assert texts(longer(bars("2026-01-03T00:01", 3000), "1Day", Calendar("24/7"))) == [
        "2026-01-04T00:00", "2026-01-05T00:00", "2026-01-06T00:00",
    ]  # fmt: skip


def test_a_window_that_is_not_over_is_left_out():
    """`until` is how far the history is complete: a bar that ends later is not known yet."""
    day = bars(WEDNESDAY, 7)
    assert len(longer(day, "5Min", until=datetime(2025, 11, 26, 14, 39, tzinfo=UTC))) == 1
    assert len(longer(day, "5Min", until=datetime(2025, 11, 26, 14, 40, tzinfo=UTC))) == 2


def test_fractions_of_volume_are_summed_bar_by_bar():
    """So that a bar made live, one minute after the other, has the same last digit."""
    day = bars("2025-11-26T15:01", 60)
    found = longer(Columns.of(day.end, day.open, day.high, day.low, day.close, np.full(60, 0.1)), "1Hour")
    assert found.volume.tolist() == [functools.reduce(operator.add, [0.1] * 60)]
    assert found.volume[0] != math.fsum([0.1] * 60)  # or the example would show nothing


def test_no_bars_make_no_bars():
    """An empty history stays empty."""
    assert len(longer(Columns.empty(), "5Min")) == 0


@pytest.mark.parametrize(
    ("source", "target"),
    [("5Min", "7Min"), ("5Min", "1Min"), ("5Min", "5Min"), ("1Day", "1Week"), ("1Min", "48Hour")],
)
def test_what_cannot_be_made_is_refused(source, target):
    """Not a multiple, shorter, the same, of days, or hours that would begin anew each midnight."""
    with pytest.raises(ConfigError, match=f"cannot make {target} bars of {source} bars; .*"):
        check(Timeframe.parse(source), Timeframe.parse(target))


MINUTES = st.sets(st.integers(0, 4 * 24 * 60), min_size=1, max_size=60).map(sorted)
TARGETS = st.sampled_from(["5Min", "7Min", "1Hour", "4Hour", "1Day", "2Day", "1Week", "1Month"])
CALENDARS = st.sampled_from(
    [Calendar(), Calendar("XNYS", Hours.EXTENDED), Calendar("XNYS", Hours.ALL), Calendar("24/7")]
)


@settings(deadline=None)
@given(MINUTES, TARGETS, CALENDARS, st.sampled_from(["2025-11-26T00:00", "2026-03-06T00:00"]))
def test_windows_hold_every_bar_once_and_never_end_before_it(offsets, target, calendar, first):
    """Over a holiday, an early close or the change to summer time, on any hours: no look-ahead, no loss."""
    ends = np.datetime64(first, "us") + np.array(offsets).astype("timedelta64[m]")
    numbers = np.arange(1.0, len(ends) + 1)
    found = longer(Columns.of(ends, *[numbers] * 4, numbers), target, calendar)
    windows = window_ends(ends, MINUTE, Timeframe.parse(target), calendar)
    assert (windows >= ends).all()
    assert (np.diff(found.end) > np.timedelta64(0, "us")).all()
    assert found.volume.sum() == numbers.sum()
    assert (windows <= ends + np.timedelta64(timedelta(days=32))).all()
