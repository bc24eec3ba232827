"""How fast the sandbox takes orders and sends events, beside an aiohttp server that does nothing.

    python benchmarks/sandbox.py [--orders 2000] [--at-once 50]

Each server runs in a process of its own; one client, in this process, sends the orders over a pool of
connections, listens to `/stream`, then cancels all at once. The empty server answers every POST with an
order that was made beforehand, and sends the same frame as often.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

ORDER = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "1.5"}


@dataclass(frozen=True)
class Figures:
    """What one server did in a second."""

    name: str
    orders: float
    events: float


@contextmanager
def process(*command: str) -> Iterator[dict[str, str]]:
    """Run a server; yield its first line."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield json.loads(running.stdout.readline())
        finally:
            running.terminate()


@asynccontextmanager
async def listening(client: aiohttp.ClientSession, server: dict[str, str]) -> AsyncIterator[Any]:
    async with client.ws_connect(server["url"] + "/stream", max_msg_size=0) as socket:
        await socket.send_json({"action": "auth", "key": server["key"], "secret": server["secret"]})
        await socket.receive()
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        await socket.receive()
        yield socket


async def measured(name: str, server: dict[str, str], orders: int, at_once: int) -> Figures:
    """Send orders, so many at once; then cancel all, and read an event for each."""
    headers = {"APCA-API-KEY-ID": server["key"], "APCA-API-SECRET-KEY": server["secret"]}
    pool = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(server["url"], headers=headers, connector=pool) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(_some(client, orders // at_once) for _ in range(at_once)))
        taken = time.perf_counter() - begun
        async with listening(client, server) as socket:
            begun = time.perf_counter()
            cancelled = asyncio.ensure_future(client.delete("/v2/orders"))
            for _ in range(orders // at_once * at_once):
                await socket.receive()
            sent = time.perf_counter() - begun
            (await cancelled).close()
    count = orders // at_once * at_once
    return Figures(name, count / taken, count / sent)


async def _some(client: aiohttp.ClientSession, count: int) -> None:
    for _ in range(count):
        async with client.post("/v2/orders", json=ORDER) as answer:
            await answer.read()
            assert answer.status == 200, await answer.text()


def empty(count: int) -> None:
    """Serve nothing: an order that is always the same, and as many frames as were asked for."""
    from aiohttp import web

    order = json.dumps({"id": "x" * 36, "filler": "x" * 1_100}).encode()
    sockets: list[web.WebSocketResponse] = []

    async def post(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=order, content_type="application/json")

    async def delete(_: web.Request) -> web.Response:
        for _number in range(count):
            await sockets[-1].send_bytes(order)
        return web.Response(status=207)

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            await socket.send_bytes(b"{}")
        return socket

    async def serve() -> None:
        app = web.Application()
        app.add_routes([web.post("/v2/orders", post), web.delete("/v2/orders", delete), web.get("/stream", stream)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        print(json.dumps({"url": f"http://127.0.0.1:{port}", "key": "", "secret": ""}), flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--empty", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.empty is not None:
        empty(options.empty)
        return
    sandbox = ("-m", "framework.app.main", "sandbox", "--lockstep")
    with tempfile.TemporaryDirectory() as folder:
        servers = {
            "an empty aiohttp server": (__file__, "--empty", str(options.orders)),
            "the sandbox": sandbox,
            "the sandbox, with a state file": (*sandbox, "--state", f"{folder}/state"),
        }
        for name, command in servers.items():
            with process(*command) as server:
                found = asyncio.run(measured(name, server, options.orders, options.at_once))
            print(f"{found.name:32} {found.orders:8,.0f} orders/s {found.events:9,.0f} events/s", flush=True)


if __name__ == "__main__":
    main()
