"""A plain client of the sandbox's ALGOGENE: requests and one socket, as a user's own script would have them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from tape import Tape as Source
from websockets.sync.client import ClientConnection, connect

from framework.app.sandbox import Sandbox

WAIT = 20.0
PRICES = [(100.0, 101.0, 99.0, 100.0), (102.0, 103.0, 101.0, 102.0), (98.0, 99.0, 97.0, 98.0)] * 4


class Client:
    """Calls by their names; a body is sent as the seed sends it, without a content type."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = f"{sandbox.url}/rest/v1"
        access = sandbox.algogene
        self.identity = {"user": access["user"], "api_key": access["api_key"]}
        self.account = {"runmode": "livetest", "accountid": access["accountid"]}
        self.token = ""

    def login(self) -> dict[str, Any]:
        told: dict[str, Any] = requests.get(f"{self.url}/session", self.identity, timeout=WAIT).json()["res"]
        self.token = told["token"]
        return told

    def ask(self, path: str, **params: Any) -> requests.Response:
        query = {**self.identity, **self.account, "token": self.token, **params}
        return requests.get(f"{self.url}/{path}", query, timeout=WAIT)

    def send(self, path: str, **body: Any) -> requests.Response:
        told = {**self.identity, **self.account, "token": self.token, **body}
        return requests.post(f"{self.url}/{path}", data=json.dumps(told), timeout=WAIT)

    def open(self, **more: Any) -> Any:
        """Buy one BTCUSD at the market, unless told otherwise; return the answer's id."""
        order = {"instrument": "BTCUSD", "buysell": "BUY", "volume": 1, "ordertype": "MKT", "orderRef": "", **more}
        return self.send("open_order", **order).json()["tradeID"]

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(path, **params).json()["res"]
        return found


@contextmanager
def served(**options: Any) -> Iterator[Client]:
    """Serve a tape in lock-step until the block is left; the client is logged in."""
    with Sandbox(options.pop("source", None) or Source({"BTCUSD": PRICES}), **options) as sandbox:
        client = Client(sandbox)
        client.login()
        yield client


class Socket:
    """A client of `/ws`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        return dict(json.loads(self.connection.recv(timeout=WAIT)))

    def quotes(self, count: int = 4) -> list[tuple[str, str, float]]:
        """Return so many quotes: broker, time of day, bid."""
        frames = [self.hear() for _ in range(count)]
        return [(each["broker"], each["timestamp"][11:19], each["bidPrice"]) for each in frames]


@contextmanager
def subscribed(client: Client, *symbols: str, broker: str = "") -> Iterator[Socket]:
    """Open `/ws` and ask for prices."""
    with connect(f"{client.sandbox.websocket}/ws", close_timeout=1, ping_interval=None) as connection:
        socket = Socket(connection)
        socket.say(msg_id=13, **client.identity, symbols=list(symbols or ["BTCUSD"]), broker=broker)
        assert socket.hear()["status"] is True
        yield socket
