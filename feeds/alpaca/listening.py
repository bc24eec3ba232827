"""One live feed of Alpaca's: one socket for all symbols, and history for what it leaves out.

Two tasks share the work. The socket's consumer takes what it brings. `_mend` asks history when
something is missing: after each connection, and ten seconds after the end of a minute without a bar,
also while the stream is down. Bars of a symbol wait for what is before them, for as long as one request takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from feeds.alpaca.adding import Adding
from feeds.alpaca.feed import Feed
from feeds.alpaca.halts import CHANNEL as STATUSES
from feeds.alpaca.halts import Halts
from feeds.alpaca.line import Line, Said, Told
from feeds.alpaca.mute import Mute
from feeds.alpaca.past import bars_of
from feeds.alpaca.protocol import NAME, TEST
from feeds.alpaca.quiet import Patience
from feeds.alpaca.readings import TradingStatus
from feeds.alpaca.stream import Stream
from feeds.alpaca.stream_events import Refused, Strange, Subscribed, TurnedAway
from feeds.alpaca.waits import USUAL, Waits
from feeds.gaps import SETTLE, Range, Revised
from feeds.minutes import MINUTE, Minutes
from feeds.telling import Telling
from framework.columns import Columns
from framework.errors import ConnectionLost, ProtocolError, RateLimited, SwitchbackError
from framework.live.socket import Socket, first_to_fail
from framework.live.stream import Link as Change
from framework.live.stream import LinkState
from framework.model import Bar, Halt, Link, Quote, Remark, Trade
from framework.ports import Clock, Emit, News, Session

log = logging.getLogger("switchback.bars")

_CURABLE = (ConnectionLost, RateLimited, ProtocolError)


class Listening:
    """One session's live feed: `run` it until it is cancelled. Owned by the I/O thread."""

    def __init__(
        self, feed: Feed, session: Session, emit: Emit, since: Mapping[str, datetime], waits: Waits = USUAL
    ) -> None:
        self.feed, self.session, self.waits = feed, session, waits
        minutes = Minutes(feed.series.calendar)
        self._emit = emit
        self._second = _venue_second(session.clock)
        usual = waits.late * self._second if self._second else timedelta(days=1)
        # In a sandbox that runs fast a bar is late by venue seconds that are no time at all.
        settle = min(max(SETTLE, usual), MINUTE) if self._second else SETTLE
        self.telling = Telling(feed.symbols, minutes, session.clock, self._tell, since, usual, settle)
        self._halts, self._line = Halts(), Line(self._stream(), minutes)
        self._socket = Socket(NAME, self._line, session.clock, self._consume, waits.pace)
        self._adding = Adding(feed, session, self._line.stream, self._socket, self.telling, self._follow, waits)
        self._mute = Mute()
        self._wake, self._mended_all = asyncio.Event(), asyncio.Event()
        self._is_up: bool | None = None
        self._rising: Change | None = None
        self._failure = ""
        self._is_ahead = False
        self._unheard = 0
        self._brought_at = 0.0

    @property
    def _is_told(self) -> bool:
        """Whether venue time only moves when it is told, as in lock-step."""
        return self._second is None

    async def run(self) -> None:
        """Follow the feed; raise `VenueError`, or what else waiting cannot cure."""
        self.session.additions.offer(self._adding.add)
        if self._is_told:
            self.session.heard.before_step(self._catch_up)
        try:
            jobs = (self._socket.run(), self._mend(), self._record())
            await first_to_fail([asyncio.create_task(each) for each in jobs])
        finally:
            self.telling.close(self.session.journal)

    @property
    def _name(self) -> str:
        return self.feed.endpoint.stream

    def _stream(self) -> Stream:
        patience = self.waits.patience
        if self._is_told:
            patience = Patience(patience.line, patience.handshake, data=None)
        stream = Stream(
            self.feed.endpoint, self.feed.credentials, base_url=self.feed.series.base_url, patience=patience
        )
        stream.subscribe(self.feed.subscriptions)
        return stream

    def _follow(self, symbol: str, since: datetime) -> None:
        """Tell of one more symbol, whose bars up to a time are had already."""
        self.telling.follow(symbol, since)
        self._mute.joined(symbol, self.telling.now())
        self._look_at_halts()
        self._wake.set()

    async def _consume(self, item: Told | Change) -> None:
        match item:
            case Told():
                self._take(item)
            case Change(state=LinkState.LOST):
                self._sink(item)
            case _:
                self._rising = item
                self._brought_at = self.session.clock.monotonic()
                self._mute.opened(item.at)
                self._wake.set()

    def _take(self, told: Told) -> None:
        for each in told.events:
            self._take_one(each)
        self._check_clock()
        self._unheard += told.messages
        if self._rising is not None:
            return  # history comes first
        if self._failure:
            self.telling.skip()
        elif self._may_lack(told) and self.telling.wanted() is not None:
            self._wake.set()
            return
        self._hear()

    def _may_lack(self, told: Told) -> bool:
        """Whether it is worth a look at all symbols: quotes come by the thousand, and tell nothing of minutes."""
        return self._is_told or any(isinstance(each, Bar | Revised) for each in told.events)

    def _take_one(self, event: Said) -> None:
        match event:
            case (
                Bar(symbol=symbol)
                | Revised(Bar(symbol=symbol))
                | Quote(symbol=symbol)
                | Trade(symbol=symbol)
                | TradingStatus(symbol=symbol)
            ) if not self.telling.follows(symbol):
                pass  # not yet, or no more: what matters of it is asked of history when it is
            case Bar():
                self._brought_at = self.session.clock.monotonic()
                self._mute.brought(event.end)
                self.telling.take(event)
            case Revised() | Quote() | Trade():
                self.telling.take(event)
            case TradingStatus():
                self._halted(self._halts.take(event))
            case Subscribed(channels):
                self._adding.acknowledged(channels)
            case Refused(channels, error) if "bars" in channels:
                self._refused(channels["bars"], error)
            case Refused(channels, error) if channels.keys() == {STATUSES}:
                self._remark(f"halts of these symbols are not told, orders may wait in one: {error}")
            case Refused(_, error):
                self._remark(str(error))
            case Strange(what, example):
                self._remark(f"{NAME}'s stream told {what}, which is left out: {example}")
            case TurnedAway(attempt=1):
                self._remark(
                    f"{NAME}: another session has the one data connection of this account; it is tried again, "
                    "end the other, or wait: one that broke is held for 90 s"
                )

    def _refused(self, symbols: Iterable[str], error: SwitchbackError) -> None:
        """End where the feed's own symbols do not come; one that was added may be refused after it was followed."""
        symbols = sorted(symbols)
        if not set(symbols).isdisjoint(self.feed.symbols):
            raise error
        for symbol in filter(self.telling.follows, self._adding.refused(symbols, error)):
            self._mute.excuse(symbol)
            self._remark(f"bars of {symbol} come late, from history alone: {error}")

    def _tell(self, news: News) -> None:
        """Hand on what is told in its turn; a bar may show that a halt is over, and then follows that."""
        if isinstance(news, Bar):
            self._halted(self._halts.printed(news))
        self._emit(news)

    def _halted(self, halt: Halt | None) -> None:
        """Tell of a change; while nothing trades at all, a line may be quiet."""
        if halt is not None:
            self._look_at_halts()
            self._emit(halt)

    def _look_at_halts(self) -> None:
        self._line.is_resting = self._halts.are_all(self.telling.symbols)

    def _check_clock(self) -> None:
        """Say once when the clock is off, where more than one bar shows it."""
        ahead = self.telling.ahead
        if ahead and not self._is_ahead and self.telling.is_sure:
            self._is_ahead = True
            self._remark(f"this machine's clock is {ahead.total_seconds():.0f} s ahead of {NAME}'s; set it right")

    def _hear(self) -> None:
        """Note that all that followed of the messages read so far has been emitted."""
        if self._unheard:
            self.session.heard.hear(self._name, self._unheard)
            self._unheard = 0

    def _sink(self, lost: Change) -> None:
        self._rising = None
        self._mute.closed()
        if self._is_up is not False:
            self._is_up = False
            self._emit(Link(self._name, False, lost.at, lost.reason))

    def _rise(self, reason: str = "") -> None:
        self._is_up, self._rising = True, None
        self._emit(Link(self._name, True, self.session.clock.now(), reason))
        self._hear()
        self.session.heard.caught_up(self._name)

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
                self._mended(asked, bars, rising)

    async def _catch_up(self) -> None:
        """Let history be asked for what is missing by now, and wait until it has answered, or failed."""
        self._mended_all.clear()
        self._wake.set()
        await self._mended_all.wait()

    async def _bars(self, asked: Range) -> Mapping[str, Columns]:
        if self.feed.endpoint.feed == TEST:
            return {}  # it has no history: what its stream leaves out is nowhere
        return await bars_of(self.feed, self.session, asked, self.waits.answer)

    def _mended(self, asked: Range, bars: Mapping[str, Columns], rising: Change | None) -> None:
        news = self.telling.mend(asked, bars)
        if self._may_be_mute and self._mute.is_shown(news):
            self._socket.give_up("no bars came, though history has them: the stream is mute")
        self._settle(rising)

    @property
    def _may_be_mute(self) -> bool:
        return self._is_told or self.session.clock.monotonic() - self._brought_at >= self.waits.mute

    def _settle(self, rising: Change | None) -> None:
        """Go on where nothing is missing; `rising` is the connection for which history was asked."""
        if rising is not None and rising is self._rising:
            self._rise()
        elif self._rising is None and self.telling.wanted() is None:
            self._hear()

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
        self._hear()

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
