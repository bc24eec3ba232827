"""A plain client of Alpaca's sandbox: requests and one socket, nothing that mends what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

from framework.app.proxy import Proxy
from framework.app.sandbox import Sandbox

WAIT = 20.0


class Rest:
    """Requests with the sandbox's keys."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.url = sandbox.url
        self.headers = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, self.url + path, headers=self.headers, timeout=WAIT, **more)

    def send(self, **more: Any) -> requests.Response:
        """Send a market order for 10 SPY, unless told otherwise."""
        order = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day", **more}
        return self.ask("POST", "/v2/orders", json=order)

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, params=query).json()


class Socket:
    """One client of `/stream`."""

    def __init__(self, connection: ClientConnection, sandbox: Sandbox | Proxy) -> None:
        self.connection, self.sandbox = connection, sandbox

    def say(self, **message: Any) -> dict[str, Any]:
        """Send a message and return the answer."""
        self.connection.send(json.dumps(message))
        return self.hear()

    def hear(self, timeout: float = WAIT) -> dict[str, Any]:
        """Return the next message; it comes in a binary frame."""
        frame = self.connection.recv(timeout=timeout)
        assert isinstance(frame, bytes)
        return dict(json.loads(frame))

    def authenticate(self) -> dict[str, Any]:
        return self.say(action="authenticate", data={"key_id": self.sandbox.key, "secret_key": self.sandbox.secret})

    def listen(self) -> dict[str, Any]:
        return self.say(action="listen", data={"streams": ["trade_updates"]})

    def events(self, count: int) -> list[str]:
        return [self.hear()["data"]["event"] for _ in range(count)]


@contextmanager
def opened(sandbox: Sandbox | Proxy, *, listening: bool = True, path: str = "/stream") -> Iterator[Socket]:
    """Open `/stream`, and listen to the updates unless told otherwise."""
    with connect(sandbox.websocket + path, close_timeout=1, ping_interval=None) as connection:
        socket = Socket(connection, sandbox)
        if listening:
            assert socket.authenticate()["data"]["status"] == "authorized"
            socket.listen()
        yield socket
