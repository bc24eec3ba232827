"""The polls of a session: when they are made, and what follows of them. Owned by the I/O thread."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta

from brokers.algogene.asking import polled
from brokers.algogene.following import Poll, Questions
from brokers.algogene.line import CURABLE, Line
from brokers.algogene.polling import requests, wait
from brokers.algogene.telling import Telling
from framework.live.clock import Deadline, pace
from framework.model import Link
from framework.ports import Clock, Emit

STREAM = "algogene orders"
"""What polling is called in the journal."""

ROUNDS = 4
"""How often it is asked at once again, where an answer leads to a question."""


def is_told(clock: Clock) -> bool:
    """Return whether venue time only moves when it is told, as in lock-step."""
    return clock.seconds_until(clock.now() + timedelta(seconds=1)) is None


class Watching:
    """Polls for as long as a session lasts; `follow_up` does what a poll leads to, `is_moving` tells whether something
    is on its way that ends by itself.
    """

    def __init__(
        self,
        line: Line,
        telling: Telling,
        emit: Emit,
        follow_up: Callable[[Poll], Awaitable[None]],
        is_moving: Callable[[], bool],
    ) -> None:
        self._line, self._telling, self._emit = line, telling, emit
        self._follow_up, self._is_moving = follow_up, is_moving
        self._clock = line.clock
        self._polling, self._wake = asyncio.Lock(), asyncio.Event()
        self._is_up: bool | None = None
        self._stirred_at = self._clock.monotonic()

    async def run(self) -> None:
        """Poll until cancelled; in lock-step once, the others follow the steps. Raise `AuthenticationError`."""
        failures = 0
        while True:
            self._wake.clear()
            try:
                asked = await self._poll()
            except CURABLE as error:
                failures += 1
                self._down(error)
                await self._line.wait_after(error, failures)
            else:
                failures = 0
                self._up()
                await self._pause(asked)

    async def in_time(self) -> None:
        """Poll now, for as long as it takes: in lock-step nothing else tells. Raise `AuthenticationError`."""
        for attempt in itertools.count(1):
            try:
                await self._poll()
                return
            except CURABLE as error:
                await self._line.wait_after(error, attempt)

    def stir(self) -> None:
        """Poll soon, for something moves."""
        self._stirred_at = self._clock.monotonic()
        self._wake.set()

    async def _poll(self) -> int:
        """Ask until no answer leads to another question; return how many requests the last round was."""
        async with self._polling:
            with self._telling.together():
                asked, poll = await self._rounds()
            await self._follow_up(poll)
        return requests(len(asked.queries), deals=asked.deals)

    async def _rounds(self) -> tuple[Questions, Poll]:
        for turn in itertools.count(1):
            asked = self._telling.asked
            poll = await polled(self._line, asked)
            self._telling.poll(poll)
            more = self._telling.asked
            if turn == ROUNDS or (set(more.queries) <= set(asked.queries) and more.deals <= asked.deals):
                break
        return asked, poll

    async def _pause(self, asked: int) -> None:
        """Wait until the next poll; in lock-step that is the next step's."""
        if is_told(self._clock):
            await asyncio.Event().wait()
        moved = self._clock.monotonic() - self._stirred_at if self._is_moving() else None
        seconds = wait(asked, is_resting=bool(self._telling.followed), moving_for=moved, pace=self._line.habits.pace)
        seconds /= max(pace(self._clock), 1.0)  # a sandbox that runs fast counts no requests
        with contextlib.suppress(TimeoutError):
            async with Deadline(self._clock, seconds):
                await self._wake.wait()

    def _up(self) -> None:
        if not self._is_up:
            self._is_up = True
            self._emit(Link(STREAM, True, self._clock.now()))

    def _down(self, error: Exception) -> None:
        if self._is_up is not False:
            self._is_up = False
            self._emit(Link(STREAM, False, self._clock.now(), str(error)))
