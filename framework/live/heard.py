"""How much of each stream has been handed on: how a client in lock-step knows that it has read everything."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from framework.live.clock import Deadline
from framework.ports import Clock

PATIENCE = 2.0
"""Seconds of I/O time to wait for messages that a venue in lock-step says it has sent."""


class Heard:
    """Counts messages by stream (`framework.ports.Heard`). Owned by the I/O thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._behind: set[str] = set()
        self._news = asyncio.Event()
        self._works: list[Callable[[], Awaitable[None]]] = []
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def hear(self, stream: str, count: int = 1) -> None:
        """Note that so many messages have been read, and all that follows of them been emitted."""
        self._counts[stream] += count
        self._news.set()

    def caught_up(self, stream: str) -> None:
        """Note that what was sent while a stream was down has been made good: its count is the venue's again."""
        self._behind.add(stream)
        self._news.set()

    def before_step(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have something awaited before each step."""
        self._works.append(work)

    def after_step(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have something awaited after each step, before it is handed on."""
        self._closing.append(work)

    async def catch_up(self) -> None:
        """Await what is due before a step."""
        for work in self._works:
            await work()

    async def complete(self) -> None:
        """Await what is due after a step."""
        for work in self._closing:
            await work()

    @property
    def is_behind(self) -> bool:
        """Whether a stream has come up since its count was set right."""
        return bool(self._behind)

    def settle(self, sent: Mapping[str, int]) -> None:
        """Set the counts of streams that came up to what the venue has sent, all of which is made good."""
        for stream in self._behind:
            self._counts[stream] = sent.get(stream, 0)
        self._behind.clear()

    async def until(self, sent: Mapping[str, int]) -> bool:
        """Wait until as much has been read of the streams that came up as the venue has sent; return whether it was.

        What has not come after a while will not: a connection broke, and the reconnect will make it good.
        """
        try:
            async with Deadline(self._clock, PATIENCE):
                while self._lacks(sent):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self._behind.update(self._counts)
            return False
        return True

    def _lacks(self, sent: Mapping[str, int]) -> bool:
        return any(sent.get(stream, 0) > count for stream, count in self._counts.items() if stream not in self._behind)
