"""A small client of the memory sandbox, of the shipped parts: both sockets, orders over HTTP, all it heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from memory.sandbox import MemorySandbox

from brokers.alpaca import stream as trading
from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.exchanges import submit
from brokers.alpaca.groups import plan
from feeds.alpaca.stream import Stream, endpoint
from feeds.alpaca.stream_events import Lost, State, Stopped
from framework.config import Credentials
from framework.errors import ConnectionLost
from framework.live.socket import Socket
from framework.live.stream import Frame, Link, StreamProtocol
from framework.model import Bar, GroupKind, OrderGroup, OrderRequest, OrderType, Side, TimeInForce

SYMBOLS = ("SPY", "IBM")


class BarsTalk:
    """The data stream's conversation, as a supervised socket drives it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def url(self) -> str:
        return self._stream.url

    @property
    def headers(self) -> Mapping[str, str]:
        return self._stream.headers

    @property
    def is_ready(self) -> bool:
        return self._stream.state is State.LIVE

    def opening(self, now: float) -> Sequence[Frame]:
        return self._stream.opening(now)

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Sequence[Any]]:
        frames, events = self._stream.receive(frame, now)
        for event in events:
            if isinstance(event, Lost | Stopped):
                raise event.error
        return frames, events


class OrdersTalk:
    """The order stream's conversation, as a supervised socket drives it."""

    headers: Mapping[str, str] = {}

    def __init__(self, account: Endpoint) -> None:
        self.url = account.stream_url
        self._account = account

    @property
    def is_ready(self) -> bool:
        return self._stream.state is trading.State.LISTENING

    def opening(self, now: float) -> Sequence[Frame]:
        self._stream = trading.TradeStream(self._account.credentials)
        self._stream.open()
        return self._stream.to_send()

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Sequence[Any]]:
        events = self._stream.receive(frame)
        return self._stream.to_send(), events


class Session:
    """Listens to bars and to its orders; `heard` is all of it, each with when it came."""

    def __init__(self, sandbox: MemorySandbox, *, every: int | None = 20) -> None:
        keys = Credentials(sandbox.key, sandbox.secret)
        self.sandbox, self.clock = sandbox, sandbox.clock
        self.endpoint = Endpoint(sandbox.url, keys)
        self.heard: list[tuple[float, str, Any]] = []
        stream = Stream(endpoint("iex", crypto=False), keys, sandbox.url)
        stream.subscribe({"bars": SYMBOLS})
        self.http = sandbox.http()
        self._talks: dict[str, StreamProtocol[Any]] = {
            "data": BarsTalk(stream),
            "trade_updates": OrdersTalk(self.endpoint),
        }
        self._every = every
        self._sent = 0
        self.news: asyncio.Queue[Bar] = asyncio.Queue()
        self._said = asyncio.Event()

    @asynccontextmanager
    async def live(self) -> AsyncIterator[Session]:
        """Connect both sockets, and hang up at the end."""
        tasks = [asyncio.create_task(self._socket(name).run()) for name in self._talks]
        try:
            async with self.http:
                for name in self._talks:
                    await self.sandbox.attend(name)
                yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, sent: Mapping[str, int]) -> None:
        """Wait until as many updates and bars have been heard as were sent."""
        kinds: dict[str, type[Any]] = {"trade_updates": dict, "data": Bar}
        while any(len(self.told(name, kind)) < sent.get(name, 0) for name, kind in kinds.items()):
            self._said.clear()
            await self._said.wait()

    def told(self, stream: str, kind: type[Any] = object) -> list[Any]:
        """Return what was told on one stream, of a kind."""
        return [told for _, name, told in self.heard if name == stream and isinstance(told, kind)]

    def bars_heard(self) -> list[tuple[float, datetime]]:
        """Return when each bar came, in seconds, and when it ended."""
        return [(when, told.end) for when, _, told in self.heard if isinstance(told, Bar)]

    @property
    def fills(self) -> list[tuple[str, str, str]]:
        """Return (symbol, quantity, price) of each fill that was told."""
        told = [each for each in self.told("trade_updates", dict) if each["event"] == "fill"]
        return [(each["order"]["symbol"], each["qty"], each["price"]) for each in told]

    async def buy(self, symbol: str, side: Side = Side.BUY) -> Any:
        """Send one order at the market; return what became of the request."""
        self._sent += 1
        order = OrderRequest(
            f"m-{self._sent}", symbol, side, OrderType.MARKET, quantity=1, time_in_force=TimeInForce.GTC
        )
        market = self.sandbox.market
        closes_at = market.tape.session(market.now())[1]
        group = OrderGroup((order,), GroupKind.LIST)
        (post,) = plan(group, at=market.now(), closes_at=closes_at, position=0.0).posts
        try:
            return await self.http.send(submit(self.endpoint, post, since=market.now()))
        except ConnectionLost as error:
            return error

    def _socket(self, name: str) -> Socket[Any]:
        async def consume(event: Any) -> None:
            self.heard.append((self.clock.monotonic(), name, event))
            self._said.set()
            if isinstance(event, Bar):
                self.news.put_nowait(event)
                await self.bar(event)

        return Socket(name, self._talks[name], self.clock, consume, jitter=self.sandbox.chance)

    async def bar(self, bar: Bar) -> None:
        """Trade every so many minutes, in and out."""
        if self._every and bar.end.minute % self._every == 0:
            await self.buy(bar.symbol, Side.BUY if bar.end.minute % (2 * self._every) else Side.SELL)

    def links(self, stream: str) -> list[str]:
        """Return how the connection of a stream has changed."""
        return [each.state.value for each in self.told(stream, Link)]
