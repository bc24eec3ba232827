"""The proxy as its clients see it: Alpaca's data streams and its history on this machine, under keys of its own.

Each stream has one connection upstream, made when somebody first logs in. History is passed on as it is,
with the account's keys in place of the local ones, and within the account's budget of requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Any, Protocol

from aiohttp import web

from feeds.alpaca.plans import PAID
from feeds.alpaca.protocol import headers
from feeds.alpaca.proxy.account import Account
from feeds.alpaca.proxy.client import Client
from feeds.alpaca.proxy.figures import Standing, exposition
from feeds.alpaca.proxy.frames import Codec
from feeds.alpaca.proxy.keys import HEADERS, is_let_in
from feeds.alpaca.proxy.outbox import BUDGET
from feeds.alpaca.proxy.places import Place
from feeds.alpaca.proxy.supply import Direct, Supply
from feeds.alpaca.proxy.upstream import Upstream
from feeds.alpaca.subscriptions import CONNECTED, ENDPOINTS, Conversation, Endpoint
from feeds.alpaca.via import DATA
from framework.config import Credentials
from framework.errors import SwitchbackError
from framework.ports import AsyncHttp, Clock
from framework.sandbox.streams import is_text
from framework.wire import HttpRequest, HttpResponse

GAPS = "gaps"
"""The parameter of a stream's address with which a client asks for markers of gaps: see `markers`."""

LOGIN = 10.0
"""Seconds that a client has to say who it is."""

PASSED = ("content-type", "date", "retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
"""The headers of history's answers that are passed on."""


class Part(Protocol):
    """What a proxy serves beside data: its paths, its work until it is cancelled, and how its streams stand."""

    def routes(self) -> Sequence[web.RouteDef]: ...

    async def run(self) -> None: ...

    def standing(self) -> Sequence[Standing]: ...


class Proxy:
    """One account's data, for everybody on this machine who knows `local`. Owned by the loop that runs it.

    `main` is the stream that is connected at once, and whose end is the proxy's. Without a `supply` streams come
    from Alpaca; `http` is what clients' history is asked of.
    """

    def __init__(
        self,
        main: Endpoint,
        account: Account,
        local: Credentials,
        clock: Clock,
        http: AsyncHttp,
        remark: Callable[[str], None],
        budget: int = BUDGET,
        login: float = LOGIN,
        supply: Supply | None = None,
        parts: Sequence[Part] = (),
    ) -> None:
        self.main, self.account, self.local, self.budget, self.login = main, account, local, budget, login
        self._clock, self._http, self._remark = clock, http, remark
        self._parts = parts
        self._supply = supply or Direct(clock, http, account.waits.pace)
        self._upstreams: dict[Endpoint, Upstream] = {}
        self._tasks: dict[Endpoint, asyncio.Task[None]] = {}
        self._upstream(main)  # its calendar takes a while to make: who is told that it is served is answered at once

    def application(self) -> web.Application:
        """Return every path there is."""
        app = web.Application()
        for endpoint in ENDPOINTS:
            app.router.add_get(endpoint.path, self._handler(endpoint), allow_head=False)
        for path in ("/v2/stocks/{rest:.*}", "/v1beta3/crypto/{rest:.*}"):
            app.router.add_get(path, self._history, allow_head=False)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get(DATA, self._about)
        for part in self._parts:
            app.router.add_routes(part.routes())
        return app

    async def run(self) -> None:
        """Serve what comes until cancelled; raise why the main stream has ended."""
        parts = [asyncio.create_task(each.run()) for each in self._parts]
        try:
            await asyncio.shield(self._started(self.main))
        finally:
            tasks = [*self._tasks.values(), *parts]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def metrics(self) -> str:
        """Return all figures in Prometheus's text format."""
        streams = [self._upstreams[each].standing() for each in self._tasks]
        parts = [standing for part in self._parts for standing in part.standing()]
        return exposition([*streams, *parts]) + self._supply.exposition()

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """The streams that somebody has asked for."""
        return tuple(self._upstreams.values())

    def _upstream(self, endpoint: Endpoint) -> Upstream:
        if endpoint not in self._upstreams:
            upstream = Upstream(endpoint, self.account, self._clock, self._supply, self._remark, self.budget)
            self._upstreams[endpoint] = upstream
        return self._upstreams[endpoint]

    def _started(self, endpoint: Endpoint) -> asyncio.Task[None]:
        if endpoint not in self._tasks:
            self._tasks[endpoint] = asyncio.create_task(self._upstream(endpoint).run())
            self._tasks[endpoint].add_done_callback(lambda task: self._ended(endpoint, task))
        return self._tasks[endpoint]

    def _ended(self, endpoint: Endpoint, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) and endpoint is not self.main:
            self._remark(f"{endpoint.path} has ended: {failure}")

    def _serves(self, endpoint: Endpoint) -> bool:
        """Return whether a stream is to be had: of stocks, the one that was named."""
        return endpoint.stream != "data" or endpoint is self.main

    def _handler(self, endpoint: Endpoint) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if request.query.get(GAPS, "0") not in ("0", "1"):
                raise web.HTTPBadRequest(text=f"{GAPS} is 1 for markers of gaps, or 0; try ?{GAPS}=1")
            socket = web.WebSocketResponse(compress=False, timeout=1.0)
            await socket.prepare(request)
            await self._serve(endpoint, socket, request)
            return socket

        return handle

    async def _serve(self, endpoint: Endpoint, socket: web.WebSocketResponse, request: web.Request) -> None:
        upstream = self._upstream(endpoint if self._serves(endpoint) else self.main)
        client = self._client(endpoint, upstream, request)
        client.say(CONNECTED)
        try:
            if all(name in request.headers for name in HEADERS):
                keys = [request.headers[name] for name in HEADERS]
                self._answer(client, upstream, {"action": "auth", "key": keys[0], "secret": keys[1]})
            await self._converse(client, upstream, socket)
        except ConnectionError:
            pass  # gone while a ping was answered
        finally:
            upstream.leave(client)

    def _client(self, endpoint: Endpoint, upstream: Upstream, request: web.Request) -> Client:
        assert isinstance(request.transport, asyncio.Transport)
        is_packed = request.headers.get("Content-Type") == "application/msgpack"
        conversation = Conversation(endpoint, PAID, (self.local.key, self.local.secret), lambda: True)
        client = Client(
            request.transport,
            Codec.MSGPACK if is_packed else Codec.JSON,
            conversation,
            self.budget,
            upstream.counts,
            self._clock.monotonic,
        )
        client.wants_gaps = request.query.get(GAPS) == "1"
        conversation.has_room = lambda channels: upstream.board.has_room(client, channels)
        return client

    async def _converse(self, client: Client, upstream: Upstream, socket: web.WebSocketResponse) -> None:
        try:
            async with asyncio.timeout(self.login) as deadline:
                while True:
                    if client.conversation.is_authenticated:
                        deadline.reschedule(None)
                    frame = await socket.receive()
                    if not is_text(frame.type):
                        return
                    self._answer(client, upstream, client.decoded(frame.data))
        except TimeoutError:
            client.dismiss(404)

    def _answer(self, client: Client, upstream: Upstream, message: Any) -> None:
        was_in = client.conversation.is_authenticated
        row = client.conversation.receive(message)
        if not was_in and client.conversation.is_authenticated:
            if code := upstream.failure or (0 if self._serves(client.conversation.endpoint) else 409):
                client.dismiss(code)
                return
            self._started(upstream.endpoint)
            upstream.join(client)
        upstream.answer(client, row)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=self.metrics(), content_type="text/plain", charset="utf-8")

    async def _history(self, request: web.Request) -> web.Response:
        if not is_let_in(self.local, request.headers):
            return _stranger()
        asked = HttpRequest(
            "GET", self.account.base_url + request.path, dict(request.query), headers(self.account.credentials)
        )
        try:
            answer = await self._http.send(_once(asked))
        except SwitchbackError as failure:
            return web.json_response({"message": str(failure)}, status=502)
        passed = {name: answer.headers[name] for name in PASSED if name in answer.headers}
        return web.Response(status=answer.status, body=answer.body, headers=passed)

    async def _about(self, request: web.Request) -> web.Response:
        """Tell a program whose data these are, and of which feed."""
        if not is_let_in(self.local, request.headers):
            return _stranger()
        return web.json_response({"url": self.account.base_url, "feed": self.main.feed})


def _stranger() -> web.Response:
    return web.json_response({"message": "unauthorized."}, status=401)


def _once(request: HttpRequest) -> Generator[HttpRequest, HttpResponse, HttpResponse]:
    return (yield request)


@contextlib.asynccontextmanager
async def served(proxy: Proxy, place: Place = Place()) -> AsyncIterator[str]:  # noqa: B008  (it is frozen)
    """Serve a proxy in the running loop; yield its URL. Raise `ConfigError` where it cannot be served."""
    async with place.serving(proxy.application()) as url:
        yield url
