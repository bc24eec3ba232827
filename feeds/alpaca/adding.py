"""Symbols that join a live feed while it is listened to: what history has of them, then their place in the stream.

History comes first, so that nothing stays subscribed that does not exist. Between its answer and the stream's
a bar may pass by: it is missing like any other, and fetched. So is what the stream does not bring at all.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from feeds.alpaca.feed import Feed
from feeds.alpaca.line import Told
from feeds.alpaca.past import bars_of
from feeds.alpaca.protocol import NAME
from feeds.alpaca.stream import Stream
from feeds.alpaca.waits import Waits
from feeds.alpaca.wants import Channels
from feeds.gaps import Range
from feeds.minutes import MINUTE
from feeds.telling import Telling
from framework.columns import Columns
from framework.errors import ConfigError, ConnectionLost, SwitchbackError, VenueError
from framework.live.clock import Deadline
from framework.live.socket import Socket
from framework.ports import Added, Session

DAYS, HOURS = 2, 24
"""How much history a symbol comes with: so many trading days, today's among them, and of crypto so many hours."""


class Adding:
    """Adds symbols to one feed. Owned by the I/O thread.

    `follow` is called with a symbol and the end of its history, in the same breath as `add` returns: whoever
    awaits that has its history before the first bar is emitted.
    """

    def __init__(
        self,
        feed: Feed,
        session: Session,
        stream: Stream,
        socket: Socket[Told],
        telling: Telling,
        follow: Callable[[str, datetime], None],
        waits: Waits,
    ) -> None:
        self._feed, self._session, self._waits = feed, session, waits
        self._stream, self._socket, self._telling = stream, socket, telling
        self._follow = follow
        self._added: dict[str, Added] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: dict[str, asyncio.Future[SwitchbackError | None]] = {}

    async def add(self, symbol: str) -> Added | None:
        """Follow one more symbol (`framework.ports.Add`); each once, whoever asks how often.

        Raise `ConfigError` where history has no bars of it or the stream refuses it, `VenueError` where history
        does not answer. Without a connection it returns all the same, and the next one brings its bars.
        """
        if not self._feed.takes(symbol):
            return None
        async with self._turns[symbol]:
            if symbol not in self._added:
                self._added[symbol] = await self._new(symbol)
            return self._added[symbol]

    def acknowledged(self, had: Channels) -> None:
        """Note what the stream brings now."""
        for symbol in had.get("bars", frozenset()) & self._waiting.keys():
            self._answer(symbol, None)

    def refused(self, symbols: Iterable[str], error: SwitchbackError) -> list[str]:
        """Note that the stream does not bring these; return those for whose answer nobody waits any more."""
        return [symbol for symbol in symbols if not self._answer(symbol, error)]

    def _answer(self, symbol: str, refusal: SwitchbackError | None) -> bool:
        """Let who waits know; return whether somebody does."""
        waiting = self._waiting.get(symbol)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(refusal)
        return True

    async def _new(self, symbol: str) -> Added:
        """Find out about a symbol; one of the feed's own has been followed all the time."""
        if self._telling.follows(symbol):
            at = self._telling.gaps.told_until(symbol)
            bars = (await self._past(symbol))[0].between(None, at)
        else:
            bars, at = await self._past(symbol)
            await self._join(symbol)
            self._follow(symbol, at)
        series = self._feed.series
        return Added(symbol, series.timeframe, series.calendar, bars, at)

    async def _past(self, symbol: str) -> tuple[Columns, datetime]:
        """Return its latest bars, and up to when they are all there are; try for a while."""
        failed: list[VenueError] = []
        seconds = self._waits.added
        try:
            async with Deadline(self._session.clock, seconds):
                return await self._asked_again(symbol, failed)
        except TimeoutError:
            why = failed[-1] if failed else ConnectionLost(NAME, f"no bars of {symbol} within {seconds:g} s")
            raise why from None

    async def _asked_again(self, symbol: str, failed: list[VenueError]) -> tuple[Columns, datetime]:
        """Ask until history answers; what fails is added to `failed`."""
        while True:
            try:
                return await self._asked(symbol)
            except VenueError as error:
                failed.append(error)
            await self._session.clock.sleep(self._waits.retries.back_off(len(failed), random.random()))

    async def _asked(self, symbol: str) -> tuple[Columns, datetime]:
        asked = self._range(symbol)
        found = (await bars_of(self._feed, self._session, asked, self._waits.answer))[symbol]
        bars = self._inside(found)
        if not len(bars):
            raise ConfigError(
                f"no bars of {symbol} in the last {self._span}; check the spelling, and whether it trades on feed "
                f"{self._feed.endpoint.feed}"
            )
        return bars, self._telling.gaps.complete(asked.until, bars)

    def _range(self, symbol: str) -> Range:
        now = self._telling.now()
        is_crypto = self._feed.series.crypto
        after = now - timedelta(hours=HOURS) if is_crypto else self._telling.gaps.minutes.opening(now, DAYS)
        return Range((symbol,), after, now)

    @property
    def _span(self) -> str:
        return f"{HOURS} hours" if self._feed.series.crypto else "two trading days"

    def _inside(self, bars: Columns) -> Columns:
        """Return the bars of the hours that are kept."""
        series = self._feed.series
        return bars if series.crypto else bars[series.calendar.is_inside(bars.end, MINUTE)]

    async def _join(self, symbol: str) -> None:
        """Subscribe a symbol; raise what the stream answers where it refuses it, and go on where it is silent."""
        # Of a channel that was refused to the others a new symbol is not asked either.
        channels = self._feed.subscriptions.keys() & self._stream.wanted.keys()
        frames = self._stream.join(symbol, sorted(channels))
        if self._stream.has("bars", symbol):
            return
        self._waiting[symbol] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(frames)
            refusal = await self._answered(self._waiting[symbol])
        finally:
            del self._waiting[symbol]
        if refusal is not None:
            await self._socket.send(self._stream.leave(symbol))
            raise refusal if isinstance(refusal, VenueError | ConfigError) else ConfigError(str(refusal))

    async def _answered(self, answer: asyncio.Future[SwitchbackError | None]) -> SwitchbackError | None:
        """Wait for the stream; a line that is up and does not answer is of no use."""
        pause = asyncio.ensure_future(self._session.clock.sleep(self._waits.joined))
        waits: set[asyncio.Future[Any]] = {answer, pause}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
        if answer.done():
            return answer.result()
        if self._stream.is_live:
            self._socket.give_up(f"a subscription was not answered in {self._waits.joined:g} s")
        return None
