"""`/stream`: Alpaca's stream of order updates, JSON in binary frames, with its faults.

Source: Alpaca's page on websocket streaming for trading. A client authenticates, then listens to
streams; the last list of streams is the one that counts. There is no replay.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from brokers.alpaca.book import Book
from brokers.alpaca.settings import Update
from framework.sandbox import streams
from framework.sandbox.market import Market
from framework.sandbox.streams import Connection, Slots

STREAM = "trade_updates"

FAULTS = {
    "duplicate": "an update is sent twice, with the same execution_id",
    "missing": "an update is never sent",
    "late": "an update is held back while others pass (seconds)",
    "reordered": "an update is sent after the next one",
    "null_data": "a message whose data is null is sent before the update",
    "silent_sibling": "the end of a held leg whose sibling filled is not told",
    **streams.FAULTS,
}


class TradeStream:
    """The clients that listen, and the updates on their way to them."""

    def __init__(self, market: Market, book: Book, connections: int = 1) -> None:
        self.market, self.book = market, book
        self.slots = Slots(connections)
        self._audience = market.audiences[STREAM]
        self._behind: list[Update] = []
        self._late: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Hold one client's conversation."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(self.market, STREAM, socket, request)
        try:
            async for frame in socket:
                if streams.is_text(frame.type):
                    await self._hear(connection, frame.data)
        except ConnectionError:
            pass  # cut while a ping was answered
        finally:
            await self._audience.discard(connection)
            connection.free(self.slots)
        return socket

    async def flush(self) -> None:
        """Send the updates that wait, each as a fault would have it."""
        async with self._writing:
            while self.book.updates:
                await self._pass(self.book.updates.pop(0))
            while self._behind:
                await self._send(self._behind.pop(0))

    async def _hear(self, connection: Connection, said: str | bytes) -> None:
        try:
            message = json.loads(said)
            action, data = str(message["action"]), message.get("data") or {}
        except (ValueError, TypeError, KeyError, AttributeError):
            await self._reply(connection, "error", {"error": "invalid message"})
            return
        if action in ("authenticate", "auth"):
            given = (data.get("key_id", message.get("key")), data.get("secret_key", message.get("secret")))
            await self._authenticate(connection, given)
        elif action == "listen":
            await self._listen(connection, data.get("streams") or [])
        else:
            await self._reply(connection, "error", {"error": f"unknown action: {action}"})

    async def _authenticate(self, connection: Connection, given: tuple[Any, Any]) -> None:
        answer = {"status": "unauthorized", "action": "authenticate"}
        if given != (self.market.key, self.market.secret):
            await self._reply(connection, "authorization", answer)
        elif not self.slots.take(connection):
            # The socket stays open, as Alpaca's data stream leaves it: the client may try again on it.
            await self._reply(
                connection, "authorization", {**answer, "code": 406, "message": "connection limit exceeded"}
            )
        else:
            connection.is_known = True
            await self._reply(connection, "authorization", {**answer, "status": "authorized"})

    async def _listen(self, connection: Connection, wanted: list[str]) -> None:
        if not connection.is_known:
            await self._reply(connection, "authorization", {"status": "unauthorized", "action": "listen"})
            return
        known = [each for each in wanted if each == STREAM]
        await self._audience.discard(connection)
        await self._reply(connection, "listening", {"streams": known})
        if known:
            await self._audience.add(connection)

    async def _reply(self, connection: Connection, stream: str, data: dict[str, Any]) -> None:
        await connection.reply(json.dumps({"stream": stream, "data": data}).encode())

    async def _pass(self, update: Update) -> None:
        take = self.market.faults.take
        facts = {"event": update.event, "symbol": update.order["symbol"]}
        if update.is_silent_sibling and take("silent_sibling", STREAM, **facts):
            return
        if take("missing", STREAM, **facts):
            return
        if take("reordered", STREAM, **facts):
            self._behind.append(update)
            return
        if late := take("late", STREAM, **facts):
            self._hold(update, late.seconds(1.0))
            return
        if take("null_data", STREAM, **facts):
            await self._write({"stream": STREAM, "data": None}, facts)
        for _ in range(2 if take("duplicate", STREAM, **facts) else 1):
            await self._send(update)
        while self._behind:
            await self._send(self._behind.pop(0))

    def _hold(self, update: Update, seconds: float) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            await self._send(update)

        task = asyncio.get_running_loop().create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _send(self, update: Update) -> None:
        facts = {"event": update.event, "symbol": update.order["symbol"]}
        await self._write({"stream": STREAM, "data": update.shown()}, facts)

    async def _write(self, message: dict[str, Any], facts: dict[str, Any]) -> None:
        frame = json.dumps(message).encode()
        for connection in self._audience:
            if isinstance(connection, Connection):
                await connection.send(frame, **facts)
