"""The asynchronous transport against a real server that misbehaves."""

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from framework.errors import ConfigError, ConnectionLost
from framework.live.clock import VirtualClock, WallClock
from framework.live.status import Requests
from framework.live.transport import AioHttp
from framework.ports import AsyncHttp
from framework.retries import Patience
from framework.wire import HttpRequest, Priority

QUICK = Patience(attempts=4, connect=5.0, first_wait=0.001, longest_wait=0.002)


class Server:
    """Plays one answer after another: a response, or what to do with the request."""

    def __init__(self):
        self.plays, self.seen, self.arrived = [], [], asyncio.Semaphore(0)

    async def handle(self, request):
        self.seen.append((request.method, request.path_qs, dict(request.headers), await request.text()))
        self.arrived.release()
        play = self.plays.pop(0) if self.plays else (200, b"{}", {})
        if callable(play):
            return await play(request)
        status, body, headers = play
        return web.Response(status=status, body=body, headers=headers)


@asynccontextmanager
async def serving(patience=QUICK, clock=None, **settings):
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.host = f"127.0.0.1:{runner.addresses[0][1]}"
    server.url = f"http://{server.host}"
    try:
        async with AioHttp("Loop", clock or WallClock(), patience, jitter=lambda: 0.0, **settings) as http:
            yield server, http
    finally:
        await runner.cleanup()


def play(scenario, **settings):
    async def run():
        async with serving(**settings) as (server, http):
            return await scenario(server, http)

    return asyncio.run(run())


def one(method, url, **parts):
    """An exchange of one request, whose result is the answer."""
    return (yield HttpRequest(method, url, **parts))


async def hang_up(request):
    request.transport.abort()
    await asyncio.Event().wait()


async def half_a_body(request):
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    request.transport.close()
    return response


async def stall(request):
    await asyncio.Event().wait()


async def stall_in_the_body(request):
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    await asyncio.Event().wait()


def test_answers_without_a_body_end_however_many_there_are():
    """A cancel is answered 204; aiohttp has one empty body for all of them, which is read to its end once only."""

    async def scenario(server, http):
        server.plays = [(204, None, {})] * 3
        return [(await http.send(one("DELETE", server.url))).status for _ in range(3)]

    assert play(scenario) == [204, 204, 204]


def test_exchange_is_driven_to_its_result():
    """Each request that the generator yields is answered; what it returns is returned."""

    def both(url):
        first = yield HttpRequest("GET", url + "/a", {"x": "1 2"}, {"K": "v"})
        second = yield HttpRequest("POST", url + "/b", json={"n": 1.5})
        return first.decode() + second.decode()

    async def scenario(server, http):
        port: AsyncHttp = http
        server.plays = [(200, b"1", {}), (200, b"2", {})]
        assert await port.send(both(server.url)) == 3
        return server.seen

    (first, second) = play(scenario)
    assert first[:2] == ("GET", "/a?x=1+2")
    assert first[2]["K"] == "v"
    assert (second[0], second[3]) == ("POST", '{"n":1.5}')


def test_form_is_sent_as_a_form_and_shown_nowhere(caplog):
    """As the synchronous transport does; a password in it is in no log and no error."""
    caplog.set_level(logging.DEBUG)
    form = {"user[email]": "me@x.com", "user[password]": "s3cr3t &=ü"}

    async def scenario(server, http):
        await http.send(one("POST", server.url, form=form))
        server.plays = [hang_up]
        with pytest.raises(ConnectionLost) as raised:
            await http.send(one("POST", server.url, form=form))
        return server.seen[0], str(raised.value)

    seen, error = play(scenario)
    assert seen[2]["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert seen[3] == "user%5Bemail%5D=me%40x.com&user%5Bpassword%5D=s3cr3t+%26%3D%C3%BC"
    assert "s3cr3t" not in caplog.text + error


@pytest.mark.parametrize("fault", [hang_up, half_a_body, (502, b"<html>", {}), (503, b"", {}), (504, b"", {})])
def test_get_is_tried_again(fault):
    """A dropped connection, a body cut short and a gateway's error."""

    async def scenario(server, http):
        server.plays = [fault, (200, b"[1]", {})]
        answer = await http.send(one("GET", server.url))
        return answer.decode(), len(server.seen)

    assert play(scenario) == ([1], 2)


def test_get_is_not_tried_for_ever():
    """After the last attempt the gateway's own page is handed on, as it is."""

    async def scenario(server, http):
        server.plays = [(502, b"<html>", {})] * 9
        answer = await http.send(one("GET", server.url))
        return answer.status, answer.body, len(server.seen)

    assert play(scenario) == (502, b"<html>", 4)


def test_get_that_is_never_answered_is_a_lost_connection():
    """The error names the side, the path and the attempts, and no credentials."""

    async def scenario(server, http):
        server.plays = [hang_up] * 4
        await http.send(one("GET", server.url + "/p", headers={"K": "s3cr3t"}))

    with pytest.raises(ConnectionLost, match=r"^Loop: GET /p: no whole answer .* after 4 attempts") as raised:
        play(scenario)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "PUT"])
@pytest.mark.parametrize("fault", [hang_up, half_a_body])
def test_nothing_but_a_get_is_sent_twice(method, fault, is_warm):
    """Neither by us nor by the library, on a new connection or on a warm one; whether it was done is not known."""

    async def scenario(server, http):
        if is_warm:
            await http.send(one("GET", server.url))
        server.plays = [fault]
        with pytest.raises(ConnectionLost, match="not sent again") as raised:
            await http.send(one(method, server.url, json={"a": 1}))
        return raised.value.is_sent_unknown, [each[0] for each in server.seen].count(method)

    assert play(scenario) == (True, 1)


def test_connection_that_does_not_come_about_is_certain():
    """Nothing was sent, so it may be sent again."""

    async def scenario(server, http):
        with pytest.raises(ConnectionLost) as raised:
            await http.send(one("POST", "http://127.0.0.1:1/"))
        return raised.value.is_sent_unknown

    assert play(scenario) is False


@pytest.mark.parametrize("answer", [(429, b"", {}), (502, b"<html>", {}), (504, b"", {})])
def test_what_a_post_is_answered_is_handed_on(answer):
    """The exchange knows what it means."""

    async def scenario(server, http):
        server.plays = [answer]
        response = await http.send(one("POST", server.url))
        return response.status, response.body, len(server.seen)

    assert play(scenario) == (*answer[:2], 1)


@pytest.mark.parametrize(("fault", "seconds"), [(hang_up, 0), (half_a_body, 0), (stall, 8), (stall_in_the_body, 8)])
def test_post_whose_answer_is_lost_is_looked_up(fault, seconds):
    """The order was taken, the answer did not come in time: it is asked for by its id, and was sent once."""
    clock = VirtualClock()

    def submit(url):
        try:
            return (yield HttpRequest("POST", url + "/orders", json={"id": "a-1"}))
        except ConnectionLost as error:
            found = yield HttpRequest("GET", url + "/orders/a-1", priority=Priority.LOOK_UP)
            return error.is_sent_unknown, found.decode()

    async def scenario(server, http):
        server.plays = [fault, (200, b'"taken"', {})]
        sending = asyncio.create_task(http.send(submit(server.url)))
        await server.arrived.acquire()
        await clock.advance(seconds)
        return await sending, [each[0] for each in server.seen]

    assert play(scenario, clock=clock, patience=replace(QUICK, read=8)) == ((True, "taken"), ["POST", "GET"])


def test_post_that_is_answered_too_late_is_not_sent_again():
    """The time is the session's clock's; the answer that comes after it meets nobody."""
    clock, answered = VirtualClock(), asyncio.Event()

    async def late(request):
        async def answer():
            await clock.sleep(20)
            answered.set()

        await asyncio.shield(answer())

    async def scenario(server, http):
        server.plays = [late]
        sending = asyncio.create_task(http.send(one("POST", server.url)))
        await server.arrived.acquire()
        await clock.advance(8)
        with pytest.raises(ConnectionLost, match="TimeoutError") as raised:
            await sending
        await clock.advance(12)
        assert answered.is_set()
        return raised.value.is_sent_unknown, len(server.seen)

    assert play(scenario, clock=clock, patience=replace(QUICK, read=8)) == (True, 1)


def test_trickle_ends():
    """An answer that arrives, but for ever, ends too."""
    clock = VirtualClock()

    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 100)
            await clock.sleep(1)

    async def scenario(server, http):
        server.plays = [trickle]
        sending = asyncio.create_task(http.send(one("POST", server.url)))
        await server.arrived.acquire()
        while not sending.done():
            await clock.advance(1)
        with pytest.raises(ConnectionLost, match="TimeoutError"):
            await sending
        return clock.monotonic()

    assert 20 <= play(scenario, clock=clock, patience=replace(QUICK, read=5, whole=20)) < 40


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Date": "Tue, 14 Nov 2023 22:13:20 GMT", "X-RateLimit-Reset": "1700000007"}, 7),
        ({"Retry-After": "3"}, 3),
    ],
)
def test_429_makes_everybody_wait_until_the_reset(headers, wait):
    """The GET goes again, and a cancel that came meanwhile goes before it."""
    clock = VirtualClock()

    async def scenario(server, http):
        server.plays = [(429, b"{}", headers)]
        getting = asyncio.create_task(http.send(one("GET", server.url)))
        while not http.waiting[Priority.DATA]:
            await asyncio.sleep(0)
        cancelling = asyncio.create_task(http.send(one("DELETE", server.url)))
        await clock.advance(wait - 0.5)
        assert http.waiting == {Priority.EXIT: 1, Priority.LOOK_UP: 0, Priority.ENTRY: 0, Priority.DATA: 1}
        await clock.advance(0.5)
        answers = await asyncio.gather(getting, cancelling)
        return [answer.status for answer in answers], [each[0] for each in server.seen]

    statuses, methods = play(scenario, clock=clock, connections=1)
    assert statuses == [200, 200]
    assert methods == ["GET", "DELETE", "GET"]


def test_wait_that_is_too_long_is_told_instead():
    """Nobody sits through an hour: the 429 is handed on at once, with its seconds."""

    async def scenario(server, http):
        server.plays = [(429, b"", {"Date": "Tue, 14 Nov 2023 22:13:20 GMT", "X-RateLimit-Reset": "1700003600"})]
        answer = await http.send(one("GET", server.url))
        return answer.status, answer.headers["retry-after"], len(server.seen)

    assert play(scenario) == (429, "3600", 1)


def test_what_others_used_is_heard():
    """The venue's headers correct the budget of its host, and of no other."""

    async def scenario(server, http):
        server.plays = [(200, b"", {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "5"})]
        await http.send(one("GET", server.url))
        return [http.budget(host).window.room(http._clock.monotonic()) for host in (server.host, "other")]

    assert play(scenario) == [5, 200]


def test_burst_shares_the_budget():
    """All requests of the account count, whatever sent them; the rest waits and is seen."""
    clock = VirtualClock()

    async def scenario(server, http):
        sends = [asyncio.create_task(http.send(one("POST", server.url))) for _ in range(7)]
        for _ in range(4):
            await server.arrived.acquire()
        while sum(send.done() for send in sends) < 4:
            await asyncio.sleep(0)
        assert http.waiting[Priority.ENTRY] == 3
        assert len(server.seen) == 4
        await clock.advance(61)
        await asyncio.gather(*sends)
        return len(server.seen)

    assert play(scenario, clock=clock, limits={}, limit=4) == 7


def test_pool_is_warm_and_bounded():
    """Two connections carry a burst of twenty, and stay for the next request."""
    peers = set()

    async def note(request):
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    async def scenario(server, http):
        server.plays = [note] * 21
        await asyncio.gather(*(http.send(one("POST", server.url)) for _ in range(20)))
        await http.send(one("POST", server.url))
        return len(peers)

    assert play(scenario, connections=2) == 2


def test_redirect_is_not_followed():
    """Credentials never go to where an answer points."""

    async def scenario(server, http):
        server.plays = [(302, b"", {"Location": server.url + "/elsewhere"})]
        answer = await http.send(one("GET", server.url, headers={"K": "s3cr3t"}))
        return answer.status, len(server.seen)

    assert play(scenario) == (302, 1)


def test_cancelled_exchange_is_closed_and_gives_its_connection_back():
    """The generator can clean up, and the next request goes."""
    closed = []

    def stubborn(url):
        try:
            yield HttpRequest("GET", url)
        finally:
            closed.append(True)

    async def scenario(server, http):
        server.plays = [stall]
        sending = asyncio.create_task(http.send(stubborn(server.url)))
        await server.arrived.acquire()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return (await http.send(one("GET", server.url))).status

    assert play(scenario, connections=1) == 200
    assert closed == [True]


def test_netrc_adds_nothing(monkeypatch, tmp_path):
    """A .netrc file does not put its own credentials into our requests."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))

    async def scenario(server, http):
        await http.send(one("GET", server.url))
        return server.seen[0][2]

    assert "Authorization" not in play(scenario)


def test_proxy_of_the_environment_is_used(monkeypatch):
    """As `requests` does for history; and no_proxy is heeded."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")

    async def scenario(server, http):
        with pytest.raises(ConnectionLost, match="ProxyConnectionError"):
            await http.send(one("POST", server.url))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with AioHttp("Loop", WallClock()) as direct:
            return (await direct.send(one("POST", server.url))).status

    assert play(scenario) == 200


def test_number_that_is_none_is_not_sent():
    """NaN is no JSON, and no price."""

    async def scenario(server, http):
        with pytest.raises(ValueError, match="not JSON compliant"):
            await http.send(one("POST", server.url, json={"price": float("nan")}))
        return server.seen, http.budget(server.host).window.in_flight

    assert play(scenario) == ([], 0)


def test_transport_that_is_not_open_says_so():
    """It does not open by itself: it could not be closed."""

    async def scenario(server, http):
        await http.close()
        await http.send(one("GET", server.url))

    with pytest.raises(ConfigError, match="async with"):
        play(scenario)


def test_log_shows_the_traffic_and_no_secret(caplog):
    """At debug level each request and answer is a line; headers and bodies are in none."""
    caplog.set_level(logging.DEBUG)

    async def scenario(server, http):
        server.plays = [(503, b"{}", {}), hang_up]
        await http.send(one("GET", server.url + "/p", headers={"K": "s3cr3t"}, json={"k": "s3cr3t"}))
        return server.url

    url = play(scenario)
    lines = [record.getMessage() for record in caplog.records if record.name == "switchback.http"]
    assert lines[:2] == [f"> GET {url}/p", "< 503, 2 bytes"]
    assert "s3cr3t" not in caplog.text


def test_the_budget_can_be_looked_at_from_another_thread():
    """How much is used of the host that has the least left, and how many wait; nothing where nothing is counted."""

    async def scenario(server, http):
        before = http.requests
        await http.send(one("GET", server.url))
        return before, await asyncio.to_thread(lambda: http.requests)

    assert play(scenario, limit=50) == (Requests(0, 50), Requests(1, 50))
    assert play(scenario, limit=None) == (None, None)
