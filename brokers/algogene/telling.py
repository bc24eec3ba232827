"""What is handed on of a session's orders: each one's news in their order, each once."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from brokers.algogene.advancing import advance, questions
from brokers.algogene.diff import diff
from brokers.algogene.following import Followed, Following, Kind, Known, Poll, Questions
from framework.model import OrderRequest, OrderStatus, OrderUpdate, Remark
from framework.ports import Clock, Emit

KEPT = 5_000
"""How many orders that are over are still known as such."""

log = logging.getLogger("switchback.algogene")


class Telling:
    """The open orders of a session as they are known, and the way to their owner. Owned by the I/O thread.

    Nothing waits between what is learned and what is emitted. An order that is over is forgotten.
    """

    def __init__(self, clock: Clock, emit: Emit) -> None:
        self.followed: dict[str, Following] = {}
        self.asked = Questions()
        """What the next poll has to ask for."""
        self._clock, self._emit = clock, emit
        self.requests: dict[str, OrderRequest] = {}
        """The open orders as they were asked for last."""
        self._margin: set[str] = set()
        self._turns: dict[str, int] = {}
        self._counted = itertools.count()
        self._before: dict[str, Following] | None = None
        self._over: dict[str, None] = {}

    def follow(self, order: Following, request: OrderRequest) -> None:
        """Know an order before it is sent."""
        name = order.client_order_id
        self.followed[name], self.requests[name] = order, request
        self._turns[name] = next(self._counted)
        self._over.pop(name, None)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within the block only learn; then tell what is new, by the turn in which the orders were sent.

        What became of some is known with the first answer, of others with the third, though it happened at once.
        """
        self._before = dict(self.followed)
        try:
            yield
        finally:
            before, self._before = self._before, None
            self._news(before, self._clock.now())

    def is_over(self, name: str) -> bool:
        """Return whether an order was told as over, not too long ago."""
        return name in self._over

    def change(self, order: Following) -> None:
        """Take what is newly known of one order."""
        name = order.client_order_id
        if name in self.followed:
            self._take({**self.followed, name: order}, self._clock.now())

    def poll(self, poll: Poll) -> None:
        """Take in what was polled."""
        after = advance(self.followed, poll)
        self.asked = questions(after, poll)
        self._take(after, poll.at)

    def seen(self, name: str, trade_id: str = "") -> None:
        """Note that the venue has an order, and the id of the trade that it opens."""
        if (order := self.followed.get(name)) is None:
            return
        parts = tuple(each if each.trade_id else replace(each, trade_id=trade_id) for each in order.parts)
        known = tuple(replace(each, is_seen=True) if each.end is None else each for each in order.known)
        self.change(replace(order, parts=parts, known=known))

    def refuse(self, name: str, reason: str, *, is_margin: bool = False) -> None:
        """End what an order was to open, which the venue did not take."""
        if is_margin:
            self._margin.add(name)
        if (order := self.followed.get(name)) is not None:
            self.change(order.refused("", reason, self._clock.now()))

    def cancel(self, name: str, reason: str = "", *, is_unsent: bool = False) -> None:
        """End what of an order is not over, without a word of the venue's; `is_unsent` what has not left alone."""
        if (order := self.followed.get(name)) is not None:
            end = Known(end=OrderStatus.CANCELED, at=self._clock.now(), reason=reason)
            known = tuple(
                each
                if each.end is not None or (is_unsent and part.trade_id)
                else replace(end, is_seen=each.is_seen, filled=each.filled, value=each.value)
                for part, each in zip(order.parts, order.known, strict=True)
            )
            self.change(replace(order, known=known))

    def reject(self, name: str, reason: str) -> None:
        """End an order that the venue is never asked for, or whose entry it did not take."""
        self.followed.pop(name, None)
        self._tell(OrderUpdate(name, "", OrderStatus.REJECTED, self._clock.now(), reason=reason))

    def tell(self, update: OrderUpdate) -> None:
        """Hand on what no poll tells."""
        self._tell(update)

    def remark(self, text: str, subject: str = "") -> None:
        """Tell the user something in a sentence."""
        log.debug("%s", text)  # the session tells it
        self._emit(Remark(text, subject))

    def _take(self, after: Followed, at: datetime) -> None:
        before, self.followed = self.followed, dict(after)
        if self._before is None:
            self._news(before, at)

    def _news(self, before: Followed, at: datetime) -> None:
        """Tell what is new, and forget the orders that are over."""
        news = sorted(diff(before, self.followed, at), key=self._turn)
        self.followed = {name: each for name, each in self.followed.items() if not each.status.is_final}
        for each in news:
            self._tell(each)

    def _turn(self, update: OrderUpdate) -> tuple[bool, int]:
        """Return where news belong: a level that ends because its trade was closed follows what closed it."""
        name = update.client_order_id
        order = self.followed[name]
        is_level = all(each.kind in (Kind.TAKE_PROFIT, Kind.STOP_LOSS) for each in order.parts)
        return is_level and not order.filled[0], self._turns.get(name, 0)

    def _tell(self, update: OrderUpdate) -> None:
        name = update.client_order_id
        if update.status.is_final and name in self._margin:
            self._margin.discard(name)
            update = replace(update, is_margin=update.status is OrderStatus.REJECTED)
        if update.status.is_final:
            self.requests.pop(name, None)
            self._turns.pop(name, None)
            self._over[name] = None
            while len(self._over) > KEPT:
                del self._over[next(iter(self._over))]
        log.debug("order %s: %s %s", name, update.status.value, update.reason)
        self._emit(update)
