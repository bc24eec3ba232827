"""One program of this machine that hears of orders: what it is sent waits for it, and nobody else does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from brokers.alpaca.proxy.conversation import Conversation, Said, listening
from brokers.alpaca.proxy.ownership import Ownership
from brokers.alpaca.stream import STREAM

AGAIN = 1012
"""The closing code that says: connect again (service restart)."""


class Listener:
    """A socket, its conversation and what waits for it. Owned by the proxy's loop."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.BaseTransport,
        conversation: Conversation,
        ownership: Ownership,
        budget: int,
    ) -> None:
        self.conversation, self.ownership, self.budget = conversation, ownership, budget
        self.is_told = self.is_over = False
        self.size = 0
        self._socket, self._transport = socket, transport
        self._queue: asyncio.Queue[bytes | str] = asyncio.Queue()

    def begin(self) -> None:
        """Tell that it listens: from then on it misses nothing, or is told."""
        self.is_told = True
        self.say(listening([STREAM]))

    def say(self, message: Said) -> None:
        """Let an answer be sent in its turn."""
        self.send(json.dumps(message).encode())

    def hear(self, data: Any, frame: bytes) -> bool:
        """Let an update be sent in its turn, where it is this one's; return whether it is."""
        if not (self.is_told and self.ownership.has(data)):
            return False
        self.send(frame)
        return True

    def send(self, frame: bytes) -> None:
        """Let a frame be sent in its turn."""
        self.size += len(frame)
        self._queue.put_nowait(frame)

    @property
    def is_slow(self) -> bool:
        """Whether more waits than may wait."""
        return self.size > self.budget

    def end(self, why: str) -> None:
        """Hang up after what waits: who connects again knows that it has to look up what it missed."""
        self.is_told, self.is_over = False, True
        self._queue.put_nowait(why)

    async def write(self) -> None:
        """Send what waits, until it is to end."""
        while isinstance(item := await self._queue.get(), bytes):
            await self._socket.send_bytes(item)
            self.size -= len(item)
        await self._socket.close(code=AGAIN, message=item.encode()[:120])

    def cut(self) -> None:
        """Hang up at once, for it does not read."""
        self.is_told = False
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()
