"""A socket of the sandbox with the faults that every socket can have, and the slot that it takes.

Names of the faults: see `FAULTS`. `drop` cuts at the next message, `mute` swallows messages while the
socket stays open, `half_closed` also leaves pings unanswered, `slow` holds each message back, `zombie`
keeps the slot for a while after the client has gone.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import WSMsgType, web

from framework.sandbox.market import Market

FAULTS = {
    "drop": "cut the socket without a word, before the next message",
    "mute": "send nothing more on the socket, which stays open (count: messages swallowed, 0 all)",
    "half_closed": "neither send nor read any more: pings stay unanswered, the slot taken (seconds, 90)",
    "slow": "hold each message back (seconds)",
    "zombie": "keep the connection's slot after it has closed (seconds, 90)",
}

ZOMBIE_SECONDS = 90.0


class Slots:
    """How many connections a stream takes at a time; one is usual. `limit` 0 is no limit."""

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit
        self._held: set[object] = set()

    def take(self, holder: object) -> bool:
        """Return whether there was a slot."""
        if holder in self._held:
            return True
        if self.limit and len(self._held) >= self.limit:
            return False
        self._held.add(holder)
        return True

    def free(self, holder: object, after: float = 0.0) -> None:
        """Give the slot back, now or after some seconds of I/O time."""
        if after:
            asyncio.get_running_loop().call_later(after, self._held.discard, holder)
        else:
            self._held.discard(holder)


class Connection:
    """One client's socket on one stream. `send` makes the faults and counts; `reply` does neither."""

    def __init__(self, market: Market, stream: str, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.market, self.stream, self.socket = market, stream, socket
        self._request = request
        self.is_deaf = False
        self.is_known = False
        """Whether the client has authenticated; the dialect sets it."""

    async def reply(self, message: str | bytes) -> None:
        """Write an answer to what the client said."""
        if not self.is_deaf:
            await self._write(message)

    async def send(self, message: str | bytes, count: int = 1, **facts: Any) -> None:
        """Write `count` messages of the stream in one frame, or what a fault makes of it."""
        take = self.market.faults.take
        if take("drop", self.stream, **facts):
            self.market.lost[self.stream] += count
            return self.cut()
        if half := take("half_closed", self.stream, **facts):
            self.go_deaf(half.seconds(ZOMBIE_SECONDS))
        if self.is_deaf or take("mute", self.stream, **facts):
            return None
        if slow := take("slow", self.stream, **facts):
            await asyncio.sleep(slow.seconds(0.5))
        if await self._write(message):
            self.market.sent[self.stream] += count
        return None

    def cut(self) -> None:
        """Close the connection as a broken line does: no closing handshake."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def free(self, slots: Slots) -> None:
        """Give the slot back when the socket has closed, late where a fault says so."""
        zombie = self.market.faults.take("zombie", self.stream)
        slots.free(self, zombie.seconds(ZOMBIE_SECONDS) if zombie else 0.0)

    def go_deaf(self, seconds: float) -> None:
        """Say and hear nothing more. Who does not read does not see the client leave either: time ends it."""
        self.is_deaf = True
        asyncio.get_running_loop().call_later(seconds, self.cut)
        if isinstance(self._request.transport, asyncio.Transport):
            self._request.transport.pause_reading()

    async def _write(self, message: str | bytes) -> bool:
        if self.socket.closed:
            return False
        try:
            await (self.socket.send_str(message) if isinstance(message, str) else self.socket.send_bytes(message))
        except ConnectionError:
            return False
        return True


def is_text(kind: WSMsgType) -> bool:
    """Return whether a frame carries what a client said."""
    return kind in (WSMsgType.TEXT, WSMsgType.BINARY)
