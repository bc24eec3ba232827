"""`framework.when`: days and instants, as a user writes them, become UTC."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import when
from framework.errors import ConfigError

NEW_YORK = ZoneInfo("America/New_York")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize("day", ["2026-01-05", " 2026-01-05 ", "20260105", date(2026, 1, 5)])
def test_a_day_begins_at_midnight_in_the_exchange_s_zone(day):
    """Five hours after midnight UTC, for New York in winter."""
    assert when.parse(day, NEW_YORK) == utc(2026, 1, 5, 5)


@pytest.mark.parametrize("day", ["2026-01-05", date(2026, 1, 5)])
def test_an_end_day_is_taken_in_whole(day):
    """As an end, a day means the midnight at which it is over."""
    assert when.parse(day, NEW_YORK, is_end=True) == utc(2026, 1, 6, 5)


def test_the_day_on_which_summer_time_begins_has_23_hours():
    """A day's start and end are wall-clock midnights, not 24 hours apart."""
    start, end = (when.parse("2026-03-08", NEW_YORK, is_end=is_end) for is_end in (False, True))
    assert end - start == timedelta(hours=23)


@pytest.mark.parametrize("is_end", [False, True])
@pytest.mark.parametrize(
    "instant",
    ["2026-01-05T09:30-05:00", "2026-01-05 14:30Z", datetime(2026, 1, 5, 9, 30, tzinfo=NEW_YORK)],
)
def test_an_aware_instant_is_taken_as_it_is(instant, is_end):
    """A start and an end mean the same instant, whatever zone it is written in."""
    found = when.parse(instant, NEW_YORK, is_end=is_end)
    assert found == utc(2026, 1, 5, 14, 30)
    assert found.tzinfo is UTC


def test_the_second_of_two_equal_wall_times_keeps_its_fold():
    """01:30 happens twice when summer time ends; `fold` says which is meant."""
    at = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=1)
    assert when.parse(at, NEW_YORK) == utc(2026, 11, 1, 6, 30)


def test_a_pandas_timestamp_becomes_a_plain_datetime():
    """Nothing of pandas leaks into what is compared and stored."""
    import pandas as pd

    found = when.parse(pd.Timestamp("2026-01-05 14:30", tz="UTC"), NEW_YORK)
    assert type(found) is datetime
    assert found == utc(2026, 1, 5, 14, 30)


def test_none_is_an_open_end():
    """None passes through."""
    assert when.parse(None, NEW_YORK) is None


@pytest.mark.parametrize("naive", ["2026-01-05 09:30", "2026-01-05T09:30:00", datetime(2026, 1, 5, 9, 30)])  # noqa: DTZ001
def test_a_time_of_day_without_a_zone_is_refused_with_the_zone_to_add(naive):
    """The message shows the same time with the exchange's offset."""
    with pytest.raises(ConfigError, match=r"end 2026-01-05 09:30:00 .* no zone; try \"2026-01-05T09:30-05:00\""):
        when.parse(naive, NEW_YORK, name="end")


@pytest.mark.parametrize("wrong", ["yesterday", "2026-02-30", "05/01/2026", "", "2026-01-05T25:00Z"])
def test_what_is_not_a_date_is_refused_by_name(wrong):
    """The message has the parameter, what was given, and an example."""
    with pytest.raises(ConfigError, match=r"^start '.*' is not a date: .*; try \"2026-01-05\""):
        when.parse(wrong, NEW_YORK)


@pytest.mark.parametrize("wrong", [20260105, 1.5, ("2026-01-05",)])
def test_another_type_is_refused_by_its_name(wrong):
    """A number is no date: which unit would it be in?"""
    with pytest.raises(ConfigError, match=rf"a {type(wrong).__name__}; try a day"):
        when.parse(wrong, NEW_YORK)


def test_a_day_at_the_edge_of_time_is_refused():
    """The day after 9999-12-31 cannot be told."""
    with pytest.raises(ConfigError, match="leave end out"):
        when.parse("9999-12-31", NEW_YORK, is_end=True, name="end")


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.sampled_from(["America/New_York", "Asia/Tokyo", "UTC"]))
def test_the_end_of_a_day_is_the_start_of_the_next(day, zone):
    """Days leave no gap between them, in any zone."""
    next_day = day + timedelta(days=1)
    assert when.parse(day, ZoneInfo(zone), is_end=True) == when.parse(next_day, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (datetime(2026, 1, 5, 9, 30, tzinfo=timezone(timedelta(hours=-5))), "2026-01-05 14:30 UTC"),
        (utc(2026, 1, 5, 14, 30, 7), "2026-01-05 14:30:07 UTC"),
    ],
)
def test_text_shows_utc_and_seconds_only_where_there_are_any(at, shown):
    """As every message writes a time."""
    assert when.text(at) == shown
