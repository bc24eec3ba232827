"""After a loss: bars that history has come first, each once and by time, then what was held."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tape import OPEN

from feeds.alpaca.messages import stamp
from feeds.alpaca.protocol import BarsQuery
from feeds.alpaca.proxy.frames import Message
from feeds.alpaca.proxy.missed import Lacking, Missed, rows_exchange
from framework.calendar import Calendar
from framework.errors import ProtocolError
from framework.model import MINUTE
from framework.wire import HttpResponse

SYMBOLS = ("IBM", "SPY")


def at(minute: int) -> datetime:
    return OPEN + timedelta(minutes=minute)


def bar(symbol: str, minute: int, kind: str = "b") -> Message:
    return Message.of({"T": kind, "S": symbol, "t": at(minute), "c": minute})


def row(minute: int, close: float = 0.0) -> dict[str, Any]:
    return {"t": stamp(at(minute)), "c": close}


def told(messages: list[Message]) -> list[tuple[str, str, int]]:
    return [
        (each.kind, each.symbol, int((each.row()["t"].to_datetime() - OPEN) / timedelta(minutes=1)))
        for each in messages
    ]


def followed(*minutes: int) -> Missed:
    """Return one that has told these minutes of both symbols, and lost the connection then."""
    missed = Missed()
    missed.follow(SYMBOLS, OPEN)
    for minute in minutes:
        missed.take([bar(name, minute) for name in SYMBOLS])
    missed.lose()
    return missed


def test_bars_are_held_until_history_has_answered() -> None:
    """Quotes go on, bars wait, and what was missed comes before them."""
    missed = followed(0)
    quote = Message.of({"T": "q", "S": "SPY", "t": at(3)})
    assert missed.take([bar("SPY", 3), quote]) == [quote]
    assert missed.lacking() == Lacking(SYMBOLS, at(1))
    assert told(missed.mend({"SPY": [row(1), row(2)], "IBM": [row(2)]})) == [
        ("b", "SPY", 1), ("b", "SPY", 2), ("b", "IBM", 2), ("b", "SPY", 3),
    ]  # fmt: skip
    assert (missed.mended, missed.is_holding) == ({"SPY": 2, "IBM": 1}, False)


def test_bar_that_came_live_meanwhile_is_told_once_and_as_it_came() -> None:
    """History has it too; the live one is what clients would have had."""
    missed = followed(0)
    missed.take([bar("SPY", 1)])
    [only] = missed.mend({"SPY": [row(0), row(1, close=9.0)], "IBM": [row(0)]})
    assert only.row()["c"] == 1


def test_bar_that_history_had_first_does_not_come_again() -> None:
    """A revision of it does."""
    missed = followed(0)
    missed.mend({"SPY": [row(1)], "IBM": []})
    assert told(missed.take([bar("SPY", 1), bar("IBM", 1), bar("SPY", 1, "u")])) == [("b", "IBM", 1), ("u", "SPY", 1)]


def test_without_an_answer_it_goes_on_with_what_was_held() -> None:
    """Nothing that came live is lost."""
    missed = followed(0)
    missed.take([bar("SPY", 2)])
    assert told(missed.skip()) == [("b", "SPY", 2)]
    assert told(missed.take([bar("SPY", 3)])) == [("b", "SPY", 3)]


def test_symbol_that_joins_late_is_sent_nothing_from_before() -> None:
    """Nor is one that was given back and asked for again."""
    missed = followed(0, 1)
    missed.follow(["BAC"], OPEN)
    assert told(missed.mend({"BAC": [row(0), row(1), row(2)], "SPY": [row(2)]})) == [("b", "BAC", 2), ("b", "SPY", 2)]
    missed.keep(["SPY"])
    missed.lose()
    assert missed.lacking() == Lacking(("SPY",), at(3))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.tuples(st.sampled_from(SYMBOLS), st.integers(1, 9))), st.integers(1, 9), st.integers(1, 9))
def test_whatever_is_lost_each_bar_comes_once_and_in_order(bars: set[tuple[str, int]], down: int, up: int) -> None:
    """A line that is down from one minute to another: what follows is every bar of the tape, as if it had held."""
    down, up = sorted((down, up))
    missed = Missed()
    missed.follow(SYMBOLS, OPEN)
    came: list[Message] = []
    for minute in range(1, 10):
        if minute == down:
            missed.lose()
        frame = [bar(name, minute) for name in SYMBOLS if (name, minute) in bars]
        if minute < down or minute >= up:
            came += missed.take(frame)
        if minute == up:
            came += missed.mend(
                {name: [row(each) for each in range(10) if (name, each) in bars and each <= up] for name in SYMBOLS}
            )
    for name in SYMBOLS:
        assert [each[2] for each in told(came) if each[1] == name] == sorted(each for own, each in bars if own == name)


def answered(*pages: bytes) -> Any:
    query = BarsQuery(("SPY",), MINUTE, Calendar("XNYS"), OPEN, at(9), crypto=False)
    exchange = rows_exchange(query)
    next(exchange)
    try:
        for page in pages:
            exchange.send(HttpResponse(200, {}, page))
    except StopIteration as end:
        return end.value
    raise AssertionError("it asks for more")


ROW = b'{"t":"2026-01-05T14:31:00Z","o":1,"h":1,"l":1,"c":1,"v":5,"n":2,"vw":1}'


def test_history_is_read_page_by_page_as_it_is() -> None:
    """With the number of trades and the average price, which a stream's bars have too."""
    first = b'{"bars":{"SPY":[' + ROW + b']},"next_page_token":"x"}'
    rows = answered(first, b'{"bars":{},"next_page_token":null}')
    assert [(each["n"], each["vw"]) for each in rows["SPY"]] == [(2, 1)]


def test_history_that_turns_in_a_circle_is_an_error() -> None:
    """A page that points back would be asked for for ever."""
    page = b'{"bars":{},"next_page_token":"x"}'
    with pytest.raises(ProtocolError, match="points back"):
        answered(page, page)
