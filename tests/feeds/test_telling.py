"""What a session is told of live and past bars: in order, each once, placed by the venue's time."""

from datetime import timedelta

import pytest
from tape import OPEN, bars

from feeds.gaps import Revised
from feeds.ledger import Mark
from feeds.minutes import Minutes
from feeds.telling import Telling
from framework.calendar import Calendar
from framework.live.clock import VirtualClock
from framework.model import Bar, Quote, Revision

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def bar(minute, symbol="SPY", price=1.0):
    return Bar(symbol, OPEN + minute * MINUTE, price, price, price, price, 1000.0)


class Told(Telling):
    """A telling whose items are collected, by a clock that stands where it is put."""

    def __init__(self, symbols=("SPY", "IBM"), since=None, now=OPEN):
        self.clock, self.items = VirtualClock(now), []
        begin = dict.fromkeys(symbols, OPEN) if since is None else since
        super().__init__(symbols, Minutes(Calendar("XNYS")), self.clock, self.items.append, begin)

    def at(self, seconds):
        self.clock._seconds = seconds
        return self


def test_bars_are_told_once_and_in_order():
    """Doubled, and in the wrong order; what is before them is asked for."""
    told = Told(["SPY"]).at(180)
    for minute in (2, 1, 1, 2, 3):
        told.take(bar(minute))
    assert told.items == [bar(1), bar(2), bar(3)]
    assert told.gaps.counts["duplicate"] == 2


def test_what_history_brings_comes_by_time():
    """The bars of one instant together, symbols in their order."""
    told = Told().at(180)
    told.mend(told.wanted(at_once=True), {"IBM": bars([1.0, 1.0]), "SPY": bars([1.0, None, 1.0])})
    assert [(each.symbol, each.end) for each in told.items] == [
        (each.symbol, each.end) for each in (bar(1), bar(1, "IBM"), bar(2, "IBM"), bar(3))
    ]


def test_what_is_no_bar_goes_on_at_once():
    """A quote waits for nothing."""
    told, quote = Told(), Quote("SPY", OPEN, 1, 1, 2, 1)
    told.take(bar(2))
    told.take(quote)
    assert told.items == [quote]


def test_revision_is_told_with_what_it_was():
    """And counted."""
    told = Told(["SPY"]).at(60)
    told.take(bar(1))
    told.take(Revised(bar(1, price=2.0)))
    assert told.items == [bar(1), Revision(bar(1, price=2.0), bar(1))]
    assert told.counts["revised"] == 1


def test_symbol_without_a_bar_so_far_begins_now():
    """`since` need not name it."""
    told = Told(since={"SPY": OPEN}, now=OPEN + 3 * MINUTE)
    assert told.wanted(at_once=True).symbols == ("SPY",)


def test_clock_that_is_ahead_is_found_out_by_the_bars():
    """By half a minute: only until the first bar is an open minute taken for an empty one."""
    told = Told(["SPY"]).at(75)
    told.mend(told.wanted(), {})
    told.at(90.5).take(bar(1))
    assert told.items == [Revision(bar(1), None)]
    assert told.ahead == 28.5 * SECOND
    assert told.at(135).wanted() is None
    told.at(150.5).take(bar(2))
    assert told.items[-1] == bar(2)


@pytest.mark.parametrize("late", [0.1, 1.9])
def test_clock_that_is_right_is_believed(late):
    """Bars come a moment after their minute."""
    told = Told(["SPY"]).at(60 + late)
    told.take(bar(1))
    assert told.ahead == timedelta()


def test_clock_that_is_behind_is_corrected_by_a_bar():
    """What was told has happened: the minute before it is over, whatever the clock says."""
    told = Told().at(30)
    told.take(bar(3))
    assert told.now() == OPEN + 3 * MINUTE
    assert told.wanted().until == OPEN + 3 * MINUTE


def test_days_that_changed_are_written_down():
    """Once for each change, by the day of a symbol."""
    entries = []

    class Journal:
        def append(self, kind, key, body):
            entries.append((kind, key, body["minutes"]))
            return len(entries)

    told = Told(["SPY"]).at(60)
    told.write(Journal())
    told.take(bar(1))
    told.write(Journal())
    told.close(Journal())
    assert entries == [("minutes", "SPY 2026-01-05", "1r389.")]
    assert told.ledger.mark("SPY", OPEN + MINUTE) is Mark.RECEIVED
