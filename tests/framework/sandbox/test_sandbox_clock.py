"""The venue's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from framework.errors import ConfigError
from framework.sandbox.clock import MarketClock

START = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)


class Ticking:
    """I/O time by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_lock_step_stands_still() -> None:
    """Only `set` moves it."""
    time = Ticking()
    clock = MarketClock(START, None, time)
    time.seconds += 60
    assert (clock.mode, clock.now()) == ("lockstep", START)
    clock.set(START + timedelta(minutes=1))
    assert clock.now() == START + timedelta(minutes=1)


@pytest.mark.parametrize(("speed", "mode", "passed"), [(1.0, "real", 2), (60.0, "accelerated", 120)])
def test_a_running_clock_goes_at_its_speed(speed: float, mode: str, passed: int) -> None:
    """Two seconds of I/O time are two seconds, or two minutes."""
    time = Ticking()
    clock = MarketClock(START, speed, time)
    time.seconds += 2
    assert (clock.mode, clock.now() - START) == (mode, timedelta(seconds=passed))


def test_until_waits_for_venue_time() -> None:
    """At a million seconds a second, a day has passed when it returns."""
    clock = MarketClock(START, 1e6)
    asyncio.run(clock.until(START + timedelta(days=1)))
    assert clock.now() >= START + timedelta(days=1)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    """Time goes forward."""
    with pytest.raises(ConfigError, match="speed="):
        MarketClock(START, speed)
