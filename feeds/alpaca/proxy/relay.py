"""The proxy's side of a data stream: what is said about subscriptions is for `Stream`, all else is carried on. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from feeds.alpaca.line import CONTROL, Line, Told
from feeds.alpaca.proxy.frames import Codec, Message, Splitter, payload
from feeds.alpaca.stream import Stream
from framework.live.stream import Frame


class Carried(NamedTuple):
    """The messages of one frame's channels, in order; `at` is when it came, in I/O time, `frame` what they came as."""

    messages: list[Message]
    at: float
    frame: Frame

    @property
    def size(self) -> int:
        """How long the frame is."""
        return len(self.frame)


class Relay:
    """A `framework.live.stream.TimedProtocol` of `Told` and `Carried`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._splitter = Splitter()
        self.code = 0
        """The last error that the server told."""
        self.heard_at = 0.0
        """When anything came last, a frame or a pong, in I/O time; 0 where nothing ever did."""

    @property
    def stream(self) -> Stream:
        """The conversation."""
        return self._line.stream

    @property
    def url(self) -> str:
        return self._line.url

    @property
    def headers(self) -> Mapping[str, str]:
        return self._line.headers

    @property
    def is_ready(self) -> bool:
        """Whether all that was asked for is acknowledged."""
        return self._line.is_ready

    def opening(self, now: float) -> Sequence[Frame]:
        """Begin anew; the server speaks first."""
        return self._line.opening(now)

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Iterable[Told | Carried]]:
        """Take a frame; what it carries comes before what it says."""
        self.heard_at = now
        try:
            messages = self._splitter.split(frame)
        except ValueError:
            return self._line.receive(frame, now)  # which notes what is wrong with it
        carried = [each for each in messages if each.kind not in CONTROL]
        if carried:
            self.stream.carried(len(carried), now)
        if len(carried) == len(messages):
            return (), (Carried(carried, now, frame),)
        said = [each for each in messages if each.kind in CONTROL]
        self._note(said)
        frames, told = self._line.receive(payload(said, Codec.JSON).decode(), now)
        return frames, itertools.chain((Carried(carried, now, _like(frame, carried)),) if carried else (), told)

    def deadline(self) -> float | None:
        """Return when a login that was turned away is sent again."""
        return self._line.deadline()

    def due(self, now: float) -> Sequence[Frame]:
        """Return what is to be sent by now."""
        return self._line.due(now)

    def heard(self, now: float) -> None:
        """Note a pong."""
        self.heard_at = now
        self._line.heard(now)

    def silence(self, now: float, at: datetime) -> str:
        """Return why to give the connection up."""
        return self._line.silence(now, at)

    def closed(self) -> None:
        """Note that the connection has gone."""
        self._line.closed()

    def _note(self, said: Iterable[Message]) -> None:
        for each in said:
            if each.kind == "error":
                code = each.row().get("code")
                self.code = code if isinstance(code, int) else 0


def _like(frame: Frame, messages: Sequence[Message]) -> Frame:
    """Return messages as a frame of their own, in the encoding of the one that they came in."""
    return payload(messages, Codec.MSGPACK) if isinstance(frame, bytes) else payload(messages, Codec.JSON).decode()
