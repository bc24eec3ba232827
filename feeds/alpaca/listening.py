"""One live feed of Alpaca's: one socket for all symbols, and history for what it leaves out.

Two tasks share the work. The socket's consumer takes what it brings, and `Mending` asks history when something is
missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from feeds import gaps
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
from feeds.alpaca.via import check_clock, stream_checked
from feeds.alpaca.waits import USUAL, Waits
from feeds.gaps import Range, Revised
from feeds.mending import Mending, lateness
from feeds.minutes import Minutes
from feeds.telling import Telling
from framework.columns import Columns
from framework.errors import SwitchbackError
from framework.live.clock import is_told
from framework.live.socket import Socket, first_to_fail
from framework.live.stream import Link as Change
from framework.live.stream import LinkState
from framework.model import Bar, Halt, Quote, Trade
from framework.ports import Emit, News, Session


class Listening:
    """One session's live feed: `run` it until it is cancelled. Owned by the I/O thread."""

    def __init__(
        self, feed: Feed, session: Session, emit: Emit, since: Mapping[str, datetime], waits: Waits = USUAL
    ) -> None:
        self.feed, self.session, self.waits = feed, session, waits
        minutes = Minutes(feed.series.calendar)
        self._emit = emit
        self._is_told = is_told(session.clock)
        usual, settle = lateness(session.clock, waits.late)
        self.telling = Telling(feed.symbols, minutes, session.clock, self._tell, since, usual, settle)
        self._mending = Mending(
            self._name, self.telling, session, emit, waits, self._bars, hear=self._hear, found=self._found
        )
        self._halts, self._line = Halts(), Line(self._stream(), minutes)
        self._socket = Socket(NAME, self._line, session.clock, self._consume, waits.pace)
        self._adding = Adding(feed, session, self._line.stream, self._socket, self.telling, self._follow, waits)
        self._mute = Mute()
        self._is_ahead = False
        self._unheard = 0
        self._brought_at = 0.0

    async def run(self) -> None:
        """Follow the feed; raise `VenueError`, or what else waiting cannot cure."""
        await self._check_proxy()
        self.session.additions.offer(self._adding.add)
        if self._is_told:
            self.session.heard.before_step(self._mending.catch_up)
        try:
            jobs = (self._socket.run(), self._mending.run(), self._mending.record())
            await first_to_fail([asyncio.create_task(each) for each in jobs])
        finally:
            self.telling.close(self.session.journal)

    async def _check_proxy(self) -> None:
        """See that a proxy has this very stream; raise `ConfigError` where it has not."""
        if (proxy := self.feed.access.proxy) is None:
            return
        check_clock(is_told=self._is_told)
        await self.session.http.send(stream_checked(proxy, self.feed.series.base_url, self.feed.endpoint))

    @property
    def _name(self) -> str:
        return self.feed.endpoint.stream

    def _stream(self) -> Stream:
        patience = self.waits.patience
        if self._is_told:
            patience = Patience(patience.line, patience.handshake, data=None)
        stream = Stream(self.feed.endpoint, self.feed.credentials, base_url=self.feed.access.url, patience=patience)
        stream.subscribe(self.feed.subscriptions)
        return stream

    def _follow(self, symbol: str, since: datetime) -> None:
        """Tell of one more symbol, whose bars up to a time are had already."""
        self.telling.follow(symbol, since)
        self._mute.joined(symbol, self.telling.now())
        self._look_at_halts()
        self._mending.wake()

    async def _consume(self, item: Told | Change) -> None:
        match item:
            case Told():
                self._take(item)
            case Change(state=LinkState.LOST):
                self._mute.closed()
                self._mending.closed(item)
            case _:
                self._brought_at = self.session.clock.monotonic()
                self._mute.opened(item.at)
                self._mending.opened(item)

    def _take(self, told: Told) -> None:
        for each in told.events:
            self._take_one(each)
        self._check_clock()
        self._unheard += told.messages
        if self._mending.is_rising:
            return  # history comes first
        if self._mending.is_failing:
            self.telling.skip()
        elif self._may_lack(told) and self.telling.wanted() is not None:
            self._mending.wake()
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
                self._mending.remark(f"halts of these symbols are not told, orders may wait in one: {error}")
            case Refused(_, error):
                self._mending.remark(str(error))
            case Strange(what, example):
                self._mending.remark(f"{NAME}'s stream told {what}, which is left out: {example}")
            case TurnedAway(attempt=1):
                self._mending.remark(
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
            self._mending.remark(f"bars of {symbol} come late, from history alone: {error}")

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
            seconds = f"{ahead.total_seconds():.0f} s"
            self._mending.remark(f"this machine's clock is {seconds} ahead of {NAME}'s; set it right")

    def _hear(self) -> None:
        """Note that all that followed of the messages read so far has been emitted."""
        if self._unheard:
            self.session.heard.hear(self._name, self._unheard)
            self._unheard = 0

    async def _bars(self, asked: Range) -> Mapping[str, Columns]:
        if self.feed.endpoint.feed == TEST:
            return {}  # it has no history: what its stream leaves out is nowhere
        return await bars_of(self.feed, self.session, asked, self.waits.answer)

    def _found(self, news: Sequence[gaps.News]) -> None:
        if self._may_be_mute and self._mute.is_shown(news):
            self._socket.give_up("no bars came, though history has them: the stream is mute")

    @property
    def _may_be_mute(self) -> bool:
        return self._is_told or self.session.clock.monotonic() - self._brought_at >= self.waits.mute
