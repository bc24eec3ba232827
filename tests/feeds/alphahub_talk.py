"""An AlphaHub conversation and a server written by hand, face to face without a socket or a clock."""

import json
from datetime import UTC, datetime

from feeds.alphahub import phoenix
from feeds.alphahub.parsing import Reading
from feeds.alphahub.phoenix import Message
from feeds.alphahub.stream import SignalStream
from feeds.alphahub.stream_events import Heard

AT = datetime(2026, 3, 2, 15, 30, 2, tzinfo=UTC)
HOW = Reading.of("UTC")

DAY = {
    "close": [{"price": 51.2, "side": "sell", "symbol": "AAA", "timestamp": "2026-03-02T15:30:00"}],
    "open": [
        {"price": 20.5, "side": "buy", "symbol": "BBB", "timestamp": "2026-03-02T15:30:01"},
        {"price": 33, "side": "sell", "symbol": "CCC", "timestamp": "2026-03-02T15:30:01"},
    ],
}


def topic(algorithm):
    return f"algorithms:{algorithm}"


def broadcast(algorithm=16, payload=DAY):
    """What is published, as it comes: without refs."""
    return json.dumps([None, None, topic(algorithm), "new_signals", payload])


class Talk:
    """A conversation, what it has sent, and the time; the server says only what it is told to."""

    def __init__(self, *algorithms):
        self.stream = SignalStream(algorithms or (16,))
        self.now, self.sent = 0.0, []
        self.reconnect()

    def reconnect(self):
        self.stream.closed()
        self.sent += self._read(self.stream.opening(self.now))

    def _read(self, frames):
        return [(self.now, phoenix.read(each)) for each in frames]

    def told(self, frame):
        """Hand a frame to the client; return what it makes of it, the frame itself left out."""
        frames, events = self.stream.receive(frame, self.now)
        self.sent += self._read(frames)
        return [each for each in events if not isinstance(each, Heard)]

    def say(self, algorithm, event, payload=None, ref=None, join_ref=None):
        return self.told(phoenix.as_text(Message(topic(algorithm), event, json.dumps(payload or {}), ref, join_ref)))

    def answer(self, message, status="ok", response=None):
        """Reply to what the client sent, with its own refs."""
        payload = json.dumps({"status": status, "response": response or {}})
        reply = Message(message.topic, "phx_reply", payload, message.ref, message.join_ref)
        return self.told(phoenix.as_text(reply))

    def join(self, algorithm=16):
        """Grant the last join of an algorithm; return it."""
        message = self.last(topic(algorithm), "phx_join")
        self.answer(message)
        return message

    def last(self, of_topic, event):
        return next(each for _, each in reversed(self.sent) if (each.topic, each.event) == (of_topic, event))

    def times(self, event):
        """When the client sent messages of an event."""
        return [at for at, each in self.sent if each.event == event]

    def wait(self, until, *, is_answering=True):
        """Let time pass, deadline by deadline, with or without answers to the heartbeats."""
        while (at := self.stream.deadline()) is not None and at <= until:
            self.now = max(self.now, at)
            new = self._read(self.stream.due(self.now))
            self.sent += new
            later = self.stream.deadline()
            assert later is None or later > self.now  # what is due is done: else a shell would spin
            for _, message in new:
                if message.event == "heartbeat" and is_answering:
                    self.answer(message)
        self.now = until
        return self

    @property
    def silence(self):
        return self.stream.silence(self.now, AT)
