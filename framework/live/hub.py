"""The I/O side of the bridge: what the adapters tell goes to the engine, and what the engine asks for is done.

In real time bars are collected into slices and everything else is told at once. With a venue in lock-step
nothing is told before an instant is over, and then all of it together (`framework.live.lockstep`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from framework.errors import RateLimited, VenueError, first
from framework.live.additions import Offers
from framework.live.bridge import Bridge
from framework.live.cancels import Cancels, Ending, overtaken
from framework.live.commands import AskSplits, Cancel, Command, Idle, Instant, Look, Replace, Submit
from framework.live.introductions import Introductions
from framework.live.lanes import Before, Lanes, kind
from framework.live.slices import Slice, Slicer
from framework.model import (
    Bar,
    Halt,
    Link,
    OrderGroup,
    OrderStatus,
    OrderUpdate,
    Quote,
    QuoteBar,
    Remark,
    Signals,
    Snapshot,
    Split,
    Trade,
)
from framework.ports import Added, Desk, LiveSignalSource, LiveSource, LiveVenue, News, Resumed, Session
from framework.quoting import Beats, Board

log = logging.getLogger("switchback.live")

TOGETHER = 1.0
"""Seconds that an order waits, at most, for the one sent before it for the same symbol to be answered."""


ENDING = 3.0
"""Seconds that an order waits, at most, for the end of one of its symbol that was cancelled before it."""

LOOK = 1.0
"""Seconds before the account is looked at again, where it could not be."""

_CANCELS_FIRST = 1_000_000_000

Work = Callable[[Before], Coroutine[Any, Any, None]]
"""What is begun with what it waits for."""

PATIENCE = 5.0
"""Seconds that the end of a session waits, at most, for orders and cancels that are on their way."""


class Hub:
    """One session's I/O: owned by the I/O thread, and all of its methods run there.

    `gathers` is for lock-step: what is told is kept until `gathered` takes it.
    """

    def __init__(
        self,
        bridge: Bridge,
        session: Session,
        venue: LiveVenue,
        slicer: Slicer,
        *,
        gathers: bool = False,
        offers: Offers | None = None,
    ) -> None:
        self.bridge, self.session, self.gathers = bridge, session, gathers
        self._clock, self._slicer = session.clock, slicer
        self._kept: list[Bar | OrderUpdate | Signals] = []
        self._offers = offers or Offers()
        self._introductions = Introductions(slicer.symbols, self._offers.add, self._tell_added, session.clock)
        self._unintroduced: list[Signals] = []
        self._early: dict[str, list[Bar]] = {}
        self._missed: list[OrderUpdate] | None = None
        self._up: set[str] = set()
        self._awaited = 0
        self._stirred = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: set[asyncio.Task[None]] = set()
        self._lanes = Lanes()
        self._cancels, self._counted = Cancels(), itertools.count(1)
        self._mates: dict[str, list[str]] = {}
        self.turns: dict[str, int] = {}
        """In lock-step, for each order in which turn something was last asked of it."""
        self._grace: asyncio.Task[None] | None = None
        self._handled = 0
        self.beats: Beats | None = None
        self._board = Board(())
        self._beat = 0
        self.are_splits_wanted = False
        """Whether the engine wants to know of splits before it is told of the account again."""
        self.desk: Desk = venue.open(session, self._emit_of_desk)

    # -- what the adapters tell

    def emit(self, news: News) -> None:
        """Take what an adapter tells (`framework.ports.Emit`)."""
        match news:
            case Bar() | Trade():
                self.desk.price(news)
            case Link():
                self._linked(news)
            case OrderUpdate():
                is_posted = not self.gathers and self._missed is None
                self._cancels.hear(news, self.bridge.posted + 1 if is_posted else 0)
        if isinstance(news, OrderUpdate) and self._missed is not None:
            self._missed.append(news)
        elif isinstance(news, Bar) and not self._introductions.knows(news.symbol):
            self._early.setdefault(news.symbol, []).append(news)
        elif self.gathers and isinstance(news, Bar | OrderUpdate | Signals):
            self._kept.append(news)
        elif isinstance(news, Signals):
            self._signalled(news)
        elif isinstance(news, Quote) and self._board.follows(news.symbol):
            self._board.take(news)
        elif isinstance(news, Bar):
            self._sliced(self._slicer.add(news, self._clock.monotonic()))
        else:
            self.bridge.post(news)
        if isinstance(news, Halt):
            self._halted(news)

    def _halted(self, halt: Halt) -> None:
        """Instants do not wait for bars of a symbol that is halted, but for that of the minute in which it began."""
        if halt.is_halted:
            self._sliced(self._slicer.excuse(halt.symbol, halt.at, self._clock.monotonic()))
        else:
            self._slicer.expect_again(halt.symbol)

    def _signalled(self, told: Signals) -> None:
        """Wake the engine for signals, in their order; at once, where all of their symbols are known."""
        if not self._unintroduced and not self._introductions.lacking(told):
            return self.bridge.post(Instant(told.at, (), signals=(told,)))
        self._unintroduced.append(told)
        if len(self._unintroduced) == 1:
            self._begin(self._introduce())
        return None

    async def _introduce(self) -> None:
        while self._unintroduced:
            told = self._unintroduced[0]
            await self.introduce(told)
            self.bridge.post(Instant(told.at, (), signals=(told,)))
            self._unintroduced.pop(0)

    async def introduce(self, told: Signals) -> None:
        """Have symbols added that signals name for the first time, and the engine told of them."""
        await self._introductions.introduce(told)

    def _tell_added(self, news: Added | Remark) -> None:
        """Tell the engine of a symbol that was added; from now on instants wait for its bars."""
        self.bridge.post(news)
        if isinstance(news, Added):
            self._slicer.expect([(news.symbol, news.timeframe)])
            for bar in self._early.pop(news.symbol, ()):
                self.emit(bar)

    # -- the session's clock, where it goes by quotes

    def look_at_quotes(self, symbols: Sequence[str], beats: Beats) -> None:
        """Keep these symbols' quotes here, and tell the engine what stands when it is time to."""
        self._board, self.beats = Board(symbols), beats

    @property
    def is_behind(self) -> bool:
        """Whether the engine has not come to the last instant that it was told of."""
        return self.bridge.taken < self._beat

    def beat(self, at: datetime) -> None:
        """Tell the engine of an instant."""
        self.bridge.post(Instant(at, (), quotes=self.standing(at)))
        self._beat = self.bridge.posted

    def standing(self, at: datetime) -> tuple[QuoteBar, ...]:
        """Return what was quoted up to an instant since the one before."""
        return self._board.bars(at)

    def _emit_of_desk(self, news: News) -> None:
        self.emit(replace(news, brings_prices=False) if isinstance(news, Link) else news)

    def gathered(self) -> list[Bar | OrderUpdate | Signals]:
        """Take what was kept in lock-step, in its order."""
        kept, self._kept = self._kept, []
        return kept

    def _linked(self, link: Link) -> None:
        (self._up.add if link.is_up else self._up.discard)(link.stream)
        self._stirred.set()

    def _sliced(self, slices: Sequence[Slice]) -> None:
        for each in slices:
            self.bridge.post(Instant(each.at, each.bars, is_late=each.is_late))
        if self._slicer.deadline() is not None and (self._grace is None or self._grace.done()):
            self._grace = self._begin(self._wait_for_others())

    async def _wait_for_others(self) -> None:
        """Let the instants go whose time of grace is over."""
        while (deadline := self._slicer.deadline()) is not None:
            now = self._clock.monotonic()
            if deadline > now:
                await self._clock.sleep(deadline - now)
            for each in self._slicer.due(self._clock.monotonic()):
                self.bridge.post(Instant(each.at, each.bars, is_late=each.is_late))

    # -- the life of a session

    async def trade(self, resumed: Sequence[Resumed] = ()) -> None:
        """Begin to follow orders, those of an earlier run too; return when what was missed has been told."""
        for each in resumed:
            self._cancels.know(each.group)
        if resumed:
            self._missed = []
            self.desk.resume(resumed)
        await self._started(self.desk.listen())

    def missed(self) -> tuple[OrderUpdate, ...]:
        """Take what was told of an earlier run's orders so far; from now on the bridge carries it."""
        missed, self._missed = self._missed or [], None
        return tuple(missed)

    async def listen(self, source: LiveSource, since: Mapping[str, datetime]) -> None:
        """Begin to follow a source; return when it is up."""
        await self._started(source.listen(self.session, self.emit, since))

    async def hear(self, source: LiveSignalSource) -> None:
        """Begin to follow a source of signals; return when it is up."""
        await self._started(source.listen(self.session, self.emit))

    async def add(self, symbol: str) -> Added:
        """Add a symbol before the engine begins; raise `SwitchbackError` where that cannot be."""
        added = await self._offers.add(symbol)
        self._introductions.know(added)
        self._slicer.expect([(added.symbol, added.timeframe)])
        return added

    async def snapshot(self, tries: int = 1) -> Snapshot:
        """Return the account as it is; where too much was asked of the venue, wait as it says and ask again."""
        for _ in range(tries - 1):
            try:
                return await self.desk.snapshot()
            except RateLimited as limited:
                log.info("%s", limited)
                await self._clock.sleep(max(limited.retry_after, 1.0))
        return await self.desk.snapshot()

    async def splits(self, since: datetime) -> Sequence[Split]:
        """Return the splits of what the account holds since a time. Raise `VenueError`."""
        return await self.desk.splits(since)

    @property
    def is_up(self) -> bool:
        """Whether every stream that was begun is up."""
        return len(self._up) >= self._awaited

    async def until_up(self) -> None:
        """Wait until every stream that was begun is up."""
        while not self.is_up:
            self._stirred.clear()
            await self._stirred.wait()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something run until the session ends; its error ends the session."""
        self._begin(work)

    async def settle(self, patience: float = PATIENCE) -> None:
        """Wait until what was asked for is answered; what is not by then, the next run looks up."""
        while self.bridge.is_behind:
            await asyncio.sleep(0)
        if self._asked:
            await self._done(asyncio.ensure_future(_all_done(self._asked)), patience)

    async def end(self) -> None:
        """End all that runs."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _started(self, work: Coroutine[Any, Any, None]) -> None:
        self._awaited += 1
        self._begin(work)
        up = asyncio.ensure_future(self.until_up())
        await asyncio.wait({up, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._failed.done():
            self._failed.result()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._stirred.set()
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        error = first(error)
        log.debug("%s: %s", self.session.name, error)  # the engine raises it
        if not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()  # it is told over the bridge, whoever else waits for it
        self.bridge.fail(error)

    # -- what the engine asks for

    def obey(self, command: Command) -> None:
        """Begin to carry out a command."""
        match command:
            case Submit(group):
                self._turn(group)
                self._cancels.know(group)
                endings = self._cancels.before(group, self.bridge.known)
                work = partial(self._submitted, group, endings)
                batch = self.bridge.batch if self.desk.takes_together else 0
                self._in_lane(group.orders[0].symbol, work, kind(group, batch))
            case Cancel(client_order_id):
                self._turn_again(client_order_id)
                self._cancels.ask(client_order_id)
                self._cancel(client_order_id)
            case Replace(client_order_id, request):
                self._ask(self.desk.replace(client_order_id, request))
            case Look():
                self._begin(self._look())
            case Idle(taken):
                self._handled = taken
                self._stirred.set()
            case AskSplits():
                self.are_splits_wanted = True

    async def _look(self) -> None:
        """Tell the engine how the account is, however long it takes to find out."""
        while True:
            try:
                return self.bridge.post(await self.desk.snapshot())
            except VenueError as error:
                log.info("the account could not be looked at (%s)", error)
                await self._clock.sleep(LOOK)

    def tell_kept(self) -> None:
        """Hand on what is kept in lock-step: no instant follows that would take it."""
        for each in self.gathered():
            self.bridge.post(Instant(each.at, (), signals=(each,)) if isinstance(each, Signals) else each)

    def _ask(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._begin(work)
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        return task

    def _turn(self, group: OrderGroup) -> None:
        if self.gathers:
            names = [each.client_order_id for each in group.orders]
            self.turns |= {each: next(self._counted) for each in names}
            self._mates |= dict.fromkeys(names, names)

    def _turn_again(self, client_order_id: str) -> None:
        """An order that is cancelled comes before all that is sent, as in a backtest, and then what ends with it."""
        if self.gathers:
            mates = self._mates.get(client_order_id, [])
            ending = [client_order_id, *(each for each in mates if each != client_order_id)]
            self.turns |= {each: next(self._counted) - _CANCELS_FIRST for each in ending}

    def _cancel(self, client_order_id: str) -> None:
        """Cancel at once; in lock-step in its turn, so that a session comes out alike each time."""
        if self.gathers:
            self._in_lane("", partial(self._cancelled, client_order_id))
        else:
            self._ask(self.desk.cancel(client_order_id))

    def _in_lane(self, symbol: str, work: Work, party: Hashable = None) -> None:
        """Do what is for one symbol in the order in which it was asked for; in lock-step everything."""
        lane, party = ("", None) if self.gathers else (symbol, party)
        self._lanes.enter(lane, party, lambda before: self._ask(work(before)))

    async def _cancelled(self, client_order_id: str, before: Before) -> None:
        await self._all_done(before, None)
        await self.desk.cancel(client_order_id)

    async def _submitted(self, group: OrderGroup, endings: list[Ending], before: Before) -> None:
        """Send a group, after what was asked for before it: an exit is not held up by an entry without an answer."""
        patience = 0.1 * TOGETHER if group.is_exit else TOGETHER
        await self._all_done(before, None if self.gathers else patience)
        for each in endings:
            await self._done(asyncio.ensure_future(each.over.wait()), ENDING)
        if why := overtaken(group, endings):
            for request in group.orders:
                self.emit(OrderUpdate(request.client_order_id, "", OrderStatus.REJECTED, self._clock.now(), reason=why))
            return
        await self.desk.submit(group)

    async def _all_done(self, works: Before, seconds: float | None) -> None:
        """Wait until all of it is done, at most so long."""
        if works:
            await self._done(works[0] if len(works) == 1 else asyncio.ensure_future(_all_done(works)), seconds)

    async def _done(self, task: asyncio.Future[Any], seconds: float | None) -> None:
        """Wait until something is done, at most so long."""
        if task.done():
            return
        waits: set[asyncio.Future[Any]] = {task}
        pause = None if seconds is None else asyncio.ensure_future(self._clock.sleep(seconds))
        if pause is not None:
            waits.add(pause)
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if pause is not None:
            pause.cancel()

    async def until_idle(self) -> None:
        """Wait until the engine has dealt with everything, and what it asked for is answered and in place."""
        while self._handled < self.bridge.posted or self._asked or not self.is_up:
            self._stirred.clear()
            await self._stirred.wait()


async def _all_done(tasks: Iterable[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
