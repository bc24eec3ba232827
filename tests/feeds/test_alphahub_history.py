"""Signals told apart, and the REST history: what of it is new, and what it means."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from alphahub_talk import AT, DAY, HOW
from hypothesis import given
from hypothesis import strategies as st

from feeds.alphahub.history import held_after, keys, missing, read_history
from feeds.alphahub.parsing import Unreadable, read_published
from framework.model import Side, Signal, SignalAction

OPEN, CLOSE = SignalAction.OPEN, SignalAction.CLOSE
PUSHED = read_published(json.dumps(DAY), "16", AT, HOW)
LATER = AT + timedelta(minutes=3)


def row(symbol, side, at, price=10.0, **more):
    return {"symbol": symbol, "side": side, "price": price, "timestamp": f"2026-03-{at}", **more}


def history(*rows, held=None):
    """What the answer with these rows, newest first, is read as."""
    return read_history(json.dumps({"data": {"signals": rows}}), "16", LATER, HOW, held or {})


def newest_first(day=DAY):
    """The same day as the history has it: one flat list."""
    return sorted([*day["open"], *day["close"]], key=lambda each: each["timestamp"], reverse=True)


def test_key_is_the_same_however_a_signal_comes():
    """Later, by another connection, with another weight, with an unknown field."""
    other = [replace(each, at=LATER, weight=0.1, extra={"x": 1}) for each in PUSHED]
    assert keys(other) == keys(PUSHED)
    assert len(set(keys(PUSHED))) == 3


@pytest.mark.parametrize(
    "change",
    [{"algorithm": "14"}, {"symbol": "ZZZ"}, {"action": OPEN}, {"side": Side.BUY}, {"side": None}, {"price": 51.21},
     {"price": None}, {"published": AT}, {"published": None}],
)  # fmt: skip
def test_key_differs_where_the_content_does(change):
    """Each field that says what to do, and the time that is written on it."""
    assert keys([replace(PUSHED[0], **change)]) != keys(PUSHED[:1])


def test_signal_without_a_time_is_known_by_its_day_of_receipt():
    """The same words of another day are another signal."""
    today = replace(PUSHED[0], published=None)
    assert keys([today]) == keys([replace(today, at=LATER)])
    assert keys([today]) != keys([replace(today, at=AT + timedelta(days=1))])


def test_two_that_are_the_same_in_one_message_are_two():
    """And the same two again when the message comes again."""
    twice = [PUSHED[0], PUSHED[0]]
    assert len(set(keys(twice))) == 2
    assert keys(twice) == keys(twice)


def test_history_of_the_day_is_not_new():
    """It says the same as the push, in a flat list, and nothing of it is missing."""
    found = history(*newest_first(), held={"AAA": Side.BUY})
    assert missing(found, PUSHED) == []
    assert found[0] == replace(PUSHED[0], at=LATER)
    assert {each.weight for each in found[1:]} == {0.5}
    assert set(keys(found)) == set(keys(PUSHED))


def test_what_was_not_heard_is_missing():
    """One of three."""
    found = history(*newest_first(), held={"AAA": Side.BUY})
    assert [each.symbol for each in missing(found, PUSHED[:2])] == ["CCC"]
    assert all(each.at == LATER for each in found)


@pytest.mark.parametrize("change", [{"published": None}, {"price": 51.2000001}, {"price": None}, {"action": OPEN}])
def test_what_is_told_a_little_differently_is_no_reason_to_trade_twice(change):
    """As many of a symbol, a side and a day are known as there are."""
    found = history(*newest_first(), held={"AAA": Side.BUY})
    assert missing(found, [replace(PUSHED[0], **change), *PUSHED[1:]]) == []


def test_second_of_two_is_missing_where_one_was_heard():
    """A short position covered and a long one opened, both by a buy; the first was heard."""
    cover, turn = history(row("X", "buy", "02T15:30:01"), row("X", "buy", "02T15:30:00"), held={"X": Side.SELL})
    assert (cover.action, turn.action) == (CLOSE, OPEN)
    assert missing([cover, turn], [cover]) == [turn]
    assert missing([cover, turn], [replace(cover, published=None)]) == [turn]


def test_same_order_of_another_day_is_missing():
    """Only the day tells them apart."""
    first, second = history(row("X", "buy", "03T15:30:00"), row("X", "buy", "02T15:30:00"))
    assert missing([first, second], [first]) == [second]


def test_what_opens_and_closes_follows_from_what_was_held():
    """A week of one stock, newest first: each order against the position closes it."""
    days = history(
        row("C", "buy", "04T15:30:01"), row("B", "buy", "04T15:30:00"),
        row("B", "sell", "03T15:30:01"), row("A", "sell", "03T15:30:00"),
        row("A", "buy", "02T15:30:01"), row("W", "sell", "02T15:30:00"), held={"W": Side.BUY},
    )  # fmt: skip
    assert [(each.symbol, each.action.value) for each in days] == [
        ("W", "close"), ("A", "open"), ("A", "close"), ("B", "open"), ("B", "close"), ("C", "open")
    ]  # fmt: skip
    assert held_after(days, {"W": Side.BUY}) == {"C": Side.BUY}


def test_what_says_itself_what_it_does_is_believed():
    """A guess at two names."""
    [first, second] = history(
        row("X", "sell", "02T15:30:00", type="Close"), row("Y", "buy", "02T15:30:00", action=" close")
    )
    assert (first.action, second.action) == (CLOSE, CLOSE)


def test_hold_changes_nothing():
    """Nor is it counted in the weights."""
    buy, hold, sell = history(
        row("A", "sell", "02T15:32:00"), row("A", "hold", "02T15:31:00"), row("A", "buy", "02T15:30:00")
    )
    assert (buy.action, hold.side, sell.action) == (OPEN, None, CLOSE)
    assert [each.weight for each in (buy, hold, sell)] == [1.0, 0.0, 1.0]


def test_rows_may_come_oldest_first():
    """Their times say it."""
    rows = [row("A", "buy", "02T15:30:00"), row("A", "sell", "03T15:30:00")]
    assert history(*rows) == history(*reversed(rows))


def test_rows_without_times_are_turned_round():
    """As they are known to come."""
    rows = [{"symbol": "A", "side": "sell"}, {"symbol": "A", "side": "buy"}]
    assert [each.action for each in history(*rows)] == [OPEN, CLOSE]


def test_row_that_cannot_be_read_costs_only_itself():
    """It comes first."""
    bad, good = history(row("A", "buy", "02T15:30:00"), {"symbol": "B"})
    assert isinstance(bad, Unreadable)
    assert good.symbol == "A"


@pytest.mark.parametrize("answer", ['{"data":[]}', '{"signals":[]}', '{" Data":{"SIGNALS":[]}}'])
def test_shapes_near_the_known_one_are_read(answer):
    """One of the two names may be missing."""
    assert read_history(answer, "16", LATER, HOW, {}) == ()


@pytest.mark.parametrize("answer", ["", "<html>", "[]", "{}", '{"data":{"signals":{}}}', '{"data":null}', "[" * 99999])
def test_answer_that_cannot_be_read_is_a_value(answer):
    """A gateway's page, an error, something new."""
    [found] = read_history(answer, "16", LATER, HOW, {})
    assert isinstance(found, Unreadable)


signals = st.builds(
    Signal, st.just("16"), st.sampled_from("AB"), st.just(AT), st.sampled_from(SignalAction),
    st.sampled_from([*Side, None]), st.just(0.5), st.sampled_from([None, 1.0, 2.0]), st.just({}),
    st.sampled_from([None, AT, AT - timedelta(days=1)]),
)  # fmt: skip


@given(st.lists(signals, max_size=8), st.data())
def test_as_many_are_missing_as_were_not_heard(found, data):
    """Whatever was heard of it, in whatever order; and with what was missing, nothing is."""
    known = [each for each in data.draw(st.permutations(found)) if data.draw(st.booleans())]
    lacking = missing(found, known)
    assert len(lacking) == len(found) - len(known)
    assert missing(found, [*known, *lacking]) == []
