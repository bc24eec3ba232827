"""The path inside a bar."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.intrabar import legs, path

prices = st.floats(1, 1000)


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        ((10, 11, 5, 8), (10, 11, 5, 8)),
        ((10, 15, 9, 12), (10, 9, 15, 12)),
        ((10, 12, 8, 10), (10, 8, 12, 10)),
    ],
)
def test_the_nearer_extreme_comes_first(bar: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """The extreme nearer to the open was first; where both are as near, the low."""
    assert path(*bar) == expected


@given(prices, prices, prices, prices)
def test_legs_make_the_bar_again(a: float, b: float, c: float, d: float) -> None:
    """The four stretches join up, and together have the bar's open, high, low and close."""
    low, open_, close, high = sorted((a, b, c, d))
    found = list(legs(open_, high, low, close))
    assert [found[0][0], max(leg[1] for leg in found), min(leg[2] for leg in found), found[-1][3]] == [
        open_,
        high,
        low,
        close,
    ]
    assert all(before[3] == after[0] for before, after in pairwise(found))
