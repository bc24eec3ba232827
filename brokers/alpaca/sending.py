"""POSTs and cancels carried to their end: what becomes of each is found out, and none is sent blindly again."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from functools import partial

from brokers.alpaca.answers import Ground, Refused
from brokers.alpaca.exchanges import Cancelled, Taken, cancel, inquire, look_up, submit
from brokers.alpaca.following import Inquiry
from brokers.alpaca.groups import Post
from brokers.alpaca.line import Line
from brokers.alpaca.telling import Telling
from framework.errors import ConnectionLost, ProtocolError, RateLimited
from framework.model import OrderStatus, OrderUpdate
from framework.wire import Withdrawn

ABSENT = 2
"""How often an order must be looked up in vain before it is taken never to have arrived."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)

LOST = "it never reached Alpaca: two requests went unanswered, and it is not there; it was not sent again"


class Sending:
    """Sends orders and cancels. `in_flight` are the POSTs whose end is found out here. Owned by the I/O thread."""

    def __init__(self, line: Line, telling: Telling) -> None:
        self._line, self._telling = line, telling
        self.in_flight: set[str] = set()
        self.given_up: set[str] = set()
        self._unwanted: set[str] = set()
        self._cancelling: set[str] = set()

    async def send(self, post: Post, since: datetime, *, is_exit: bool, is_older: bool = False) -> None:
        """Send a POST, and hand on what became of it; raise `AuthenticationError`.

        `since` is when it was decided. `is_older` where an earlier run may have sent it: it is looked up first.
        """
        self.in_flight.add(post.client_order_id)
        try:
            known = await self._earlier(post, since) if is_older else None
            answer = known or await self._answer(post, since, is_exit=is_exit)
        finally:
            self.in_flight.discard(post.client_order_id)
        self._take(post, answer)

    async def cancel(self, client_order_id: str) -> None:
        """Cancel an order at the venue; where its id there is not known yet, remember it."""
        if self._telling.reports.venue_order_id(client_order_id) is None:
            self._unwanted.add(client_order_id)
        elif client_order_id not in self._cancelling:
            self._unwanted.discard(client_order_id)
            self._cancelling.add(client_order_id)
            try:
                await self._cancel(client_order_id)
            finally:
                self._cancelling.discard(client_order_id)

    async def clear(self, client_order_id: str) -> None:
        """Cancel an order until it has ended, however long it takes: another one waits for its shares."""
        for attempt in itertools.count(1):
            if client_order_id in self._telling.over:
                return
            await self.cancel(client_order_id)
            await self._see(client_order_id)
            if client_order_id not in self._telling.over:
                await self._line.wait_after(ConnectionLost(client_order_id, "it has not ended yet"), attempt)

    def is_unwanted(self, client_order_id: str) -> bool:
        """Return whether an order is to be cancelled as soon as its id at the venue is known."""
        return client_order_id in self._unwanted

    # Inside

    async def _earlier(self, post: Post, since: datetime) -> Taken | Refused | None:
        return await self._line.insist(lambda: look_up(self._line.endpoint, post, since=since))

    async def _see(self, name: str) -> None:
        """Look an order up: its end may be known there before it is told."""
        venue_order_id = self._telling.reports.venue_order_id(name)
        if name not in self._telling.over and venue_order_id is not None:
            found = await self._line.insist(partial(inquire, self._line.urgent, Inquiry(venue_order_id)))
            if found is not None:
                self._telling.see(found)
            elif name not in self._telling.over:  # what is not there holds nothing
                why = "Alpaca does not know it any more"
                self._telling.update(
                    OrderUpdate(name, venue_order_id, OrderStatus.CANCELED, self._telling.now(), reason=why)
                )

    async def _cancel(self, name: str) -> None:
        attempt = 0
        while name not in self._telling.over:
            attempt += 1
            venue_order_id = self._telling.reports.venue_order_id(name) or ""
            try:
                answer = await self._line.ask(cancel(self._line.urgent, venue_order_id))
            except (ConnectionLost, RateLimited, ProtocolError) as error:
                await self._line.wait_after(error, attempt)  # a cancel twice does no more than once
                continue
            if isinstance(answer, Taken):
                self._telling.see(answer.order)
                if await self._has_moved(name, venue_order_id):
                    continue
            self._cancelled(name, answer)
            return

    async def _answer(self, post: Post, since: datetime, *, is_exit: bool) -> Taken | Refused | None:
        endpoint = self._line.urgent if is_exit else self._line.endpoint
        while True:
            try:
                return await self._line.ask(submit(endpoint, post, since=since, unless=lambda: self._is_off(post)))
            except Withdrawn:
                # Where a first request went unanswered, it may come up still: it is cancelled then.
                self.given_up.update(each.client_order_id for each in post.orders)
                self._telling.tell(self._telling.reports.withdraw(post, self._telling.now()))
                return None
            except RateLimited as limited:  # it is known that nothing was taken
                if not is_exit:
                    return Refused(Ground.FORBIDDEN, f"{limited}; the order was not sent", 429)
                self._telling.remark(f"{limited}: the order waits, and goes then", post.client_order_id)
                await self._line.clock.sleep(limited.retry_after)
            except (ConnectionLost, ProtocolError) as error:
                self._telling.remark(f"{error}; it is being looked up", post.client_order_id)
                return await self._found_out(post, since)

    def _is_off(self, post: Post) -> bool:
        """Return whether a POST that has not left was cancelled: an entry takes what waits for it along."""
        names = [each.client_order_id for each in post.orders]
        return self._unwanted.issuperset(names) or (post.has_entry and names[0] in self._unwanted)

    async def _found_out(self, post: Post, since: datetime) -> Taken | Refused | None:
        """Look a POST up for as long as it takes; the stream may settle it meanwhile."""
        absent = 0
        for attempt in itertools.count(1):
            error: Exception = ConnectionLost(post.client_order_id, "not found")
            try:
                answer = await self._line.ask(look_up(self._line.endpoint, post, since=since))
            except (ConnectionLost, ProtocolError, RateLimited) as lost:
                error = lost
            else:
                absent += answer is None
                if answer is not None:
                    return answer
            if all(each.client_order_id in self._telling.over for each in post.orders):
                return None
            if absent >= ABSENT and not self._telling.is_known(post):
                self.given_up.update(each.client_order_id for each in post.orders)
                return Refused(Ground.NOT_FOUND, LOST, 404)
            await self._line.wait_after(error, attempt)
        raise AssertionError("unreachable")

    def _take(self, post: Post, answer: Taken | Refused | None) -> None:
        if isinstance(answer, Taken):
            self._telling.see(answer.order)
        elif answer is not None and self._telling.is_known(post):
            # The stream told of it: it is there, and is looked up as any order of which nothing more is heard.
            self._telling.remark(f"{answer.reason} (but Alpaca has told of it)", post.client_order_id)
        elif answer is not None:
            self._telling.tell(self._telling.reports.refuse(post, answer, self._telling.now()))

    async def _has_moved(self, client_order_id: str, name: str) -> bool:
        """Return whether the order goes on under another id, which is looked up where nobody has told it."""
        reports = self._telling.reports
        if reports.status(client_order_id) is OrderStatus.REPLACED:
            for each in reports.inquiries(LONG_AGO):
                self._telling.see(await self._line.insist(partial(inquire, self._line.endpoint, each)))
        return reports.venue_order_id(client_order_id) != name

    def _cancelled(self, name: str, answer: Cancelled | Taken | Refused) -> None:
        """Say where a cancel did not do what it was to do; what it did, the order's news tell."""
        status = self._telling.reports.status(name)
        if isinstance(answer, Refused):
            self._telling.remark(f"order {name} cannot be cancelled: {answer.reason}", name)
        elif isinstance(answer, Taken) and name not in self._telling.over and status is not OrderStatus.PENDING_CANCEL:
            shown = status.value if status else "not known"
            self._telling.remark(f"order {name} was not cancelled: it is {shown}; try again later", name)
