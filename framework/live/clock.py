"""The clocks of a live session (the port is `framework.ports.Clock`), and a time limit that runs by them.

`WallClock` is for a venue in the world, `VenueClock` for one whose time is its own (the sandbox),
`VirtualClock` for tests: its time moves only when it is told to. Nothing else reads a clock.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TypeVar

from framework.errors import ConfigError
from framework.ports import Clock

T = TypeVar("T")

_QUIET_TURNS = 20  # turns of the event loop without news from a sleeper, after which all have had their say


class WallClock:
    """The time in the world."""

    is_loops = True
    """Whether I/O time is the event loop's own, so that the loop's timers keep it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def seconds_until(self, at: datetime) -> float | None:
        return max((at - self.now()).total_seconds(), 0.0)


class VenueClock:
    """A venue's own time: `at` now, running `speed` times as fast as I/O time, or standing still (None).

    Venue time never goes back: put to an earlier instant, it waits there until that instant has come
    again. `io` gives I/O time, which is never accelerated. Any thread may read it; one sets it.
    With `is_path` the venue plays its bars along their paths: there are instants between the bars.
    """

    def __init__(self, at: datetime, speed: float | None, io: Clock, *, is_path: bool = False) -> None:
        if speed is not None and not 0 < speed < math.inf:
            raise ConfigError(f"speed={speed} is not a pace; try 1 for real time, None for a clock that is told")
        self.speed, self.is_path = speed, is_path
        self.is_loops = getattr(io, "is_loops", False)
        self._io = io
        # One value, replaced at once: another thread never sees half of it.
        self._mark = (at.astimezone(UTC), io.monotonic(), at.astimezone(UTC))

    def now(self) -> datetime:
        at, since, floor = self._mark
        passed = 0.0 if self.speed is None else (self._io.monotonic() - since) * self.speed
        return max(at + timedelta(seconds=passed), floor)

    def set(self, at: datetime) -> None:
        """Take the venue's word that it is `at` now."""
        self._mark = (at.astimezone(UTC), self._io.monotonic(), self.now())

    def monotonic(self) -> float:
        return self._io.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._io.sleep(seconds)

    def seconds_until(self, at: datetime) -> float | None:
        left = max((at - self.now()).total_seconds(), 0.0)
        if self.speed is None:
            return None if left else 0.0
        return left / self.speed


class VirtualClock:
    """A clock for tests: venue time and I/O time move together, and only when told.

    Sleepers wake one by one, in the order of their instants (those of one instant in the order in
    which they fell asleep), and each finds the clock at its own instant. One event loop owns it.
    """

    def __init__(self, at: datetime = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)) -> None:
        self._start = _aware(at)
        self._seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._news = 0
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def seconds_until(self, at: datetime) -> float | None:
        return max((at - self.now()).total_seconds(), 0.0)

    async def sleep(self, seconds: float) -> None:
        self._news += 1
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._seconds + seconds, next(self._order), future))
        self._tell()
        try:
            await future
        finally:
            self._news += 1

    @property
    def due(self) -> tuple[float, ...]:
        """When the sleepers wake, in I/O time, the next one first."""
        return tuple(sorted(due for due, _, future in self._sleepers if not future.done()))

    async def asleep(self, count: int = 1) -> None:
        """Wait (in the world's time) until at least so many sleep."""
        if len(self.due) < count:
            future = asyncio.get_running_loop().create_future()
            self._awaited.append((count, future))
            await future

    async def advance(self, seconds: float) -> None:
        """Let so many seconds pass, and let each sleeper that wakes go as far as it can on the way."""
        if seconds < 0:
            raise ConfigError(f"a clock cannot go back by {-seconds} seconds; give 0 or more")
        target = self._seconds + seconds
        await self._settle()
        while self._wake_next(target):
            await self._settle()
        self._seconds = max(self._seconds, target)

    async def advance_to(self, at: datetime) -> None:
        """Let time pass until venue time is `at`."""
        await self.advance((at - self.now()).total_seconds())

    async def run(self, awaitable: Awaitable[T]) -> T:
        """Let time jump from sleeper to sleeper until `awaitable` is done, and return its result.

        For what waits on this clock only (no sockets, no other threads): what waits for anything else
        ends with a `ConfigError`, for no time that passes could help it.
        """
        task = asyncio.ensure_future(awaitable)
        await self._settle()
        while not task.done():
            if not self._wake_next(math.inf):
                task.cancel()
                raise ConfigError("nobody sleeps and yet it is not done: it waits for something that is no clock")
            await self._settle()
        return task.result()

    def _wake_next(self, target: float) -> bool:
        """Wake the next sleeper that is due by `target`; return whether there was one."""
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._seconds = max(self._seconds, due)
                future.set_result(None)
                return True
        return False

    def _tell(self) -> None:
        asleep = len(self.due)
        for count, future in self._awaited:
            if count <= asleep and not future.done():
                future.set_result(None)
        self._awaited = [each for each in self._awaited if not each[1].done()]

    async def _settle(self) -> None:
        """Give the event loop its turns until the sleepers have stirred no more for a while."""
        quiet = 0
        while quiet < _QUIET_TURNS:
            news = self._news
            await asyncio.sleep(0)
            quiet = quiet + 1 if news == self._news else 0


def is_told(clock: Clock) -> bool:
    """Return whether venue time only moves when it is told, as in lock-step."""
    return clock.seconds_until(clock.now() + _HOUR) is None


def pace(clock: Clock) -> float:
    """Return how many seconds of venue time pass in one of I/O time: 1 but for a sandbox in a hurry.

    Where the clock is told it is 1 too: nothing that goes by time happens there by itself.
    """
    seconds = clock.seconds_until(clock.now() + _HOUR)
    return _HOUR.total_seconds() / seconds if seconds else 1.0


_HOUR = timedelta(hours=1)


class Deadline:
    """A time limit for a block, by a clock; when it passes, `TimeoutError` is raised there.

        async with Deadline(clock, 5) as deadline:
            await connect()
            deadline.extend(30)
            await answer()

    `within` bounds the block as a whole, however often it is extended.
    """

    def __init__(self, clock: Clock, seconds: float, within: float = math.inf) -> None:
        self._clock = clock
        self._seconds, self._within = seconds, within
        self._due = self._end = -math.inf
        self._watch: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def extend(self, seconds: float) -> None:
        """Allow so many seconds from now on. What was allowed before is never shortened."""
        self._due = max(self._due, min(self._clock.monotonic() + seconds, self._end))

    async def __aenter__(self) -> Deadline:
        started = self._clock.monotonic()
        self._end = started + self._within
        self._due = min(started + self._seconds, self._end)
        self._timeout = asyncio.timeout(None)
        await self._timeout.__aenter__()
        if getattr(self._clock, "is_loops", False):
            self._ring()  # a task for each request would cost as much as the request
        else:
            self._watch = asyncio.create_task(self._expire(), name="deadline")
        return self

    def _ring(self) -> None:
        """End the block where its time is up; else look again then: moving a timer for each extension costs more."""
        left = self._due - self._clock.monotonic()
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._ring)
        else:
            self._timeout.reschedule(-math.inf)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    async def _expire(self) -> None:
        while (left := self._due - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._timeout.reschedule(-math.inf)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ConfigError(f"{at.isoformat()} has no time zone; give an aware datetime, such as one in UTC")
    return at.astimezone(UTC)
