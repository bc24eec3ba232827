"""What a conversation with AlphaHub tells its shell. Pure.

`at` is I/O time in seconds, as the conversation was told it: what has a clock makes venue time of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from framework.live.stream import Frame


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame, as it came, told before anything that was made of it: for a journal."""

    frame: Frame
    at: float


@dataclass(frozen=True, slots=True)
class Published:
    """An algorithm published signals; `payload` is the JSON text, as it came, for `parsing.read_published`."""

    algorithm: str
    payload: str
    at: float


@dataclass(frozen=True, slots=True)
class Joined:
    """What the algorithm publishes is heard from here on; what it did before has to be asked for."""

    algorithm: str
    at: float


@dataclass(frozen=True, slots=True)
class Left:
    """What the algorithm publishes is not heard, until the join in `again_in` seconds succeeds.

    `is_alarm` tells what nobody may wait out in silence: the server closed the channel, or refused the join.
    """

    algorithm: str
    at: float
    why: str
    again_in: float
    is_alarm: bool = False


@dataclass(frozen=True, slots=True)
class Strange:
    """Something that is not understood. It may have been a signal, so it is told each time."""

    what: str
    example: str
    at: float


Event = Heard | Published | Joined | Left | Strange
"""All that a conversation may tell."""
