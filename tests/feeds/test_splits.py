"""What looks like a split in unadjusted prices, and what does not."""

import numpy as np
import pytest

from feeds.splits import jumps
from framework.calendar import Calendar
from framework.columns import Columns

NYSE = Calendar("XNYS")


def two_days(close: float, opening: float) -> Columns:
    """Two sessions: the first ends at `close`, the second begins at `opening`."""
    ends = np.array(["2026-01-05T20:59", "2026-01-05T21:00", "2026-01-06T14:31", "2026-01-06T14:32"], "datetime64[us]")
    prices = np.array([close, close, opening, opening])
    return Columns.of(ends, prices, prices, prices, prices, prices)


@pytest.mark.parametrize(
    ("close", "opening", "said"),
    [(400.0, 101.0, "4:1"), (200.0, 98.0, "2:1"), (300.0, 15.1, "20:1"), (1.0, 10.2, "1:10"), (1.0, 1.94, "1:2")],
)
def test_overnight_jump_by_a_whole_number_looks_like_a_split(close, opening, said):
    """Within a few per cent, for the price moves overnight too; upwards it is a reverse split."""
    found = jumps(two_days(close, opening), NYSE)
    assert [(str(jump), str(jump.day)) for jump in found] == [(said, "2026-01-06")]


@pytest.mark.parametrize(("close", "opening"), [(100.0, 101.0), (100.0, 70.0), (100.0, 60.0), (100.0, 150.0)])
def test_bad_night_is_no_split(close, opening):
    """A third down on poor earnings is the market's doing."""
    assert jumps(two_days(close, opening), NYSE) == []


def test_jump_within_a_day_is_no_split():
    """Splits come overnight."""
    ends = np.array(["2026-01-05T15:00", "2026-01-05T15:01"], "datetime64[us]")
    assert jumps(Columns.of(ends, *[[100.0, 50.0]] * 5), NYSE) == []


def test_day_bars_can_jump_too():
    """A day bar ends when its session closes: the next one is another day's."""
    ends = np.array(["2026-01-05T21:00", "2026-01-06T21:00"], "datetime64[us]")
    assert len(jumps(Columns.of(ends, *[[100.0, 50.0]] * 5), NYSE)) == 1


def test_nothing_has_no_jumps():
    """No bars, no split."""
    assert jumps(Columns.empty(), NYSE) == []
