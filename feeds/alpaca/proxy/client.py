"""One local client's socket: what it is sent is written once a turn of the loop, and nobody waits for it."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Any

from feeds.alpaca.messages import Row, from_json, from_msgpack
from feeds.alpaca.proxy.figures import Counts
from feeds.alpaca.proxy.frames import Batch, Codec
from feeds.alpaca.proxy.outbox import Outbox
from feeds.alpaca.subscriptions import Conversation, error

ROOM = 1 << 18
"""Bytes that may be with the socket; the rest waits in the outbox, where quotes can still be conflated."""

PAUSE = 0.005
"""Seconds until a socket that is full is looked at again."""

FAREWELL = 1.0
"""Seconds in which a client that is sent away may read what it was told."""

_GOODBYE = b"\x88\x02\x03\xf0"  # a closing frame: 1008, policy violation


class Client:
    """A socket of this machine, its conversation and what waits for it. Owned by the proxy's loop."""

    def __init__(
        self,
        transport: asyncio.Transport,
        codec: Codec,
        conversation: Conversation,
        budget: int,
        counts: Counts,
        monotonic: Callable[[], float],
    ) -> None:
        self.conversation = conversation
        self.outbox = Outbox(codec, budget)
        self.wants_gaps = False
        """Whether it has asked for markers of gaps."""
        self._transport, self._counts, self._monotonic = transport, counts, monotonic
        self._loop = asyncio.get_running_loop()
        if (own := transport.get_extra_info("socket")) is not None:
            # What the system holds is old when it is read, and nothing of it can be conflated any more.
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        self._since = math.inf  # when what waits longest came
        self._is_due = self._is_away = False
        self._much = min(ROOM, budget // 2)  # so that one turn's burst is not taken for a client that does not read

    def send(self, batch: Batch, at: float) -> None:
        """Let a frame be written in its turn; `at` is when it came, in I/O time."""
        if self._is_away:
            return
        self.outbox.push(batch)
        if self._since > at:
            self._since = at
        if self.outbox.size > self._much:
            self._relieve()
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._write)

    def say(self, row: Row) -> None:
        """Let an answer be written in its turn."""
        self.send(Batch.of(row), self._monotonic())

    def dismiss(self, code: int) -> None:
        """Tell an error, which may never be read, and hang up."""
        if self._is_away:
            return
        if code != 407:
            self._transport.write(self.outbox.take(self.outbox.size))
        self._leave()
        self._transport.write(Batch.of(error(code)).frame(self.outbox.codec) + _GOODBYE)
        self._transport.close()
        self._loop.call_later(FAREWELL, self._transport.abort)

    def cut(self) -> None:
        """Hang up without a word."""
        self._leave()
        self._transport.abort()

    @property
    def unsent(self) -> int:
        """Bytes that wait here or with the socket, and have not left this process."""
        return self.outbox.size + (0 if self._is_away else self._transport.get_write_buffer_size())

    def lag(self, now: float) -> float:
        """Return for how many seconds what waits longest has waited."""
        return max(now - self._since, 0.0)

    def decoded(self, frame: str | bytes) -> Any:
        """Read a frame; what cannot be read is None, which no client may say."""
        try:
            return from_msgpack(frame) if self.outbox.codec is Codec.MSGPACK else from_json(frame)
        except ValueError:
            return None

    def _leave(self) -> None:
        self._is_away = True
        self._since = math.inf
        self.outbox.clear()

    def _write(self) -> None:
        self._is_due = False
        if self._is_away or self._transport.is_closing():
            return
        if self.outbox.size:
            self._hand_over()
        if self.outbox.size:
            self._is_due = True
            self._loop.call_later(PAUSE, self._write)

    def _relieve(self) -> None:
        """Write before the turn is over, for much waits; where that is too much, the client is too slow."""
        self._hand_over()
        if self.outbox.is_over:
            self._counts.slow += 1
            self.dismiss(407)

    def _hand_over(self) -> None:
        """Write what there is room for."""
        room = ROOM - self._transport.get_write_buffer_size()
        if room <= 0:
            return
        self._transport.write(self.outbox.take(room))
        if not self.outbox.size:
            self._counts.relayed += 1
            self._counts.relay_seconds += self._monotonic() - self._since
            self._since = math.inf
