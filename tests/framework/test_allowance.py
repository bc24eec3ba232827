"""The count of requests that an account may make."""

from framework.sandbox.allowance import Allowance


def test_a_minutes_worth_passes_at_once_and_then_one_at_a_time():
    """60 a minute: 60 pass, and a second later one more, however long was asked in between."""
    wall = [0.0]
    allowance = Allowance(60, lambda: wall[0])
    assert [allowance.take() for _ in range(61)] == [True] * 60 + [False]
    wall[0] = 1.0
    assert [allowance.take() for _ in range(2)] == [True, False]


def test_bucket_holds_no_more_than_a_minutes_worth():
    """An hour of silence does not save up; a clock put back takes nothing away."""
    wall = [0.0]
    allowance = Allowance(2, lambda: wall[0])
    wall[0] = 3600.0
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    wall[0] = 0.0
    assert not allowance.take()


def test_headers_tell_when_all_is_there_again():
    """One of 60 used: 59 left, full in a second."""
    allowance = Allowance(60, lambda: 1_000.0)
    allowance.take()
    assert allowance.headers() == {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": "59",
        "X-RateLimit-Reset": "1001",
    }
