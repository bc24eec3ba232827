"""The completeness ledger: what became of each minute, in counts, in runs, and over a restart."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape import OPEN, bars

from feeds.gaps import Certified, Handed, Origin
from feeds.ledger import Entry, Ledger, Mark, Missing
from feeds.minutes import MINUTE, Minutes, Window
from framework.calendar import Calendar, Hours
from framework.errors import ConfigError
from framework.model import Bar, Revision

NYSE = Minutes(Calendar("XNYS"))
MONDAY = date(2026, 1, 5)


def at(minutes):
    return OPEN + timedelta(minutes=minutes)


def bar(minute, symbol="SPY"):
    return Bar(symbol, at(minute), 1.0, 1.0, 1.0, 1.0, 1.0)


def received(*minutes):
    return [Handed(bar(minute), Origin.LIVE) for minute in minutes]


def ledger(since=OPEN, symbols=("SPY",)):
    return Ledger(NYSE, dict.fromkeys(symbols, since))


def test_each_minute_has_a_mark():
    """Received, backfilled, revised, certified empty, and open."""
    kept = ledger()
    kept.record([*received(1, 2), Handed(bar(3), Origin.BACKFILLED), Revision(bar(2), bar(2))])
    kept.record([Certified("SPY", (at(4),))])
    marks = [kept.mark("SPY", at(minute)) for minute in range(1, 6)]
    assert marks == [Mark.RECEIVED, Mark.REVISED, Mark.BACKFILLED, Mark.EMPTY, Mark.OPEN]


def test_day_is_one_short_line():
    """Runs of letters; only what has changed is given to the journal, and once."""
    kept = ledger(since=at(2))
    kept.record(received(3, 4))
    [entry] = kept.changed()
    assert entry == Entry("SPY", MONDAY, "2-2r386.")
    assert (entry.key, entry.body()["minutes"]) == ("SPY 2026-01-05", "2-2r386.")
    assert kept.changed() == []


def test_summary_counts_and_names_what_is_missing():
    """Of the minutes that have ended; two ranges are open."""
    kept = ledger(symbols=("SPY", "IBM"))
    kept.record(received(1, 4))
    summary = kept.summary(at(5) + timedelta(seconds=30))
    assert summary.counts["SPY"] == {Mark.RECEIVED: 2, Mark.OPEN: 3}
    assert summary.total[Mark.OPEN] == 8
    spy = [Missing("SPY", at(1), at(3)), Missing("SPY", at(4), at(5))]
    assert summary.missing == (*spy, Missing("IBM", at(0), at(5)))
    assert not summary.is_complete


def test_whole_session_is_complete():
    """The night has no minutes; the next morning's are counted with the next day."""
    kept = ledger()
    kept.record(received(*range(1, 391)))
    assert kept.summary(at(24 * 60)).is_complete
    kept.record(received(24 * 60 + 1))
    assert kept.summary(at(24 * 60 + 1)).total == {Mark.RECEIVED: 391}
    assert [entry.day.day for entry in kept.changed()] == [5, 6]


def test_restart_takes_the_marks_from_the_journal():
    """What was known is known still; what lies between is open until history accounts for it."""
    before = ledger()
    before.record(received(1, 2))
    after = ledger(since=at(5))
    for entry in before.changed():
        after.restore(Entry.read(entry.body()))
    assert after.summary(at(6)).missing == (Missing("SPY", at(2), at(6)),)
    after.account("SPY", OPEN, at(5), bars([1.0, 2.0, 3.0, None, 5.0]))
    assert after.changed()[0].runs == "2r1b1e1b385."


@pytest.mark.parametrize(("day", "runs"), [(MONDAY, "389r"), (MONDAY, "390x"), (date(2026, 1, 4), "390r")])
def test_journal_of_another_calendar_is_refused(day, runs):
    """A day of another length, unknown letters, a day without trading."""
    with pytest.raises(ConfigError, match="not those of that day"):
        ledger().restore(Entry("SPY", day, runs))


def test_what_is_outside_of_the_hours_has_no_mark():
    """Neither the pre-market's minutes nor those from before the session."""
    kept = ledger(since=at(2))
    kept.record([Handed(bar(-5), Origin.LIVE)])
    assert kept.mark("SPY", at(-5)) is kept.mark("SPY", at(2)) is Mark.OUT
    assert kept.changed() == []


@given(st.sets(st.integers(1, 900)), st.integers(0, 900), st.integers(0, 900))
def test_every_minute_is_counted_once(minutes, since, until):
    """Whatever came: the counts are the calendar's minutes, and what is missing is what did not come."""
    kept = ledger(since=at(since))
    kept.record(received(*(minute for minute in minutes if minute > since)))
    summary = kept.summary(at(until))
    expected = list(NYSE.between(at(since), at(until)))
    assert sum(summary.total.values()) == len(expected)
    missing = [end for each in summary.missing for end in NYSE.between(each.after, each.until)]
    assert missing == [end for end in expected if (end - OPEN) // MINUTE not in minutes]


def test_minutes_follow_the_exchange():
    """Over a night, a weekend and an early close."""
    assert NYSE.following(at(390)) == at(24 * 60 + 1)
    assert NYSE.following(at(4 * 24 * 60 + 390)) == at(7 * 24 * 60 + 1)
    [half] = NYSE.days(OPEN.replace(month=11, day=27), OPEN.replace(month=11, day=27, hour=23))
    assert (half.day, len(half)) == (date(2026, 11, 27), 210)


def test_minutes_off_the_grid_are_none():
    """A time within a minute, the open itself, a day without trading."""
    assert NYSE.window(at(0.5)) is NYSE.window(OPEN) is NYSE.day(date(2026, 1, 4)) is None
    assert NYSE.window(at(1)) == Window(MONDAY, OPEN, at(390))


def test_crypto_has_every_minute():
    """And so does the day's last."""
    always = Minutes(Calendar("24/7"))
    midnight = OPEN.replace(hour=0, minute=0)
    assert always.following(midnight) == midnight + MINUTE
    assert always.window(midnight).day == date(2026, 1, 4)
    assert len(always.day(MONDAY)) == 1440


def test_extended_hours_have_their_own_minutes():
    """From 04:00 to 20:00."""
    assert len(Minutes(Calendar("XNYS", Hours.EXTENDED)).day(MONDAY)) == 16 * 60


def test_calendar_ends_some_day():
    """There the error says so, instead of a wrong minute."""
    with pytest.raises(ConfigError, match="no minutes after"):
        NYSE.following(OPEN.replace(year=2200))


def test_a_minute_takes_one_byte():
    """A session of weeks keeps all of its days."""
    kept = ledger()
    kept.record(received(1))
    assert kept._days["SPY", MONDAY] == b"r" + b"." * 389
