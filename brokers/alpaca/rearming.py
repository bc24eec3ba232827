"""Exits that an earlier run held and never sent: they are held again. Those that it had sent are found by their ids."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from brokers.alpaca.duties import Step, Tell
from brokers.alpaca.exchanges import find
from brokers.alpaca.groups import Hold, Post
from brokers.alpaca.line import Line
from brokers.alpaca.telling import Telling
from framework.live.held import NOISE, Clear
from framework.model import OrderRequest, OrderStatus, OrderUpdate

AGAIN = (
    "{symbol}: the {kind} ({name}) of an earlier run was not sent; it is followed here again, from the values that it "
    "was placed with, and goes at the first price that has passed it"
)


class Rearming:
    """Looks up what had been sent and holds the rest, when what rests is known. Owned by the I/O thread.

    `changes` are the orders that were changed after they had been planned, as they are now.
    """

    def __init__(self, line: Line, telling: Telling) -> None:
        self._line, self._telling = line, telling
        self.changes: dict[str, OrderRequest] = {}

    async def again(self, hold: Hold, position: float) -> list[Step]:
        """Return what follows at once; raise `AuthenticationError` only."""
        telling = self._telling
        was_sent = [each for each in hold.orders if not self._is_over(each) and await self._is_sent(each)]
        held = tuple(each for each in hold.orders if each not in was_sent and not self._is_over(each))
        if was_sent:
            return [*self._end(held, "another exit has been reached"), *self._without(hold)]
        over = [each for each in hold.orders if self._is_over(each) and self._left(each, hold.resting) is not None]
        if over or telling.has_failed(hold.resting):
            return [*self._end(held, "the other exit has ended"), *self._without(hold)]
        left = tuple(self._left(each, hold.resting) for each in held)
        filled = tuple(each for each, rest in zip(held, left, strict=True) if rest is None)
        orders = tuple(filter(None, left))
        return [*self._end(filled, "the other exit has filled"), *self._held(hold, orders, position)]

    # Inside

    def _left(self, request: OrderRequest, resting: str) -> OrderRequest | None:
        """Return an order as it is now, for what the exit that rests has left of it, None where that is nothing."""
        changed = self.changes.get(request.client_order_id, request)
        now = replace(changed, client_order_id=request.client_order_id, order_type=request.order_type)
        if now.quantity is None:
            return now
        left = round(now.quantity - self._telling.filled(resting), 9)
        return replace(now, quantity=left) if left > NOISE else None

    def _held(self, hold: Hold, orders: tuple[OrderRequest, ...], position: float) -> list[Step]:
        """Hold orders from now on."""
        if not orders:
            return []
        now, sign = self._telling.now(), orders[0].side.sign
        for each in orders:
            text = AGAIN.format(symbol=each.symbol, kind=each.order_type.value, name=each.client_order_id)
            self._telling.remark(text, each.client_order_id)
        rests = "" if hold.resting in self._telling.over else hold.resting
        duty = replace(hold, at=now, resting=rests, orders=orders)
        self._telling.duties.add((duty,), position + sign * self._telling.filled(hold.resting))
        return self._telling.duties.begin((duty,), now)

    async def _is_sent(self, request: OrderRequest) -> bool:
        """Take an order that the venue has as any other."""
        order = await self._line.insist(partial(find, self._line.endpoint, request.client_order_id))
        if order is None:
            return False
        self._telling.expect(Post({}, (request,)))
        self._telling.see(order)
        return True

    def _without(self, hold: Hold) -> list[Step]:
        is_open = hold.resting and hold.resting not in self._telling.over
        return [Clear(hold.resting)] if is_open else []

    def _end(self, orders: tuple[OrderRequest, ...], why: str) -> list[Step]:
        now = self._telling.now()
        return [Tell(OrderUpdate(each.client_order_id, "", OrderStatus.CANCELED, now, reason=why)) for each in orders]

    def _is_over(self, request: OrderRequest) -> bool:
        return request.client_order_id in self._telling.over
