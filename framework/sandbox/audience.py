"""Who listens to a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol


class Listening(Protocol):
    """A connection, as its audience sees it."""

    def cut(self) -> None: ...


class Audience:
    """The connections that listen to one stream. Owned by the thread that serves the market."""

    def __init__(self) -> None:
        self._members: dict[Listening, None] = {}
        self._changed = asyncio.Condition()

    def __iter__(self) -> Iterator[Listening]:
        return iter(list(self._members))

    def __len__(self) -> int:
        return len(self._members)

    async def add(self, member: Listening) -> None:
        """Let a connection listen from now on."""
        self._members[member] = None
        async with self._changed:
            self._changed.notify_all()

    def discard(self, member: Listening) -> None:
        """Let a connection listen no more."""
        self._members.pop(member, None)

    async def attend(self, count: int = 1) -> None:
        """Wait until so many listen."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._members) >= count)

    def cut(self) -> None:
        """Cut the connection of everyone who listens."""
        for member in self:
            member.cut()
