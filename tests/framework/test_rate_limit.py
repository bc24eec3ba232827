"""The budget of requests that a sandbox's account has."""

import time

from framework.sandbox.rate import RateLimit


def test_a_minutes_worth_passes_at_once_and_then_one_at_a_time():
    """60 a minute: 60 pass, and a second later one more, however often was asked in between."""
    now = [0.0]
    rate = RateLimit(60, monotonic=lambda: now[0])
    assert [rate.take() for _ in range(61)] == [True] * 60 + [False]
    now[0] = 1.0
    assert [rate.take() for _ in range(2)] == [True, False]


def test_silence_does_not_save_up():
    """After an hour there is a minute's worth, not more."""
    now = [0.0]
    rate = RateLimit(2, monotonic=lambda: now[0])
    now[0] = 3600.0
    assert [rate.take() for _ in range(3)] == [True, True, False]


def test_limit_that_is_not_kept_is_shown():
    """In an accelerated market requests are counted down and never refused."""
    rate = RateLimit(2, is_kept=False, monotonic=lambda: 0.0)
    assert all(rate.take() for _ in range(3))
    assert rate.headers()["X-RateLimit-Remaining"] == "0"


def test_headers_tell_what_is_left_and_when_all_is_there_again():
    """One of 60 used: 59 left, and full within a second or two; a refusal says that none is left."""
    rate = RateLimit(60, monotonic=lambda: 0.0)
    rate.take()
    told = rate.headers()
    assert (told["X-RateLimit-Limit"], told["X-RateLimit-Remaining"]) == ("60", "59")
    assert 0 < int(told["X-RateLimit-Reset"]) - time.time() < 10
    assert rate.headers(used_up=True)["X-RateLimit-Remaining"] == "0"
