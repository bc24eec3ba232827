"""A proxy in front of a sandbox's order updates, and one in front of an account that says what it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox_client import Rest
from websockets.sync.server import ServerConnection, serve

from feeds.alpaca.waits import Waits
from framework.app.proxy import Proxy
from framework.app.sandbox import Sandbox
from framework.live.stream import Pace

PACE = Pace(connect=15.0, first_wait=0.01, longest_wait=0.05)
QUICK = Waits(pace=PACE)
WAIT = 15.0


class Front:
    """What local programs see (`proxy`), and what is behind it."""

    def __init__(self, proxy: Proxy, sandbox: Sandbox) -> None:
        self.proxy, self.sandbox, self.rest = proxy, sandbox, Rest(sandbox)

    def figures(self) -> Mapping[str, float]:
        return self.proxy.figures().get("/stream", {})

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the proxy does by itself."""
        limit = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < limit, self.proxy.remarks
            threading.Event().wait(0.002)


@contextmanager
def proxied(sandbox: Sandbox, **settings: Any) -> Iterator[Front]:
    """Serve a proxy until the block is left."""
    given = {"waits": QUICK, "key": sandbox.key, "secret": sandbox.secret, **settings}
    with Proxy(upstream=sandbox.url, **given) as proxy:
        yield Front(proxy, sandbox)


class Teller:
    """An account's stream that lets everybody in, or nobody, and says what it is told to."""

    key, secret = "PK-of-the-teller", "secret-of-the-teller"

    def __init__(self, status: str = "authorized") -> None:
        self._status = status
        self._server = serve(self._talk, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever, name="teller")
        self._sockets: list[ServerConnection] = []

    def __enter__(self) -> Teller:
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def tell(self, data: Any) -> None:
        """Send an update."""
        for each in self._sockets:
            each.send(json.dumps({"stream": "trade_updates", "data": data}).encode())

    def _talk(self, socket: ServerConnection) -> None:
        path = socket.request.path if socket.request else ""
        for frame in socket:
            if path != "/stream":
                continue
            action = json.loads(frame)["action"]
            if action == "listen":
                self._sockets.append(socket)
                answer = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
            else:
                answer = {"stream": "authorization", "data": {"status": self._status, "action": action}}
            socket.send(json.dumps(answer).encode())
