"""A session's way to trade at Alpaca: what `framework.ports.Desk` asks for, put together. Owned by the I/O thread.

The stream of order updates says what happens, REST says what was missed; both go through one `Reports`, so that
it does not matter which way something is learned. What Alpaca does not carry itself is done from here, in time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from brokers.alpaca.changing import Changing
from brokers.alpaca.duties import Send, Step, Tell, Withdraw
from brokers.alpaca.groups import Hold, Plan
from brokers.alpaca.hours import REGULAR
from brokers.alpaca.line import Habits, Line, together
from brokers.alpaca.lookups import account
from brokers.alpaca.rearming import Rearming
from brokers.alpaca.reconciling import Reconciling
from brokers.alpaca.resuming import left, parts, planned
from brokers.alpaca.sending import Sending
from brokers.alpaca.splits import splits_after
from brokers.alpaca.stream import STREAM, Message, OrderStream
from brokers.alpaca.telling import KEPT, Telling
from brokers.alpaca.via import account_checked
from feeds.alpaca.protocol import NAME
from feeds.alpaca.via import check_clock
from framework.errors import ConfigError, Unsupported, first
from framework.live.clock import Deadline, is_told
from framework.live.held import Clear
from framework.live.socket import Socket
from framework.live.stream import Link as SocketLink
from framework.live.stream import LinkState
from framework.model import Bar, Link, OrderGroup, OrderRequest, OrderUpdate, Snapshot, Split, Trade

if TYPE_CHECKING:
    from brokers.alpaca.endpoint import Endpoint
    from brokers.alpaca.groups import Duty, Post
    from framework.ports import Emit, Resumed, Session

Work = Callable[[], Awaitable[None]]

HABITS = Habits()
SHORTEST = 0.05
"""The least that the timer sleeps, in seconds of I/O time."""


class AlpacaDesk:
    """One session's orders at Alpaca (`framework.ports.Desk`).

    `price` is told each price, for the exits that are held here, and `catch_up` does what is due by a clock that only
    moves when it is told (lock-step); on a running clock `listen` does it by itself.
    """

    takes_together = True

    def __init__(self, session: Session, emit: Emit, endpoint: Endpoint, habits: Habits = HABITS) -> None:
        self._session, self._clock, self._emit, self._habits = session, session.clock, emit, habits
        self._line = Line(session, endpoint, habits)
        self._telling = Telling(session.clock, emit, self._follow)
        self._sending = Sending(self._line, self._telling)
        self._changing = Changing(self._line, self._telling)
        self._reconciling = Reconciling(self._line, self._telling, self._sending.in_flight.__contains__)
        self._socket = Socket(NAME, OrderStream(endpoint), session.clock, self._consume, habits.pace)
        self._begun = self._certain_at = self._looked_at = session.clock.now()
        self._splits: set[str] = set()
        self._earlier: dict[str, datetime] = {}
        self._resumed: list[Step] = []
        self._rearming = Rearming(self._line, self._telling)
        self._holds: list[tuple[Hold, float]] = []
        self._is_up: bool | None = None
        self._is_checked = False
        self._group: asyncio.TaskGroup | None = None
        self._works: set[asyncio.Task[None]] = set()
        self._waiting: list[Work] = []
        self._reconciliation: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._awaited: datetime | None = None
        REGULAR.sessions  # noqa: B018 - it takes a second to load: not while an order waits

    # The port

    async def snapshot(self) -> Snapshot:
        """Return the account as it is. Raise `ConfigError` where it cannot trade, `VenueError`."""
        found = await self._line.ask(account(self._line.endpoint, self._clock.now()))
        if found.bar:
            raise ConfigError(
                f"Alpaca's account {found.snapshot.account} cannot trade ({found.bar}); "
                "log in at Alpaca to see why, or use another account's keys"
            )
        await self._check_proxy(found.snapshot.account)
        return found.snapshot

    async def _check_proxy(self, number: str) -> None:
        """See once that a proxy hears of this account; raise `ConfigError` where it does not."""
        if (proxy := self._line.endpoint.proxy) is None or self._is_checked:
            return
        check_clock(is_told=is_told(self._clock))
        await self._line.ask(account_checked(proxy, self._line.endpoint.base_url, number))
        self._is_checked = True

    async def splits(self, since: datetime) -> Sequence[Split]:
        """Return the splits from the day of a time on; what is held here over one is withdrawn. Raise `VenueError`."""
        found = await self._line.ask_again(lambda: splits_after(self._line.endpoint, since))
        for each in found:
            if each.name not in self._splits:
                self._splits.add(each.name)
                self._withdraw(each)
        return found

    def resume(self, groups: Sequence[Resumed]) -> None:
        """Know what an earlier run left open; `listen` looks it up before anything else."""
        for was in groups:
            self._telling.booked.update(was.booked)
            self._rearming.changes.update(was.changed)
            self._telling.over |= was.ended
            for each in was.group.orders:
                self._telling.requests[each.client_order_id] = each
                self._earlier[each.client_order_id] = was.at
            for part in parts(was.group):
                rest = left(part, was, self._clock.now())
                for post in rest.posts:
                    self._telling.expect(post)
                self._telling.duties.add(rest.duties, part.position)
                self._resumed += rest.steps
                self._holds += rest.holds
                for text in rest.remarks:
                    self._telling.remark(text, part.orders[0].client_order_id)

    async def listen(self) -> None:
        """Follow the orders until cancelled; raise what waiting cannot cure."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._socket.run())
                self._group.create_task(self._keep_time())
                for each in self._waiting:
                    self._later(each)
                self._waiting.clear()
        except BaseExceptionGroup as failed:
            raise first(failed) from failed
        finally:
            self._group = None

    async def submit(self, group: OrderGroup) -> None:
        """Send a group; return when it is known what became of it. Raise `AuthenticationError`."""
        since = self._clock.now()
        for request in group.orders:
            self._make_anew(request.client_order_id)
        plans = [self._taken(each) for each in parts(group)]
        posts = [post for each in plans for post in each.posts]
        await together(self._sent(each, since, is_exit=group.is_exit) for each in posts)
        for each in plans:
            await self._held(each, group.position)

    async def cancel(self, client_order_id: str) -> None:
        """Cancel an order, wherever it is. Raise `AuthenticationError`."""
        if client_order_id in self._telling.over:
            return
        steps = self._telling.duties.cancel(client_order_id, self._clock.now())
        if steps is None:
            await self._sending.cancel(client_order_id)
        else:
            self._do(steps)

    async def replace(self, client_order_id: str, request: OrderRequest) -> None:
        """Put a new order in the place of one. Raise `AuthenticationError`."""
        if self._telling.duties.is_held(client_order_id):
            self._do(self._changing.held(client_order_id, request))
        else:
            await self._changing.replace(client_order_id, request)
        self._changed.set()

    def price(self, news: Bar | Trade) -> None:
        """Take in a symbol's prices: a bar's, or a trade's."""
        self._do(self._telling.duties.price(news, self._telling.after(news.end if isinstance(news, Bar) else news.at)))

    async def catch_up(self) -> None:
        """Do what is due by now, and wait until nothing is under way."""
        self._due()
        while self._works or self._waiting:
            if self._group is None:
                await self._waiting.pop(0)()
            else:
                await asyncio.wait(set(self._works))

    def _withdraw(self, split: Split) -> None:
        """Cancel what is held here at prices of before a split: the first price after it would set it off."""
        for name in self._telling.duties.split(split.symbol):
            if self._earlier.get(name, self._begun) < split.at:
                self._telling.remark(f"order {name} was held over a split of {split.symbol}; it is canceled", name)
                self._do(self._telling.duties.cancel(name, self._telling.now()) or ())

    # The stream

    async def _consume(self, item: Message | SocketLink) -> None:
        if isinstance(item, Message):
            self._hear(item.data)
        elif item.state is LinkState.LOST:
            self._down(item)
        else:
            if self._reconciliation is not None:
                self._reconciliation.cancel()
            self._reconciliation = self._later(self._reconcile)

    def _hear(self, data: object) -> None:
        self._telling.hear(data)
        self._certain_at = self._clock.now()
        self._look_at_a_stray(data)
        self._session.heard.hear(STREAM)

    def _down(self, link: SocketLink) -> None:
        if self._reconciliation is not None:
            self._reconciliation.cancel()
        if self._is_up is not False:
            self._is_up = False
            self._emit(Link(STREAM, False, link.at, link.reason))

    async def _reconcile(self) -> None:
        """Learn what was missed, then say that the stream is up."""
        since = self._certain_at - self._habits.skew
        await self._reconciling.catch_up(since)
        while self._holds:
            self._do(await self._rearming.again(*self._holds[0]))
            self._holds.pop(0)
        steps, self._resumed = self._resumed, []
        self._do(steps)
        self._certain_at = self._clock.now()
        self._session.heard.caught_up(STREAM)
        self._is_up = True
        self._emit(Link(STREAM, True, self._clock.now()))
        self._changed.set()

    def _look_at_a_stray(self, data: object) -> None:
        """Cancel an order that comes up after it was taken never to have arrived: its owner knows it as rejected."""
        order = data.get("order") if isinstance(data, dict) else None
        name = str(order.get("client_order_id")) if isinstance(order, dict) else ""
        if name in self._sending.given_up:
            self._sending.given_up.discard(name)
            self._telling.over.discard(name)
            self._telling.remark(f"order {name} came up after it was told as rejected; it is cancelled", name)
            self._later(partial(self._sending.cancel, name))

    # What follows

    def _taken(self, group: OrderGroup) -> Plan:
        """Plan a group, tell and remember what is decided, and return what is left of it to be done."""
        names = [each.client_order_id for each in group.orders]
        try:
            found = planned(group, self._clock.now())
        except (Unsupported, ConfigError) as error:
            for name in names:
                self._telling.reject(name, str(error))
            return Plan()
        self._telling.requests.update(zip(names, group.orders, strict=True))
        for text in found.remarks:
            self._telling.remark(text, names[0])
        for post in found.posts:
            self._telling.expect(post)
        holds, duties = self._older(found.duties)
        self._telling.duties.add(duties, group.position)
        self._stir()
        for each in found.decided:
            self._telling.update(each)
        self._do(self._telling.duties.begin(duties, self._telling.after()))
        return Plan(found.posts, holds)

    def _make_anew(self, name: str) -> None:
        """Let an order be sent under the name of one that was rejected; should that be there after all, it is found."""
        if name in self._telling.over:
            self._telling.anew(name)
            self._sending.given_up.discard(name)
            self._earlier.setdefault(name, self._begun)

    def _older(self, duties: Sequence[Duty]) -> tuple[tuple[Hold, ...], tuple[Duty, ...]]:
        """Return the orders to hold that an earlier run may have sent, and what else is to be done."""
        older = tuple(each for each in duties if isinstance(each, Hold) and self._is_earlier(each))
        return older, tuple(each for each in duties if each not in older)

    def _is_earlier(self, hold: Hold) -> bool:
        return any(each.client_order_id in self._earlier for each in hold.orders)

    async def _held(self, found: Plan, position: float) -> None:
        """Hold what an earlier run may have sent, when what rests beside it is known."""
        for each in found.duties:
            if isinstance(each, Hold):
                self._do(await self._rearming.again(each, position))

    async def _sent(self, post: Post, since: datetime, *, is_exit: bool) -> None:
        earlier = self._earlier.get(post.client_order_id)
        is_older = earlier is not None
        await self._sending.send(post, earlier or since, is_exit=is_exit, is_older=is_older)

    def _follow(self, update: OrderUpdate, steps: Sequence[Step]) -> None:
        """Do what follows of an order's news."""
        name = update.client_order_id
        self._reconciling.staleness.heard(update.venue_order_id)
        if not update.status.is_final and update.venue_order_id and self._sending.is_unwanted(name):
            self._later(partial(self._sending.cancel, name))
        self._do(steps)
        self._stir()

    def _do(self, steps: Sequence[Step]) -> None:
        for each in steps:
            match each:
                case Tell(update):
                    self._telling.update(update)
                case Withdraw(name):
                    self._later(partial(self.cancel, name))
                case Clear(name):
                    self._later(partial(self._sending.clear, name))
                case Send(group):
                    self._later(partial(self.submit, group))

    def _later(self, work: Work) -> asyncio.Task[None] | None:
        """Do something beside; before `listen`, it waits for it."""
        if self._group is None:
            self._waiting.append(work)
            return None
        task = self._group.create_task(_done(work))
        self._works.add(task)
        task.add_done_callback(self._works.discard)
        return task

    # Time

    async def _keep_time(self) -> None:
        """Do what is due when it is due; a clock that is told has `catch_up` instead."""
        while self._clock.seconds_until(self._clock.now() + timedelta(seconds=1)) is not None:
            self._changed.clear()
            self._due()
            with contextlib.suppress(TimeoutError):
                async with Deadline(self._clock, max(self._pause(), SHORTEST)):
                    await self._changed.wait()

    def _stir(self) -> None:
        """Look at the time again where something is due at another time than was awaited."""
        if self._telling.duties.next_at != self._awaited:
            self._changed.set()

    def _pause(self) -> float:
        """Return the I/O seconds until something may be due."""
        soon = self._clock.now() + self._habits.stale / 4
        self._awaited = self._telling.duties.next_at
        at = min(soon, self._awaited or soon)
        return self._clock.seconds_until(at) or 0.0

    def _due(self) -> None:
        now = self._clock.now()
        self._do(self._telling.duties.due(now))
        if self._is_up is not None and now - self._looked_at >= self._habits.stale / 4:
            self._looked_at = now
            self._telling.forget(now - KEPT)
            self._look_at_the_silent()

    def _look_at_the_silent(self) -> None:
        is_free = self._looking is None or self._looking.done()
        if is_free and self._reconciling.is_any_stale():
            self._looking = self._later(self._reconciling.look_up_stale)


async def _done(work: Work) -> None:
    await work()
