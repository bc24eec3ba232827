"""The sandbox's server: routes of a market on 127.0.0.1, in the running loop or in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from email.utils import formatdate
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from framework.errors import ConfigError
from framework.sandbox import control
from framework.sandbox.market import Market

T = TypeVar("T")

HOST = "127.0.0.1"

Routes = Callable[[Market], Iterable[web.RouteDef]]
"""What mounts a dialect: its `routes` function."""

log = logging.getLogger("switchback.sandbox")


def application(market: Market, dialects: Iterable[Routes]) -> web.Application:
    """Return the control side and every dialect under one roof; what no dialect knows is a 404."""
    app = web.Application(client_max_size=1 << 22)

    async def dated(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(market.clock.wall(), usegmt=True)  # as the rate limit's reset

    app.on_response_prepare.append(dated)
    app.add_routes(control.routes(market))
    for routes in dialects:
        app.add_routes(routes(market))
    app.router.add_route("*", "/{path:.*}", _unknown)
    return app


async def _unknown(_: web.Request) -> web.Response:
    return web.json_response({"message": "endpoint not found"}, status=404)


@contextlib.asynccontextmanager
async def serving(market: Market, dialects: Iterable[Routes], port: int = 0) -> AsyncIterator[str]:
    """Serve a market in the running loop, restore its state file and play it by its clock; yield the URL.

    Raise `ConfigError` where the port is taken.
    """
    app = application(market, dialects)
    market.restore()
    await market.synced()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    playing = asyncio.create_task(_played(market))
    try:
        site = web.TCPSite(runner, HOST, port)
        await _started(site, port)
        yield f"http://{HOST}:{_port(runner)}"
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        await _hung_up(runner)
        market.ledger.close()


async def _hung_up(runner: web.AppRunner) -> None:
    """End the server and all of its connections, those too whose client does not read what is still to be sent."""
    # aiohttp's own list: a connection that it has closed already, and that still has something to send, is in no other.
    transports = list(runner.server._connections.values()) if runner.server is not None else []
    await runner.cleanup()
    for each in transports:
        each.abort()
    await asyncio.sleep(0)


async def _played(market: Market) -> None:
    try:
        await market.run()
    except Exception:
        log.exception("the tape stopped at %s", market.played_at)
        raise


async def _started(site: web.TCPSite, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise ConfigError(
            f"port {port} cannot be served on {HOST}: {error.strerror}; try another, or 0 for any"
        ) from None


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])


class ServerThread:
    """A market served in a thread of its own, for tests and notebooks: a context manager.

    Everything of the market belongs to that thread; `call` runs a function in it, `wait` a coroutine.
    """

    def __init__(self, make: Callable[[], Market], dialects: Iterable[Routes], port: int = 0) -> None:
        self._make, self._dialects, self._asked_port = make, tuple(dialects), port
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="sandbox", daemon=True)

    def __enter__(self) -> ServerThread:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the thread has ended by itself
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the market's thread and return what it returns."""

        async def called() -> T:
            return function()

        return self.wait(called())

    def wait(self, coroutine: Coroutine[Any, Any, T], timeout: float = 30.0) -> T:
        """Run a coroutine in the market's thread and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # it is raised in the caller's thread
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self.market = self._make()
        async with serving(self.market, self._dialects, self._asked_port) as self.url:
            self._ready.set()
            await self._end.wait()
