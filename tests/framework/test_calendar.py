"""`framework.calendar`: real sessions in UTC, holidays, early closes and summer time included."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from framework.calendar import Calendar, Hours, utc_to_wall, wall_to_utc
from framework.errors import ConfigError

MINUTE = timedelta(minutes=1)


def at(text):
    return np.datetime64(text, "us")


def session(day, hours=Hours.REGULAR, name="XNYS"):
    """Return a day's open and close as text, or None where it is no session."""
    windows = Calendar(name, hours).windows
    index = np.flatnonzero(windows.days == np.datetime64(day))
    return (str(windows.opens[index[0]])[:16], str(windows.closes[index[0]])[:16]) if len(index) else None


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2026-03-06", "2026-03-06T14:30", "2026-03-06T21:00"),
        ("2026-03-09", "2026-03-09T13:30", "2026-03-09T20:00"),
        ("2025-11-28", "2025-11-28T14:30", "2025-11-28T18:00"),
    ],
)
def test_new_york_opens_at_half_past_nine_in_winter_and_summer(day, opens, closes):
    """In UTC that moves with summer time; the day after Thanksgiving closes at 13:00."""
    assert session(day) == (opens, closes)


@pytest.mark.parametrize("day", ["2025-01-09", "2025-07-04", "2026-01-03", "2026-01-01"])
def test_holidays_and_weekends_are_no_sessions(day):
    """A day of mourning, Independence Day, a Saturday, New Year."""
    assert session(day) is None


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2026-01-05", "2026-01-05T09:00", "2026-01-06T01:00"),
        ("2025-11-28", "2025-11-28T09:00", "2025-11-28T22:00"),
    ],
)
def test_extended_hours_are_four_to_eight(day, opens, closes):
    """04:00 to 20:00 in New York, and 17:00 on a day that closes early."""
    assert session(day, Hours.EXTENDED) == (opens, closes)


def test_all_hours_are_midnight_to_midnight():
    """The whole day in the exchange's zone: 23 hours when summer time begins, on days that trade."""
    assert session("2026-01-05", Hours.ALL) == ("2026-01-05T05:00", "2026-01-06T05:00")


@pytest.mark.parametrize("hours", Hours)
@pytest.mark.parametrize("name", ["XNYS", "24/7", "CMES"])
def test_hours_only_widen_a_session(name, hours):
    """A market that never closes, or opens the evening before, is not cut to another's hours."""
    windows, sessions = Calendar(name, hours).windows, Calendar(name).sessions
    assert (windows.opens <= sessions.opens).all()
    assert (windows.closes >= sessions.closes).all()


def test_what_never_closes_has_every_day():
    """24/7 is in UTC, and its days are whole."""
    assert Calendar("24/7").zone.key == "UTC"
    assert session("2026-01-03", name="24/7") == ("2026-01-03T00:00", "2026-01-04T00:00")


def test_sessions_are_known_ahead():
    """To the end of the year after next, so that a day's close can be told while it trades."""
    assert Calendar().sessions.days[-1] > np.datetime64(f"{datetime.now(UTC).year + 1}-12-31")


@pytest.mark.parametrize(
    ("end", "inside"),
    [
        ("2026-01-05T14:30", False),
        ("2026-01-05T14:31", True),
        ("2026-01-05T21:00", True),
        ("2026-01-05T21:01", False),
        ("2026-01-03T15:00", False),
        ("1970-01-01T00:00", False),
        ("2100-01-01T00:00", False),
    ],
)
def test_a_bar_is_inside_where_all_of_it_is(end, inside):
    """The first minute of a session ends a minute after the open, the last one at the close."""
    assert Calendar().is_inside(np.array([at(end)]), MINUTE).tolist() == [inside]


def test_midnight_is_the_exchange_s():
    """A day begins at 05:00 UTC in winter and 04:00 in summer, in New York."""
    assert Calendar().midnight(date(2026, 1, 5)) == datetime(2026, 1, 5, 5, tzinfo=UTC)
    assert Calendar().midnight(date(2026, 7, 6)) == datetime(2026, 7, 6, 4, tzinfo=UTC)


def test_walls_and_instants_are_each_other_s_way_back():
    """A wall-clock time of a day becomes an instant and the same wall-clock time again."""
    days = np.array(["2026-01-05", "2026-07-06"], dtype="datetime64[D]")
    utc = wall_to_utc(days, time(9, 30), "America/New_York")
    assert utc.tolist() == [at("2026-01-05T14:30").item(), at("2026-07-06T13:30").item()]
    assert (utc_to_wall(utc, "America/New_York") == days + np.timedelta64(9 * 60 + 30, "m")).all()


def test_a_midnight_that_does_not_exist_is_the_first_instant_of_its_day():
    """In São Paulo clocks once went from 23:59 to 01:00."""
    days = np.array(["2018-11-04"], dtype="datetime64[D]")
    assert wall_to_utc(days, time(), "America/Sao_Paulo").tolist() == [at("2018-11-04T03:00").item()]


def test_a_midnight_that_comes_twice_is_the_first_of_the_two():
    """In Havana clocks go from 01:00 back to 00:00."""
    days = np.array(["2025-11-02"], dtype="datetime64[D]")
    assert wall_to_utc(days, time(), "America/Havana").tolist() == [at("2025-11-02T04:00").item()]


def test_an_unknown_calendar_is_refused_with_the_nearest():
    """And with what to try."""
    with pytest.raises(ConfigError, match=r"calendar 'XNYC' is not known \(did you mean XNYS\?\); try XNYS, or 24/7"):
        _ = Calendar("XNYC").zone
