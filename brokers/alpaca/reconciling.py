"""What was missed, found out by asking: after a connection, after a restart, and when an order is silent for long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial

from brokers.alpaca.answers import Ground, Refused
from brokers.alpaca.exchanges import inquire
from brokers.alpaca.following import Inquiry
from brokers.alpaca.hours import may_have_news
from brokers.alpaca.line import Line
from brokers.alpaca.lookups import fills_after, orders_after
from brokers.alpaca.staleness import Staleness
from brokers.alpaca.telling import Telling
from framework.live.clock import pace

SHORTEST = timedelta(seconds=1.5)
"""The least I/O time after which an order of which nothing is heard is looked up."""

NEVER = "it never reached Alpaca: the program stopped before it was sent; nothing was sent again"


class Reconciling:
    """Looks orders up. `is_in_flight` says of a POST (by its id) that its sender finds it out. I/O thread."""

    def __init__(self, line: Line, telling: Telling, is_in_flight: Callable[[str], bool]) -> None:
        self._line, self._telling, self._is_in_flight = line, telling, is_in_flight
        habits = line.habits
        least = SHORTEST * pace(line.clock)  # in a sandbox that runs fast, seconds are no time to wait for an answer
        self.staleness = Staleness(max(habits.stale, least), max(habits.longest_stale, least))
        self._gone: set[Inquiry] = set()

    async def catch_up(self, since: datetime) -> None:
        """Learn all that has happened since a time, however long it takes; raise `AuthenticationError` only."""
        telling, endpoint = self._telling, self._line.endpoint
        fills = await self._line.insist(lambda: fills_after(endpoint, since))
        for each in fills:  # before the orders: each has a price of its own
            telling.execute(each)
        await self.look_up(telling.now())
        for each in await self._line.insist(lambda: orders_after(endpoint, since)):
            telling.see(each)
        for each in fills:
            telling.execute(each)

    async def look_up(self, before: datetime) -> None:
        """Ask for every open order of which nothing was heard since, and for what its answer leads to."""
        asked: set[Inquiry] = set()
        while more := [each for each in self._telling.reports.inquiries(before) if each not in asked]:
            asked.update(more)
            await self._ask(each for each in more if not self._is_in_flight(self._post(each)))

    def is_any_stale(self) -> bool:
        """Return whether a look-up may be due."""
        return bool(self._silent())

    async def look_up_stale(self) -> None:
        """Ask for the orders that have been silent for too long."""
        await self._ask(self.staleness.due(self._silent(), self._line.clock.now()))

    # Inside

    def _silent(self) -> list[Inquiry]:
        before = self._line.clock.now() - self.staleness.first
        return [each for each in self._telling.reports.inquiries(before) if self._is_worth_it(each)]

    def _is_worth_it(self, inquiry: Inquiry) -> bool:
        request = self._telling.requests.get(self._owner(inquiry))
        is_ours_to_ask = inquiry not in self._gone and not self._is_in_flight(self._post(inquiry))
        return is_ours_to_ask and (request is None or may_have_news(request, self._line.clock.now()))

    async def _ask(self, inquiries: Iterable[Inquiry]) -> None:
        for each in inquiries:
            found = await self._line.insist(partial(inquire, self._line.endpoint, each))
            if found is None:
                self._missing(each)
            else:
                self._telling.see(found)

    def _missing(self, inquiry: Inquiry) -> None:
        """Take what the venue has never had for not sent; what it had is told and left as it is."""
        post = self._telling.reports.post(inquiry.client_order_id)
        if post is not None and not self._is_in_flight(post.client_order_id) and not self._telling.is_known(post):
            why = Refused(Ground.NOT_FOUND, NEVER, 404)
            self._telling.tell(self._telling.reports.refuse(post, why, self._telling.now()))
        elif inquiry.venue_order_id and inquiry not in self._gone:
            self._gone.add(inquiry)
            name = self._owner(inquiry)
            self._telling.remark(f"order {name}: Alpaca does not know it any more; look at the account", name)

    def _owner(self, inquiry: Inquiry) -> str:
        return inquiry.client_order_id or self._telling.reports.owner(inquiry.venue_order_id) or ""

    def _post(self, inquiry: Inquiry) -> str:
        """Return the id of the POST that an inquiry is about."""
        owner = self._owner(inquiry)
        post = self._telling.reports.post(owner)
        return post.client_order_id if post else owner
