"""Orders carried to their end: what becomes of each is found out, and none is sent blindly again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from brokers.algogene.exchanges import Refused, Taken, Unknown, open_order
from brokers.algogene.following import Kind
from brokers.algogene.instruments import Instrument
from brokers.algogene.line import CURABLE, Line
from brokers.algogene.lookups import find_by_ref
from brokers.algogene.orders import body
from brokers.algogene.plans import Plan
from brokers.algogene.telling import Telling
from feeds.algogene.naming import NAME
from framework.errors import ConnectionLost
from framework.ports import Journal
from framework.wire import Priority, Withdrawn

ABSENT = 3
"""How often an order must be looked up in vain before it is taken never to have arrived."""

LOST = f"it never reached {NAME}: no answer came, and it is not there; it was not sent again"

TRADE = "algogene-trade"
"""The kind of a record: the id of the trade that an order opened."""


class Sending:
    """Sends orders that open trades. Owned by the I/O thread.

    `unwanted` are the orders whose end is asked for, `given_up` those that were taken never to have arrived.
    """

    def __init__(self, line: Line, telling: Telling, journal: Journal) -> None:
        self._line, self._telling, self._journal = line, telling, journal
        self.unwanted: set[str] = set()
        self.given_up: set[str] = set()

    async def open(self, plan: Plan, instrument: Instrument, *, is_exit: bool, is_older: bool = False) -> Taken | None:
        """Send what a plan opens, and tell what became of it; raise `AuthenticationError`.

        `is_older` where one of that name may have been sent before: it is looked up first.
        """
        told = self._body(plan, instrument)
        outcome: Taken | Refused | None = await self._found(plan.name, tries=1) if is_older else None
        if outcome is None:
            outcome = await self._outcome(plan.name, told, is_exit=is_exit)
        if isinstance(outcome, Taken):
            self._journal.append(TRADE, plan.name, {"trade": outcome.trade_id})
            self._telling.seen(plan.name, outcome.trade_id)
            return outcome
        if outcome is None:
            self._telling.cancel(plan.name, is_unsent=True)
        else:
            self._telling.refuse(plan.name, outcome.reason, is_margin=outcome.is_margin)
        return None

    async def look_up(self, name: str) -> Taken | None:
        """Find an order that an earlier run may have sent, None where it never arrived; raise `AuthenticationError`."""
        found = await self._found(name, tries=ABSENT)
        if found is None:
            self.given_up.add(name)
        return found

    def _body(self, plan: Plan, instrument: Instrument) -> Mapping[str, Any]:
        profit, loss = plan.level(Kind.TAKE_PROFIT), plan.level(Kind.STOP_LOSS)
        return body(plan.opening, instrument, self._line.clock.now(), take_profit=profit, stop_loss=loss)

    async def _outcome(self, name: str, told: Mapping[str, Any], *, is_exit: bool) -> Taken | Refused | None:
        """Send an order until it is known what became of it; None where nobody wants it any more."""
        priority = Priority.EXIT if is_exit else None
        for attempt in itertools.count(1):
            try:
                exchange = open_order(self._line.endpoint, told, lambda: name in self.unwanted, priority)
                return await self._line.ask(exchange)
            except Withdrawn:
                return None
            except Unknown as unknown:
                self._telling.remark(f"{unknown}; it is being looked up", name)
                found = await self._found(name, tries=ABSENT)
                self.given_up.update(() if found else (name,))
                return found or Refused(LOST)
            except CURABLE as error:  # it is known that nothing was taken
                if not is_exit or name in self.unwanted:
                    return Refused(f"{error}; the order was not sent")
                self._telling.remark(f"{error}: the order waits, and goes then", name)
                await self._line.wait_after(error, attempt)
        raise AssertionError("unreachable")

    async def _found(self, name: str, tries: int) -> Taken | None:
        """Look an order up until it is found, or was not there so often, and for the time of grace."""
        absent, since = 0, self._line.clock.monotonic()
        grace = self._line.habits.grace if tries > 1 else 0.0
        for attempt in itertools.count(1):
            error: Exception = ConnectionLost(NAME, f"order {name} was not found")
            try:
                found = await self._line.ask(find_by_ref(self._line.endpoint, name))
            except CURABLE as lost:
                error = lost
            else:
                if found is not None:
                    return Taken(found.trade_id, is_adopted=True)
                absent += 1
                if absent >= tries and self._line.clock.monotonic() - since >= grace:
                    return None
            await self._line.wait_after(error, attempt)
        raise AssertionError("unreachable")
