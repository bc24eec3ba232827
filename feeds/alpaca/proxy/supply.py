"""What a stream is fed from: a connection to Alpaca, one that is recorded on the way, or a recording."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from feeds.alpaca.line import Told
from feeds.alpaca.protocol import NAME
from feeds.alpaca.proxy.relay import Carried, Relay
from feeds.alpaca.subscriptions import Endpoint
from framework.live.socket import Socket
from framework.live.stream import Frame, Link, Pace
from framework.ports import AsyncHttp, Clock

Item = Told | Carried | Link

Consume = Callable[[Item], Awaitable[None]]
"""Awaited for everything that a wire tells, in its order."""


class Wire(Protocol):
    """The other end of one stream, as `framework.live.socket.Socket` is."""

    async def run(self) -> None:
        """Stay connected until cancelled; raise what waiting cannot cure."""

    async def send(self, frames: Sequence[Frame]) -> None:
        """Send what a relay has to say in between; without a connection it is dropped."""


class Supply(Protocol):
    """Where streams come from."""

    def wire(self, endpoint: Endpoint, relay: Relay, consume: Consume) -> Wire:
        """Return a stream's wire, which is still to be run."""

    def history(self, endpoint: Endpoint) -> AsyncHttp:
        """Return what a stream asks for what it has missed."""

    def exposition(self) -> str:
        """Return what it counts, in Prometheus's text format."""


class Direct:
    """Alpaca itself."""

    def __init__(self, clock: Clock, http: AsyncHttp, pace: Pace) -> None:
        self._clock, self._http, self._pace = clock, http, pace

    def wire(self, endpoint: Endpoint, relay: Relay, consume: Consume) -> Wire:
        """Return a socket that comes back by itself."""
        return Socket(NAME, relay, self._clock, consume, self._pace)

    def history(self, endpoint: Endpoint) -> AsyncHttp:
        """Return Alpaca's own, within the account's budget of requests."""
        return self._http

    def exposition(self) -> str:
        """Return nothing: what comes is counted where it arrives."""
        return ""
