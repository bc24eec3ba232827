"""The conversation over a real socket: joined, crashed, joined again in time, heard; by a clock that is told."""

import asyncio
import json
from contextlib import asynccontextmanager

from alphahub_talk import AT, broadcast
from websockets.asyncio.server import serve

from feeds.alphahub.protocol import Session, socket_url
from feeds.alphahub.stream import SignalStream
from feeds.alphahub.stream_events import Heard, Joined, Left, Published
from framework.config import Credentials
from framework.live.clock import VirtualClock
from framework.live.socket import Socket
from framework.live.stream import Link, LinkState, Pace
from framework.wire import HttpResponse


class Venue:
    """A server that grants joins; a test crashes a channel, publishes, or leaves heartbeats unanswered."""

    def __init__(self):
        self.paths, self.joins, self.connection, self.is_mute = [], 0, None, False

    async def handle(self, connection):
        self.connection = connection
        self.paths.append(connection.request.path)
        async for frame in connection:
            join_ref, ref, topic, event, _ = json.loads(frame)
            self.joins += event == "phx_join"
            if not self.is_mute:
                await connection.send(json.dumps([join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {}}]))


@asynccontextmanager
async def listening():
    venue, clock, told, logins = Venue(), VirtualClock(AT), [], []
    session = Session(Credentials("me@example.com", "right"))

    async def consume(item):
        if not isinstance(item, Heard):
            told.append(item)

    async with serve(venue.handle, "127.0.0.1", 0, close_timeout=0.05) as server:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        async def address(is_refused):
            exchange = session.open(clock.monotonic(), is_refused=True)
            logins.append(next(exchange))
            try:
                exchange.send(HttpResponse(200, {}, json.dumps({"data": {"token": f"t{len(logins)}"}}).encode()))
            except StopIteration as end:
                return socket_url(base, end.value)

        pace = Pace(ping=9e9, close=0.05)
        socket = Socket("AlphaHub", SignalStream([16], base), clock, consume, pace, address=address, jitter=lambda: 1.0)
        running = asyncio.create_task(socket.run())
        try:
            yield venue, clock, told
        finally:
            running.cancel()
            await asyncio.wait([running])


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


def kinds(told):
    return [each.state if isinstance(each, Link) else type(each) for each in told]


def test_crashed_channel_is_joined_again_within_its_second():
    """Though the next heartbeat is a quarter of a minute off; the signal after it is heard."""

    async def run():
        async with listening() as (venue, clock, told):
            await until(lambda: LinkState.CONNECTED in kinds(told))
            await venue.connection.send('[null,null,"algorithms:16","phx_error",{}]')
            await until(lambda: 1.0 in clock.due)
            await clock.advance(1)
            await until(lambda: kinds(told).count(Joined) == 2)
            await venue.connection.send(broadcast())
            await until(lambda: Published in kinds(told))
            return kinds(told), venue.joins

    told, joins = asyncio.run(run())
    assert told == [Joined, LinkState.CONNECTED, Left, Joined, Published]
    assert joins == 2


def test_mute_server_is_left_and_the_next_connection_has_a_new_token():
    """The heartbeat of 15 s has no answer at 30 s; what was joined is joined anew."""

    async def run():
        async with listening() as (venue, clock, told):
            await until(lambda: LinkState.CONNECTED in kinds(told))
            venue.is_mute = True
            for _ in range(30):
                await clock.advance(1)
            await until(lambda: LinkState.LOST in kinds(told))
            venue.is_mute = False
            await clock.advance(1)
            await until(lambda: LinkState.RECONNECTED in kinds(told))
            return told, venue.paths

    told, paths = asyncio.run(run())
    assert kinds(told) == [Joined, LinkState.CONNECTED, LinkState.LOST, Joined, LinkState.RECONNECTED]
    assert "heartbeat" in told[2].reason
    assert [each.rsplit("=", 1)[1] for each in paths] == ["t1", "t2"]
    assert "api_token" not in str(told)
