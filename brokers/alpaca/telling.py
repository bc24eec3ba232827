"""What is handed on of a session's orders: each one's news in their order, each once, however they were learned."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from brokers.alpaca.chain import Told
from brokers.alpaca.duties import Duties, Step
from brokers.alpaca.following import Reports
from brokers.alpaca.groups import Post
from framework.errors import ProtocolError
from framework.model import OrderRequest, OrderStatus, OrderUpdate, Remark
from framework.ports import Clock, Emit

log = logging.getLogger("switchback.alpaca")

INSTANT = timedelta(microseconds=1)

KEPT = timedelta(days=3)
"""For how long an order that is over is still known, should more be told of it: a weekend. A session has no end."""


class Telling:
    """The orders of a session as they are known, and the way to their owner. Owned by the I/O thread.

    Nothing waits between what is learned and what is emitted. `follow` is told of each update, after it.
    `booked` is the size and the value of the fills of earlier runs.
    """

    def __init__(self, clock: Clock, emit: Emit, follow: Callable[[OrderUpdate, Sequence[Step]], None]) -> None:
        self.reports, self.duties = Reports(), Duties()
        self.requests: dict[str, OrderRequest] = {}
        self.booked: dict[str, tuple[float, float]] = {}
        self.over: set[str] = set()
        self._ended: deque[tuple[datetime, str]] = deque()
        self._clock, self._emit, self._follow = clock, emit, follow
        self._latest = self._told_at = clock.now()

    def now(self) -> datetime:
        """Return venue time, later each time: on a clock that stands, what was heard before is older all the same."""
        self._latest = max(self._clock.now(), self._latest + INSTANT)
        return self._latest

    def after(self, at: datetime | None = None) -> datetime:
        """Return a time for what follows of what happened at `at`, or of the last news: no earlier than these."""
        return max(self.now(), at or self._told_at)

    def expect(self, post: Post) -> None:
        """Know a POST's orders before it is sent."""
        self.reports.expect(post, self.now(), self.booked)

    def hear(self, data: object) -> None:
        """Take in a message of the stream."""
        self.tell(self.reports.hear(data, self.now()))

    def see(self, order: object) -> None:
        """Take in an order of an answer."""
        self.tell(self.reports.see(order, self.now()))

    def execute(self, fill: object) -> None:
        """Take in a fill of the account's activities."""
        self.tell(self.reports.execute(fill, self.now()))

    def tell(self, told: Iterable[Told]) -> None:
        """Hand on what is new."""
        for each in told:
            if isinstance(each, ProtocolError):
                self.remark(str(each))
            else:
                self.update(each)

    def update(self, update: OrderUpdate) -> None:
        """Hand on one order's news; an end that the owner knows already is not told again."""
        update, name = self.duties.named(update), update.client_order_id
        if name in self.over and update.fill is None:
            return
        if update.status.is_final:
            self.over.add(name)
            self._ended.append((self._clock.now(), name))
        log.debug("order %s: %s %s", name, update.status.value, update.reason)
        self._told_at = max(self._told_at, update.at)
        self._emit(update)
        request = self.requests.get(name)
        traded = self.duties.traded(request, update) if request else []
        self._follow(update, [*traded, *self.duties.heard(update, self.filled(name))])

    def forget(self, before: datetime) -> None:
        """Forget the orders that were over by a time, and of which nothing was heard since."""
        while self._ended and self._ended[0][0] < before:
            _, name = self._ended.popleft()
            if not self.reports.forget(name, before):
                self._ended.append((self._clock.now(), name))  # another one of its group is open
                continue
            self.requests.pop(name, None)
            self.booked.pop(name, None)
            self.over.discard(name)

    def anew(self, name: str) -> None:
        """Forget an order that is over, because another one is to have its name."""
        self.reports.forget(name, self.now() + INSTANT)
        self.over.discard(name)
        self.booked.pop(name, None)

    def reject(self, name: str, reason: str) -> None:
        """End an order that the venue is never asked for."""
        self.update(OrderUpdate(name, "", OrderStatus.REJECTED, self._clock.now(), reason=reason))

    def remark(self, text: str, subject: str = "") -> None:
        """Tell the user something in a sentence."""
        log.debug("%s", text)  # the session tells it
        self._emit(Remark(text, subject))

    def filled(self, name: str) -> float:
        """Return what an order has filled, in earlier runs too."""
        known = self.reports.filled(name) if self.is_expected(name) else self.booked.get(name, (0.0, 0.0))
        return known[0]

    def has_failed(self, name: str) -> bool:
        """Return whether an order is known to have been rejected or to have expired: nobody cancelled it."""
        status = self.reports.status(name) if self.is_expected(name) else None
        return status in (OrderStatus.REJECTED, OrderStatus.EXPIRED)

    def is_expected(self, name: str) -> bool:
        """Return whether an order has been sent, or is about to be."""
        return self.reports.post(name) is not None

    def is_known(self, post: Post) -> bool:
        """Return whether the venue has told of any order of a POST."""
        return any(self.reports.venue_order_id(each.client_order_id) for each in post.orders)
