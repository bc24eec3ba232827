"""When a data stream is taken for dead: a quiet line, a hung handshake, no data in trading hours."""

import pytest
from stream_client import BARS, Server, live, stream

from feeds.alpaca.quiet import Patience
from feeds.alpaca.stream_events import State

QUOTES = {"quotes": ["SPY"], **BARS}
QUOTE = {"T": "q", "S": "SPY", "bp": 1, "bs": 1, "ap": 1, "as": 1, "t": "2026-01-05T14:30:00Z"}


@pytest.mark.parametrize("is_open", [True, False])
def test_dead_line_is_found_in_seconds(is_open):
    """Nothing came, not even the answer to a ping, whatever the hour."""
    client = live().client
    assert not client.is_silent(9.9, is_open)
    assert client.is_silent(10.0, is_open)


def test_answered_pings_keep_bars_alone_alive():
    """Symbols need not trade: without quotes a quiet quarter of an hour proves nothing."""
    client = live().client
    for now in range(0, 900, 5):
        client.heard(now)
        assert not client.is_silent(now, is_open=True)


def test_mute_stream_is_found_in_seconds():
    """Pings are answered, but in trading hours no quote comes for a quarter of a minute."""
    server = live(QUOTES)
    server.tell(QUOTE, now=5.0)
    server.client.heard(19.0)
    assert not server.client.is_silent(19.9, is_open=True)
    assert server.client.is_silent(20.0, is_open=True)


def test_quiet_night_is_no_silence():
    """And the quarter of a minute begins with the morning."""
    client = live(QUOTES).client
    for now in range(0, 3600, 5):
        client.heard(now)
        assert not client.is_silent(now, is_open=False)
    client.heard(3605)
    assert not client.is_silent(3609, is_open=True)
    client.heard(3610)
    assert client.is_silent(3610, is_open=True)


def test_patience_grows_with_the_pauses_of_the_stream():
    """A symbol that is quoted every 40 seconds costs one connection, not one after the other."""
    server = live(QUOTES)
    assert quiet_until(server.client, 0, 40) == 15
    again = Server(server.client)
    server.client.closed()
    again.open(20.0)
    again.tell(QUOTE, now=25.0)
    assert quiet_until(again.client, 25, 120) == 25 + 50


def test_new_connection_has_time_of_its_own():
    """It is not given up at once for what the one before it did not tell."""
    server = live(QUOTES)
    assert quiet_until(server.client, 0, 40) == 15
    again = Server(server.client)
    again.open(20.0)
    assert quiet_until(again.client, 20, 60) == 35


def quiet_until(client, begin, end):
    """Return the second at which the client is first taken for silent, its pings answered."""
    for now in range(begin, end):
        client.heard(now)
        if client.is_silent(now, is_open=True):
            return now
    return None


def test_lock_step_has_no_rhythm():
    """There the venue's time stands still while a strategy thinks."""
    server = live(QUOTES, patience=Patience(data=None))
    assert quiet_until(server.client, 0, 500) is None


def test_hung_handshake_is_found():
    """A greeting that never comes; pings are answered all the time."""
    client = stream()
    client.opening(100.0)
    client.heard(109.0)
    assert not client.is_silent(109.9, is_open=False)
    assert client.is_silent(110.0, is_open=False)


def test_turned_away_is_not_hung():
    """The wait for a slot may take longer than a handshake."""
    server = Server(stream(), is_free=lambda: False)
    server.open(0.0)
    server.client.heard(11.0)
    assert not server.client.is_silent(12.0, is_open=True)


def test_closed_connection_is_not_silent():
    """It is not there."""
    client = live().client
    client.closed()
    assert (client.state, client.is_silent(1e6, is_open=True)) == (State.CLOSED, False)


def test_login_that_is_sent_again_has_time_of_its_own():
    """It was turned away for a while; what counts is when it was asked again."""
    server = Server(stream(), is_free=lambda: False)
    server.open()
    for now in (9.0, 18.0):
        assert server.client.state is State.TURNED_AWAY
        server.client.heard(now)
        frames, _ = server.client.due(now)
        server.client.heard(now + 8)
        assert not server.client.is_silent(now + 9, is_open=True)
        server.take(frames, now + 9)
