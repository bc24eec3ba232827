"""Quotes looked at so often: alike as columns of a history and one by one, and only while the market is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.calendar import Calendar, Hours
from framework.columns import instant, moment
from framework.errors import ConfigError
from framework.model import Quote
from framework.quoting import NAMES, Beats, Board, Quotes, looked_at, sampled

OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
CLOSE = datetime(2026, 10, 5, 20, 0, tzinfo=UTC)

PRICES = st.integers(0, 20).map(float)  # nought: a side that is not quoted


@given(st.lists(st.tuples(st.integers(0, 90), PRICES, PRICES), max_size=30), st.integers(1, 20))
def test_a_history_and_a_stream_give_the_same_looks(told: list[tuple[int, float, float]], every: int) -> None:
    """What stands, and what was first, highest and lowest since the last look, is the same either way."""
    told = sorted(told, key=lambda each: each[0])
    at = [OPEN + timedelta(seconds=each[0]) for each in told]
    ends = [OPEN + timedelta(seconds=each) for each in range(every, 120, every)]
    quotes = Quotes.of([instant(each) for each in at], [each[1] for each in told], [each[2] for each in told])
    columns = sampled(quotes, np.array([instant(each) for each in ends]))
    board, looks = Board(["A"]), []
    waiting = [Quote("A", when, bid, 1, ask, 1) for when, (_, bid, ask) in zip(at, told, strict=True)]
    for end in ends:
        while waiting and waiting[0].at <= end:
            board.take(waiting.pop(0))
        looks += board.bars(end)
    assert [each.end for each in looks] == [moment(each) for each in columns.end]
    assert [each.quoted for each in looks] == [moment(each) for each in columns.quoted]
    for name in NAMES:
        assert [getattr(each, name) for each in looks] == getattr(columns, name).tolist()


def test_a_quote_that_lacks_a_side_lets_the_one_before_grow_old() -> None:
    """Nobody can trade on half a quote."""
    board = Board(["A"])
    board.take(Quote("A", OPEN, 10, 1, 11, 1))
    board.take(Quote("A", OPEN + timedelta(seconds=5), 0, 0, 11, 1))
    (look,) = board.bars(OPEN + timedelta(seconds=10))
    assert (look.bid, look.ask, look.quoted) == (10, 11, OPEN)


def test_a_quote_that_comes_late_does_not_go_back_in_time() -> None:
    """What is asked for when a line comes up may be older than what the line has brought."""
    board = Board(["A"])
    board.take(Quote("A", OPEN + timedelta(seconds=5), 10, 1, 11, 1))
    board.take(Quote("A", OPEN, 9, 1, 10, 1))
    (look,) = board.bars(OPEN + timedelta(seconds=10))
    assert (look.bid, look.bid_low) == (10, 10)


def test_a_symbol_without_a_quote_is_not_among_the_looks() -> None:
    """A price that nobody knows is no zero."""
    board = Board(["A", "B"])
    board.take(Quote("B", OPEN, 10, 1, 11, 1))
    assert [each.symbol for each in board.bars(OPEN)] == ["B"]


@given(st.integers(0, 4 * 24 * 3600), st.sampled_from([1, 7, 10, 60, 900, 3600]))
def test_the_next_look_is_the_first_of_those_between(offset: int, every: int) -> None:
    """Live asks for one after the other, a backtest for all of them: the same instants."""
    beats = Beats(timedelta(seconds=every), Calendar("XNYS"))
    at = OPEN + timedelta(seconds=offset)
    due = beats.after(at)
    found = beats.between(at, due)
    assert [moment(each) for each in found] == [due]
    assert due > at
    assert moment(beats.between(OPEN, OPEN + timedelta(days=6))[0]) == beats.after(OPEN)


def test_looks_are_taken_while_the_market_is_open() -> None:
    """The close is one, the open is none, and the night has none."""
    beats = Beats(timedelta(minutes=30), Calendar("XNYS"))
    found = beats.between(OPEN - timedelta(hours=1), CLOSE + timedelta(hours=12))
    assert [moment(found[0]), moment(found[-1])] == [OPEN + timedelta(minutes=30), CLOSE]
    assert beats.after(CLOSE) == OPEN + timedelta(days=1, minutes=30)
    assert Beats(timedelta(hours=1), Calendar("XNYS", Hours.EXTENDED)).after(CLOSE) == CLOSE + timedelta(hours=1)
    assert Beats(timedelta(hours=1), Calendar("24/7")).after(CLOSE) == CLOSE + timedelta(hours=1)


def test_without_quotes_there_are_no_looks() -> None:
    """An empty history is empty columns, not an error in the arithmetic."""
    none = Quotes.of([], [], [])
    assert len(looked_at({"A": none}, Beats(timedelta(seconds=1), Calendar("XNYS")))["A"].mids()) == 0


def test_no_time_between_two_looks_is_one_clear_line() -> None:
    """Nought would never end."""
    with pytest.raises(ConfigError, match="every=0 s is no time between two looks"):
        Beats(timedelta(), Calendar("XNYS"))
