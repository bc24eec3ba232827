"""Vectorised indicators against Backtrader's loops and `math.fsum`, by bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from framework.engine.once import window_extremes, window_sums

cents = st.floats(1.0, 1e5).map(lambda value: round(value, 5))
prices = arrays(np.float64, st.integers(1, 40), elements=cents)
anything = arrays(np.float64, st.integers(1, 40), elements=st.floats(allow_nan=False, allow_infinity=False))


def _windows(values: Any, period: int) -> list[Any]:
    return [values[start : start + period] for start in range(len(values) - period + 1)]


@given(prices, st.integers(1, 12))
def test_window_sums_are_correctly_rounded(values: Any, period: int) -> None:
    """Each sum of prices is `math.fsum`'s, to the last bit."""
    period = min(period, len(values))
    found = window_sums(values, period)
    assert found is not None
    assert found.tolist() == [math.fsum(each) for each in _windows(values, period)]


@given(anything, st.integers(1, 12))
def test_window_sums_are_exact_or_refused(values: Any, period: int) -> None:
    """Where values span too many bits there is no sum, never a wrong one."""
    period = min(period, len(values))
    found = window_sums(values, period)
    if found is not None:
        assert found.tolist() == [math.fsum(each) for each in _windows(values, period)]


def test_window_sums_do_not_drift_over_a_million_bars() -> None:
    """The last of a million sums is as exact as the first: nothing is carried along."""
    values = np.round(100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.0005, 1_000_000))), 5)
    found = window_sums(values, 2_000)
    assert found is not None
    assert found[-1] == math.fsum(values[-2_000:])
    assert found[500_000] == math.fsum(values[500_000:502_000])


@pytest.mark.parametrize(("pick", "plain"), [(np.maximum, max), (np.minimum, min)])
@given(values=prices, period=st.integers(1, 12))
def test_window_extremes_are_those_of_max_and_min(values: Any, period: int, pick: Any, plain: Any) -> None:
    """The largest and the smallest of each window."""
    values = values + 0.0
    period = min(period, len(values))
    found = window_extremes(values, period, pick)
    if found is not None:
        assert found.tolist() == [plain(each.tolist()) for each in _windows(values, period)]


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_what_is_not_finite_is_left_to_the_loop(odd: float) -> None:
    """A NaN or an infinity among the values is the loop's business."""
    assert window_sums(np.array([1.0, odd, 2.0]), 2) is None
