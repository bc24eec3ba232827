"""Alpaca's market data, REST and streams, as a dialect of the sandbox: `routes(market)` mounts it.

What goes wrong on demand is in `FAULTS` here and in `sandbox_rest` and `sandbox_stream`, and what any
socket can have in `framework.sandbox.streams`. Faults are for the streams "data", "crypto" and "test",
and for requests "market_data".

Where Alpaca's own behaviour is not known for sure, this is what was chosen: a longer bar is served
while it grows, made of the minutes that have ended; the last trade of a bar lies inside its minute; a
message that comes late comes, in lock-step, with the next instant played.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from aiohttp import web

from feeds.alpaca import fakepaca, messages
from feeds.alpaca.messages import Row
from feeds.alpaca.plans import FREE, Plan
from feeds.alpaca.sandbox_book import TODAY, Book, LatePrint, is_crypto
from feeds.alpaca.sandbox_rest import Rest
from feeds.alpaca.sandbox_stream import WAITS, Streams, Waits
from feeds.alpaca.subscriptions import ENDPOINTS, Endpoint, Told
from framework.columns import instant as column_instant
from framework.model import Bar, Trade
from framework.sandbox import streams as sockets
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market
from framework.sandbox.rate import RateLimit
from framework.sandbox.tape import Instant, made_trades

NAME = "alpaca-data"

FAULTS = {
    "late_update": "let a trade of a bar be reported late: the bar comes again (seconds, 30; price; size, 100)",
    "missing_minute": "let there be no bar of a symbol, in the stream or in history: nothing was traded",
    "missing_bar": "lose a bar on the way: history has it",
    "late_bar": "send a bar later than the others of its minute (seconds, 10)",
    "trade_correction": "correct the last trade of a bar (price)",
    "trade_cancel": "take the last trade of a bar back",
    "trading_status": "tell of a halt or of its end (kind, halt; or resume)",
    "luld_bands": "tell limit up and limit down of a symbol",
}
"""What can befall a bar; `match` may name its symbol."""


def routes(
    market: Market,
    *,
    plan: Plan = FREE,
    limit: int | None = None,
    connections: int = 1,
    waits: Waits = WAITS,
    monotonic: Callable[[], float] | None = None,
) -> list[web.RouteDef]:
    """Let Alpaca's market data join a market, and return its paths.

    `plan` decides what may be asked for. `limit` is the requests a minute that are answered (None: the
    plan's in real time, else as many as come), of I/O time, which `monotonic` tells. `connections` is how
    many clients each stream takes at a time, 0 any; `waits` is how long a socket is waited for.
    """
    clock = market.clock
    kept = limit is not None or clock.speed == 1
    own = monotonic or clock.monotonic
    rate = RateLimit(limit or plan.requests, is_kept=kept, monotonic=own, wall=clock.wall)
    data = MarketData(market, plan, rate, waits, connections)
    market.join(data)
    return [*data.rest.routes(), *data.streams.routes()]


@dataclass(frozen=True, slots=True)
class _Due:
    """A bar that is to be told at a time, on a channel of its own."""

    at: datetime
    channel: str
    bar: Bar


@dataclass(slots=True)
class _Played:
    """An instant that waits to be written, and what befell its bars; a symbol is silent that did not trade."""

    instant: Instant
    silent: set[str] = field(default_factory=set)
    bars: list[Bar] = field(default_factory=list)
    events: list[Told] = field(default_factory=list)


class MarketData:
    """The dialect, as the market sees it. Owned by the thread that serves the market."""

    name = NAME

    def __init__(self, market: Market, plan: Plan, rate: RateLimit, waits: Waits, connections: int) -> None:
        self.market = market
        self.book = Book(market)
        self.rest = Rest(market, self.book, plan, rate)
        self.streams = Streams(market, plan, waits, connections, self._tick)
        market.faults.know({**FAULTS, **sockets.FAULTS})
        self._pending: list[_Played] = []
        self._due: list[_Due] = []
        self._writing = asyncio.Lock()
        self._woken: set[asyncio.Task[None]] = set()

    def play(self, instant: Instant) -> None:
        """Take in what happens at an instant, and what goes wrong with it."""
        played = _Played(instant)
        for halt in instant.halts:
            if not is_crypto(halt.symbol):  # their stream has no such channel
                kind = "halt" if halt.is_halted else "resume"
                played.events.append(Told("statuses", halt.symbol, messages.status(halt.symbol, halt.at, kind)))
        for bar in instant.bars:
            self._befall(bar, played)
        self._pending.append(played)

    def restore(self, body: Mapping[str, Any]) -> None:
        """Do again what was recorded: late prints and missing minutes."""
        self.book.restore(body)

    def forget(self) -> None:
        """Drop the messages of what was played before the restart."""
        self._pending.clear()

    async def flush(self) -> None:
        """Write what is kept: one frame to each client for each instant."""
        async with self._writing:
            pending, self._pending = self._pending, []
            for played in pending:
                due = self._take_due(played.instant.at)
                for endpoint in ENDPOINTS:
                    await self.streams.send(endpoint, self._told(endpoint, played, due), played.instant.at)
            if self.market.clock.speed is not None:
                await self._write_due()

    def _befall(self, bar: Bar, played: _Played) -> None:
        if self._take("missing_minute", bar):
            self.market.record(NAME, self.book.leave_out(bar.symbol, bar.end))
            played.silent.add(bar.symbol)
            return
        if fault := self._take("late_update", bar):
            self._print_late(bar, fault)
        if fault := self._take("late_bar", bar):
            self._due.append(_Due(bar.end + timedelta(seconds=fault.seconds(10)), "bars", bar))
        elif not self._take("missing_bar", bar):
            played.bars.append(bar)
        played.events.extend(self._events(bar, played.instant))

    def _take(self, name: str, bar: Bar) -> Fault | None:
        return self.market.faults.take(name, "crypto" if is_crypto(bar.symbol) else "data", symbol=bar.symbol)

    def _print_late(self, bar: Bar, fault: Fault) -> None:
        at = bar.end + timedelta(seconds=fault.seconds(30))
        price = float(fault.options.get("price", round(bar.high + 0.01, 4)))
        late = LatePrint(bar.symbol, bar.end, at, price, float(fault.options.get("size", 100)))
        self.book.print_late(late)
        self.market.record(NAME, late.body())
        self._due.append(_Due(at, "updatedBars", bar))

    def _events(self, bar: Bar, instant: Instant) -> Iterator[Told]:
        symbol = bar.symbol
        if fault := self._take("trade_correction", bar):
            last = self._last_trade(bar)
            price = float(fault.options.get("price", round(last.price + 0.01, 4)))
            yield Told("corrections", symbol, messages.correction(last, price))
        if self._take("trade_cancel", bar):
            yield Told("cancelErrors", symbol, messages.cancellation(self._last_trade(bar)))
        if fault := self._take("trading_status", bar):
            yield Told("statuses", symbol, messages.status(symbol, instant.at, str(fault.options.get("kind", "halt"))))
        if self._take("luld_bands", bar):
            yield Told("lulds", symbol, messages.bands(symbol, instant.at, bar.close))

    def _last_trade(self, bar: Bar) -> Trade:
        return made_trades(bar, self.market.tape.length)[-1]

    def _take_due(self, now: datetime) -> list[_Due]:
        due = [each for each in self._due if each.at <= now]
        self._due = [each for each in self._due if each.at > now]
        return due

    async def _write_due(self) -> None:
        """Tell what is due between two instants of a running clock, and wake up for what is not yet."""
        now = self.market.now()
        due = self._take_due(now)
        if due:
            for endpoint in ENDPOINTS:
                await self.streams.send(endpoint, self._told_late(due), now)
        if self._due and self.market.clock.speed is not None:
            left = min(each.at for each in self._due) - now
            asyncio.get_running_loop().call_later(left.total_seconds() / self.market.clock.speed, self._wake)

    def _wake(self) -> None:
        task = asyncio.ensure_future(self.flush())
        self._woken.add(task)
        task.add_done_callback(self._woken.discard)

    def _told(self, endpoint: Endpoint, played: _Played, due: list[_Due]) -> Iterator[Told]:
        """Yield what an endpoint's clients want of an instant, in the order in which it became known."""
        if endpoint.stream == "test":
            yield from fakepaca.told(played.instant.at) if self.market.clock.speed is None else ()
            return

        def wants(channel: str, symbol: str) -> bool:
            return self.streams.wanted(endpoint, channel, symbol)

        exchange = "V" if endpoint.feed == "iex" else "P"
        yield from self._told_late(due)
        for trade in played.instant.trades:
            if trade.symbol not in played.silent and wants("trades", trade.symbol):
                yield Told("trades", trade.symbol, messages.trade_row(trade, exchange))
        yield from played.events
        for quote in played.instant.quotes:
            if wants("quotes", quote.symbol):
                yield Told("quotes", quote.symbol, messages.quote_row(quote, exchange))
            if wants("orderbooks", quote.symbol):
                yield Told("orderbooks", quote.symbol, messages.book_row(quote) | {"r": True})
        yield from (Told("bars", bar.symbol, self._row(bar)) for bar in played.bars if wants("bars", bar.symbol))
        for bar in played.bars:
            if wants("dailyBars", bar.symbol):
                yield Told("dailyBars", bar.symbol, self._day(bar))

    def _told_late(self, due: list[_Due]) -> list[Told]:
        return [Told(each.channel, each.bar.symbol, self._row(each.bar)) for each in due]

    def _row(self, bar: Bar) -> Row:
        """Return a bar as history has it now."""
        known = self.book.known(bar.symbol, self.market.now())
        index = int(np.searchsorted(known.end, column_instant(bar.end)))
        told = self.book.of(known[index : index + 1], bar.timeframe, bar.symbol)
        return messages.bar_rows(told, crypto=is_crypto(bar.symbol))[0]

    def _day(self, bar: Bar) -> Row:
        days = self.book.days(bar.symbol, bar.end, TODAY)
        return messages.bar_rows(days[-1:], crypto=is_crypto(bar.symbol))[0]

    async def _tick(self, endpoint: Endpoint) -> None:
        """Play the test stream by a running clock, day and night."""
        while endpoint.stream == "test" and self.market.clock.speed is not None:
            end = fakepaca.next_minute(self.market.now())
            await self.market.clock.until(end)
            await self.streams.send(endpoint, fakepaca.told(end), end)
