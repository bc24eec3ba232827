"""`/ws` in the sandbox: ALGOGENE's prices, pings, and what goes wrong with them.

Each bar is told as four quotes inside of it. Who has not answered two pings is closed, which is a guess; so is what is
said to a subscription, to a good one and to a bad one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aiohttp import WSMsgType, web

from brokers.algogene.sandbox_board import Board
from brokers.algogene.sandbox_entries import BROKER
from brokers.algogene.sandbox_prices import shown
from feeds.algogene.quotes import PING, SUBSCRIBE
from framework.model import Bar, Quote
from framework.sandbox import streams
from framework.sandbox.market import Market
from framework.sandbox.streams import ZOMBIE_SECONDS, Connection, is_text

STREAM = "algogene"
"""The name of the socket, for faults and in the counts: of the quotes, one for each client that is told."""

OTHER = "OANDA"
"""Whose quotes come in between, far from the others."""

EVERY = 30.0
"""I/O seconds between two pings."""

FAULTS = {
    **{name: text for name, text in streams.FAULTS.items() if name != "zombie"},  # there is no limit of connections
    "frozen_quotes": "a symbol's quotes of a minute stay what they were before, times and all",
    "interleaved_brokers": "another broker's quotes of a symbol come in between, at other prices",
    "backward_timestamps": "a quote from before comes again, at another price",
    "missing_ping": "a ping is not sent",
    "no_price": "a frame that is no JSON comes before a symbol's quotes",
}


class Client:
    """One socket and what it has asked for."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.symbols: tuple[str, ...] = ()
        self.broker = ""
        self.unanswered = 0


class Sockets:
    """All clients of `/ws`. Owned by the thread that serves the market."""

    def __init__(self, market: Market, board: Board) -> None:
        self.market, self.board = market, board
        self.told: dict[str, Quote] = {}
        """The last quote that was told of each symbol."""
        self._clients: dict[Client, None] = {}
        market.faults.know(FAULTS)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The symbols that anyone follows."""
        return tuple(dict.fromkeys(name for each in self._clients for name in each.symbols))

    async def tell(self, bar: Bar) -> None:
        """Tell a bar's quotes, or what faults make of them, to all who follow its symbol."""
        take = self.market.faults.take
        is_garbage = take("no_price", STREAM, symbol=bar.symbol)
        quotes = list(self._quotes(bar))
        for client in [each for each in self._clients if bar.symbol in each.symbols]:
            if is_garbage:
                await client.connection.reply("no price")
            for broker, quote in quotes:
                if client.broker in ("", broker) or (broker == BROKER and client.broker != OTHER):
                    frame = json.dumps(shown(quote, client.broker or broker))
                    await client.connection.send(frame, symbol=bar.symbol)

    def _quotes(self, bar: Bar) -> Iterator[tuple[str, Quote]]:
        take, name = self.market.faults.take, bar.symbol
        quotes = self.board.quotes(bar)
        if name in self.told and take("frozen_quotes", STREAM, symbol=name):
            quotes = [self.told[name]] * len(quotes)
        is_mixed, is_backward = (
            take(fault, STREAM, symbol=name) for fault in ("interleaved_brokers", "backward_timestamps")
        )
        for quote in quotes:
            yield BROKER, quote
            if is_mixed:
                early = quote.at + timedelta(milliseconds=1)
                yield OTHER, replace(quote, at=early, bid=quote.bid * 0.99, ask=quote.ask * 1.01)
        self.told[name] = quotes[-1]
        if is_backward:
            yield BROKER, replace(quotes[-1], at=quotes[-1].at - timedelta(seconds=13), bid=quotes[-1].bid * 0.9)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one client's conversation."""
        self.market.requests[STREAM] += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = Client(Connection(self.market, STREAM, socket, request))
        self._clients[client] = None
        pinging = asyncio.create_task(self._ping(client, socket))
        try:
            while is_text((frame := await socket.receive()).type):
                await self._hear(client, socket, frame.data if frame.type is WSMsgType.TEXT else "")
        except ConnectionError:
            pass  # cut while something was answered
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
            self._clients.pop(client, None)
            await self.market.audiences[STREAM].discard(client.connection)
        return socket

    async def _hear(self, client: Client, socket: web.WebSocketResponse, frame: str) -> None:
        said = _object(frame)
        if said.get("msg_id") == PING:
            client.unanswered = 0
        elif said.get("msg_id") == SUBSCRIBE:
            await self._subscribe(client, socket, said)
        if half := self.market.faults.take("half_closed", STREAM):
            client.connection.go_deaf(half.seconds(ZOMBIE_SECONDS))

    async def _subscribe(self, client: Client, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        symbols = said.get("symbols")
        if (said.get("user"), said.get("api_key")) != (self.market.key, self.market.secret):
            await self._refuse(client, socket, "Invalid user or api_key")
        elif not isinstance(symbols, list) or not all(each in self.board.names for each in symbols):
            await self._refuse(client, socket, "Invalid symbols")
        else:
            client.symbols, client.broker = tuple(symbols), str(said.get("broker") or "")
            await client.connection.reply(_message(SUBSCRIBE, "subscribed"))
            await self.market.audiences[STREAM].add(client.connection)

    async def _refuse(self, client: Client, socket: web.WebSocketResponse, why: str) -> None:
        await client.connection.reply(_message(SUBSCRIBE, why, is_ok=False))
        await socket.close()

    async def _ping(self, client: Client, socket: web.WebSocketResponse) -> None:
        with contextlib.suppress(ConnectionError):
            while client.unanswered < 2:
                await asyncio.sleep(EVERY)
                client.unanswered += 1
                if not self.market.faults.take("missing_ping", STREAM):
                    await client.connection.reply(_message(PING, "server ping"))
            await socket.close()


def _message(number: int, text: str, *, is_ok: bool = True) -> str:
    return json.dumps({"status": is_ok, "msg_id": number, "msg": text})


def _object(frame: str) -> dict[str, Any]:
    try:
        said = json.loads(frame)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
