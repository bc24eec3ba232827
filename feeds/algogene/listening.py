"""One live feed of ALGOGENE's: minutes built from the price socket, and history for what it leaves out.

The socket's consumer takes quotes, and `Mending` asks history when something is missing: after each connection too,
for of the minute in which it came only a part was heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from feeds.algogene.history import history
from feeds.algogene.minutes import MinuteBuilder, Stale
from feeds.algogene.naming import NAME
from feeds.algogene.protocol import Session as Login
from feeds.algogene.quotes import BrokerQuote
from feeds.algogene.standstill import Standstill
from feeds.algogene.stream import PriceStream, Strange
from feeds.algogene.waits import USUAL, Waits
from feeds.gaps import Range
from feeds.mending import Mending, lateness
from feeds.minutes import Minutes
from feeds.telling import Telling
from framework.columns import Columns
from framework.errors import ConnectionLost
from framework.live.clock import Deadline, is_told, pace
from framework.live.socket import Socket, first_to_fail
from framework.live.stream import Link as Change
from framework.live.stream import LinkState
from framework.model import MINUTE, Bar, Revision
from framework.ports import Emit, News, Session

if TYPE_CHECKING:
    from feeds.algogene.source import AlgogeneBars

STREAM = "algogene"
"""What the socket is called in the journal, and by a sandbox."""


class Listening:
    """One session's live feed: `run` it until it is cancelled. Owned by the I/O thread."""

    def __init__(
        self,
        source: AlgogeneBars,
        session: Session,
        emit: Emit,
        since: Mapping[str, datetime],
        waits: Waits = USUAL,
    ) -> None:
        self.source, self.session, self.waits = source, session, waits
        self._emit = emit
        self._is_told = is_told(session.clock)
        usual, settle = lateness(session.clock, waits.late + waits.grace)
        self._grace = waits.grace * timedelta(seconds=pace(session.clock))
        minutes = Minutes(source.calendar)
        self.telling = Telling(source.symbols, minutes, session.clock, self._tell, since, usual, settle)
        self._mending = Mending(STREAM, self.telling, session, emit, waits, self._bars)
        self._login = Login(source.credentials, session.clock.monotonic, source.base_url)
        stream = PriceStream(source.credentials, source.symbols, source.broker, source.base_url)
        self._socket = Socket(NAME, stream, session.clock, self._consume, waits.pace)
        self._builder, self._standstill = MinuteBuilder(waits.age), Standstill(waits.frozen)
        self._brokers: dict[str, str] = dict.fromkeys(source.symbols, source.broker) if source.broker else {}
        self._others: set[str] = set()

    async def run(self) -> None:
        """Follow the feed; raise `VenueError`, or what else waiting cannot cure."""
        jobs = [self._socket.run(), self._mending.run(), self._mending.record()]
        if self._is_told:
            self.session.heard.before_step(self._mending.catch_up)
            self.session.heard.after_step(self._finish)
        else:
            jobs.append(self._keep_time())
        try:
            await first_to_fail([asyncio.create_task(each) for each in jobs])
        finally:
            self.telling.close(self.session.journal)

    # The socket

    async def _consume(self, item: BrokerQuote | Strange | Change) -> None:
        match item:
            case BrokerQuote():
                self._take(item)
                self.session.heard.hear(STREAM)
            case Strange(what, example):
                self._mending.remark(f"{NAME}'s prices: {what}, which is left out: {example}")
            case Change(state=LinkState.LOST):
                self._mending.closed(item)
            case _:
                self._builder.begin(self.session.clock.now())
                self._mending.opened(item)

    def _take(self, quote: BrokerQuote) -> None:
        """Take a quote of the broker that the symbol's prices come from: the first that is heard, for good."""
        symbol, now = quote.quote.symbol, self.session.clock.now()
        if quote.broker != self._brokers.setdefault(symbol, quote.broker):
            self._note_other(quote)
            return
        told = self._builder.take(quote, now)
        halt = self._standstill.take(quote.quote, now, is_stale=isinstance(told, Stale))
        if halt is not None:
            self._emit(halt)
        if not isinstance(told, Stale):
            self._built(told)

    def _tell(self, news: News) -> None:
        """Hand on what is told in its turn. What a minute of quotes was is not revised: history knows other prices."""
        if not (isinstance(news, Revision) and news.was is not None):
            self._emit(news)

    def _note_other(self, quote: BrokerQuote) -> None:
        symbol = quote.quote.symbol
        if symbol not in self._others:
            self._others.add(symbol)
            own = self._brokers[symbol] or "the one without a name"
            self._mending.remark(f"{symbol}: {quote.broker} quotes it too; its prices are those of {own}, as at first")

    def _built(self, bars: tuple[tuple[str, Bar], ...]) -> None:
        for _, bar in bars:
            self.telling.take(bar)
        if bars and self.telling.wanted() is not None:
            self._mending.wake()

    async def _finish(self) -> None:
        """Tell the minutes that are over."""
        grace = timedelta() if self._is_told else self._grace
        self._built(self._builder.due(self.session.clock.now(), grace))

    async def _keep_time(self) -> None:
        while True:
            await self.session.clock.sleep(self.waits.look)
            await self._finish()

    # History

    async def _bars(self, asked: Range) -> Mapping[str, Columns]:
        found: dict[str, Columns] = {}
        try:
            async with Deadline(self.session.clock, self.waits.answer):
                for symbol in asked.symbols:
                    exchange = history(self._login, symbol, MINUTE, asked.after, asked.until)
                    found[symbol] = self.source.inside(await self.session.http.send(exchange))
        except TimeoutError:
            raise ConnectionLost(NAME, f"no history within {self.waits.answer:g} s") from None
        return found
