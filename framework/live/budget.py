"""The request budget of one account at one host: who waits, who goes first. All of its requests pass here."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from framework.live.window import Allowance, Window
from framework.ports import Clock
from framework.wire import Priority

_Waiter = tuple[Priority, int, asyncio.Future[None]]


class Budget:
    """Lets requests go as `window` allows, the most urgent first; those of one priority in their order.

    Owned by the event loop of the I/O thread; `waiting` may be read from anywhere.
    """

    def __init__(self, clock: Clock, window: Window | None = None) -> None:
        self.window = window or Window()
        self._clock = clock
        self._waiters: list[_Waiter] = []
        self._order = itertools.count()
        self._alarm: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> Mapping[Priority, int]:
        """How many requests of each priority wait."""
        return Counter(priority for priority, _, future in tuple(self._waiters) if not future.done())

    @asynccontextmanager
    async def turn(self, priority: Priority) -> AsyncIterator[Budget]:
        """Wait for one request's turn; the block sends it and ends with its answer or without."""
        await self._enter(priority)
        try:
            yield self
        finally:
            self.window.end(self._clock.monotonic())
            self._admit()

    def hear(self, told: Allowance) -> None:
        """Take what an answer told; to be called within its turn."""
        self.window.hear(told, self._clock.monotonic())

    def close(self, seconds: float) -> None:
        """Let nothing go for so long: the venue answered 429."""
        self.window.close(seconds, self._clock.monotonic())

    async def _enter(self, priority: Priority) -> None:
        if not self._waiters and self.window.may(priority, self._clock.monotonic()):
            self.window.take()
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (priority, next(self._order), future))
        self._admit()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.window.give_back()
            self._admit()
            raise

    def _admit(self) -> None:
        """Let go who may, and set the alarm for the next."""
        now = self._clock.monotonic()
        while (first := self._first()) and self.window.may(first[0], now):
            heapq.heappop(self._waiters)
            self.window.take()
            first[2].set_result(None)
        self._set_alarm(first, now)

    def _first(self) -> _Waiter | None:
        while self._waiters and self._waiters[0][2].done():
            heapq.heappop(self._waiters)
        return self._waiters[0] if self._waiters else None

    def _set_alarm(self, first: _Waiter | None, now: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        opens = self.window.opens_at(first[0], now) if first else None
        if opens is not None:
            self._alarm = asyncio.create_task(self._wake(opens - now), name="budget")

    async def _wake(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._alarm = None
        self._admit()
