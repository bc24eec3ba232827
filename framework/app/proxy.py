"""`switchback proxy --feed iex`: one connection to Alpaca's data, served to every program of this machine.

Also a context manager, `Proxy`, for notebooks and tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from framework.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from feeds.alpaca.proxy.places import Place
    from feeds.alpaca.proxy.server import Proxy as Server
    from feeds.alpaca.waits import Waits
    from framework.config import Credentials
    from framework.ports import Clock

PORT = 8765

LOCAL = "proxy"
LOCAL_VARIABLES = ("SWITCHBACK_PROXY_KEY", "SWITCHBACK_PROXY_SECRET")
"""Where the local key and secret may be set, so that they are the same after a restart."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--feed", default="iex", metavar="NAME", help="iex (the default), sip or test; crypto comes too"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0 is any that is free")
    parser.add_argument("--upstream", metavar="URL", help="another server than Alpaca's, such as a sandbox")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="quotes and trades that the plan has; default: 30 of iex, else any (0)"
    )
    parser.add_argument(
        "--buffer", type=float, default=4.0, metavar="MB", help="what may wait for one client; default: 4"
    )
    parser.add_argument(
        "--tls", nargs=2, metavar=("CERT", "KEY"), help="serve https and wss with this certificate and key (PEM files)"
    )
    parser.add_argument("--unix", metavar="PATH", help="serve at a socket file (mode 0600) instead of a port")
    parser.add_argument(
        "--status", action="store_true", help="show the figures of the proxy that runs on --port, or at --unix"
    )


def main(options: argparse.Namespace) -> int:
    """Serve until interrupted. The first line on standard output is JSON: url, unix (with --unix), key, secret, pid."""
    if options.status:
        from framework.app.proxy_status import status

        print(status(options.port, options.unix))
        return 0
    return asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> int:
    settings = Settings(
        options.feed,
        options.upstream,
        options.port,
        options.limit,
        int(options.buffer * (1 << 20)),
        tls=tuple(options.tls) if options.tls else None,
        unix=options.unix,
    )
    async with opened(settings, _remark) as proxy:
        running = asyncio.create_task(proxy.server.run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        place = {"url": proxy.url} | ({"unix": os.path.abspath(options.unix)} if options.unix else {})
        print(json.dumps({**place, **proxy.keys, "pid": os.getpid()}), flush=True)
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return 0


def _remark(text: str) -> None:
    print(f"switchback: {text}", file=sys.stderr, flush=True)


class Keys(TypedDict):
    """What a local client shows."""

    key: str
    secret: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a proxy serves. `limit` None is what the feed's usual plan has, 0 is any; `budget` is in bytes,
    `login` how many seconds a client has to say who it is.

    `key` and `secret` are the account's; left out, they are looked for as everywhere. With `tls`, the files of a
    certificate and its key in PEM, it is served as https and wss; with `unix` at a socket file and not at `port`.
    """

    feed: str = "iex"
    upstream: str | None = None
    port: int = 0
    limit: int | None = None
    budget: int = 4 << 20
    key: str | None = None
    secret: str | None = None
    waits: Waits | None = None
    login: float = 10.0
    tls: tuple[str | Path, str | Path] | None = None
    unix: str | Path | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A proxy that is served; `server.run()` is what lets it go on."""

    server: Server
    url: str
    keys: Keys


@contextlib.asynccontextmanager
async def opened(settings: Settings, remark: Callable[[str], None]) -> AsyncIterator[Opened]:
    """Serve a proxy in the running loop until the block is left; raise `ConfigError` for what cannot be."""
    from feeds.address import address
    from feeds.alpaca import protocol
    from feeds.alpaca.plans import FREE
    from feeds.alpaca.proxy.account import Account
    from feeds.alpaca.proxy.server import Proxy as Server
    from feeds.alpaca.proxy.server import served
    from feeds.alpaca.stream import endpoint
    from feeds.alpaca.waits import USUAL
    from framework.config import require_credentials
    from framework.live.transport import PATIENCE, AioHttp

    main = endpoint(settings.feed, crypto=False)
    base_url = address(settings.upstream, protocol.DATA_URL, "--upstream")
    given = (settings.key, settings.secret)
    credentials = require_credentials(protocol.SERVICE, protocol.VARIABLES, given)
    limit = (FREE.channels if settings.feed == "iex" else 0) if settings.limit is None else settings.limit
    account, local = Account(credentials, base_url, limit, settings.waits or USUAL), _local()
    clock = await _clock(base_url)
    patience = settings.waits.retries if settings.waits else PATIENCE
    async with AioHttp(protocol.NAME, clock, patience) as http:
        server = Server(main, account, local, clock, http, remark, settings.budget, settings.login)
        async with served(server, _place(settings)) as url:
            yield Opened(server, url, {"key": local.key, "secret": local.secret})


def _place(settings: Settings) -> Place:
    from feeds.alpaca.proxy.places import Place, Tls

    if settings.tls and settings.unix:
        raise ConfigError("--tls and --unix are two ways of which one is enough: nothing leaves this machine by a file")
    tls = Tls(*map(Path, settings.tls)) if settings.tls else None
    return Place(settings.port, tls, Path(settings.unix) if settings.unix else None)


def _local() -> Credentials:
    from framework.config import Credentials, find_credentials

    return find_credentials(LOCAL, LOCAL_VARIABLES) or Credentials(
        "PX" + secrets.token_hex(9), secrets.token_urlsafe(24)
    )


async def _clock(base_url: str) -> Clock:
    """Return the clock of what is upstream: a sandbox has its own."""
    from framework.live.clock import WallClock
    from framework.live.lockstep import clock_told
    from framework.live.transport import AioHttp
    from framework.retries import Patience
    from framework.wire import is_on_this_machine

    wall = WallClock()
    if not is_on_this_machine(base_url):
        return wall
    async with AioHttp("sandbox", wall, Patience(attempts=1), limit=None) as http:
        try:
            return (await http.send(clock_told(base_url))).clock(wall)
        except ConfigError:
            return wall  # it is no sandbox, or one that is still to be started


class Proxy:
    """The proxy as a context manager: it serves in a thread of its own until the block is left.

        with Proxy(upstream=sandbox.url, key=sandbox.key, secret=sandbox.secret) as proxy:
            stream = StockDataStream(proxy.key, proxy.secret, url_override=proxy.websocket + "/v2/iex")

    The arguments are those of `Settings`. `remarks` are what an operator is told.
    """

    def __init__(self, feed: str = "iex", **settings: object) -> None:
        self._settings = Settings(feed, **settings)  # type: ignore[arg-type]
        self.remarks: list[str] = []
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the thread has ended by itself
            self._loop.call_soon_threadsafe(self._running.cancel)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    @property
    def websocket(self) -> str:
        """The URL for streams: ws:// in place of http://."""
        return self.url.replace("http", "ws", 1)

    def figures(self) -> dict[str, dict[str, float]]:
        """Return each stream's figures by name, such as figures()["/v2/iex"]["clients"]."""
        from feeds.alpaca.proxy.figures import read

        async def told() -> str:
            return self._server.metrics()

        text = asyncio.run_coroutine_threadsafe(told(), self._loop).result(30)
        return {stream: dict(each) for stream, each in read(text).items()}

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # it is raised in the caller's thread
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with opened(self._settings, self.remarks.append) as proxy:
            self.url, self.key, self.secret = proxy.url, proxy.keys["key"], proxy.keys["secret"]
            self._server = proxy.server
            self._running = asyncio.create_task(proxy.server.run())
            self._ready.set()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
