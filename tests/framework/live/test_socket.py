"""The supervised websocket against a real server that misbehaves."""

import asyncio
import http
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from framework.errors import AuthenticationError, ConfigError, ConnectionLost, ProtocolError, RateLimited
from framework.live.clock import VirtualClock, WallClock
from framework.live.socket import Socket
from framework.live.stream import Link, LinkState, Pace, StreamProtocol, TimedProtocol

AT = datetime(2026, 10, 5, 13, 0, tzinfo=UTC)
CONNECTED, LOST, RECONNECTED = LinkState
QUICK = Pace(first_wait=0.001, longest_wait=0.002, close=0.05)


class Greeting:
    """A protocol: says hello, is let in by a welcome, hands on the rest."""

    headers = {"X-Secret": "s3cr3t"}
    errors = {
        "denied": AuthenticationError("Loop", "denied"),
        "full": ConnectionLost("Loop", "full"),
        "slow down": RateLimited("Loop", "slow down", 0.001),
        "what": ProtocolError("Loop", "what"),
        "bug": ZeroDivisionError("bug"),
    }

    def __init__(self, url):
        self.url, self.is_ready = url, False

    def opening(self, now):
        self.is_ready = False
        return ["hello s3cr3t"]

    def receive(self, frame, now):
        if frame in self.errors:
            raise self.errors[frame]
        if frame == "welcome":
            self.is_ready = True
            return [], []
        return ([b"yes"], []) if frame == "there?" else ([], [frame])


class Stage:
    """A server that plays one script for each connection, and a socket whose items are collected."""

    def __init__(self, scripts):
        self.scripts, self.connections, self.items = list(scripts), [], []
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, connection):
        self.connections.append(connection)
        connection.heard = [await connection.recv()]
        script = self.scripts.pop(0) if self.scripts else stay
        with suppress(ConnectionClosed):
            await script(connection)

    async def consume(self, item):
        await self.gate.wait()
        self.items.append(item)

    @property
    def told(self):
        """The events as they are, the links by their state."""
        return [each.state if isinstance(each, Link) else each for each in self.items]

    async def until(self, *told):
        """Wait until the items end so."""
        await until(lambda: self.told[-len(told) :] == list(told))


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def stay(connection):
    await connection.send("welcome")
    await connection.wait_closed()


async def leave(connection):
    await connection.send("welcome")


async def drop(connection):
    await connection.send("welcome")
    connection.transport.abort()


async def drop_at_once(connection):
    connection.transport.abort()


def say(*frames):
    async def script(connection):
        for frame in ("welcome", *frames):
            await connection.send(frame)
        await connection.wait_closed()

    return script


@asynccontextmanager
async def playing(*scripts, clock=None, pace=QUICK, process_request=None, protocol=Greeting, **settings):
    stage = Stage(scripts)
    async with serve(stage.handle, "127.0.0.1", 0, process_request=process_request, close_timeout=0.05) as server:
        made: StreamProtocol[str] = protocol(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream")
        stage.protocol = made
        settings.setdefault("jitter", lambda: 0.0)
        stage.socket = Socket("Loop", made, clock or WallClock(), stage.consume, pace, **settings)
        stage.running = asyncio.create_task(stage.socket.run())
        try:
            yield stage
        finally:
            stage.running.cancel()
            await asyncio.wait([stage.running])
            if not stage.running.cancelled():
                stage.running.exception()


def play(scenario, *scripts, **settings):
    async def run():
        async with playing(*scripts, **settings) as stage:
            return await scenario(stage)

    return asyncio.run(run())


def test_frames_come_as_events_in_their_order():
    """Text and binary; what the protocol answers is sent."""

    async def scenario(stage):
        await stage.until(CONNECTED, "one", b"two", "three")
        assert await stage.connections[0].recv() == b"yes"
        return stage.connections[0].heard, stage.connections[0].request.headers["X-Secret"]

    assert play(scenario, say("one", "there?", b"two", "three")) == (["hello s3cr3t"], "s3cr3t")


@pytest.mark.parametrize("end", [leave, drop])
def test_lost_connection_is_told_and_made_anew(end):
    """After a farewell and after a drop: the change stands among the events, where the gap is."""

    async def scenario(stage):
        await stage.until(CONNECTED, LOST, RECONNECTED, "more")
        lost = stage.items[1]
        assert lost.reason.startswith("Loop: ws://127.0.0.1")
        assert lost.retry_in == 0.0005
        return len(stage.connections)

    assert play(scenario, end, say("more")) == 2


@pytest.mark.parametrize("frame", ["full", "slow down", "what"])
def test_what_waiting_may_cure_is_tried_again(frame):
    """The protocol says that this connection is of no use."""

    async def scenario(stage):
        await stage.until(CONNECTED, LOST, RECONNECTED)

    play(scenario, say(frame))


@pytest.mark.parametrize(("frame", "error"), [("denied", AuthenticationError), ("bug", ZeroDivisionError)])
def test_what_waiting_cannot_cure_ends_it(frame, error):
    """It is raised where the socket runs, and no second connection is made."""

    async def scenario(stage):
        with pytest.raises(error, match=frame):
            await stage.running
        return len(stage.connections)

    assert play(scenario, say(frame)) == 1


def test_error_of_the_consumer_ends_it():
    """It is not swallowed."""

    async def scenario(stage):
        stage.items = None
        with pytest.raises(AttributeError):
            await stage.running

    play(scenario, stay)


def answering(*statuses, headers=None):
    """A server that answers handshakes with these statuses, and lets in whoever comes later."""
    waiting = list(statuses)

    def process(connection, request):
        if not waiting or (status := waiting.pop(0)) == 101:
            return None
        response = connection.respond(http.HTTPStatus(status), "")
        for name, value in (headers or {}).items():
            response.headers[name] = value
        return response

    return process


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (403, AuthenticationError), (404, ConfigError)]
)
def test_refused_handshake_ends_it(status, error):
    """Wrong credentials, wrong address: nothing to wait for."""

    async def scenario(stage):
        with pytest.raises(error, match=f"ws://127.0.0.1:.*/stream answered HTTP {status}; check"):
            await stage.running

    play(scenario, process_request=answering(status))


@pytest.mark.parametrize("status", [500, 502, 429])
def test_gateway_that_fails_is_tried_again(status):
    """It may be better in a moment."""

    async def scenario(stage):
        await stage.until(LOST, CONNECTED)

    play(scenario, process_request=answering(status))


def test_who_was_let_in_is_not_ended_by_a_gateways_word():
    """A 403 in the middle of the day is tried again."""

    async def scenario(stage):
        await stage.until(CONNECTED, LOST, LOST, RECONNECTED)

    play(scenario, drop, process_request=answering(101, 403))


def test_handshake_is_held_back_as_long_as_it_is_told():
    """Too many connections: the wait is the other side's."""
    clock = VirtualClock(AT)

    async def scenario(stage):
        await stage.until(LOST)
        return stage.items[0].retry_in

    assert play(scenario, clock=clock, process_request=answering(429, headers={"Retry-After": "7"})) == 7


def test_redirect_is_not_followed():
    """Credentials never go to where an answer points."""
    seen = []

    def elsewhere(connection, request):
        seen.append(request.path)
        if request.path != "/stream":
            return None
        response = connection.respond(http.HTTPStatus.FOUND, "")
        response.headers["Location"] = "/elsewhere"
        return response

    async def scenario(stage):
        await stage.until(LOST, LOST)

    play(scenario, process_request=elsewhere)
    assert set(seen) == {"/stream"}


def test_nobody_there_is_told_each_time():
    """A refused connection is a LOST with its reason, and the attempts go on."""

    async def run():
        items = []

        async def consume(item):
            items.append(item)

        socket = Socket("Loop", Greeting("ws://127.0.0.1:1/"), WallClock(), consume, QUICK)
        running = asyncio.create_task(socket.run())
        await until(lambda: len(items) >= 3)
        running.cancel()
        return items

    assert all(item.state is LOST and "no connection" in item.reason for item in asyncio.run(run()))


def test_address_that_is_none_is_refused():
    """Without what may be secret in it."""

    async def consume(item):
        pass

    with pytest.raises(ConfigError, match="http://host/x is no address of a websocket") as raised:
        asyncio.run(Socket("Loop", Greeting("http://me:s3cr3t@host/x?key=s3cr3t"), WallClock(), consume).run())
    assert "s3cr3t" not in str(raised.value)


def test_server_that_does_not_shake_hands_is_given_up():
    """The connection stands, and nothing comes."""
    clock = VirtualClock(AT)

    async def run():
        items, arrived = [], asyncio.Event()

        async def mute(reader, writer):
            arrived.set()
            await reader.read()
            writer.close()

        async def consume(item):
            items.append(item)

        async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            running = asyncio.create_task(Socket("Loop", Greeting(url), clock, consume, QUICK).run())
            await arrived.wait()
            await clock.advance(10)
            await until(lambda: items)
            running.cancel()
            await asyncio.wait([running])
        return items[0].reason

    assert "no connection (TimeoutError)" in asyncio.run(run())


def test_who_is_not_let_in_tries_again():
    """The handshake went well, but the welcome does not come."""
    clock = VirtualClock(AT)

    async def mute(connection):
        await connection.wait_closed()

    async def scenario(stage):
        await until(lambda: stage.connections and stage.connections[0].__dict__.get("heard"))
        await clock.advance(10)
        await stage.until(LOST)
        return stage.items[0].reason

    pace = replace(QUICK, ping=60)
    assert "not let in within 10 s" in play(scenario, mute, clock=clock, pace=pace)


def test_half_open_socket_is_found_out_in_seconds():
    """The other side reads no more: no pong comes, and the connection is made anew."""
    clock = VirtualClock(AT)

    async def go_deaf(connection):
        await connection.send("welcome")
        connection.transport.pause_reading()
        await connection.wait_closed()

    async def scenario(stage):
        await stage.until(CONNECTED)
        await clock.advance(5)
        await clock.advance(5)
        await stage.until(CONNECTED, LOST)
        stage.connections[0].transport.abort()
        assert "no answer to a ping in 5 s" in stage.items[1].reason
        await clock.advance(1)
        await stage.until(CONNECTED, LOST, RECONNECTED)
        return stage.items[1].at - AT

    assert play(scenario, go_deaf, clock=clock) == timedelta(seconds=10)


def test_socket_that_answers_pings_is_kept():
    """For an hour without a frame, where silence is bearable."""
    clock = VirtualClock(AT)

    async def scenario(stage):
        await stage.until(CONNECTED)
        for _ in range(60):
            await clock.advance(60)
            await until(lambda: clock.monotonic() + 7 not in clock.due)  # the pong is there
        return stage.told

    assert play(scenario, stay, clock=clock, pace=replace(QUICK, ping=60, pong=7)) == [CONNECTED]


def lose(stage, clock, times):
    """Let time pass until the connection was lost so often; return the waits that were told."""

    async def play():
        for number in range(1, times + 1):
            await until(lambda number=number: stage.told.count(LOST) == number)
            if number < times:
                await clock.advance(stage.items[-1].retry_in)
        return [each.retry_in for each in stage.items if isinstance(each, Link) and each.state is LOST]

    return play()


@pytest.mark.parametrize("script", [drop_at_once, drop])
def test_reconnect_storm_is_bounded(script):
    """A server that lets in and drops at once is not hammered: the waits double, up to the longest."""
    clock = VirtualClock(AT)

    async def scenario(stage):
        waits = await lose(stage, clock, 10)
        return waits, len(stage.connections)

    waits, count = play(scenario, *[script] * 10, clock=clock, pace=Pace(close=0.05))
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15, 15]
    assert count == 10


def test_healthy_connection_forgets_the_storm():
    """After half a minute of health, a loss is a first one again."""
    clock = VirtualClock(AT)

    async def scenario(stage):
        await lose(stage, clock, 4)
        await clock.advance(stage.items[-1].retry_in)
        await stage.until(RECONNECTED)
        await clock.advance(30)
        stage.connections[-1].transport.abort()
        await stage.until(RECONNECTED, LOST)
        return stage.items[-1].retry_in

    assert play(scenario, drop, drop, drop, drop, clock=clock, pace=Pace(close=0.05, ping=9e9)) == 0.25


def test_jitter_is_half_of_a_wait():
    """Many clients that were dropped together do not come back together."""
    clock = VirtualClock(AT)

    async def scenario(stage):
        return await lose(stage, clock, 2)

    assert play(scenario, drop, drop, clock=clock, jitter=lambda: 1.0, pace=Pace(close=0.05)) == [0.5, 1.0]


def test_slow_consumer_does_not_block_the_pings():
    """While it is busy with one event, the socket answers and takes in what comes."""

    async def scenario(stage):
        await stage.until(CONNECTED)
        stage.gate.clear()
        for number in range(200):
            await stage.connections[0].send(f"{number}")
        await (await stage.connections[0].ping())
        assert stage.told == [CONNECTED]
        stage.gate.set()
        await stage.until("199")
        return stage.told

    assert play(scenario, stay) == [CONNECTED, *(f"{number}" for number in range(200))]


def test_consumer_that_falls_behind_is_told_of_the_gap():
    """Memory is bounded: what does not fit is a gap like any other, and nothing comes anew before there is room."""
    clock = VirtualClock(AT)

    async def scenario(stage):
        stage.gate.clear()
        await until(lambda: stage.connections and stage.connections[0].close_code)
        await clock.advance(60)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(stage.socket._inbox) <= 6
        assert len(stage.connections) == 1
        stage.gate.set()
        await stage.until(LOST, RECONNECTED)
        return stage.told

    told = play(scenario, say(*"abcdefghij"), clock=clock, pace=replace(QUICK, inbox=5))
    events = "".join(each for each in told if isinstance(each, str))
    assert len(events) in (4, 5)
    assert "abcde".startswith(events)
    assert told == [CONNECTED, *events, LOST, RECONNECTED]


def test_socket_dies_with_its_group():
    """A sibling's error cancels it: it says goodbye, and no task is left."""

    async def sibling():
        raise LookupError("sibling")

    async def scenario(stage):
        await stage.until(CONNECTED)
        stage.running.cancel()
        await asyncio.wait([stage.running])
        before = len(asyncio.all_tasks())
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(stage.socket.run())
                await stage.until(RECONNECTED)
                group.create_task(sibling())
        await until(lambda: stage.connections[1].close_code is not None)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        return [connection.close_code for connection in stage.connections]

    assert play(scenario, stay, stay) == [1000, 1000]


def test_log_shows_the_traffic_and_no_secret(caplog):
    """Headers, frames and what the library would write out are in none."""
    caplog.set_level(logging.DEBUG, "switchback")
    caplog.set_level(logging.DEBUG)

    async def scenario(stage):
        await stage.until(CONNECTED, "one")

    play(scenario, say("one"))
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("switchback.socket")]
    assert ours[:3] == [ours[0], "> str, 12", "< str, 7"]
    assert not any("s3cr3t" in line for line in ours)


class Minding(Greeting):
    """A protocol that minds the time: says hello again when it was put off, and bears so much silence."""

    def __init__(self, url, bears=1e9):
        super().__init__(url)
        self.bears, self.again, self.pongs, self.ends = bears, None, 0, 0

    def opening(self, now):
        self.again, self.opened = None, now
        return super().opening(now)

    def receive(self, frame, now):
        if frame == "later":
            self.again = now + 30
            return [], []
        if frame == "farewell":
            return [], self.farewell()
        return super().receive(frame, now)

    def farewell(self):
        yield "farewell"
        raise ConnectionLost("Loop", "said farewell")

    def deadline(self):
        return self.again

    def due(self, now):
        self.again = None
        return ["hello again"]

    def heard(self, now):
        self.pongs += 1

    def silence(self, now, at):
        return f"silent at {at:%H:%M:%S}" if now - self.opened >= self.bears else ""

    def closed(self):
        self.ends += 1


def test_protocol_that_minds_the_time_is_known_by_its_methods():
    """A plain one goes on as it is."""
    assert isinstance(Minding("ws://x"), TimedProtocol)
    assert not isinstance(Greeting("ws://x"), TimedProtocol)


def test_frame_that_is_due_is_sent_on_the_same_socket():
    """Put off, it asks again after half a minute; nobody hangs up meanwhile."""
    clock = VirtualClock(AT)

    async def put_off(connection):
        await connection.send("later")
        connection.heard.append(await connection.recv())
        await stay(connection)

    async def scenario(stage):
        await until(lambda: stage.protocol.again is not None)
        await clock.advance(30)
        await stage.until(CONNECTED)
        return stage.connections[0].heard, len(stage.connections)

    pace = replace(QUICK, ping=9e9)
    assert play(scenario, put_off, clock=clock, protocol=Minding, pace=pace) == (["hello s3cr3t", "hello again"], 1)


def test_what_a_frame_tells_comes_before_its_end():
    """The error that ends the connection is raised where the events end."""

    async def scenario(stage):
        await stage.until(CONNECTED, "farewell", LOST, RECONNECTED)
        return stage.protocol.ends, stage.items[2].reason

    assert play(scenario, say("farewell"), protocol=Minding) == (1, "Loop: said farewell")


def test_silence_is_the_protocols_to_judge():
    """Before it is let in, too, and by venue time."""
    clock = VirtualClock(AT)

    async def mute(connection):
        await connection.wait_closed()

    async def scenario(stage):
        await until(lambda: stage.connections and stage.connections[0].__dict__.get("heard"))
        await clock.advance(20)
        await stage.until(LOST)
        return stage.items[0].reason

    def minding(url):
        return Minding(url, bears=17)

    pace = replace(QUICK, ping=9e9, first_wait=60, longest_wait=60)
    assert "silent at 13:00:17" in play(scenario, mute, clock=clock, protocol=minding, pace=pace)


def test_pongs_are_signs_of_life():
    """Told to the protocol."""

    async def scenario(stage):
        await stage.until(CONNECTED)
        await until(lambda: stage.protocol.pongs > 1)

    play(scenario, stay, protocol=Minding, pace=replace(QUICK, ping=0.001))


def test_frames_may_be_sent_in_between():
    """On the connection that there is; without one they are dropped."""

    async def scenario(stage):
        await stage.socket.send(["too early"])
        await stage.until(CONNECTED)
        await stage.socket.send(["more", b"please"])
        connection = stage.connections[0]
        assert [await connection.recv(), await connection.recv()] == ["more", b"please"]

    play(scenario, stay)


def test_connection_may_be_given_up():
    """By who finds that it is of no use; once, whoever says it twice."""

    async def scenario(stage):
        stage.socket.give_up("too early")
        await stage.until(CONNECTED)
        stage.socket.give_up("it is mute")
        stage.socket.give_up("it is mute")
        await stage.until(CONNECTED, LOST, RECONNECTED)
        return stage.items[1].reason

    assert "it is mute" in play(scenario, stay, stay)


def test_what_is_due_sooner_is_sent_sooner():
    """A frame moves the deadline nearer, while the next thing that was due is far off."""
    clock = VirtualClock(AT)

    class Hurrying(Minding):
        def opening(self, now):
            frames = super().opening(now)
            self.again = now + 600
            return frames

        def receive(self, frame, now):
            if frame == "sooner":
                self.again = now + 1
                return [], []
            return super().receive(frame, now)

    async def hurry(connection):
        await connection.send("sooner")
        connection.heard.append(await connection.recv())
        await stay(connection)

    async def scenario(stage):
        await until(lambda: stage.protocol.again == 1.0)
        await until(lambda: 1.0 in clock.due)
        await clock.advance(1)
        await stage.until(CONNECTED)
        return stage.connections[0].heard

    pace = replace(QUICK, ping=9e9)
    assert play(scenario, hurry, clock=clock, protocol=Hurrying, pace=pace) == ["hello s3cr3t", "hello again"]


class Tokens:
    """Gives an address with a new token each time; notes whether the last was refused."""

    def __init__(self):
        self.asked, self.url = [], ""

    async def __call__(self, is_refused):
        self.asked.append(is_refused)
        return f"{self.url}?token=s3cr3t{len(self.asked)}"


def addressed(tokens):
    """A protocol that knows the address without its token."""

    def protocol(url):
        tokens.url = url
        return Greeting(url)

    return {"protocol": protocol, "address": tokens}


def test_address_is_asked_for_at_each_attempt(caplog):
    """A token in it changes; it is in no log and in no reason."""
    caplog.set_level(logging.DEBUG, "switchback")
    tokens = Tokens()

    async def scenario(stage):
        await stage.until(CONNECTED, LOST, RECONNECTED)
        return [each.request.path for each in stage.connections], str(stage.items)

    paths, shown = play(scenario, drop, stay, **addressed(tokens))
    assert paths == ["/stream?token=s3cr3t1", "/stream?token=s3cr3t2"]
    assert tokens.asked == [False, False]
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("switchback.socket")]
    assert "s3cr3t" not in shown + str(ours)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_token_is_asked_for_anew(status):
    """It was too old: no reason to give up."""
    tokens = Tokens()

    async def scenario(stage):
        await stage.until(LOST, CONNECTED)

    play(scenario, process_request=answering(status), **addressed(tokens))
    assert tokens.asked == [False, True]


def test_second_refusal_in_a_row_ends_it():
    """Where none was ever let in: a new token was no better. The error does not show it."""
    tokens = Tokens()

    async def scenario(stage):
        with pytest.raises(AuthenticationError, match="/stream answered HTTP 403; check") as raised:
            await stage.running
        return str(raised.value)

    assert "s3cr3t" not in play(scenario, process_request=answering(403, 403), **addressed(tokens))
    assert tokens.asked == [False, True]


def test_error_of_the_address_is_what_it_says():
    """A wrong password ends it before anything is connected; a lost connection is tried again."""
    answers = [ConnectionLost("Loop", "no login"), AuthenticationError("Loop", "wrong password")]

    async def address(is_refused):
        raise answers.pop(0)

    async def scenario(stage):
        with pytest.raises(AuthenticationError, match="wrong password"):
            await stage.running
        return len(stage.connections)

    assert play(scenario, address=address) == 0
    assert not answers
