"""What a conversation with one of Alpaca's data streams comes to: its states, and what it tells the shell. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from feeds.alpaca.readings import Value
from feeds.alpaca.wants import Channels
from framework.errors import ConnectionLost, SwitchbackError


class State(enum.Enum):
    """Where a conversation stands."""

    CLOSED = "closed"
    GREETING = "waiting to be greeted"
    LOGIN = "logging in"
    TURNED_AWAY = "turned away, to log in again on the same socket"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Subscribed:
    """All that was asked for is acknowledged; `channels` is the whole of it."""

    channels: Channels


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Another connection has the account's slot; the login is sent again in `seconds`, for the `attempt`th time."""

    attempt: int
    of: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A subscription is not had, and not asked for again; everything else goes on. `error` says what to try.

    `code` is the server's error, 0 where it answered without what was asked for.
    """

    channels: Channels
    error: SwitchbackError
    code: int = 0


@dataclass(frozen=True, slots=True)
class Strange:
    """Something that is not understood, told at its first time only; `Stream.strange` counts them."""

    what: str
    example: str


@dataclass(frozen=True, slots=True)
class Lost:
    """This connection is of no more use: close it and connect again."""

    error: ConnectionLost


@dataclass(frozen=True, slots=True)
class Stopped:
    """There is no point in connecting again: raise the error."""

    error: SwitchbackError


Event = Value | Subscribed | TurnedAway | Refused | Strange | Lost | Stopped
"""All that a stream may tell."""
