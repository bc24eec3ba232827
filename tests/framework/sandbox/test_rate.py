"""The budget of requests."""

from __future__ import annotations

import time

from framework.sandbox.rate import RateLimit


def test_the_budget_is_full_again_after_a_minute() -> None:
    """Two requests a minute: the third is refused, and after a minute both are there again."""
    seconds = [0.0]
    rate = RateLimit(2, monotonic=lambda: seconds[0])
    assert [rate.take() for _ in range(3)] == [True, True, False]
    seconds[0] = 60.0
    assert rate.take()
    assert rate.headers()["X-RateLimit-Remaining"] == "1"


def test_a_budget_that_is_only_shown_refuses_nothing() -> None:
    """Every request is answered, and nobody is told that fewer are left."""
    rate = RateLimit(1, is_kept=False)
    assert [rate.take() for _ in range(3)] == [True, True, True]
    assert rate.headers()["X-RateLimit-Remaining"] == "1"


def test_the_budget_fills_evenly() -> None:
    """60 a minute: 60 pass at once, and a second later one more, however often was asked in between."""
    seconds = [0.0]
    rate = RateLimit(60, monotonic=lambda: seconds[0])
    assert [rate.take() for _ in range(61)] == [True] * 60 + [False]
    seconds[0] = 1.0
    assert [rate.take() for _ in range(2)] == [True, False]


def test_silence_does_not_save_up() -> None:
    """After an hour there is a minute's worth, not more."""
    seconds = [0.0]
    rate = RateLimit(2, monotonic=lambda: seconds[0])
    seconds[0] = 3600.0
    assert [rate.take() for _ in range(3)] == [True, True, False]


def test_headers_tell_when_all_is_there_again() -> None:
    """One of 60 used is back within two seconds; a refusal says that none is left."""
    rate = RateLimit(60, monotonic=lambda: 0.0)
    rate.take()
    assert 0 < int(rate.headers()["X-RateLimit-Reset"]) - time.time() < 10
    assert rate.headers(used_up=True)["X-RateLimit-Remaining"] == "0"
