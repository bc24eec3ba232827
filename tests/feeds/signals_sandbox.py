"""The sandbox's AlphaHub on loopback: what its tests talk to, with a plain websocket and plain requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import requests
from tape import OPEN
from tape import Tape as Source
from websockets.sync.client import ClientConnection, connect

from framework.app.sandbox import Sandbox

BUY = {"symbol": "SPY", "side": "buy"}
OK = {"response": {}, "status": "ok"}


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after the open of the tests' day."""
    return OPEN + timedelta(minutes=minutes)


def item(price: float, minutes: float = 0, **more: Any) -> dict[str, Any]:
    """Return an item to buy SPY, as it is told."""
    return {"price": price, **BUY, "timestamp": f"{at(minutes):%Y-%m-%dT%H:%M:%S}", **more}


def told(algorithm: int, **lists: Any) -> list[Any]:
    """Return a publication as it is pushed."""
    return [None, None, f"algorithms:{algorithm}", "new_signals", lists]


class Socket:
    """A client that does nothing by itself; what is silent for long is a failure."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, *message: Any) -> None:
        self.socket.send(json.dumps(message))

    def read(self) -> Any:
        return json.loads(self.socket.recv(timeout=10))

    def ask(self, *message: Any) -> Any:
        """Say something and return the answer."""
        self.say(*message)
        return self.read()

    def join(self, algorithm: int, ref: str | None = None) -> Any:
        return self.ask(ref, ref, f"algorithms:{algorithm}", "phx_join", {})

    def beat(self, ref: str = "beat") -> Any:
        return self.ask(None, ref, "phoenix", "heartbeat", {})

    def publish(self, venue: Venue, **lists: Any) -> Any:
        """Let algorithm 16 publish something, and return what is read."""
        venue.sandbox.publish(16, **(lists or {"open": []}))
        return self.read()


class Venue:
    """A sandbox as a client of AlphaHub sees it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.url = sandbox, sandbox.url
        self.market = sandbox.market

    def ask(self, method: str, path: str, token: str = "", **more: Any) -> requests.Response:
        headers = {"Authorization": token} if token else {}
        return requests.request(method, self.url + path, headers=headers, timeout=10, **more)

    def login(self, email: str = "a@b.c", password: str = "secret") -> requests.Response:
        form = {"user[email]": email, "user[password]": password}
        return self.ask("POST", "/api/v1/session", data=form)

    def tokens(self) -> tuple[str, str]:
        """Log in; return the access token and the one for renewal."""
        data = self.login().json()["data"]
        return data["token"], data["renew_token"]

    def history(self, after: str = "2026-01-05", algorithm: int = 16) -> Any:
        answer = self.ask("GET", f"/api/v1/algorithms/{algorithm}/signals", self.tokens()[0], params={"after": after})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["signals"]

    @contextmanager
    def connected(self, token: str | None = None, vsn: str = "2.0.0") -> Iterator[Socket]:
        address = f"{self.sandbox.websocket}/socket/websocket?vsn={vsn}&api_token={token or self.tokens()[0]}"
        with connect(address, open_timeout=10) as socket:
            yield Socket(socket)

    @contextmanager
    def joined(self, *algorithms: int) -> Iterator[Socket]:
        """Connect and join, without refs as AlphaHub's own example does."""
        with self.connected() as socket:
            for each in algorithms or (16,):
                assert socket.join(each)[4] == OK
            yield socket


@contextmanager
def alphahub(prices: dict[str, Any] | None = None, **options: Any) -> Iterator[Venue]:
    """Serve a tape until the block is left, in lock-step unless told otherwise."""
    with Sandbox(Source(prices or {"SPY": [100.0, 101.0, 102.0]}), **options) as sandbox:
        yield Venue(sandbox)
