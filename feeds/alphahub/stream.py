"""The conversation on one AlphaHub socket: frames in, frames to send and events out. Pure.

It joins `algorithms:{id}` for each algorithm and beats its heart. It hangs up for one reason only, a beat
that is not answered before the next is due: nothing that the server says about one algorithm costs the others.

What is published comes as a broadcast, without a join ref. It is handed on however the channel stands, and
even with the ref of a membership that is over: a signal that comes twice is known by its content, one that is
dropped is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from feeds.alphahub import phoenix
from feeds.alphahub.channels import Change, Channel, ChannelState, Heart
from feeds.alphahub.phoenix import Message, shown
from feeds.alphahub.protocol import BASE_URL, check_algorithms, socket_url
from feeds.alphahub.stream_events import Event, Heard, Joined, Left, Published, Strange
from framework.live.stream import Frame

PUBLISHED = "new_signals"
_TOPIC = "algorithms:{}"
_OF_A_MEMBERSHIP = (phoenix.REPLY, phoenix.ERROR, phoenix.CLOSE)


class SignalStream:
    """A `framework.live.stream.TimedProtocol` of `Event`, for one socket. Owned by the thread that holds it.

    What happens without a frame (a join that nobody answers) is told with the next one, which an answer to a
    heartbeat brings within 15 s. Each `now` is in seconds of I/O time. Raise `ConfigError` for ids that are none.
    """

    headers: Mapping[str, str] = {}

    def __init__(self, algorithms: Sequence[int | str], base_url: str = BASE_URL) -> None:
        self.algorithms = check_algorithms(algorithms)
        self.url = socket_url(base_url)
        """The address without a token, as it may be shown; the shell is given the whole one for each connection."""
        self.is_ready = False
        """Whether each join has had its answer, or its time, and one at least was granted."""
        self._channels = {_TOPIC.format(each): Channel(_TOPIC.format(each)) for each in self.algorithms}
        self._names = dict(zip(self._channels, self.algorithms, strict=True))
        self._references = phoenix.references()
        self._heart = Heart()
        self._untold: list[Event] = []

    @property
    def joined(self) -> tuple[str, ...]:
        """The algorithms that are heard."""
        return tuple(self._names[each.topic] for each in self._channels.values() if each.state is ChannelState.JOINED)

    def opening(self, now: float) -> Sequence[Frame]:
        """Begin anew; return a join for each algorithm."""
        self.closed()
        self._heart.begin(now)
        joins = [each.join(next(self._references), now) for each in self._channels.values()]
        return [phoenix.as_text(each) for each in joins]

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Sequence[Event]]:
        """Take a frame; return nothing to send, and what was told. A frame that is wrong costs only itself."""
        events, self._untold = [*self._untold, Heard(frame, now)], []
        try:
            events += self._take(phoenix.read(frame), now)
        except ValueError as wrong:
            events.append(Strange(f"a frame that cannot be read: {wrong}", shown(frame), now))
        self._settle()
        return [], events

    def deadline(self) -> float | None:
        """Return when `due` will have something, None where it has nothing to wait for."""
        waiting = [self._heart.deadline, *(each.deadline for each in self._channels.values())]
        return min((each for each in waiting if each is not None), default=None)

    def due(self, now: float) -> Sequence[Frame]:
        """Return what is to be sent by now: a heartbeat, the next join, a leave."""
        messages = [self._heart.due(self._references, now)] if self._heart.is_due(now) else []
        for channel in self._channels.values():
            if channel.is_due(now):
                message, change = channel.due(self._references, now)
                messages.append(message)
                self._untold += self._told(channel, change, now)
        self._settle()
        return [phoenix.as_text(each) for each in messages if each is not None]

    def heard(self, now: float) -> None:
        """Note a pong. A gateway may send it, and nobody be behind it: only a heartbeat's answer says more."""

    def silence(self, now: float, at: datetime) -> str:
        """Return why to give the connection up: the last heartbeat had no answer when the next was due."""
        return "a heartbeat was not answered before the next was due" if self._heart.is_lost else ""

    def closed(self) -> None:
        """Note that the connection has gone. What it left untold is told on the next one."""
        self.is_ready = False
        self._heart.stop()
        for channel in self._channels.values():
            channel.close()

    def _take(self, message: Message, now: float) -> list[Event]:
        if message.topic == phoenix.SOCKET:
            return [] if self._heart.receive(message) else self._strange("a message of the socket", message, now)
        channel = self._channels.get(message.topic)
        if channel is None:
            return self._strange("a message of a topic that was not joined", message, now)
        if message.event == PUBLISHED:
            return [Published(self._names[message.topic], message.text, now)]
        if message.event in _OF_A_MEMBERSHIP:
            return self._told(channel, channel.receive(message, now), now)
        return [] if channel.is_stale(message) else self._strange("an event that is not known", message, now)

    def _told(self, channel: Channel, change: Change | None, now: float) -> list[Event]:
        name = self._names[channel.topic]
        if change is None:
            return []
        if change.is_joined:
            return [Joined(name, now)]
        return [Left(name, now, change.why, change.again_in, change.is_alarm)]

    def _strange(self, what: str, message: Message, now: float) -> list[Event]:
        return [Strange(what, shown(f"{message.topic} {message.event} {message.text}"), now)]

    def _settle(self) -> None:
        states = [each.state for each in self._channels.values()]
        if ChannelState.JOINING not in states and ChannelState.JOINED in states:
            self.is_ready = True
