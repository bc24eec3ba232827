"""A data stream's conversation in the shape that `framework.live.socket.Socket` carries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feeds.alpaca.readings import Value
from feeds.alpaca.stream import Stream
from feeds.alpaca.stream_events import Lost, Refused, State, Stopped, Strange, Subscribed, TurnedAway
from feeds.minutes import MINUTE, Minutes
from framework.errors import SwitchbackError
from framework.live.stream import Frame

Said = Value | Subscribed | TurnedAway | Refused | Strange
"""What a connection tells while it goes on."""

CONTROL = ("success", "subscription", "error")
"""The types of messages that are no channel's."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one frame came to. `messages` counts those of channels, read or not, as the sandbox counts what it sends."""

    events: tuple[Said, ...]
    messages: int


class Line:
    """A `framework.live.stream.TimedProtocol` of `Told`: `Stream`, and the calendar that tells when it may be quiet."""

    def __init__(self, stream: Stream, minutes: Minutes) -> None:
        self.stream, self.minutes = stream, minutes
        self.is_resting = False
        """Whether nothing is to be expected though it is open: every symbol is halted."""

    @property
    def url(self) -> str:
        return self.stream.url

    @property
    def headers(self) -> Mapping[str, str]:
        return self.stream.headers

    @property
    def is_ready(self) -> bool:
        """Whether all that was asked for is acknowledged."""
        return self.stream.state is State.LIVE

    def opening(self, now: float) -> Sequence[Frame]:
        """Begin anew; the server speaks first."""
        return self.stream.opening(now)

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Iterable[Told]]:
        """Take a frame; what it tells comes before the error that ends the connection."""
        before = self._messages
        frames, events = self.stream.receive(frame, now)
        said = tuple(each for each in events if not isinstance(each, Lost | Stopped))
        end = next((each.error for each in events if isinstance(each, Lost | Stopped)), None)
        return frames, _told(Told(said, self._messages - before), end)

    def deadline(self) -> float | None:
        """Return when a login that was turned away is sent again."""
        return self.stream.deadline()

    def due(self, now: float) -> Sequence[Frame]:
        """Return what is to be sent by now."""
        return self.stream.due(now)[0]

    def heard(self, now: float) -> None:
        """Note a pong."""
        self.stream.heard(now)

    def silence(self, now: float, at: datetime) -> str:
        """Return why to give the connection up: a login that hangs, a dead line, no quotes in trading hours."""
        if not self.stream.is_silent(now, self._is_open(at) and not self.is_resting):
            return ""
        return "silent for too long" if self.is_ready else "connected, but not let in in time"

    def closed(self) -> None:
        """Note that the connection has gone."""
        self.stream.closed()

    @property
    def _messages(self) -> int:
        return sum(count for kind, count in self.stream.counts.items() if kind not in CONTROL)

    def _is_open(self, at: datetime) -> bool:
        minute = at.replace(second=0, microsecond=0)
        return self.minutes.following(minute) == minute + MINUTE


def _told(told: Told, end: SwitchbackError | None) -> Iterator[Told]:
    if told.events or told.messages:
        yield told
    if end is not None:
        raise end
