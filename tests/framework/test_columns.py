"""`framework.columns`: bars of one symbol as arrays."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.columns import Columns, instant, joined, moment

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def minutes(count):
    """Bars that end 1, 2, ... minutes after OPEN, their closes 1, 2, ..."""
    numbers = np.arange(1, count + 1)
    return Columns.of(instant(OPEN) + numbers.astype("timedelta64[m]"), *([numbers] * 4), numbers * 100)


def after(count):
    return OPEN + timedelta(minutes=count)


def test_columns_are_made_of_anything_numpy_reads():
    """Lists of text and integers become microseconds and floats."""
    bars = Columns.of(["2026-01-05T14:31"], [1], [2], [1], [2], [300])
    assert bars.end.dtype == "datetime64[us]"
    assert {getattr(bars, name).dtype for name in ("open", "high", "low", "close", "volume")} == {np.dtype("float64")}


def test_between_leaves_out_its_start_and_takes_in_its_end():
    """A bar that ends at the start of a range is before it; one that ends at its end is in it."""
    assert minutes(5).between(after(2), after(4)).close.tolist() == [3, 4]


def test_an_open_end_of_a_range_takes_all():
    """None on either side."""
    assert minutes(3).between(None, None).close.tolist() == [1, 2, 3]
    assert minutes(3).between(after(2), None).close.tolist() == [3]
    assert minutes(3).between(None, after(2)).close.tolist() == [1, 2]


@given(st.integers(0, 6), st.integers(0, 6))
def test_two_ranges_that_meet_are_the_whole(first, second):
    """No bar is in both, none in neither."""
    low, high = sorted((first, second))
    cuts = [None, after(low), after(high), None]
    pieces = [minutes(5).between(since, until) for since, until in itertools.pairwise(cuts)]
    assert joined(pieces).close.tolist() == minutes(5).close.tolist()


@pytest.mark.parametrize("which", [slice(1, 3), np.array([False, True, True, False]), np.array([1, 2])])
def test_bars_are_picked_by_slice_mask_or_index(which):
    """All six columns follow."""
    picked = minutes(4)[which]
    assert picked.close.tolist() == [2, 3]
    assert picked.volume.tolist() == [200, 300]
    assert [moment(end) for end in picked.end] == [after(2), after(3)]


def test_nothing_joined_is_empty():
    """No pieces, no bars, but six columns all the same."""
    assert len(joined([])) == len(Columns.empty()) == 0
    assert joined([Columns.empty(), minutes(2)]).close.tolist() == [1, 2]


def test_an_instant_is_utc_whatever_the_zone():
    """14:30 UTC is 09:30 five hours west, and comes back as UTC."""
    west = OPEN.astimezone(timezone(timedelta(hours=-5)))
    assert instant(west) == np.datetime64("2026-01-05T14:30", "us")
    assert moment(instant(west)) == OPEN
    assert moment(instant(west)).tzinfo is UTC


def test_a_naive_time_is_no_instant():
    """It is refused rather than taken as UTC."""
    with pytest.raises(ValueError, match="has no time zone"):
        instant(OPEN.replace(tzinfo=None))
