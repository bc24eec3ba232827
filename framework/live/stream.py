"""What a supervised websocket is told and tells: the protocol it carries, its changes, its pace. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, runtime_checkable

E_co = TypeVar("E_co", covariant=True)

Frame = str | bytes


class StreamProtocol(Protocol[E_co]):
    """What is said over a socket: frames in, frames and events out. No sockets, no clock, no asyncio.

    `receive` raises `AuthenticationError` (or another error that waiting cannot cure) to end it all, and
    `ConnectionLost`, `RateLimited` or `ProtocolError` to have the connection made anew.
    """

    @property
    def url(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def is_ready(self) -> bool:
        """Whether the opening is over: the other side has let us in and confirmed what we asked for."""

    def opening(self, now: float) -> Sequence[Frame]:
        """Begin anew on a new connection; return the frames to send at once. `now` is I/O time, here and below."""

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Iterable[E_co]]:
        """Take a frame; return the frames to send and what was said, which may raise at its end what ends it."""


@runtime_checkable
class TimedProtocol(StreamProtocol[E_co], Protocol[E_co]):
    """A protocol that minds the time by itself: how long to wait for being let in, and for what is said then.

    The shell's own limit on being let in does not hold for it.
    """

    def deadline(self) -> float | None:
        """Return when `due` will have something, None where it has nothing to wait for."""

    def due(self, now: float) -> Sequence[Frame]:
        """Return what is to be sent by now, though nothing came."""

    def heard(self, now: float) -> None:
        """Note that the other side lives: a pong came."""

    def silence(self, now: float, at: datetime) -> str:
        """Return why the connection is to be given up, empty while it is not; `at` is venue time."""

    def closed(self) -> None:
        """Note that the connection has gone."""


class LinkState(enum.Enum):
    """What became of the connection."""

    CONNECTED = "connected"  # the first time that it is ready
    LOST = "lost"  # it broke, or an attempt at it failed
    RECONNECTED = "reconnected"  # ready again: what was missed has to be asked for


@dataclass(frozen=True, slots=True)
class Link:
    """A change of the connection; `at` is venue time, `retry_in` the I/O seconds until the next attempt."""

    state: LinkState
    at: datetime
    reason: str = ""
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait, in seconds of I/O time, and how much to hold."""

    connect: float = 10.0  # until connected and ready
    ping: float = 5.0  # between two pings
    pong: float = 5.0  # for any sign of life after a ping
    look: float = 1.0  # between two looks at a silence that the protocol judges
    close: float = 1.0  # for the other side's farewell
    healthy: float = 30.0  # ready for so long, and the next loss is a first one again
    first_wait: float = 0.5
    longest_wait: float = 30.0
    inbox: int = 50_000  # events that wait for the consumer
    frame: int = 1 << 24  # bytes
