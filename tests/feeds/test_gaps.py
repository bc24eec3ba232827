"""Live and backfilled bars put together: in order, each once, whatever was lost, late or told twice."""

from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tape import OPEN, bars

from feeds import gaps as module
from feeds.gaps import Certified, Gaps, Handed, Origin, Range
from feeds.minutes import MINUTE, Minutes
from framework.calendar import Calendar, Hours
from framework.columns import Columns
from framework.errors import ConfigError
from framework.model import Bar, Revision

NYSE = Minutes(Calendar("XNYS"))
SECOND = timedelta(seconds=1)


def at(minutes):
    return OPEN + timedelta(minutes=minutes)


def bar(minute, price=None, symbol="SPY"):
    price = float(minute if price is None else price)
    return Bar(symbol, at(minute), price, price, price, price, 1000.0)


def history(*prices, symbol="SPY"):
    """Return an answer of REST: the bars of the first minutes, None where there is none."""
    return {symbol: bars(prices)}


def following(symbols=("SPY",), since=OPEN, **options):
    return Gaps(NYSE, dict.fromkeys(symbols, since), **options)


def ends(news):
    """Return the minutes handed on, with the letter of how they came."""
    return [f"{(n.bar.end - OPEN) // MINUTE}{n.origin.value[0]}" for n in news if isinstance(n, Handed)]


def test_bars_without_a_gap_are_handed_on_at_once():
    """Nothing is held, and nothing is asked of REST."""
    gaps = following()
    assert [ends(gaps.receive(bar(minute))) for minute in (1, 2, 3)] == [["1r"], ["2r"], ["3r"]]
    assert gaps.wanted(at(3) + 9 * SECOND) is None


def test_bar_after_a_gap_is_held_until_rest_has_answered():
    """The lost minute comes first, marked as backfilled."""
    gaps = following()
    gaps.receive(bar(1))
    assert gaps.receive(bar(3)) == []
    asked = gaps.wanted(at(3))
    assert asked == Range(("SPY",), at(1), at(3))
    assert ends(gaps.mend(asked, history(1.0, 2.0, 3.0))) == ["2b", "3r"]
    assert (gaps.held, gaps.wanted(at(3))) == (0, None)


def test_minute_that_rest_does_not_have_is_certified_empty():
    """And the bar after it goes on its way."""
    gaps = following()
    gaps.receive(bar(2))
    asked = gaps.wanted(at(2))
    news = gaps.mend(asked, history(None, 2.0))
    assert (ends(news), news[-1]) == (["2r"], Certified("SPY", (at(1),)))


def test_silent_minute_is_asked_for_when_it_is_final():
    """Ten seconds after its end, so that the next bar need not wait; the deadline says when."""
    gaps = following(("SPY", "IBM"))
    gaps.receive(bar(1))
    assert gaps.deadline() == at(1) + 10 * SECOND
    assert gaps.wanted(at(1) + 9 * SECOND) is None
    asked = gaps.wanted(gaps.deadline())
    assert (asked.symbols, gaps.mend(asked, {})) == (("IBM",), [Certified("IBM", (at(1),))])
    assert ends(gaps.receive(bar(2, symbol="IBM"))) == ["2r"]


def test_new_connection_asks_for_all_that_has_ended():
    """At once; the last minute is not final, and is not certified if REST does not have it yet."""
    gaps = following()
    gaps.receive(bar(1))
    now = at(3) + SECOND
    asked = gaps.wanted(now, at_once=True)
    assert asked == Range(("SPY",), at(1), now)
    assert ends(gaps.mend(asked, history(1.0, 2.0))) == ["2b"]
    assert ends(gaps.receive(bar(3))) == ["3r"]


def test_live_bars_wait_while_the_backfill_is_under_way():
    """They came before the answer, and are handed on after it, in their order."""
    gaps = following()
    asked = gaps.wanted(at(3), at_once=True)
    assert gaps.receive(bar(4)) == gaps.receive(bar(5)) == []
    assert ends(gaps.mend(asked, history(1.0, 2.0, 3.0))) == ["1b", "2b", "3b", "4r", "5r"]


def test_one_symbols_gap_holds_no_other():
    """IBM goes on while SPY waits."""
    gaps = following(("SPY", "IBM"))
    assert gaps.receive(bar(2)) == []
    assert ends(gaps.receive(bar(1, symbol="IBM"))) == ["1r"]


def test_bar_that_comes_twice_is_counted():
    """In the stream, or in the stream after REST."""
    gaps = following()
    asked = gaps.wanted(at(2), at_once=True)
    gaps.mend(asked, history(1.0, 2.0))
    assert gaps.receive(bar(2)) == gaps.receive(bar(2, price=7)) == []
    gaps.receive(bar(4))
    gaps.receive(bar(4))
    assert gaps.counts == {"duplicate": 3}


def test_revision_is_a_value_of_its_own():
    """With what was handed on before; the same revision again is none."""
    gaps = following()
    gaps.receive(bar(1))
    assert gaps.revise(bar(1, price=9)) == [Revision(bar(1, price=9), bar(1))]
    assert gaps.revise(bar(1, price=9)) == []


def test_revision_of_a_bar_that_is_held_takes_its_place():
    """The strategy sees the better bar, once."""
    gaps = following()
    gaps.receive(bar(2))
    assert gaps.revise(bar(2, price=9)) == []
    [_, handed] = gaps.mend(gaps.wanted(at(2)), history(1.0, 9.0))
    assert handed == Handed(bar(2, price=9), Origin.LIVE)


def test_rest_revises_what_the_stream_told_before():
    """A revision that was missed while the line was down shows in the answer."""
    gaps = following(("SPY", "IBM"))
    gaps.receive(bar(1))
    asked = gaps.wanted(at(1) + 30 * SECOND)
    assert asked.symbols == ("IBM",)
    both = Range(("SPY", "IBM"), asked.after, asked.until)
    assert Revision(bar(1, price=9), bar(1)) in gaps.mend(both, history(9.0))


def test_bar_of_a_minute_that_was_certified_empty_is_a_late_revision():
    """A trade reported late makes a bar where there was none; it cannot come in its turn any more."""
    gaps = following()
    gaps.mend(gaps.wanted(at(2) - SECOND, at_once=True), {})
    gaps.receive(bar(2))
    assert gaps.revise(bar(1)) == [Revision(bar(1), None)]


def test_outside_of_the_hours_there_are_no_gaps():
    """Pre-market bars are left out, the night is no gap, and what history had is old."""
    gaps = following(since=at(-10))
    assert gaps.receive(bar(0)) == gaps.receive(bar(-30)) == []
    assert gaps.counts == {"outside": 1, "old": 1}
    close = at(390)
    gaps = following(since=close)
    assert gaps.wanted(close + timedelta(hours=17), at_once=True) is None
    assert ends(gaps.receive(bar(24 * 60 + 1))) == ["1441r"]


def test_extended_hours_are_followed_where_they_are_kept():
    """The first minute is that of 04:00 in New York."""
    gaps = Gaps(Minutes(Calendar("XNYS", Hours.EXTENDED)), {"SPY": at(-600)})
    assert gaps.deadline() == at(-330) + MINUTE + 10 * SECOND


def test_session_goes_on_without_what_rest_does_not_tell():
    """What is skipped stays wanted, is found late, or certified in the end."""
    gaps = following()
    gaps.receive(bar(4))
    gaps.receive(bar(6))
    assert ends(gaps.skip()) == ["4r", "6r"]
    asked = gaps.wanted(at(6))
    assert asked.after == at(0)
    late, empty = gaps.mend(asked, history(None, 2.0, None, 4.0, 5.0, 6.0))[0:2], Certified("SPY", (at(1), at(3)))
    assert late == [Revision(bar(2), None), Revision(bar(5), None)]
    assert gaps.wanted(at(6)) is None
    assert empty.ends == (at(1), at(3))


def test_range_that_begins_too_late_certifies_nothing():
    """An answer to an older question may come after a newer one; it says nothing of what it did not ask."""
    gaps = following()
    assert gaps.mend(Range(("SPY",), at(2), at(4)), {}) == []
    assert gaps.deadline() == at(1) + 10 * SECOND


def test_slow_clock_here_does_not_ask_for_ever():
    """The bar that is held tells how late it is at the venue."""
    gaps = following()
    gaps.receive(bar(3))
    asked = gaps.wanted(at(0))
    assert asked.until == at(3)
    assert ends(gaps.mend(asked, history(None, None, 3.0))) == ["3r"]


def test_memory_is_bounded(monkeypatch):
    """A bar from beyond it is taken for one that comes twice."""
    monkeypatch.setattr(module, "REMEMBERED", 3)
    gaps = following()
    for minute in range(1, 6):
        gaps.receive(bar(minute))
    assert gaps.revise(bar(1, price=9)) == []
    assert gaps.revise(bar(4, price=9)) == [Revision(bar(4, price=9), bar(4))]


def test_symbols_may_be_added():
    """From their own history's end on; one that is followed already is left as it is."""
    gaps = following()
    gaps.receive(bar(1))
    gaps.add({"SPY": OPEN, "IBM": at(1)})
    assert ends(gaps.receive(bar(2, symbol="IBM"))) == ["2r"]
    assert gaps.wanted(at(1)) is None


@pytest.mark.parametrize("settle", [timedelta(), timedelta(seconds=61)])
def test_settling_takes_no_longer_than_a_minute(settle):
    """Else a bar would have to wait for the one after it."""
    with pytest.raises(ConfigError, match="settle"):
        following(settle=settle)


FATES = st.sampled_from(["told", "told", "lost", "late", "twice", "empty", "revised"])
MOVES = st.lists(
    st.tuples(st.sampled_from(["pass", "pass", "ask", "answer", "connect"]), st.integers(0, 40)), max_size=60
)


class World:
    """A venue with a tape and a stream that loses, delays and repeats; history is right, a few seconds late."""

    def __init__(self, fates):
        self.fates = fates
        self.gaps = following(tuple(fates), since=at(387))  # the night comes after three minutes
        self.minutes = list(NYSE.between(at(387), at(24 * 60 + 20)))
        self.now, self.told, self.asked = at(387), defaultdict(list), None
        self.late, self.tape = [], {symbol: {} for symbol in fates}

    def tell(self, news):
        for each in news:
            match each:
                case Handed(told, _):
                    self.told[told.symbol].append(told)
                case Revision(told, was):
                    index = self.told[told.symbol].index(was)
                    self.told[told.symbol][index] = told
                case Certified(symbol, empty):
                    assert not set(empty) & self.tape[symbol].keys()

    def play(self):
        """Let the next minute end, and tell of it what there is to tell."""
        minute = self.minutes.pop(0)
        self.now = minute
        late, self.late = self.late, []
        for symbol, fates in self.fates.items():
            fate = fates.pop() if fates else "told"
            new = Bar(symbol, minute, 1.0, 1.0, 1.0, 1.0, 1.0)
            if fate != "empty":
                self.tape[symbol][minute] = new
            if fate in ("told", "twice", "revised"):
                self.tell(self.gaps.receive(new))
            if fate in ("late", "twice"):
                self.late.append(new)
            if fate == "revised":
                self.tape[symbol][minute] = Bar(symbol, minute, 1.0, 1.0, 1.0, 1.0, 2.0)
                self.tell(self.gaps.revise(self.tape[symbol][minute]))
        for each in late:
            self.tell(self.gaps.receive(each))

    def ask(self, lag, *, at_once=False):
        """Ask REST, whose history is some seconds behind; the answer comes when it comes."""
        if asked := self.gaps.wanted(self.now, at_once=at_once):
            known = self.now - lag * SECOND
            self.asked = asked, {symbol: self.known(symbol, asked, known) for symbol in asked.symbols}

    def known(self, symbol, asked, until):
        found = [each for end, each in self.tape[symbol].items() if asked.after < end <= min(until, asked.until)]
        stamps = [each.end.replace(tzinfo=None) for each in found]
        prices = [[getattr(each, name) for each in found] for name in ("open", "high", "low", "close", "volume")]
        return Columns.of(stamps, *prices)

    def answer(self):
        if self.asked:
            self.tell(self.gaps.mend(*self.asked))
            self.asked = None


@settings(max_examples=150, deadline=None)
@given(st.lists(FATES, max_size=12), st.lists(FATES, max_size=12), MOVES)
def test_bars_handed_on_equal_the_tape(spy, ibm, moves):
    """In order, each once, in the version that is the last told: for any drop, delay, reconnect and answer."""
    world = World({"SPY": spy, "IBM": ibm})
    for move, seconds in moves:
        world.now = min(world.now + seconds * SECOND, world.minutes[0] if world.minutes else world.now)
        match move:
            case "pass" if world.minutes:
                world.play()
            case "ask" | "connect":
                world.ask(seconds % 11, at_once=move == "connect")
            case "answer":
                world.answer()
    world.answer()
    world.now = max(world.now, world.gaps.deadline()) + MINUTE
    world.ask(0)
    world.answer()
    assert world.gaps.held == 0
    assert all(world.told[symbol] == list(tape.values()) for symbol, tape in world.tape.items())


def test_a_symbol_that_is_followed_later_begins_with_the_end_of_its_history():
    """What came before is not told; the others go on."""
    gaps = following()
    gaps.receive(bar(1))
    gaps.add({"IBM": at(2)})
    assert (gaps.told_until("SPY"), gaps.told_until("IBM")) == (at(1), at(2))
    assert gaps.receive(bar(2, symbol="IBM")) == []
    assert [each.bar.end for each in gaps.receive(bar(3, symbol="IBM"))] == [at(3)]


@pytest.mark.parametrize(
    ("prices", "seconds", "minute"),
    [([1.0, 2.0, 3.0], 185, 3), ([1.0, 2.0], 185, 2), ([1.0, 2.0], 190, 3), ([1.0], 185, 2), ([], 600, 9)],
)
def test_an_answer_is_complete_up_to_what_is_final_or_has_a_bar(prices, seconds, minute):
    """A minute that has just ended without a bar may have one yet."""
    assert following().complete(OPEN + seconds * SECOND, bars(prices)) == at(minute)


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (at(5), at(-3 * 1440)),  # Monday's session has begun: Friday and Monday
        (OPEN, at(-5 * 1440)),  # it has not: Friday and Wednesday, for Thursday was New Year's Day
        (at(-1440), at(-5 * 1440)),  # Sunday
    ],
)
def test_days_are_counted_from_the_last_that_has_begun(now, first):
    """The trading day and the one before it."""
    assert NYSE.opening(now, 2) == first
