"""What an earlier run left, and what comes up late: found out before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from brokers.algogene.exchanges import cancel_orders, close_orders
from brokers.algogene.following import Poll
from brokers.algogene.line import CURABLE, Line, log
from brokers.algogene.plans import Plan, exit_following, following, parts, read
from brokers.algogene.sending import TRADE, Sending
from brokers.algogene.telling import Telling
from feeds.algogene.naming import NAME
from framework.live.identity import NamedOrderId, parsed
from framework.live.records import UPDATE
from framework.model import OrderGroup, OrderStatus
from framework.ports import Journal, Recorded, Resumed

PLAN = "algogene-plan"
"""The kind of a record: by what an order is carried out, written before anything of it is sent."""

NEVER = f"it never reached {NAME}: the program stopped before it was sent; nothing was sent again"


class Resuming:
    """Looks up what `groups`, of earlier runs, have become. Owned by the I/O thread."""

    def __init__(self, line: Line, telling: Telling, sending: Sending, journal: Journal) -> None:
        self._line, self._telling, self._sending, self._journal = line, telling, sending, journal
        self.groups: list[Resumed] = []
        self._cleared: set[str] = set()

    async def run(self) -> None:
        """Follow the orders of earlier runs again. Raise `AuthenticationError`."""
        groups, self.groups = self.groups, []
        for was in groups:
            for each in parts(was.group):
                if any(order.client_order_id not in was.ended for order in each.orders):
                    await self._resume(each, was)

    def is_older(self, name: str) -> bool:
        """Return whether an order of that name may have been sent before: only a strategy's own names come twice."""
        return isinstance(parsed(name), NamedOrderId) and self._last(PLAN, name) is not None

    async def clear_strays(self, poll: Poll) -> None:
        """End an order that comes up after it was taken never to have arrived: its owner knows it as rejected."""
        for name in self._sending.given_up - self._cleared:
            waiting = [each.trade_id for each in poll.pending.values() if each.order_ref == name]
            opened = [each.trade_id for each in poll.opened.values() if each.order_ref == name]
            try:
                if waiting:
                    await self._line.ask(cancel_orders(self._line.endpoint, waiting))
                if opened:
                    await self._line.ask(close_orders(self._line.endpoint, opened))
            except CURABLE as error:
                log.warning("order %s, which came up late, could not be ended: %s", name, error)
                continue
            if opened or waiting:
                self._cleared.update(() if waiting else (name,))
                self._telling.remark(f"order {name} came up after it was told as rejected; it is ended", name)

    # Inside

    async def _resume(self, group: OrderGroup, was: Resumed) -> None:
        names = [each.client_order_id for each in group.orders]
        written = self._last(PLAN, names[0])
        if written is None or written.at < was.at:
            return self._never(names, was)
        plan = read(written.body, group)
        trade_id = await self._trade_id(plan, written.at) if plan.opens else ""
        if plan.name not in was.ended:
            order = following(plan, trade_id, was.booked.get(plan.name, (0.0, 0.0)))
            self._telling.follow(order, was.changed.get(plan.name, plan.request))
            if plan.opens and not trade_id:
                self._telling.refuse(plan.name, NEVER)
        self._exits(plan, was, trade_id)
        return None

    def _exits(self, plan: Plan, was: Resumed, trade_id: str) -> None:
        is_closed = bool(plan.exits) and self._is_closed(trade_id)
        for exit_ in plan.exits:
            name = exit_.client_order_id
            if name in was.ended:
                continue
            if not trade_id:
                self._telling.reject(name, NEVER)
                continue
            asked = was.changed.get(name, exit_)
            order = exit_following(plan, asked, trade_id, was.booked.get(name, (0.0, 0.0)))
            self._telling.follow(replace(order, client_order_id=name), exit_)
            if is_closed:
                self._telling.cancel(name, "its trade was closed otherwise")

    def _is_closed(self, trade_id: str) -> bool:
        """Return whether an order that is over has closed a trade: what history tells of that is not the levels'."""
        closers = [
            each.key
            for each in self._journal.entries(PLAN)
            if any(closed == trade_id for closed, _ in each.body["closes"])
        ]
        last = (self._last(UPDATE, name) for name in closers)
        return any(each is not None and each.body["update"].status is OrderStatus.FILLED for each in last)

    def _never(self, names: list[str], was: Resumed) -> None:
        for name in names:
            if name not in was.ended:
                self._telling.reject(name, NEVER)

    async def _trade_id(self, plan: Plan, written_at: datetime) -> str:
        told = self._last(TRADE, plan.name)
        if told is not None and told.at >= written_at:
            return str(told.body["trade"])
        found = await self._sending.look_up(plan.name)
        return found.trade_id if found else ""

    def _last(self, kind: str, name: str) -> Recorded | None:
        last = None
        for last in self._journal.entries(kind, name):  # noqa: B007
            pass
        return last
