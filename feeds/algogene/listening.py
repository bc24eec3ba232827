"""One live feed of ALGOGENE's: minutes built from the price socket, and history for what it leaves out.

The socket's consumer takes quotes. `_mend` asks history when something is missing: after each connection (of the
minute in which it came only a part was heard) and some seconds after the end of a minute without a bar. Bars of a
symbol wait for what is before them, for as long as one request takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
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
from feeds.gaps import SETTLE, Range
from feeds.minutes import Minutes
from feeds.telling import Telling
from framework.columns import Columns
from framework.errors import ConnectionLost, ProtocolError, RateLimited, SwitchbackError
from framework.live.clock import Deadline
from framework.live.socket import Socket, first_to_fail
from framework.live.stream import Link as Change
from framework.live.stream import LinkState
from framework.model import MINUTE, Bar, Link, Remark, Revision
from framework.ports import Clock, Emit, News, Session

if TYPE_CHECKING:
    from feeds.algogene.source import AlgogeneBars

log = logging.getLogger("switchback.bars")

STREAM = "algogene"
"""What the socket is called in the journal, and by a sandbox."""

_CURABLE = (ConnectionLost, RateLimited, ProtocolError)


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
        self._second = _venue_second(session.clock)
        second = self._second or timedelta(seconds=1)
        # In a sandbox that runs fast a bar is late by venue seconds that are no time at all.
        usual = (waits.late + waits.grace) * second if self._second else timedelta(days=1)
        settle = min(max(SETTLE, usual), timedelta(minutes=1)) if self._second else SETTLE
        self._grace = waits.grace * second
        minutes = Minutes(source.calendar)
        self.telling = Telling(source.symbols, minutes, session.clock, self._tell, since, usual, settle)
        self._login = Login(source.credentials, session.clock.monotonic, source.base_url)
        stream = PriceStream(source.credentials, source.symbols, source.broker, source.base_url)
        self._socket = Socket(NAME, stream, session.clock, self._consume, waits.pace)
        self._builder, self._standstill = MinuteBuilder(waits.age), Standstill(waits.frozen)
        self._brokers: dict[str, str] = dict.fromkeys(source.symbols, source.broker) if source.broker else {}
        self._others: set[str] = set()
        self._wake, self._mended_all = asyncio.Event(), asyncio.Event()
        self._is_up: bool | None = None
        self._rising: Change | None = None
        self._failure = ""

    @property
    def _is_told(self) -> bool:
        """Whether venue time only moves when it is told, as in lock-step."""
        return self._second is None

    async def run(self) -> None:
        """Follow the feed; raise `VenueError`, or what else waiting cannot cure."""
        jobs = [self._socket.run(), self._mend(), self._record()]
        if self._is_told:
            self.session.heard.before_step(self._catch_up)
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
                self._remark(f"{NAME}'s prices: {what}, which is left out: {example}")
            case Change(state=LinkState.LOST):
                self._sink(item)
            case _:
                self._builder.begin(self.session.clock.now())
                self._rising = item
                self._wake.set()

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
            self._remark(f"{symbol}: {quote.broker} quotes it too; its prices are those of {own}, as at first")

    def _built(self, bars: tuple[tuple[str, Bar], ...]) -> None:
        for _, bar in bars:
            self.telling.take(bar)
        if bars and self.telling.wanted() is not None:
            self._wake.set()

    async def _finish(self) -> None:
        """Tell the minutes that are over."""
        grace = timedelta() if self._is_told else self._grace
        self._built(self._builder.due(self.session.clock.now(), grace))

    async def _keep_time(self) -> None:
        while True:
            await self.session.clock.sleep(self.waits.look)
            await self._finish()

    def _sink(self, lost: Change) -> None:
        self._rising = None
        if self._is_up is not False:
            self._is_up = False
            self._emit(Link(STREAM, False, lost.at, lost.reason))

    def _rise(self, reason: str = "") -> None:
        self._is_up, self._rising = True, None
        self._emit(Link(STREAM, True, self.session.clock.now(), reason))
        self.session.heard.caught_up(STREAM)

    # History

    async def _mend(self) -> None:
        failures = 0
        while True:
            self._wake.clear()
            rising = self._rising
            asked = self.telling.wanted(at_once=rising is not None)
            if asked is None:
                self._settle(rising)
                self._mended_all.set()
                await self._pause()
                continue
            try:
                bars = await self._bars(asked)
            except SwitchbackError as error:
                failures += 1
                self._fail(error)
                self._mended_all.set()  # or it is tried again
                await self.session.clock.sleep(self.waits.retries.back_off(failures, random.random()))
            else:
                failures, self._failure = 0, ""
                self.telling.mend(asked, bars)
                self._settle(rising)

    async def _catch_up(self) -> None:
        """Let history be asked for what is missing by now, and wait until it has answered, or failed."""
        self._mended_all.clear()
        self._wake.set()
        await self._mended_all.wait()

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

    def _settle(self, rising: Change | None) -> None:
        """Go on where nothing is missing; `rising` is the connection for which history was asked."""
        if rising is not None and rising is self._rising:
            self._rise()

    def _fail(self, error: SwitchbackError) -> None:
        """Go on without history; what is fatal at the start may be a gateway's word later."""
        if self._is_up is None and not isinstance(error, _CURABLE):
            raise error
        if not self._failure:
            self._remark(f"history does not answer, so bars may be missing until it does: {error}")
        self._failure = str(error)
        self.telling.skip()
        if self._rising is not None:
            self._rise(f"what was missed is still to be had: {error}")

    async def _pause(self) -> None:
        """Wait until a minute is due that may have no bar, or something is wanted before."""
        waiting = [asyncio.create_task(self.session.clock.sleep(self._left())), asyncio.create_task(self._wake.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def _left(self) -> float:
        at = self.telling.gaps.deadline()
        left = self.session.clock.seconds_until(at + self.telling.ahead) if at else self.waits.sleep
        # A thousandth more, so that it has come by the clock, whatever was rounded.
        return self.waits.look if left is None else min(left + 0.001, self.waits.sleep)

    async def _record(self) -> None:
        while True:
            await self.session.clock.sleep(self.waits.record)
            self.telling.write(self.session.journal)

    def _remark(self, text: str) -> None:
        log.debug("%s", text)  # the session tells it
        self._emit(Remark(text))


def _venue_second(clock: Clock) -> timedelta | None:
    """Return the venue time that passes in a second of I/O time, None where it only moves when it is told."""
    hour = timedelta(hours=1)
    seconds = clock.seconds_until(clock.now() + hour)
    return hour / seconds if seconds else None
