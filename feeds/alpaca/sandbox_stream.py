"""Alpaca's market data streams, served from the sandbox's market: the sockets, and what is played to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from feeds.alpaca.messages import Row, as_json, as_msgpack, from_json, from_msgpack
from feeds.alpaca.plans import Plan
from feeds.alpaca.subscriptions import CONNECTED, ENDPOINTS, Conversation, Endpoint, Told, error
from framework.sandbox.market import Market
from framework.sandbox.streams import ZOMBIE_SECONDS, Connection, Slots, is_text

FAULTS = {
    "stream_error": "answer a client's message on a data stream with an error (code, 500)",
    "stream_unanswered": "leave a client's message on a data stream without an answer",
    "handshake_refused": "answer a data stream's handshake with 429, as after too many",
}


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds of I/O time: what a client has to say who it is, and what one that does not read is waited for."""

    auth: float = 10.0
    slow: float = 5.0


WAITS = Waits()

Tick = Callable[[Endpoint], Coroutine[Any, Any, None]]
"""What goes on for as long as a client is on an endpoint."""


@dataclass(slots=True, eq=False)
class Client:
    """A socket and its conversation."""

    connection: Connection
    conversation: Conversation
    transport: asyncio.Transport
    is_msgpack: bool

    @property
    def is_behind(self) -> bool:
        """Whether bytes wait for it to read."""
        return self.transport.get_write_buffer_size() > 0

    def encoded(self, messages: list[Row]) -> str | bytes:
        """Return an array of messages as a frame."""
        return as_msgpack(messages) if self.is_msgpack else as_json(messages)

    def decoded(self, frame: str | bytes) -> Any:
        """Read a frame; what cannot be read is None, which no client may say."""
        try:
            return from_msgpack(frame) if self.is_msgpack else from_json(frame)
        except ValueError:
            return None


class Streams:
    """Every socket of the data side. Owned by the thread that serves the market."""

    def __init__(self, market: Market, plan: Plan, waits: Waits, connections: int, tick: Tick) -> None:
        self.market, self.plan, self.waits = market, plan, waits
        self._tick = tick
        self._clients: dict[Endpoint, dict[Client, None]] = {endpoint: {} for endpoint in ENDPOINTS}
        self._slots = {endpoint: Slots(connections) for endpoint in ENDPOINTS}
        market.faults.know(FAULTS)

    def routes(self) -> list[web.RouteDef]:
        """Return the venue's own paths."""
        return [web.get(endpoint.path, self._handler(endpoint), allow_head=False) for endpoint in ENDPOINTS]

    def wanted(self, endpoint: Endpoint, channel: str, symbol: str) -> bool:
        """Return whether any client wants a message of that channel and symbol."""
        return any(each.conversation.wants(channel, symbol) for each in self._clients[endpoint])

    async def send(self, endpoint: Endpoint, told: Iterable[Told], at: datetime) -> None:
        """Write to each client of an endpoint what it wants of some messages, in one frame."""
        if not self._clients[endpoint]:
            return
        messages = list(told)
        async with asyncio.TaskGroup() as sending:
            for client in list(self._clients[endpoint]):
                own = [each.message() for each in messages if client.conversation.wants(each.channel, each.symbol)]
                if own:
                    sending.create_task(self._send(client, own, at))

    async def _send(self, client: Client, messages: list[Row], at: datetime) -> None:
        frame = client.encoded(messages)
        sending = asyncio.ensure_future(client.connection.send(frame, len(messages), at=at.isoformat()))
        while not sending.done():
            await asyncio.wait({sending}, timeout=self.waits.slow)
            if not sending.done() and client.is_behind:
                sending.cancel()
                await self._cut_slow(client)
        if not sending.cancelled():
            sending.result()
        if client.connection.is_deaf:  # as a session whose other end is gone: its slot is free after a while
            asyncio.get_running_loop().call_later(ZOMBIE_SECONDS, client.connection.cut)

    async def _cut_slow(self, client: Client) -> None:
        """Tell a client that reads too slowly, which it may never read, and let it go."""
        telling = asyncio.ensure_future(client.connection.reply(client.encoded([error(407)])))
        await asyncio.wait({telling}, timeout=0)
        telling.cancel()
        client.connection.cut()

    def _handler(self, endpoint: Endpoint) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self.market.faults.take("handshake_refused", endpoint.stream):
                return web.Response(status=429, text="too many requests")
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await self._serve(endpoint, socket, request)
            return socket

        return handle

    async def _serve(self, endpoint: Endpoint, socket: web.WebSocketResponse, request: web.Request) -> None:
        connection = Connection(self.market, endpoint.stream, socket, request)
        slots = self._slots[endpoint]
        keys = (self.market.key, self.market.secret)
        conversation = Conversation(endpoint, self.plan, keys, lambda: slots.take(connection))
        is_msgpack = request.headers.get("Content-Type") == "application/msgpack"
        assert isinstance(request.transport, asyncio.Transport)
        client = Client(connection, conversation, request.transport, is_msgpack)
        self._clients[endpoint][client] = None
        ticking = asyncio.ensure_future(self._tick(endpoint))
        try:
            await self._greet(client, request)
            await self._converse(client, socket)
        except ConnectionError:
            pass  # cut while a ping was answered
        finally:
            ticking.cancel()
            self._clients[endpoint].pop(client, None)
            await self.market.audiences[endpoint.stream].discard(connection)
            if conversation.is_authenticated:
                connection.free(slots)

    async def _greet(self, client: Client, request: web.Request) -> None:
        await client.connection.reply(client.encoded([CONNECTED]))
        keys = [request.headers.get(name) for name in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")]
        if all(keys):
            await client.connection.reply(client.encoded([client.conversation.authenticate(*keys)]))

    async def _converse(self, client: Client, socket: web.WebSocketResponse) -> None:
        try:
            async with asyncio.timeout(self.waits.auth) as deadline:
                while True:
                    if client.conversation.is_settled:
                        deadline.reschedule(None)
                    frame = await socket.receive()
                    if not is_text(frame.type):
                        return
                    await self._answer(client, frame.data)
        except TimeoutError:
            await client.connection.reply(client.encoded([error(404)]))
            await socket.close()

    async def _answer(self, client: Client, frame: str | bytes) -> None:
        message = client.decoded(frame)
        action = message.get("action") if isinstance(message, dict) else None
        if fault := self.market.faults.take("stream_error", client.connection.stream, action=action):
            answer = error(int(fault.options.get("code", 500)))
        else:
            answer = client.conversation.receive(message)
        if not self.market.faults.take("stream_unanswered", client.connection.stream, action=action):
            await client.connection.reply(client.encoded([answer]))
        await self._count(client)

    async def _count(self, client: Client) -> None:
        """Let the market know who listens."""
        audience = self.market.audiences[client.connection.stream]
        if client.conversation.is_listening:
            await audience.add(client.connection)
        else:
            await audience.discard(client.connection)
