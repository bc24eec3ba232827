"""A client of a data stream and the sandbox's own side of the conversation, face to face without a socket."""

from feeds.alpaca import messages
from feeds.alpaca.plans import FREE
from feeds.alpaca.stream import Stream, endpoint
from feeds.alpaca.stream_events import State
from feeds.alpaca.subscriptions import CONNECTED, Conversation
from framework.config import Credentials

KEYS = ("PKCLIENT", "s3cr3t-of-the-client")
BARS = {"bars": ["SPY", "IBM"], "updatedBars": ["SPY", "IBM"]}


def stream(channels=BARS, feed="iex", **options):
    made = Stream(endpoint(feed, crypto=False), Credentials(*KEYS), **{"is_packed": False, **options})
    made.subscribe(channels)
    return made


class Server:
    """The sandbox's own side of the conversation, without its socket. `is_free` tells whether there is a slot."""

    def __init__(self, client, plan=FREE, keys=KEYS, is_free=lambda: True):
        self.client, self.heard = client, []
        self.conversation = Conversation(client.endpoint, plan, keys, is_free)

    def tell(self, *told, now=0.0):
        """Send messages in one frame; return all events that follow from it, and from what is answered."""
        frames, events = self.client.receive(self.encoded(list(told)), now)
        return [*events, *self.take(frames, now)]

    def take(self, frames, now=0.0):
        """Answer what the client sent; return all events."""
        events = []
        for frame in frames:
            message = self.decoded(frame)
            self.heard.append(message)
            events += self.tell(self.conversation.receive(message), now=now)
        return events

    def open(self, now=0.0):
        assert self.client.opening(now) == []
        return self.tell(CONNECTED, now=now)

    def encoded(self, message):
        return messages.as_msgpack(message) if self.client.is_packed else messages.as_json(message)

    def decoded(self, frame):
        return messages.from_msgpack(frame) if self.client.is_packed else messages.from_json(frame)


def live(channels=BARS, plan=FREE, **options):
    """Return a server whose client is live."""
    server = Server(stream(channels, **options), plan)
    server.open()
    assert server.client.state is State.LIVE
    return server
