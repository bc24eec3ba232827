"""The sandbox's ALGOGENE in memory: what takes hours, on virtual time, with our own session, socket and minutes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from memory.loop import run
from memory.sandbox import MemorySandbox
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from brokers.algogene.lookups import balance
from brokers.algogene.protocol import Endpoint
from brokers.algogene.sandbox_records import ACCOUNT
from feeds.algogene.history import history
from feeds.algogene.minutes import MinuteBuilder
from feeds.algogene.protocol import Session
from feeds.algogene.quotes import BrokerQuote
from feeds.algogene.stream import PriceStream
from framework.app.sandbox import sample
from framework.config import Credentials
from framework.live.socket import Socket
from framework.live.stream import Link, LinkState
from framework.model import MINUTE, Bar

Scene = Callable[[MemorySandbox], Awaitable[Any]]


def played(scene: Scene) -> Any:
    """Play a scene on a day of sample bars and return what it returns."""

    async def play() -> Any:
        async with MemorySandbox(sample(("SPY",), "2026-10-05"), seed=3) as sandbox:
            return await scene(sandbox)

    return run(play())


class Listener:
    """Our price socket, and the minutes that are built of what it brings."""

    def __init__(self, sandbox: MemorySandbox, broker: str = "") -> None:
        self.sandbox, self.builder = sandbox, MinuteBuilder()
        self.bars: list[tuple[str, Bar]] = []
        self.links: list[LinkState] = []
        credentials = Credentials(sandbox.key, sandbox.secret)
        self.stream = PriceStream(credentials, ["SPY"], broker, sandbox.url)
        self.socket = Socket("ALGOGENE", self.stream, sandbox.clock, self.consume, jitter=sandbox.chance)

    async def consume(self, item: Any) -> None:
        now = self.sandbox.clock.now()
        if isinstance(item, Link):
            self.links.append(item.state)
            self.builder.begin(now)
        elif isinstance(item, BrokerQuote):
            done = self.builder.take(item, now)
            self.bars += done if isinstance(done, tuple) else ()

    async def listen(self, seconds: float) -> None:
        """Listen for so long, and tell each minute a second after its end."""
        task = asyncio.create_task(self.socket.run())
        until = self.sandbox.clock.monotonic() + seconds
        while self.sandbox.clock.monotonic() < until and not task.done():
            await self.sandbox.clock.sleep(1.0)
            self.bars += self.builder.due(self.sandbox.clock.now())
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def is_as_played(sandbox: MemorySandbox, bar: Bar) -> bool:
    own = sandbox.market.tape.ended("SPY", bar.end)
    return own is not None and (own.open, own.high, own.low, own.close) == (bar.open, bar.high, bar.low, bar.close)


def test_minutes_built_of_quotes_are_those_of_the_tape() -> None:
    """An hour of them, each once, price by price: a backtest over the tape sees the same."""

    async def scene(sandbox: MemorySandbox) -> None:
        listener = Listener(sandbox)
        await listener.listen(3605)
        ends = [bar.end for _, bar in listener.bars]
        assert ends == [each.end for each in _ended(sandbox)]
        assert all(is_as_played(sandbox, bar) for _, bar in listener.bars)
        assert listener.links == [LinkState.CONNECTED]

    played(scene)


def _ended(sandbox: MemorySandbox) -> list[Bar]:
    tape, found, at = sandbox.market.tape, list[Bar](), sandbox.market.tape.starts_at
    while (instant := tape.after(at)) is not None and instant.at <= sandbox.market.played_at:
        found += instant.bars
        at = instant.at
    return found


def test_through_every_fault_no_wrong_minute_is_told() -> None:
    """Lines that break and fall mute, quotes that stand still or go back, other brokers: a bar is right or missing."""

    async def scene(sandbox: MemorySandbox) -> int:
        names = (
            "drop",
            "mute",
            "no_price",
            "backward_timestamps",
            "interleaved_brokers",
            "missing_ping",
            "frozen_quotes",
        )
        sandbox.random_faults(7, 0.02, *names)
        listener = Listener(sandbox)
        await listener.listen(4 * 3600)
        own = [bar for broker, bar in listener.bars if broker == "ALGOGENE"]
        assert [each.end for each in own] == sorted({each.end for each in own})
        assert all(min(own_range(sandbox, bar)) <= bar.close <= max(own_range(sandbox, bar)) for bar in own)
        assert LinkState.RECONNECTED in listener.links
        return len(own)

    assert played(scene) > 100


def own_range(sandbox: MemorySandbox, bar: Bar) -> tuple[float, float]:
    """Return what the symbol traded at in a minute."""
    own = sandbox.market.tape.ended("SPY", bar.end)
    assert own is not None
    return own.low, own.high


def test_a_day_needs_few_sessions_and_no_request_is_refused() -> None:
    """Tokens are renewed before their hour is over: a question a minute for six hours, seven logins, no 401."""

    async def scene(sandbox: MemorySandbox) -> None:
        session = Session(Credentials(sandbox.key, sandbox.secret), sandbox.clock.monotonic, sandbox.url)
        async with sandbox.http("ALGOGENE", limit=None) as http:
            for _ in range(360):
                await http.send(balance(Endpoint(session, ACCOUNT)))
                await sandbox.clock.sleep(60)
        requests = sandbox.market.requests
        assert requests["algogene_logins"] == 7
        assert requests["algogene_api"] == 360 + 7

    played(scene)


def test_history_is_asked_for_in_pages() -> None:
    """Ten days of bitcoin, round the clock: as many minutes as there are, in order."""

    async def scene(sandbox: MemorySandbox) -> None:
        session = Session(Credentials(sandbox.key, sandbox.secret), sandbox.clock.monotonic, sandbox.url)
        async with sandbox.http("ALGOGENE", limit=None) as http:
            now = sandbox.market.now()
            bars = await http.send(history(session, "BTCUSD", MINUTE, None, now, most=2500))
            board = sandbox.algogene.book.board
            known = board.known("BTCUSD", now)[-2500:]
        assert (bars.end == known.end).all()
        assert (bars.close == known.close).all()
        assert sandbox.market.requests["algogene_api"] == 3

    played(scene)


def test_who_does_not_answer_pings_is_hung_up_on() -> None:
    """After two of them, thirty seconds apart; ours answers."""

    async def scene(sandbox: MemorySandbox) -> float:
        async with connect(f"{sandbox.websocket}/ws", proxy=None, ping_interval=None) as socket:
            begun = sandbox.clock.monotonic()
            told = [json.loads(await socket.recv()) for _ in range(2)]
            assert told == [{"status": True, "msg_id": 0, "msg": "server ping"}] * 2
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return sandbox.clock.monotonic() - begun

    assert 59 < played(scene) < 62
