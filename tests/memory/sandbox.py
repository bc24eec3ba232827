"""The sandbox in a `MemoryLoop`: for drills in which a client and the venue share one loop and its virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Any

from aiohttp import web
from memory.loop import LoopClock

from brokers.algogene.sandbox import Algogene
from brokers.algogene.settings import Settings as AlgogeneSettings
from brokers.alpaca.book import Book
from brokers.alpaca.sandbox import AlpacaTrading
from brokers.alpaca.settings import Settings
from feeds.alpaca import sandbox as alpaca_data
from feeds.alphahub.sandbox import AlphaHub
from feeds.alphahub.sandbox_signals import Publication
from framework.app.sandbox import DAY, SYMBOLS, sample
from framework.live.transport import AioHttp
from framework.model import Split
from framework.ports import Source
from framework.sandbox.actions import Halted
from framework.sandbox.control import stepped
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market
from framework.sandbox.server import serving
from framework.sandbox.tape import Detail, Tape

KEY, SECRET = "MEMORYKEY", "memory-secret"


class MemorySandbox:
    """`framework.app.sandbox.Sandbox` in the running loop: in memory if that is a `MemoryLoop`, else on 127.0.0.1.

        async with MemorySandbox(source, seed=7) as sandbox:
            sandbox.fault("drop", stream="trade_updates")
            async with sandbox.http("Alpaca") as http: ...
            Socket("Alpaca", protocol, sandbox.clock, consume, jitter=sandbox.chance).run()

    `clock` is the session's, and the venue's I/O time: at its start, what the venue's own clock shows.
    Everything that is left to chance is drawn from `seed`.
    """

    def __init__(
        self,
        source: Source | Sequence[Source] | None = None,
        *,
        speed: float | None = 1.0,
        seed: int = 0,
        detail: Detail = Detail.BAR,
        settings: Settings | None = None,
        quotes: Iterable[Any] = (),
        halts: Iterable[Halted] = (),
        splits: Iterable[Split] = (),
        signals: Iterable[Publication] = (),
        limit: int | None = None,
        traded: AlgogeneSettings | None = None,
    ) -> None:
        self._traded = traded
        self._signals = tuple(signals)
        also = [each.at for each in self._signals]
        bars = source or sample(SYMBOLS, DAY, seed)
        tape = Tape(bars, detail=detail, quotes=quotes, halts=halts, splits=splits, also=also)
        loop = asyncio.get_running_loop()
        self.clock = LoopClock(loop, tape.starts_at)
        self.chance = Random(seed).random
        self.key, self.secret = KEY, SECRET
        self.market = Market(tape, speed=speed, seed=seed, key=KEY, secret=SECRET, io=self.clock)
        self._settings, self._limit = settings, limit
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> MemorySandbox:
        dialects = [self._data, self._alphahub, self._trading, self._algogene]
        self.url = await self._stack.enter_async_context(serving(self.market, dialects))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def book(self) -> Book:
        """The venue's own book of orders, positions and cash."""
        return self.trading.book

    def _data(self, market: Market) -> list[web.RouteDef]:
        return alpaca_data.routes(market, limit=self._limit)

    def _alphahub(self, market: Market) -> list[web.RouteDef]:
        self.alphahub = AlphaHub(market, self._signals)
        return self.alphahub.routes()

    def _trading(self, market: Market) -> list[web.RouteDef]:
        self.trading = AlpacaTrading(market, self._settings, self._limit)
        return self.trading.routes()

    def _algogene(self, market: Market) -> list[web.RouteDef]:
        self.algogene = Algogene(market, self._traded)
        return self.algogene.routes()

    @property
    def websocket(self) -> str:
        """The URL for streams: ws:// in place of http://."""
        return self.url.replace("http", "ws", 1)

    def http(self, name: str = "Alpaca", **options: Any) -> AioHttp:
        """Return a transport on the session's clock; use it in an `async with`."""
        return AioHttp(name, self.clock, jitter=self.chance, **options)

    async def step(self, count: int = 1) -> dict[str, Any]:
        """Play instants of a lock-step market; return what `POST /_sandbox/step` answers."""
        return await stepped(self.market, count)

    async def publish(self, algorithm: int, **lists: Any) -> dict[str, Any]:
        """Let an AlphaHub algorithm publish now; return what `POST /_sandbox/signals` answers."""
        return await self.alphahub.publish({"algorithm": algorithm, **lists})

    def fault(self, name: str, **options: Any) -> Fault:
        """Arm a fault, such as `fault("drop", stream="trade_updates")`; raise `ConfigError` for an unknown one."""
        return self.market.faults.arm(name, **options)

    def random_faults(self, seed: int, rate: float, *names: str) -> None:
        """Let each chance of a fault happen with probability `rate`, the same for the same seed."""
        self.market.faults.at_random(seed, rate, names)

    async def attend(self, stream: str, count: int = 1) -> None:
        """Wait until so many clients listen to a stream; with 0, until none does."""
        await self.market.audiences[stream].attend(count)

    def hang_up(self, stream: str) -> None:
        """Cut the connections of all who listen to a stream."""
        self.market.audiences[stream].cut()
