"""A sandbox, a proxy in front of it, and clients of the proxy: each in a thread of its own, over real sockets."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from data_sandbox import KEY, SECRET, Client, Venue, sandbox
from live_feed import PACE, RETRIES
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from feeds.alpaca.messages import as_msgpack, from_msgpack
from feeds.alpaca.plans import PAID
from feeds.alpaca.proxy.recording_figures import read
from feeds.alpaca.subscriptions import CONNECTED, ENDPOINTS, Conversation
from feeds.alpaca.waits import Waits
from feeds.minutes import MINUTE
from framework.app.proxy import Proxy
from framework.columns import moment

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn when they are imported
    from alpaca.data.live import StockDataStream

QUICK = Waits(pace=PACE, retries=RETRIES)

LOG = logging.getLogger("alpaca.data.live.websocket")


class Remote:
    """A proxy in a process of its own, known by its first line: as `Front` wants it."""

    def __init__(self, first: Mapping[str, str]) -> None:
        self.url, self.key, self.secret = first["url"], first["key"], first["secret"]
        self.websocket = self.url.replace("http", "ws", 1)
        self.remarks: list[str] = []

    def recorded(self) -> Mapping[str, float]:
        return read(requests.get(self.url + "/metrics", timeout=10).text)


class Front:
    """What local clients see: `proxy` is behind it, and behind that `venue`."""

    def __init__(self, proxy: Any, venue: Any) -> None:
        self.proxy, self.venue = proxy, venue
        self.auth = {"action": "auth", "key": proxy.key, "secret": proxy.secret}
        self.login = {"APCA-API-KEY-ID": proxy.key, "APCA-API-SECRET-KEY": proxy.secret}

    @contextmanager
    def greeted(
        self, path: str = "/v2/iex", *, packed: bool = False, login: Mapping[str, str] | None = None, **options: Any
    ) -> Iterator[Client]:
        """Connect and read the greeting."""
        headers = {"Content-Type": f"application/{'msgpack' if packed else 'json'}", **(login or {})}
        address = self.proxy.websocket + path
        with connect(address, additional_headers=headers, open_timeout=10, **options) as socket:
            client = Client(socket, packed=packed)
            assert client.read() == [{"T": "success", "msg": "connected"}]
            yield client

    @contextmanager
    def client(self, path: str = "/v2/iex", *, packed: bool = False, **channels: list[str]) -> Iterator[Client]:
        """Connect, log in and subscribe."""
        with self.greeted(path, packed=packed) as client:
            assert client.ask(self.auth) == {"T": "success", "msg": "authenticated"}
            assert client.ask({"action": "subscribe", **channels})["T"] == "subscription"
            yield client

    def figures(self, stream: str = "/v2/iex") -> dict[str, float]:
        return self.proxy.figures()[stream]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the proxy does by itself."""
        limit = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < limit, self.proxy.remarks
            threading.Event().wait(0.002)


@contextmanager
def proxied(prices: Any, *, venue: Mapping[str, Any] | None = None, **settings: Any) -> Iterator[Front]:
    """Serve a tape and a proxy in front of it until the block is left."""
    given = {"waits": QUICK, "key": KEY, "secret": SECRET, **settings}
    with sandbox(prices, **(venue or {})) as behind, Proxy(upstream=behind.url, **given) as proxy:
        yield Front(proxy, behind)


class Feeder:
    """An upstream that says what it is told to: one connection, Alpaca's dialect, and frames of any size."""

    def __init__(self) -> None:
        self._server = serve(self._talk, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever, name="feeder")
        self._socket: Any = None

    def __enter__(self) -> Feeder:
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def send(self, *rows: Mapping[str, Any]) -> None:
        self._socket.send(as_msgpack(rows))

    def _talk(self, socket: ServerConnection) -> None:
        self._socket = socket
        conversation = Conversation(ENDPOINTS[0], PAID, (KEY, SECRET), lambda: True)
        socket.send(as_msgpack([CONNECTED]))
        for message in socket:
            socket.send(as_msgpack([conversation.receive(from_msgpack(message))]))


@contextmanager
def fed(**settings: Any) -> Iterator[tuple[Feeder, Front]]:
    """Serve a proxy in front of a feeder until the block is left."""
    given = {"waits": QUICK, "key": KEY, "secret": SECRET, "limit": 0, **settings}
    with Feeder() as feeder, Proxy(upstream=feeder.url, **given) as proxy:
        yield feeder, Front(proxy, feeder)


class Follower:
    """alpaca-py's own stream of bars, unmodified, in a thread; `bars` are those it has handed over."""

    def __init__(self, address: str, keys: tuple[str, str], *symbols: str) -> None:
        self.symbols = symbols
        self.bars: queue.Queue[Any] = queue.Queue()
        self.stream = StockDataStream(*keys, url_override=address + "/v2/iex")
        self.stream._reconnect_min_backoff = 0.01
        self.stream.subscribe_bars(self._take, *symbols)
        self.thread = threading.Thread(target=self.stream.run, name="alpaca-py", daemon=True)

    async def _take(self, bar: Any) -> None:
        self.bars.put((bar.symbol, bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume))

    def take(self, count: int) -> list[Any]:
        """Wait for so many bars."""
        return [self.bars.get(timeout=15) for _ in range(count)]


class Logged(logging.Handler):
    """Waits for what alpaca-py logs."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning, self._heard = beginning, threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._beginning):
            self._heard.release()

    def __enter__(self) -> Logged:
        self._before = LOG.level
        LOG.setLevel(logging.INFO)
        LOG.addHandler(self)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        LOG.removeHandler(self)
        LOG.setLevel(self._before)

    def wait(self) -> None:
        assert self._heard.acquire(timeout=15)


@contextmanager
def following(
    address: str, keys: tuple[str, str], *symbols: str, nudge: Callable[[], None], logs: str = "subscribed to"
) -> Iterator[Follower]:
    """Run alpaca-py's stream until the block is left; `nudge` has a frame sent, at which it looks whether to stop."""
    follower = Follower(address, keys, *symbols)
    try:
        with Logged(logs) as logged:
            follower.thread.start()
            logged.wait()
        yield follower
    finally:
        follower.stream.stop()
        nudge()
        follower.thread.join(10)
        assert not follower.thread.is_alive()


def played(venue: Venue, *symbols: str) -> list[Any]:
    """Return the tape's bars of some symbols as alpaca-py hands them over: stamped with their starts, by time."""
    tape = venue.market.tape
    names = symbols if "*" not in symbols else tuple(tape.symbols)
    bars = [tape.ended(name, moment(end)) for name in names for end in tape.known(name, venue.market.now()).end]
    found = [(b.symbol, b.end - MINUTE, b.open, b.high, b.low, b.close, b.volume) for b in bars if b is not None]
    return sorted(found, key=lambda each: (each[1], each[0]))


@contextmanager
def started(
    *words: str, program: Sequence[str] = ("-m", "framework.app.main")
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the command in a process of its own until the block is left."""
    command = [sys.executable, *program, "proxy", *words]
    environment = {**os.environ, "APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        try:
            yield running, json.loads(running.stdout.readline())
        finally:
            running.kill()
