"""The windows of a walk-forward, in trading sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.calendar import Calendar
from framework.errors import ConfigError
from framework.research.windows import Window, sessions_in, windows_of

XNYS = Calendar()
JANUARY = XNYS.sessions.days[XNYS.sessions.days >= np.datetime64("2026-01-02")][:20]
"""With Martin Luther King's day, the 19th, left out."""


def windows(train: int, test: int, **how: Any) -> list[Window]:
    return windows_of(JANUARY, XNYS, train, test, **{"anchored": False, **how})


def test_holidays_and_weekends_do_not_count() -> None:
    """Ten sessions from the second of January are over on the fifteenth; five more on the twenty-third."""
    first = windows(10, 5)[0]
    assert (first.train.first, first.train.last) == (date(2026, 1, 2), date(2026, 1, 15))
    assert (first.test.first, first.test.last) == (date(2026, 1, 16), date(2026, 1, 23))


def test_the_train_part_moves_on_or_stays_anchored() -> None:
    """By as many sessions as are tested, or not at all."""
    assert [each.train.first.day for each in windows(10, 5)] == [2, 9]
    assert [each.train.first.day for each in windows(10, 5, anchored=True)] == [2, 2]
    assert [each.train.last.day for each in windows(10, 5, anchored=True)] == [15, 23]


def test_a_part_is_whole_days_of_the_exchange() -> None:
    """From midnight to midnight in New York; not from before the source begins, nor to after it ends."""
    first, second = windows(10, 5)
    assert second.train.start == datetime(2026, 1, 9, 5, tzinfo=UTC)
    assert second.test.end == datetime(2026, 1, 31, 5, tzinfo=UTC)
    since, until = datetime(2026, 1, 2, 15, tzinfo=UTC), datetime(2026, 1, 30, 18, tzinfo=UTC)
    first, second = windows(10, 5, since=since, until=until)
    assert (first.train.start, second.test.end) == (since, until)
    assert second.train.start == datetime(2026, 1, 9, 5, tzinfo=UTC)


@settings(deadline=None)
@given(st.integers(1, 19), st.integers(1, 25), st.booleans())
def test_every_day_after_the_first_train_part_is_tested_once(train: int, test: int, anchored: bool) -> None:
    """The test parts follow one another without a gap, and each begins where its train part ends."""
    found = windows(train, test, anchored=anchored)
    assert all(each.train.end == each.test.start for each in found)
    assert all(one.test.end == other.test.start for one, other in pairwise(found))
    assert found[0].test.first == JANUARY[train].item()
    assert found[-1].test.last == JANUARY[-1].item()


def test_too_few_sessions_to_test_on() -> None:
    """The message has both numbers."""
    with pytest.raises(ConfigError, match="20 trading sessions are too few to train on 20"):
        windows(20, 5)


def test_a_number_of_sessions_is_read_from_text() -> None:
    """With a D for days, or without."""
    assert [sessions_in(each, "train") for each in ("60D", " 60 d", "60", 60)] == [60] * 4


@pytest.mark.parametrize("asked", ["6W", "", "-5D", 0, True, 2.5, None, "0D"])
def test_what_is_no_number_of_sessions(asked: Any) -> None:
    """The keyword is named, and what to try."""
    with pytest.raises(ConfigError, match=r'test=.* is no number of trading sessions; try test="20D", or 20'):
        sessions_in(asked, "test")
