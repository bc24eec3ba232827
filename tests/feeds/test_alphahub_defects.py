"""What the well-known example client gets wrong on this side of the wire; each has its test, and ours is right."""

import asyncio
import inspect
import json

import pytest
from alphahub_talk import AT, HOW, Talk, broadcast, topic

from feeds.alphahub import phoenix, protocol
from feeds.alphahub.parsing import read_published
from feeds.alphahub.protocol import Session
from feeds.alphahub.stream import SignalStream
from feeds.alphahub.stream_events import Joined, Left, Published, Strange
from framework.config import Credentials
from framework.errors import AuthenticationError
from framework.live.clock import VirtualClock
from framework.live.socket import Socket
from framework.live.stream import LinkState, Pace
from framework.wire import HttpResponse


def test_crash_of_a_channel_is_no_silent_deafness():
    """Theirs logs phx_error as unknown and never joins again; ours hears the next signal a second later."""
    talk = Talk()
    talk.join()
    [left] = talk.say(16, "phx_error", {"reason": "channel_crash"})
    talk.wait(1.0)
    assert isinstance(left, Left)
    assert talk.answer(talk.last(topic(16), "phx_join")) == [Joined("16", 1.0)]


def test_close_of_a_channel_is_no_silent_deafness():
    """Theirs passes over phx_close; ours is alarmed, and joins again."""
    talk = Talk()
    talk.join()
    [left] = talk.say(16, "phx_close")
    assert left.is_alarm
    talk.wait(1.0)
    assert talk.times("phx_join") == [0.0, 1.0]


@pytest.mark.parametrize("frame", ["not JSON", "{}", "[1,2]", b"\x00\xff", '[null,null,"algorithms:16","nonsense",7]'])
def test_frame_that_is_not_understood_costs_no_connection(frame):
    """Theirs tears it down and is away for 5 s; ours tells it, and hears the signal behind it."""
    talk = Talk()
    talk.join()
    assert [type(each) for each in talk.told(frame)] == [Strange]
    assert [type(each) for each in talk.told(broadcast())] == [Published]
    assert talk.silence == ""


def test_join_that_is_never_answered_has_an_end():
    """Theirs sets a deadline that nobody reads, and its second join closes the first; ours leaves before it joins."""
    talk = Talk().wait(11.0)
    said = [each.event for _, each in talk.sent if each.topic == topic(16)]
    assert said == ["phx_join", "phx_leave", "phx_join"]


def test_answer_to_a_heartbeat_is_checked():
    """Theirs never looks; ours gives the line up in half a minute."""
    talk = Talk().wait(30.0, is_answering=False)
    assert talk.silence


def test_heartbeat_does_not_wait_for_what_else_is_sent():
    """Theirs is put off by each frame that is sent; ours keeps its time while a channel joins again and again."""
    assert Talk().wait(60.0).times("heartbeat") == [15.0, 30.0, 45.0, 60.0]


def test_every_message_has_a_ref_of_its_own():
    """Theirs sends null, so that no answer can be told from another."""
    talk = Talk(14, 16).wait(100.0)
    refs = [each.ref for _, each in talk.sent]
    assert None not in refs
    assert len(set(refs)) == len(refs)


def test_wrong_password_is_no_login_loop():
    """Theirs logs in every 5 s for ever, and never looks at the status."""
    session = Session(Credentials("me@example.com", "wrong"))
    exchange = session.open(0.0)
    next(exchange)
    with pytest.raises(AuthenticationError):
        exchange.send(HttpResponse(401, {}, b'{"error":{"status":401}}'))
    with pytest.raises(AuthenticationError):
        next(session.open(5.0))


def test_renewal_is_used():
    """Theirs keeps the token for it and never sends it."""
    session = Session(Credentials("me@example.com", "right"))
    for now, last in ((0.0, "session"), (1800.0, "renew")):
        exchange = session.open(now)
        assert next(exchange).url.endswith(last)
        with pytest.raises(StopIteration):
            exchange.send(HttpResponse(200, {}, b'{"data":{"token":"t","renew_token":"r"}}'))


def test_age_of_a_token_is_no_matter_of_the_wall_clock():
    """Theirs takes the local time, naive: a change of the hour makes an old token young. Ours is told I/O time."""
    tokens = protocol.Tokens("t", None, since=100.0)
    assert [tokens.is_fresh(now) for now in (100.0, 1599.0, 1600.0, 99.0)] == [True, True, False, False]


def test_hold_is_not_an_order():
    """Theirs knows buy and sell only."""
    body = {"open": [{"side": "hold", "symbol": "AAA", "price": 1}]}
    [hold] = read_published(json.dumps(body), "16", AT, HOW)
    assert hold.side is None


def test_signals_come_in_their_order():
    """Theirs makes a task of each, which may overtake one another and get lost; ours are values in a list."""
    talk = Talk(14, 16)
    order = [16, 14, 16, 16, 14]
    told = [each.algorithm for number in order for each in talk.told(broadcast(number))]
    assert told == [str(each) for each in order]


def test_quirks_of_the_published_example():
    """A space in the key of a symbol and in a time: theirs hands both to the user."""
    item = {"price": 80.28, "side": "sell", " symbol": "BBB", "timestamp": "2026-03-02 T15:30:00"}
    [signal] = read_published(json.dumps({"close": [item], "open": []}), "16", AT, HOW)
    assert (signal.symbol, signal.published.minute) == ("BBB", 30)


def test_server_that_closes_at_once_is_not_hammered():
    """Theirs made 1,663 connections in 3 s; ours waits twice as long each time, whatever the close code says."""

    async def run():
        clock, links = VirtualClock(AT), []

        async def closing(reader, writer):
            writer.close()

        async def consume(item):
            links.append(item)

        async with await asyncio.start_server(closing, "127.0.0.1", 0) as server:
            stream = SignalStream([16], f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            running = asyncio.create_task(
                Socket("AlphaHub", stream, clock, consume, Pace(close=0.05), jitter=lambda: 1.0).run()
            )
            async with asyncio.timeout(5):
                for number in range(1, 6):
                    while len(links) < number:
                        await asyncio.sleep(0)
                    await clock.advance(links[-1].retry_in)
            running.cancel()
            await asyncio.wait([running])
        return links[:5]

    links = asyncio.run(run())
    assert [each.retry_in for each in links] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert {each.state for each in links} == {LinkState.LOST}


def test_no_exchange_blocks_the_event_loop():
    """Theirs posts with a library that waits in the loop; ours is a generator, which any transport drives."""
    assert inspect.isgeneratorfunction(Session.open)
    assert inspect.isgeneratorfunction(protocol.history_exchange)


def test_token_is_in_no_frame_and_no_repr_of_the_conversation():
    """Theirs writes both tokens to the log."""
    stream = SignalStream([16])
    frames = stream.opening(0.0)
    assert "api_token" not in stream.url + repr(stream) + str(frames)
    assert phoenix.read(frames[0]).payload == "{}"
