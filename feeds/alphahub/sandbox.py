"""AlphaHub on loopback, as a dialect of the sandbox: `routes(market)` mounts it.

Sessions and history are in `sandbox_rest`, the Phoenix socket in `sandbox_socket`; here is what is published: what
belongs to the tape, at its instants, and what a script publishes, at once.

POST /_sandbox/signals   {"algorithm": 16, "open": [{"symbol": "SPY", "side": "buy"}], "close": [...], "quirks": [...]}
GET  /_sandbox/signals   {"signals": [...]}, all that was published, the oldest first

What is pushed and what history tells are the same publications: history has each as soon as it is published, also
those that are late or missing on the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from feeds.alphahub.sandbox_rest import Rest
from feeds.alphahub.sandbox_sessions import LIFETIMES, Lifetimes, Session, Sessions
from feeds.alphahub.sandbox_signals import Publication, kept, read
from feeds.alphahub.sandbox_socket import STREAM, Sockets
from framework.sandbox.control import body_of, kindly
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market
from framework.sandbox.tape import Instant

NAME = "alphahub"

ANYONE = {"email": "anyone@example.com", "password": "no-real-password"}
"""Credentials that log in, as any do that are not empty. No word of a sentence: a journal refuses what holds one."""

FAULTS = {
    "late_signals": "push a publication late (seconds of venue time, 30; in lock-step with the next instant by then)",
    "duplicate_signals": "push a publication twice",
    "missing_signals": "never push a publication: history has it",
}


def routes(market: Market, signals: Iterable[Publication] = (), lifetimes: Lifetimes = LIFETIMES) -> list[web.RouteDef]:
    """Let AlphaHub join a market, and return its paths; `signals` are published at their instants.

    Those from before the tape's start are in its history. Raise `ConfigError` for an item whose price is not known.
    """
    return AlphaHub(market, signals, lifetimes).routes()


@dataclass(frozen=True, slots=True)
class _Due:
    """A publication that is pushed from a time on, and not late again."""

    at: datetime
    publication: Publication


class AlphaHub:
    """The dialect over one market. Owned by the thread that serves it."""

    name = NAME

    def __init__(self, market: Market, signals: Iterable[Publication] = (), lifetimes: Lifetimes = LIFETIMES) -> None:
        self.market = market
        self.sessions = Sessions(market.secret, lifetimes)
        self.sockets = Sockets(market, self.sessions)
        self.published: list[Publication] = []
        self.rest = Rest(market, self.sessions, self.published, self._commit)
        self._scheduled = sorted((each.filled(self._price) for each in signals), key=lambda each: each.at)
        self._pending: list[Publication] = []
        self._due: list[_Due] = []
        self._writing = asyncio.Lock()
        self._woken: set[asyncio.Task[None]] = set()
        market.faults.know(FAULTS)
        market.join(self)
        self._publish_until(market.played_at)
        self.forget()

    def routes(self) -> list[web.RouteDef]:
        """Return the venue's own paths, and those of a script that publishes."""
        return [
            *self.rest.routes(),
            web.get("/socket/websocket", self.sockets.serve, allow_head=False),
            web.post("/_sandbox/signals", kindly(self._posted)),
            web.get("/_sandbox/signals", self._shown, allow_head=False),
        ]

    async def publish(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Publish what a user wrote, now; return it when it is written, with how many channels were open for it.

        Raise `ConfigError` for what cannot be published.
        """
        publication = read(body, self.market.now()).filled(self._price)
        channels = self.sockets.on(publication.topic)
        self._publish(publication)
        self.market.record(NAME, {"do": "publish", **publication.body()})
        await self.market.synced()
        await self.flush()
        return {**publication.body(), "channels": channels}

    # As the market sees it

    def play(self, instant: Instant) -> None:
        """Publish what is due at an instant."""
        self._publish_until(instant.at)

    async def flush(self) -> None:
        """Push what waits, each as a fault would have it."""
        async with self._writing:
            pending, self._pending = self._pending, []
            for each in self._take_due():
                await self.sockets.tell(each)
            for each in pending:
                await self._pass(each)

    def restore(self, body: Mapping[str, Any]) -> None:
        """Do again what was recorded."""
        if body["do"] == "publish":
            self._publish(kept(body))
        else:
            self.sessions.do(body)

    def forget(self) -> None:
        """Drop what was published before the restart: it was pushed then, or missed."""
        self._pending.clear()

    def _commit(self, body: Mapping[str, Any]) -> Session | None:
        session = self.sessions.do(body)
        self.market.record(NAME, body)
        return session

    # Publishing

    def _publish_until(self, at: datetime) -> None:
        while self._scheduled and self._scheduled[0].at <= at:
            self._publish(self._scheduled.pop(0))

    def _publish(self, publication: Publication) -> None:
        self.published.append(publication)
        self._pending.append(publication)

    def _price(self, symbol: str, at: datetime) -> float | None:
        """Return what a symbol was last traded at by then; before its first bar, what that opens at."""
        tape = self.market.tape
        if symbol not in tape.symbols:
            return None
        last = tape.last(symbol, at)
        return float(tape.bars[symbol].open[0]) if last is None else last.close

    async def _pass(self, publication: Publication) -> None:
        if self._take("missing_signals", publication):
            return
        if late := self._take("late_signals", publication):
            self._hold(_Due(publication.at + timedelta(seconds=late.seconds(30)), publication))
            return
        for _ in range(2 if self._take("duplicate_signals", publication) else 1):
            await self.sockets.tell(publication)

    def _take(self, name: str, publication: Publication) -> Fault | None:
        return self.market.faults.take(name, STREAM, algorithm=publication.algorithm)

    def _take_due(self) -> list[Publication]:
        now = self.market.now()
        due = sorted((each for each in self._due if each.at <= now), key=lambda each: each.at)
        self._due = [each for each in self._due if each.at > now]
        return [each.publication for each in due]

    def _hold(self, due: _Due) -> None:
        self._due.append(due)
        if self.market.clock.speed is not None:
            task = asyncio.get_running_loop().create_task(self._wake(due.at))
            self._woken.add(task)
            task.add_done_callback(self._woken.discard)

    async def _wake(self, at: datetime) -> None:
        await self.market.clock.until(at)
        await self.flush()

    # A script that publishes

    async def _posted(self, request: web.Request) -> web.Response:
        return web.json_response(await self.publish(await body_of(request)))

    async def _shown(self, _: web.Request) -> web.Response:
        return web.json_response({"signals": [each.body() for each in self.published]})
