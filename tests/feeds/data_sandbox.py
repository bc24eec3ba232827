"""The sandbox's data side on loopback, in a thread of its own: what its tests talk to.

In lock-step nothing moves but by `step`, so a test knows what has been sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgpack
import requests
from aiohttp import web
from tape import OPEN, Prices
from tape import Tape as Source
from tls_socket import TlsSocket
from websockets.sync.client import ClientConnection, connect

from feeds.alpaca.sandbox import routes
from framework.columns import Columns
from framework.model import Quote
from framework.sandbox.control import halted, stepped
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market
from framework.sandbox.server import ServerThread
from framework.sandbox.tape import Tape

KEY, SECRET = "PKLOOPBACK", "s3cr3t-of-the-loopback"
LOGIN = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
AUTH = {"action": "auth", "key": KEY, "secret": SECRET}


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after the open of the tests' day."""
    return OPEN + timedelta(minutes=minutes)


class Venue:
    """A market that is served; its methods may be called from the test's thread."""

    def __init__(self, server: ServerThread) -> None:
        self.server, self.market = server, server.market
        self.url, self.address = server.url, server.url.replace("http", "ws", 1)
        self.session = requests.Session()

    def step(self, count: int = 1) -> None:
        """Play so many instants; return when all is written."""
        self.server.wait(stepped(self.market, count))

    def arm(self, fault: str, **options: Any) -> None:
        """Arm a fault."""
        self.server.call(lambda: self.market.faults.arm(fault, **options))

    def halt(self, symbol: str, minutes: float) -> None:
        """Halt a symbol from now on."""
        self.server.wait(halted(self.market, {"symbol": symbol, "minutes": minutes}))

    def get(self, path: str, login: Mapping[str, str] = LOGIN, **query: Any) -> requests.Response:
        """Ask for data."""
        return self.session.get(self.url + path, params=query, headers=dict(login), timeout=10)

    def body(self, path: str, **query: Any) -> Any:
        """Return the answer to a request that must be right."""
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    @contextmanager
    def greeted(
        self, path: str = "/v2/iex", *, packed: bool = False, login: Mapping[str, str] | None = None, **options: Any
    ) -> Iterator[Client]:
        """Connect to a stream and read its greeting."""
        headers = {"Content-Type": f"application/{'msgpack' if packed else 'json'}", **(login or {})}
        with connect(self.address + path, additional_headers=headers, open_timeout=10, **options) as socket:
            client = Client(socket, packed=packed)
            assert client.read() == [{"T": "success", "msg": "connected"}]
            yield client

    @contextmanager
    def client(self, path: str = "/v2/iex", *, packed: bool = False, **channels: list[str]) -> Iterator[Client]:
        """Connect, log in and subscribe."""
        with self.greeted(path, packed=packed) as client:
            assert client.ask(AUTH) == {"T": "success", "msg": "authenticated"}
            assert client.ask({"action": "subscribe", **channels})["T"] == "subscription"
            yield client


class Client:
    """A client of a stream that does nothing by itself."""

    def __init__(self, socket: ClientConnection | TlsSocket, *, packed: bool = False) -> None:
        self.socket, self.packed = socket, packed

    def say(self, message: Any) -> None:
        self.socket.send(msgpack.packb(message) if self.packed else json.dumps(message))

    def read(self) -> list[dict[str, Any]]:
        """Return the next frame's messages; what is silent for long is a failure."""
        frame = self.socket.recv(timeout=10)
        assert isinstance(frame, bytes) is self.packed
        found: list[dict[str, Any]] = msgpack.unpackb(frame, timestamp=3) if self.packed else json.loads(frame)
        return found

    def read_until(self, close: float) -> list[dict[str, Any]]:
        """Return the next frame whose first bar has that close."""
        while (found := self.read())[0]["c"] != close:
            pass
        return found

    def ask(self, message: Any) -> dict[str, Any]:
        """Say something and return the answer, which comes alone."""
        self.say(message)
        [answer] = self.read()
        return answer


@contextmanager
def sandbox(
    symbols: Mapping[str, Prices | Columns] | None = None,
    *,
    source: Any = None,
    speed: float | None = None,
    state: Any = None,
    quotes: Sequence[Quote] = (),
    faults: Sequence[Fault] = (),
    **options: Any,
) -> Iterator[Venue]:
    """Serve a tape until the block is left; `options` are those of `routes`."""
    played = source or Source(symbols or {"SPY": [100.0, 101.0, 102.0]})

    def make() -> Market:
        return Market(Tape(played, quotes=quotes), speed=speed, state=state, key=KEY, secret=SECRET)

    def mount(market: Market) -> list[web.RouteDef]:
        mounted = routes(market, **options)
        for each in faults:
            market.faults.arm(each)
        return mounted

    with ServerThread(make, [mount]) as server:
        venue = Venue(server)
        with venue.session:
            yield venue
