"""A space of parameters in plain Python values."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.research.space import Choice, Real, Whole, space_of

SPACE = space_of(
    {"period": range(5, 105, 5), "lot": (1, 1000, "log"), "size": (-1.5, 2.0), "kind": ["a", None, 1], "days": (3, 9)}
)
SETS = st.fixed_dictionaries(
    {
        "period": st.sampled_from(range(5, 105, 5)),
        "lot": st.integers(1, 1000),
        "size": st.floats(-1.5, 2.0),
        "kind": st.sampled_from(["a", None, 1]),
        "days": st.integers(3, 9),
    }
)


def told(params: Mapping[str, Any]) -> str:
    """Return all values, bit by bit."""
    return repr(sorted(params.items()))


@settings(deadline=None)
@given(SETS)
def test_a_parameter_set_is_made_again_from_its_number(params: dict[str, Any]) -> None:
    """To the last bit, in another process too, in the order of the space."""
    again = pickle.loads(pickle.dumps(SPACE))[SPACE.number(params)]
    assert told(again) == told(params)
    assert list(again) == list(SPACE.dimensions)


@settings(deadline=None)
@given(SETS, SETS)
def test_parameter_sets_have_numbers_of_their_own(one: dict[str, Any], other: dict[str, Any]) -> None:
    """So that a number tells whether a set came before."""
    assert (SPACE.number(one) == SPACE.number(other)) == (told(one) == told(other))


def test_what_a_parameter_may_be() -> None:
    """Ranges as Python counts them, pairs with both ends; whole numbers where both ends are."""
    assert SPACE.dimensions["lot"] == Whole(range(1, 1001), is_log=True)
    assert SPACE.dimensions["days"] == Whole(range(3, 10))
    assert SPACE.dimensions["kind"] == Choice(("a", None, 1))
    found = space_of({"down": range(9, 3, -2), "half": (1, 2.5), "numpy": (np.int64(1), np.int64(5))}).dimensions
    assert list(found["down"].among) == [5, 7, 9]  # type: ignore[union-attr]
    assert found["half"] == Real(1.0, 2.5)
    assert found["numpy"] == Whole(range(1, 6))


def test_corners_are_the_ends_of_the_space() -> None:
    """All of them where they are few; else some, the first and the last among them."""
    small = space_of({"period": range(5, 10), "size": (0.5, 2.0)})
    assert [tuple(each.values()) for each in small.corners(4)] == [(5, 0.5), (5, 2.0), (9, 0.5), (9, 2.0)]
    large = space_of({str(name): (0, 9) for name in range(10)}).corners(16)
    assert len(large) == 16
    assert set(large[0].values()) == {0}
    assert set(large[1].values()) == {9}
    assert large[0].keys() == {str(name) for name in range(10)}


WRONG: list[tuple[Any, str]] = [
    ({}, "names no parameter"),
    (None, "names no parameter"),
    ({"x": 5}, r"space\['x'\] is 5; try range\(5, 105\)"),
    ({"x": []}, "or a list to choose from"),
    ({"x": range(0)}, r"space\['x'\] is range\(0, 0\)"),
    ({"x": (1, 2, "lin")}, "or a list to choose from"),
    ({"x": (True, False)}, "or a list to choose from"),
    ({"x": "abc"}, "or a list to choose from"),
    ({"x": (2, 1)}, "goes from 2 to 1; give the smaller one first"),
    ({"x": (0.0, float("inf"))}, "goes from 0.0 to inf"),
    ({"x": (0, 10, "log")}, "begins at 0; begin above 0"),
]


@pytest.mark.parametrize(("given_space", "said"), WRONG)
def test_what_is_no_space(given_space: Any, said: str) -> None:
    """In one line, with what to try."""
    with pytest.raises(ConfigError, match=said):
        space_of(given_space)
