"""`switchback proxy --feed iex`: one connection to Alpaca, served to every program of this machine.

Also a context manager, `Proxy`, for notebooks and tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

from framework.app.proxy_opening import Opening, Settings, opened
from framework.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

PORT = 8765


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
        "--account", choices=("paper", "live"), default="paper", help="whose order updates; default: paper"
    )
    parser.add_argument(
        "--tls", nargs=2, metavar=("CERT", "KEY"), help="serve https and wss with this certificate and key (PEM files)"
    )
    parser.add_argument("--unix", metavar="PATH", help="serve at a socket file (mode 0600) instead of a port")
    parser.add_argument(
        "--status", action="store_true", help="show the figures of the proxy that runs on --port, or at --unix"
    )
    tape = parser.add_argument_group("record and play")
    tape.add_argument("--record", metavar="FILE", help="keep everything that comes; what is there already stays")
    tape.add_argument("--play", metavar="FILE", help="serve what was recorded; it needs no account and no network")
    tape.add_argument("--speed", metavar="X", help="how fast to play: so many times as it came, or max; default: 1")
    tape.add_argument("--wait", type=int, metavar="N", help="how many clients playing waits for; default: 1")
    tape.add_argument("--until-end", action="store_true", help="end when all is played and sent")


def main(options: argparse.Namespace) -> int:
    """Serve until interrupted. The first line on standard output is JSON: url, unix (with --unix), key, secret, pid."""
    if options.status:
        from framework.app.proxy_status import status

        print(status(options.port, options.unix))
        return 0
    if options.play is not None:
        from framework.app.player import opening

        return asyncio.run(_serve(opening(options), options.unix))
    if options.until_end or (options.speed, options.wait) != (None, None):
        raise ConfigError("--speed, --wait and --until-end are for --play FILE; name what to play, or leave them away")
    settings = Settings(
        options.feed, options.upstream, options.port, options.limit, int(options.buffer * (1 << 20)),
        account=options.account, record=options.record, tls=options.tls, unix=options.unix,
    )  # fmt: skip
    return asyncio.run(_serve(partial(opened, settings), options.unix))


async def _serve(opening: Opening, unix: str | None) -> int:
    async with opening(_remark) as proxy:
        running = asyncio.create_task(proxy.run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        place = {"url": proxy.url} | ({"unix": os.path.abspath(unix)} if unix else {})
        print(json.dumps({**place, **proxy.keys, "pid": os.getpid()}), flush=True)
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return 0


def _remark(text: str) -> None:
    print(f"switchback: {text}", file=sys.stderr, flush=True)


class Proxy:
    """The proxy as a context manager: it serves in a thread of its own until the block is left.

        with Proxy(upstream=sandbox.url, key=sandbox.key, secret=sandbox.secret) as proxy:
            stream = StockDataStream(proxy.key, proxy.secret, url_override=proxy.websocket + "/v2/iex")

    The arguments are those of `Settings`; or `opening` serves something else than a connection of its own. `remarks`
    are what an operator is told.
    """

    def __init__(self, feed: str = "iex", *, opening: Opening | None = None, **settings: object) -> None:
        self._opening: Opening = opening or partial(opened, Settings(feed, **settings))  # type: ignore[arg-type]
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
        """The URL for streams: ws:// in place of http://, wss:// in place of https://."""
        return self.url.replace("http", "ws", 1)

    def figures(self) -> dict[str, dict[str, float]]:
        """Return each stream's figures by name, such as figures()["/v2/iex"]["clients"]."""
        from feeds.alpaca.proxy.figures import read

        return {stream: dict(each) for stream, each in read(self._metrics()).items()}

    def recorded(self) -> dict[str, float]:
        """Return the recording's figures by name, such as recorded()["recorded_messages_total"]."""
        from feeds.alpaca.proxy.recording_figures import read

        return dict(read(self._metrics()))

    def _metrics(self) -> str:
        async def told() -> str:
            return self._server.metrics()

        return asyncio.run_coroutine_threadsafe(told(), self._loop).result(30)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # it is raised in the caller's thread
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._opening(self.remarks.append) as proxy:
            self.url, self.key, self.secret = proxy.url, proxy.keys["key"], proxy.keys["secret"]
            self._server = proxy.server
            self._running = asyncio.create_task(proxy.run())
            self._ready.set()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
