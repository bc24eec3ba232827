"""The venue's clock: real time, accelerated, or lock-step, where it stands still between instants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from framework.errors import ConfigError


class MarketClock:
    """Venue time, from `starts_at` on. `speed` 1 is real time, 60 a minute a second, None is lock-step.

    Owned by the thread that serves the market. `monotonic` is I/O time in seconds, `wall` the date that
    goes with it, in Unix seconds; tests give their own, and a loop whose timers go by it.
    """

    def __init__(
        self,
        starts_at: datetime,
        speed: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ConfigError(f"speed={speed} is not a pace; try speed=1 for real time, 60 for a minute a second")
        self.speed = speed
        self.monotonic, self.wall = monotonic, wall
        self._from, self._since = starts_at, monotonic()

    @property
    def mode(self) -> str:
        """Return "lockstep", "real" or "accelerated"."""
        return "lockstep" if self.speed is None else "real" if self.speed == 1 else "accelerated"

    def now(self) -> datetime:
        """Return venue time, aware UTC."""
        if self.speed is None:
            return self._from
        return self._from + timedelta(seconds=(self.monotonic() - self._since) * self.speed)

    def set(self, at: datetime) -> None:
        """Put the clock to an instant."""
        self._from, self._since = at, self.monotonic()

    async def until(self, at: datetime) -> None:
        """Wait, in a running clock, until venue time is `at`."""
        assert self.speed is not None
        while (left := (at - self.now()).total_seconds() / self.speed) > 0:
            await asyncio.sleep(min(left, 1.0))
