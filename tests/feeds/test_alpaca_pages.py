"""Pages and their tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.alpaca.pages import Points, Position, page

TIMES = st.lists(st.integers(0, 5), max_size=8).map(sorted)


def points(symbol: str, times: list[int]) -> Points:
    at = np.array(times, dtype="datetime64[us]")
    return Points(at, lambda which: [(symbol, int(index)) for index in which])


def walk(tape: dict[str, list[int]], limit: int, *, is_descending: bool) -> list[tuple[str, int]]:
    """Return all points, page after page."""
    found, position = [], Position()
    while True:
        one, token = page(tape, lambda each: points(each, tape[each]), position, limit, is_descending=is_descending)
        assert sum(map(len, one.values())) <= limit
        found += [point for each in one.values() for point in each]
        if token is None:
            return found
        position = Position.read(token)


@given(st.dictionaries(st.sampled_from(["A", "B", "C/D"]), TIMES), st.integers(1, 4), st.booleans())
def test_pages_make_the_whole(tape, limit, is_descending):
    """Every point once, by symbol and then by time, whatever the page's size, points of one time too."""
    step = -1 if is_descending else 1
    whole = [(symbol, index) for symbol in sorted(tape) for index in list(range(len(tape[symbol])))[::step]]
    assert walk(tape, limit, is_descending=is_descending) == whole


def test_token_stays_good_while_the_market_goes_on():
    """Points that are added between two pages come on the later one."""
    _, token = page(["A"], lambda each: points(each, [1, 2, 3]), Position(), 2)
    found, token = page(["A"], lambda each: points(each, [1, 2, 3, 4]), Position.read(token or ""), 5)
    assert (found, token) == ({"A": [("A", 2), ("A", 3)]}, None)


def test_page_may_be_empty_and_lead_on():
    """No points and a token: each token differs from the one before, and the points come later."""
    empty, token = page(["A"], lambda each: points(each, [1]), Position(), 0)
    _, second = page(["A"], lambda each: points(each, [1]), Position.read(token or ""), 0)
    found, end = page(["A"], lambda each: points(each, [1]), Position.read(second or ""), 9)
    assert (empty, token != second, found, end) == ({}, True, {"A": [("A", 0)]}, None)


@pytest.mark.parametrize("token", ["x", "QQ==", "QXxifGN8ZA==", "é"])
def test_token_that_is_none_is_refused(token):
    """What nobody handed out is no position."""
    with pytest.raises(ValueError, match="is not a page token"):
        Position.read(token)
