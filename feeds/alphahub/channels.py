"""One Phoenix channel and one heart as states: what to say by when, and what an answer means. Pure.

Each is told the time (`now`, seconds of I/O time) and gives the frames to send. A channel is always waiting
for something that has a deadline, but where it is joined: there the heart watches the line for all of them.

After phoenix.js: an unanswered join is left after 10 s, and a rejoin waits 1, 2, 5 and then 10 s. Two things are
otherwise. A channel that the server closes is joined again too, for nobody here ever leaves one. And the waits
begin anew only after a membership that lasted, so that a channel that crashes as soon as it is joined is not
joined again every second for ever.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from feeds.alphahub import phoenix
from feeds.alphahub.phoenix import Message

ANSWER = 10.0  # seconds for the answer to a join
WAITS = (1.0, 2.0, 5.0, 10.0)
LASTING = 30.0  # seconds of membership, after which the next wait is a first one again
BEAT = 15.0  # seconds between two heartbeats; the server hangs up after 60 s without one


class ChannelState(enum.Enum):
    """Where a channel stands."""

    CLOSED = "closed"  # there is no connection
    JOINING = "joining"
    JOINED = "joined"
    WAITING = "waiting to join again"


@dataclass(frozen=True, slots=True)
class Change:
    """A channel was joined, or is not any more. `is_alarm` tells what time alone may not mend."""

    is_joined: bool
    why: str = ""
    again_in: float = 0.0
    is_alarm: bool = False


@dataclass(slots=True)
class Channel:
    """One topic's membership, over as many connections as it takes. Owned by the thread that holds its socket."""

    topic: str
    state: ChannelState = ChannelState.CLOSED
    join_ref: str | None = None
    deadline: float | None = None
    """When the answer to a join has to be there, or the next join is due."""
    _failures: int = 0
    _joined_at: float = 0.0

    def join(self, ref: str, now: float) -> Message:
        """Begin a membership; return the join to send. Only where there is none, nor one under way."""
        self.state, self.join_ref, self.deadline = ChannelState.JOINING, ref, now + ANSWER
        return Message(self.topic, phoenix.JOIN, "{}", ref, ref)

    def close(self) -> None:
        """Note that the connection has gone: the next one begins with a join, not with a wait."""
        self.state, self.join_ref, self.deadline, self._failures = ChannelState.CLOSED, None, None, 0

    def is_due(self, now: float) -> bool:
        """Return whether `due` has something to do."""
        return self.deadline is not None and now >= self.deadline

    def due(self, references: Iterator[str], now: float) -> tuple[Message, Change | None]:
        """Return what is to be sent when its time has come: the next join, or a leave for one that nobody answers.

        The leave is in case that the join was only slow: it ends a membership that we would know nothing of.
        """
        if self.state is ChannelState.WAITING:
            return self.join(next(references), now), None
        leave = Message(self.topic, phoenix.LEAVE, "{}", next(references), self.join_ref)
        return leave, self._fall(f"no answer to the join in {ANSWER:g} s", now)

    def is_stale(self, message: Message) -> bool:
        """Return whether a message belongs to a membership that is over: the close of the last one, say."""
        return message.join_ref is not None and message.join_ref != self.join_ref

    def receive(self, message: Message, now: float) -> Change | None:
        """Take what the server says of the membership; raise `ValueError` where it cannot be read."""
        if self.is_stale(message):
            return None
        match message.event, self.state:
            case phoenix.REPLY, ChannelState.JOINING if message.ref == self.join_ref:
                return self._answered(message, now)
            case phoenix.ERROR, ChannelState.JOINING | ChannelState.JOINED:
                return self._fall("the channel crashed", now)
            case phoenix.CLOSE, ChannelState.JOINED:
                return self._fall("the server closed the channel", now, is_alarm=True)
            case phoenix.CLOSE, ChannelState.JOINING if message.join_ref is not None:
                return self._fall("the server closed the channel instead of an answer", now, is_alarm=True)
        return None

    def _answered(self, message: Message, now: float) -> Change:
        reply = phoenix.read_reply(message)
        if not reply.is_ok:
            return self._fall(f"the join was refused: {reply.reason}", now, is_alarm=True)
        self.state, self.deadline, self._joined_at = ChannelState.JOINED, None, now
        return Change(is_joined=True)

    def _fall(self, why: str, now: float, *, is_alarm: bool = False) -> Change:
        """Wait to join again; what still comes from this membership is stale."""
        if self.state is ChannelState.JOINED and now - self._joined_at >= LASTING:
            self._failures = 0
        wait = WAITS[min(self._failures, len(WAITS) - 1)]
        self._failures += 1
        self.state, self.join_ref, self.deadline = ChannelState.WAITING, None, now + wait
        return Change(is_joined=False, why=why, again_in=wait, is_alarm=is_alarm)


@dataclass(slots=True)
class Heart:
    """The socket's heartbeat: one every 15 s, each to be answered before the next."""

    deadline: float | None = None
    """When the next beat is due; None where there is no connection, or the line is lost."""
    is_lost: bool = False
    _unanswered: str | None = None

    def begin(self, now: float) -> None:
        """Begin anew on a new connection."""
        self.deadline, self.is_lost, self._unanswered = now + BEAT, False, None

    def stop(self) -> None:
        """Note that the connection has gone."""
        self.deadline, self._unanswered = None, None

    def is_due(self, now: float) -> bool:
        """Return whether `due` has something to do."""
        return self.deadline is not None and now >= self.deadline

    def due(self, references: Iterator[str], now: float) -> Message | None:
        """Return the next beat; None where the one before was not answered, and the line is lost."""
        if self._unanswered is not None:
            self.is_lost, self.deadline = True, None
            return None
        self._unanswered, self.deadline = next(references), now + BEAT
        return Message(phoenix.SOCKET, phoenix.HEARTBEAT, "{}", self._unanswered)

    def receive(self, message: Message) -> bool:
        """Take a message of the socket's own topic; return whether it answers the last beat."""
        is_answer = message.event == phoenix.REPLY and message.ref is not None and message.ref == self._unanswered
        if is_answer:
            self._unanswered = None
        return is_answer
