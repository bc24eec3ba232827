"""A session's way to trade at ALGOGENE: what `framework.ports.Desk` asks for, put together. Owned by the I/O thread.

There is no stream: what became of orders is polled, often while something moves and seldom while nothing does. In
lock-step a poll follows each step, before what it brought is handed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from brokers.algogene.changing import Changing
from brokers.algogene.following import Kind, Poll
from brokers.algogene.holdings import Holdings
from brokers.algogene.line import CURABLE, Habits, Line
from brokers.algogene.lookups import balance, opened_trades, pending_trades
from brokers.algogene.plans import EXITS, Plan, check, exit_following, following, parts, planned
from brokers.algogene.protocol import Endpoint
from brokers.algogene.resuming import PLAN, Resuming
from brokers.algogene.sending import Sending
from brokers.algogene.telling import Telling
from brokers.algogene.watching import Watching, is_told
from brokers.algogene.wishes import Wishes
from framework.errors import ConfigError, Unsupported
from framework.model import (
    Bar,
    OrderGroup,
    OrderRequest,
    OrderStatus,
    OrderType,
    Snapshot,
    Split,
    Trade,
)

if TYPE_CHECKING:
    from framework.ports import Emit, Resumed, Session

TRIES = 5
"""How often it is asked for what a session can do without for a while."""

USUAL = Habits()


class AlgogeneDesk:
    """One session's orders at ALGOGENE (`framework.ports.Desk`)."""

    takes_together = False
    """An order is made into trades by what the one before it has left of these."""

    def __init__(self, session: Session, emit: Emit, endpoint: Endpoint, habits: Habits = USUAL) -> None:
        self._journal, self._clock, self._habits = session.journal, session.clock, habits
        self._line = Line(session, endpoint, habits)
        self._telling = Telling(session.clock, emit)
        self._holdings = Holdings(self._line, session, self._telling)
        self._sending = Sending(self._line, self._telling, session.journal)
        self._wishes = Wishes(self._line, self._telling, self._sending.unwanted)
        self._resuming = Resuming(self._line, self._telling, self._sending, session.journal)
        self._deferred: list[tuple[Plan, bool]] = []
        self._reopening: set[str] = set()
        self._changing = Changing(self._line, self._telling, self._wishes)
        self._watching = Watching(self._line, self._telling, emit, self._follow_up, self._is_moving)
        if is_told(session.clock):
            session.heard.after_step(self._watching.in_time)

    # The port

    async def snapshot(self) -> Snapshot:
        """Return the account as it is. Raise `VenueError`."""
        endpoint, at = self._line.endpoint, self._clock.now()
        money = await self._line.insist(lambda: balance(endpoint), TRIES)
        pending = await self._line.insist(lambda: pending_trades(endpoint), TRIES)
        trades = await self._line.insist(lambda: opened_trades(endpoint), TRIES)
        return await self._holdings.snapshot(at, money, pending, trades)

    async def splits(self, since: datetime) -> Sequence[Split]:
        """Return nothing: ALGOGENE tells of no splits."""
        return ()

    def resume(self, groups: Sequence[Resumed]) -> None:
        """Know what an earlier run left open; `listen` looks it up before anything else."""
        self._resuming.groups += groups

    async def listen(self) -> None:
        """Follow the orders until cancelled; raise what waiting cannot cure."""
        await self._resuming.run()
        await self._watching.run()

    async def submit(self, group: OrderGroup) -> None:
        """Send a group; return when it is known what became of it. Raise `AuthenticationError`."""
        for each in parts(group):
            await self._submit(each)

    async def cancel(self, client_order_id: str) -> None:
        """Cancel an order that waits, or the levels of a trade, which go together. Raise `AuthenticationError`."""
        if self._telling.is_over(client_order_id):
            return
        if self._is_past_recall(client_order_id):
            self._telling.remark(f"order {client_order_id} closes trades; that cannot be taken back", client_order_id)
            return
        await self._withdraw(client_order_id)
        await self._stir()

    async def replace(self, client_order_id: str, request: OrderRequest) -> None:
        """Change the price or the end of an order that waits, or a level. Raise `AuthenticationError`."""
        await self._changing.replace(client_order_id, request)

    def price(self, news: Bar | Trade) -> None:
        """Take no prices: nothing is held on this side."""

    async def catch_up(self) -> None:
        """Do nothing: what is due by the clock is the venue's to do, and is polled after each step."""

    async def _withdraw(self, name: str) -> None:
        self._sending.unwanted.update(self._together(name))
        await self._wishes.cancel(name)

    def _is_past_recall(self, name: str) -> bool:
        """Return whether an order only closes trades, or is to open again what it has closed too much of."""
        order = self._telling.followed.get(name)
        is_closing = order is not None and all(each.kind is Kind.CLOSE for each in order.parts)
        return is_closing or name in self._reopening

    # Submitting

    async def _submit(self, group: OrderGroup) -> None:
        names = [each.client_order_id for each in group.orders]
        try:
            check(group)
            plan = await self._planned(group)
        except (Unsupported, ConfigError, *CURABLE) as error:
            for name in names:
                self._telling.reject(
                    name, f"{error}; the order was not sent" if isinstance(error, CURABLE) else str(error)
                )
            return
        await self._carried_out(plan, is_exit=group.is_exit)
        await self._stir(is_poll=False)

    async def _planned(self, group: OrderGroup) -> Plan:
        """Plan an order, follow it, and have it on the disk before anything leaves: nothing waits in between."""
        symbol = group.orders[0].symbol
        tries = None if group.is_exit else TRIES  # an entry that cannot be sent now is not wanted later
        instrument = await self._holdings.instrument(symbol, tries)
        lots = await self._holdings.lots(symbol, group.position, tries) if self._nets(group) else ()
        plan = planned(group, lots, instrument, self._habits.way, self._levelled)
        self._telling.follow(following(plan), plan.request)
        return plan

    @property
    def _levelled(self) -> frozenset[str]:
        """The trades that have levels."""
        parts = (each.parts[0] for each in self._telling.followed.values())
        return frozenset(each.trade_id for each in parts if each.kind in EXITS.values())

    def _nets(self, group: OrderGroup) -> bool:
        return len(group.orders) == 1 and group.orders[0].order_type is OrderType.MARKET

    async def _carried_out(self, plan: Plan, *, is_exit: bool) -> None:
        if plan.closes and plan.name in self._sending.unwanted:
            self._telling.cancel(plan.name)
            return
        is_older = self._resuming.is_older(plan.name)
        self._journal.append(PLAN, plan.name, plan.body())
        self._journal.commit()
        if plan.closes:
            await self._wishes.close([each.trade_id for each in plan.closes])
            self._telling.seen(plan.name)
        if plan.after:
            self._sending.unwanted.discard(plan.name)
            self._reopening.add(plan.name)
            self._deferred.append((plan, is_exit))
        elif plan.opens:
            await self._open(plan, is_exit=is_exit, is_older=is_older)

    async def _open(self, plan: Plan, *, is_exit: bool, is_older: bool = False) -> None:
        instrument = await self._holdings.instrument(plan.request.symbol)
        try:
            taken = await self._sending.open(plan, instrument, is_exit=is_exit, is_older=is_older)
        except (ConfigError, Unsupported) as error:
            taken = None
            self._telling.refuse(plan.name, str(error))
        if taken is None:
            for exit_ in plan.exits:
                self._telling.reject(exit_.client_order_id, "its entry was not taken")
            return
        for exit_ in plan.exits:
            self._telling.follow(exit_following(plan, exit_, taken.trade_id), exit_)
            self._telling.seen(exit_.client_order_id)
        for name in plan.names:
            if name in self._sending.unwanted:
                await self._withdraw(name)

    def _together(self, name: str) -> list[str]:
        """Return an order's name, and those of the levels of the same trade where it is one."""
        order = self._telling.followed.get(name)
        if order is None or order.parts[0].kind not in EXITS.values():
            return [name]
        trade_id = order.parts[0].trade_id
        return [
            each
            for each, other in self._telling.followed.items()
            if other.parts[0].kind in EXITS.values() and other.parts[0].trade_id == trade_id
        ]

    async def _follow_up(self, poll: Poll) -> None:
        """Do what a poll leads to."""
        self._holdings.take(poll)
        await self._wishes.carry_out(poll)
        await self._resuming.clear_strays(poll)
        deferred, self._deferred = self._deferred, []
        for plan, is_exit in deferred:
            ends = self._ends(plan)
            if None in ends:
                self._deferred.append((plan, is_exit))
                continue
            if ends <= {OrderStatus.FILLED}:
                await self._open(plan, is_exit=is_exit)
            else:  # another close came before: there is nothing to make smaller
                self._telling.cancel(plan.name, "its trade was closed otherwise", is_unsent=True)
            self._reopening.discard(plan.name)

    def _ends(self, plan: Plan) -> set[OrderStatus | None]:
        """Return how the closes of an order have ended, None for one that has not."""
        order = self._telling.followed.get(plan.name)
        pairs = () if order is None else zip(order.parts, order.known, strict=True)
        return {known.end for part, known in pairs if part.kind is Kind.CLOSE}

    async def _stir(self, *, is_poll: bool = True) -> None:
        """Poll soon; in lock-step now, where nothing else would tell."""
        self._watching.stir()
        if is_poll and is_told(self._clock):
            await self._watching.in_time()

    def _is_moving(self) -> bool:
        """Whether something is on its way that ends by itself: a close, an order at the market, a cancel."""
        followed = self._telling.followed
        moving = (
            name in self._sending.unwanted or self._telling.requests[name].order_type is OrderType.MARKET
            for name in followed
        )
        return bool(self._deferred) or any(moving)
