"""The I/O thread's way to drive an exchange: one warm pool, the account's request budget, patience for GET.

It drives the same generators as `framework.http.Http`. Only a GET is ever sent twice. Where the answer
to anything else is lost, the exchange is thrown a `ConnectionLost` whose `is_sent_unknown` says whether
the request may have arrived: it then looks up what became of it.
"""

from __future__ import annotations

import json
import logging
import random
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp

from framework.errors import ConfigError, ConnectionLost
from framework.live.budget import Budget
from framework.live.clock import Deadline
from framework.live.status import Requests
from framework.live.window import Window, allowance
from framework.ports import Clock
from framework.retries import Patience, lost, retry_after, server_time, with_seconds
from framework.wire import Exchange, HttpRequest, HttpResponse, Priority, Withdrawn

T = TypeVar("T")

log = logging.getLogger("switchback.http")

PATIENCE = Patience(attempts=5, connect=5.0, read=15.0, whole=60.0)

_FAULTS = (aiohttp.ClientError, TimeoutError, OSError)
_IDLE = 50.0  # gateways hang up after a minute: an order should not meet a connection that just went
_json = partial(json.dumps, allow_nan=False, separators=(",", ":"))


class AioHttp:
    """Sends the requests of one account (`framework.ports.AsyncHttp`). Owned by the I/O thread's event loop.

    `name` is the other side's name in errors. Each host has a budget of `limit` requests a minute (None: as many
    as one likes), or what `limits` says for it (by host and port, as in the URL). Use it in an `async with`.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        patience: Patience = PATIENCE,
        *,
        limit: int | None = 200,
        limits: Mapping[str, int] | None = None,
        connections: int = 100,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.patience = patience
        self._clock, self._jitter = clock, jitter
        self._limit, self._limits, self._connections = limit, dict(limits or {}), connections
        self._budgets: dict[str, Budget] = {}
        self._proxies: dict[str, str | None] = {}
        self._pool: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> AioHttp:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_connected)
        self._pool = aiohttp.ClientSession(
            # The budget says who gets a connection: in the pool's own queue a cancel would stand last.
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=self._connections, keepalive_timeout=_IDLE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),  # the session's clock times everything
            json_serialize=_json,
            trace_configs=[trace],
            middlewares=[_never_again],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        if self._pool is not None:
            await self._pool.close()

    def budget(self, host: str) -> Budget:
        """Return the budget of a host (as in its URL, with a port where there is one)."""
        if host not in self._budgets:
            window = Window(self._limits.get(host, self._limit), self._connections)
            self._budgets[host] = Budget(self._clock, window)
        return self._budgets[host]

    @property
    def waiting(self) -> Mapping[Priority, int]:
        """How many requests of each priority wait for their turn, over all hosts."""
        counts = [budget.waiting for budget in tuple(self._budgets.values())]
        return {each: sum(count.get(each, 0) for count in counts) for each in Priority}

    @property
    def requests(self) -> Requests | None:
        """How much of the budget is used, of the host that has the least left; None where nothing is counted.

        Any thread may ask.
        """
        now, waiting = self._clock.monotonic(), sum(self.waiting.values())
        counts = [used for each in tuple(self._budgets.values()) if (used := each.window.used(now)) is not None]
        if not counts:
            return Requests(0, self._limit, waiting) if self._limit is not None else None
        return Requests(*max(counts, key=lambda each: each[0] / each[1]), waiting)

    async def send(self, exchange: Exchange[T]) -> T:
        """Drive `exchange` to its end and return its result; throw it `ConnectionLost` where no answer comes.

        Raise `Withdrawn` where a request was not sent because nobody wanted it any more.
        """
        try:
            request = next(exchange)
            while True:
                try:
                    response = await self._answer(request)
                except ConnectionLost as error:
                    request = exchange.throw(error)
                else:
                    request = exchange.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            exchange.close()

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        attempts = self.patience.tries(request)
        for attempt in range(1, attempts + 1):
            is_last = attempt == attempts
            flight = _Flight(self._clock, self.patience)
            try:
                response = await self._once(request, flight, attempt)
            except _FAULTS as error:
                log.debug("< %s", type(error).__name__)
                if is_last:
                    raise lost(self.name, request, error, attempts, is_sent_unknown=flight.is_away) from error
            else:
                if is_last or not self._is_worth_another(response):
                    return with_seconds(response, self._server_now(response))
                if response.status == 429:
                    continue  # the budget holds it back
            await self._clock.sleep(self._back_off(attempt))
        raise AssertionError("unreachable")

    async def _once(self, request: HttpRequest, flight: _Flight, attempt: int) -> HttpResponse:
        async with self.budget(urlsplit(request.url).netloc).turn(request.urgency) as budget:
            if request.unless is not None and request.unless():
                raise Withdrawn
            log.debug("> %s %s", request.method, request.url)
            response = await self._fetch(request, flight)
            log.debug("< %d, %d bytes", response.status, len(response.body))
            now = self._server_now(response)
            budget.hear(allowance(response, now))
            if response.status == 429:
                told = retry_after(response, now)
                # The reset is told in whole seconds.
                budget.close(self._back_off(attempt) if told is None else told + self._jitter())
        return response

    async def _fetch(self, request: HttpRequest, flight: _Flight) -> HttpResponse:
        if self._pool is None or self._pool.closed:
            raise ConfigError(f"{self.name}: the transport is not open; use it in an async with")
        async with (
            flight.deadline,
            self._pool.request(
                request.method,
                request.url,
                params=dict(request.params),
                headers=dict(request.headers),
                json=request.json,
                data=None if request.form is None else dict(request.form),
                allow_redirects=False,  # no credentials go to another host
                proxy=self._proxy(request.url),
                trace_request_ctx=flight,
            ) as answer,
        ):
            pieces = []
            # Not iter_chunks: aiohttp shares one empty body among all answers without any (204), and its chunks never
            # end from the second answer of a process on.
            async for piece in answer.content.iter_any():
                pieces.append(piece)
                flight.heard()
        return HttpResponse(answer.status, {k.lower(): v for k, v in answer.headers.items()}, b"".join(pieces))

    def _is_worth_another(self, response: HttpResponse) -> bool:
        if response.status == 429:
            return (retry_after(response, self._server_now(response)) or 0.0) <= self.patience.longest_limit
        return response.status >= 500

    def _server_now(self, response: HttpResponse) -> float:
        at = server_time(response)
        return self._clock.now().timestamp() if at is None else at

    def _back_off(self, attempt: int) -> float:
        return self.patience.back_off(attempt, self._jitter())

    def _proxy(self, url: str) -> str | None:
        """Return the environment's proxy for a URL. aiohttp would find it too, but with a .netrc's credentials."""
        where = urlsplit(url)
        if where.netloc not in self._proxies:
            is_direct = urllib.request.proxy_bypass(where.hostname or "")
            self._proxies[where.netloc] = None if is_direct else urllib.request.getproxies().get(where.scheme)
        return self._proxies[where.netloc]


class _Flight:
    """One attempt: how long it may take, and whether it may have arrived."""

    def __init__(self, clock: Clock, patience: Patience) -> None:
        self.is_away = False
        self.deadline = Deadline(clock, patience.connect, patience.whole)
        self._read = patience.read

    def heard(self) -> None:
        """Wait for the next piece as long as for the one before."""
        self.deadline.extend(self._read)


class ConnectionDropped(aiohttp.ClientError):
    """The connection went before an answer came."""


async def _never_again(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Name a dropped connection otherwise: by its own name, aiohttp would send a GET, a PUT or a DELETE again."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionDropped(str(error)) from error


async def _connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    """Note that there is a connection: from here on, what is sent may arrive."""
    flight: _Flight = context.trace_request_ctx
    flight.is_away = True
    flight.heard()
