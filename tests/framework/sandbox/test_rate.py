"""The budget of requests."""

from __future__ import annotations

from framework.sandbox.rate import RateLimit


def test_the_budget_is_full_again_after_a_minute() -> None:
    """Two requests a minute: the third waits for the next window."""
    seconds = [0.0]
    rate = RateLimit(2, monotonic=lambda: seconds[0])
    assert [rate.take() for _ in range(3)] == [True, True, False]
    seconds[0] = 60.0
    assert rate.take()
    assert rate.headers()["X-RateLimit-Remaining"] == "1"


def test_a_budget_that_is_only_shown_refuses_nothing() -> None:
    """The headers count down, and every request is answered."""
    rate = RateLimit(1, is_kept=False)
    assert [rate.take() for _ in range(3)] == [True, True, True]
    assert rate.headers()["X-RateLimit-Remaining"] == "0"
