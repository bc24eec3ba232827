"""The processes of `proxy.py`: an upstream that says what it is told to, and three servers between it and clients.

    python benchmarks/proxy_parts.py feeder
    python benchmarks/proxy_parts.py ours|broadcast|each URL

Each prints one line of JSON with its port (and what a client shows), and ends with its standard input. The feeder
obeys lines of JSON on it: {"count", "batch", "rate"}, as fast as it is read where the rate is 0.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from feeds.alpaca.messages import as_msgpack, from_msgpack
from feeds.alpaca.plans import PAID
from feeds.alpaca.proxy.frames import Codec, framed
from feeds.alpaca.subscriptions import CONNECTED, ENDPOINTS, Conversation
from framework.app.proxy_opening import Settings, opened

KEY, SECRET = "PKBENCH", "of-the-benchmark"
AUTH = {"action": "auth", "key": KEY, "secret": SECRET}
EVERYTHING = {"action": "subscribe", "trades": ["*"]}
END = "ENDMARK"
AHEAD = 1 << 20
"""Bytes that the feeder writes ahead of its reader."""


def trade(number: int, symbol: str = "SPY") -> dict[str, Any]:
    at = msgpack.Timestamp(1_775_000_000, number % 1_000_000_000)
    return {"T": "t", "S": symbol, "i": number, "x": "V", "p": 512.25, "s": 100, "c": ["@"], "t": at, "z": "A"}


def frame(*rows: dict[str, Any]) -> bytes:
    return framed(as_msgpack(rows), Codec.MSGPACK)


async def lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def say(**told: Any) -> None:
    print(json.dumps(told), flush=True)


class Feeder:
    """The upstream: Alpaca's dialect, and every connection is told all."""

    def __init__(self) -> None:
        self.listeners: set[ServerConnection] = set()

    async def talk(self, socket: ServerConnection) -> None:
        conversation = Conversation(ENDPOINTS[0], PAID, (KEY, SECRET), lambda: True)
        await socket.send(as_msgpack([CONNECTED]))
        with suppress(ConnectionClosed):  # clients leave without a word
            async for said in socket:
                await socket.send(as_msgpack([conversation.receive(from_msgpack(said))]))
                if conversation.is_listening:
                    self.listeners.add(socket)
        self.listeners.discard(socket)

    async def feed(self, count: int, batch: int, rate: float) -> None:
        frames = [] if rate else [frame(*[trade(at + each) for each in range(batch)]) for at in range(0, count, batch)]
        began = time.monotonic()
        for at in range(0, count, batch):
            if rate and (left := began + at / rate - time.monotonic()) > 0:
                await asyncio.sleep(left)
            stamped = frames[at // batch] if frames else frame(*[trade(time.monotonic_ns())] * batch)
            await self._write(stamped)
        await self._write(frame(trade(0, END)))

    async def _write(self, content: bytes) -> None:
        for each in self.listeners:
            each.transport.write(content)
            while each.transport.get_write_buffer_size() > AHEAD:
                await asyncio.sleep(0.0005)


async def feeder() -> None:
    feeding = Feeder()
    async with serve(feeding.talk, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        say(port=server.sockets[0].getsockname()[1])
        reader = await lines()
        while line := await reader.readline():
            await feeding.feed(**json.loads(line))


async def ours(url: str) -> None:
    settings = Settings(upstream=url, key=KEY, secret=SECRET, limit=0, budget=1 << 28)
    async with opened(settings, lambda text: None) as proxy:
        running = asyncio.create_task(proxy.server.run())
        say(port=int(proxy.url.rpartition(":")[2]), **proxy.keys)
        await (await lines()).read()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def entered(url: str) -> ClientConnection:
    """Connect upstream as both peers do, and listen to everything."""
    headers = {"Content-Type": "application/msgpack"}
    address = url.replace("http", "ws", 1) + "/v2/iex"
    upstream = await connect(address, additional_headers=headers, compression=None, ping_interval=None)
    await upstream.recv()
    for message in (AUTH, EVERYTHING):
        await upstream.send(as_msgpack(message))
        await upstream.recv()
    return upstream


async def peer(url: str, relay: Callable[[ClientConnection, set[ServerConnection]], Coroutine[Any, Any, None]]) -> None:
    """Serve whoever connects with whatever comes: no login, no lists."""
    clients: set[ServerConnection] = set()

    async def talk(socket: ServerConnection) -> None:
        clients.add(socket)
        await socket.send(as_msgpack([{"T": "subscription"}]))
        await socket.wait_closed()
        clients.discard(socket)

    upstream = await entered(url)
    async with serve(talk, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        relaying = asyncio.create_task(relay(upstream, clients))
        say(port=server.sockets[0].getsockname()[1])
        await (await lines()).read()
        relaying.cancel()


async def by_broadcast(upstream: ClientConnection, clients: set[ServerConnection]) -> None:
    async for content in upstream:
        broadcast(clients, content)


async def each_in_turn(upstream: ClientConnection, clients: set[ServerConnection]) -> None:
    """As the original agent: messages into a queue that is polled, packed and awaited for each client."""
    waiting: deque[Any] = deque()

    async def receive() -> None:
        async for content in upstream:
            waiting.extend(msgpack.unpackb(content))

    receiving = asyncio.create_task(receive())
    while not receiving.done():
        if not waiting:
            await asyncio.sleep(0.05)
            continue
        message = waiting.popleft()
        for client in list(clients):
            with suppress(ConnectionClosed):
                await client.send(as_msgpack([message]))


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    jobs = {
        "feeder": feeder,
        "ours": lambda: ours(*rest),
        "broadcast": lambda: peer(*rest, by_broadcast),
        "each": lambda: peer(*rest, each_in_turn),
    }
    asyncio.run(jobs[what]())
