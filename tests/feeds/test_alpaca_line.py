"""A data stream's conversation in the shape that a socket carries: one frame, one thing told."""

from datetime import timedelta

import pytest
from stream_client import BARS, Server, stream
from tape import OPEN

from feeds.alpaca.line import Line
from feeds.alpaca.stream_events import Subscribed
from feeds.alpaca.subscriptions import error
from feeds.minutes import Minutes
from framework.calendar import Calendar
from framework.errors import AuthenticationError, ConnectionLost
from framework.live.stream import TimedProtocol
from framework.model import Bar

BAR = {"T": "b", "S": "SPY", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": "2026-01-05T14:30:00Z"}


def opened(channels=BARS):
    server = Server(stream(channels))
    line = Line(server.client, Minutes(Calendar("XNYS")))
    assert isinstance(line, TimedProtocol)
    server.open()
    return server, line


def test_messages_of_channels_are_counted_whatever_they_say():
    """Those that cannot be read too; greetings and answers are none."""
    server, line = opened()
    _, told = line.receive(server.encoded([BAR, {**BAR, "o": -1}, {"T": "x", "S": "SPY"}]), 1.0)
    [one] = told
    assert (one.messages, type(one.events[0])) == (3, Bar)


def test_what_tells_nothing_is_nothing():
    """A greeting that is out of place."""
    server, line = opened()
    _, told = line.receive(server.encoded([{"T": "success", "msg": "connected"}]), 1.0)
    assert list(told) == []


@pytest.mark.parametrize(("code", "kind"), [(407, ConnectionLost), (402, AuthenticationError)])
def test_end_comes_after_what_the_frame_told(code, kind):
    """A bar in the same frame is not lost with the connection."""
    server, line = opened()
    _, told = line.receive(server.encoded([BAR, error(code)]), 1.0)
    assert next(told).messages == 1
    with pytest.raises(kind):
        next(told)


def test_subscription_makes_it_ready():
    """Not the login."""
    client = stream()
    line = Line(client, Minutes(Calendar("XNYS")))
    assert not line.is_ready
    events = Server(client).open()
    assert line.is_ready
    assert isinstance(events[-1], Subscribed)


def test_silence_is_judged_by_the_calendar():
    """Quotes are expected in the session, not before its open."""
    _, line = opened({"quotes": ["SPY"], **BARS})
    for now, at in ((15, OPEN - timedelta(seconds=1)), (16, OPEN), (29, OPEN)):
        line.heard(now)
        assert line.silence(now, at) == ""
    assert line.silence(30, OPEN + timedelta(hours=1)) == "silent for too long"
