"""Closes and cancels: asked for, and asked for again until a poll shows that they were carried out.

ALGOGENE says "Submitted", which is not done; and a request that is lost leaves no trace. To ask twice does no harm:
what is gone is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from brokers.algogene.exchanges import (
    Refused,
    Submitted,
    cancel_orders,
    close_orders,
    update_opened_order,
    update_pending_order,
)
from brokers.algogene.following import Following, Kind, Part, Poll
from brokers.algogene.line import CURABLE, Line, log
from brokers.algogene.telling import Telling
from framework.model import OrderRequest
from framework.wire import Exchange

LEVELS = {Kind.TAKE_PROFIT: "takeProfitLevel", Kind.STOP_LOSS: "stopLossLevel"}


class Wishes:
    """What was asked for of trades that are there. Owned by the I/O thread; `unwanted` are orders that are to end."""

    def __init__(self, line: Line, telling: Telling, unwanted: set[str]) -> None:
        self._line, self._telling, self._unwanted = line, telling, unwanted
        self._asked: dict[str, datetime] = {}

    async def close(self, trade_ids: list[str]) -> None:
        """Ask for the end of trades. Raise `AuthenticationError`."""
        await self._ask(f"close {','.join(trade_ids)}", close_orders(self._line.endpoint, trade_ids))

    async def cancel(self, name: str) -> None:
        """Ask for the end of an order that waits, or of a trade's levels. Raise `AuthenticationError`."""
        for part in self._left(name):
            if not part.trade_id:
                continue
            if part.kind is Kind.OPEN:
                exchange = cancel_orders(self._line.endpoint, [part.trade_id])
            elif part.kind in LEVELS:
                exchange = self._without_levels(part)
            else:
                continue
            self._refused(name, await self._ask(f"cancel {name}", exchange))

    async def carry_out(self, poll: Poll) -> None:
        """See what a poll shows as carried out, and ask again for what it does not."""
        closing = dict.fromkeys(
            part.trade_id
            for part in self._parts(Kind.CLOSE)
            if part.trade_id in poll.opened and self._is_due(f"close {part.trade_id}")
        )
        for each in closing:
            await self.close([each])
        for name in [each for each in self._unwanted if each in self._telling.followed]:
            if self._is_levelled(name, poll):
                self._telling.cancel(name)
            elif self._is_there(name, poll) and self._is_due(f"cancel {name}"):
                await self.cancel(name)
        self._forget()

    def levels(self, part: Part, but: str = "") -> dict[str, float]:
        """Return the levels of a trade as its exits stand, 0 for none.

        GUESS: 0 takes a level away, as an order without one is told with 0; and one that is left out may be lost.
        """
        found = dict.fromkeys(LEVELS.values(), 0.0)
        for name, order in self._telling.followed.items():
            for each, known in zip(order.parts, order.known, strict=True):
                is_there = each.kind in LEVELS and each.trade_id == part.trade_id and known.end is None
                if is_there and name not in self._unwanted and name != but and each.level is not None:
                    found[LEVELS[each.kind]] = each.level
        return found

    def level(self, kind: Kind, price: float | None) -> dict[str, float]:
        """Return one level as it is sent."""
        return {LEVELS[kind]: price or 0.0}

    def relevelled(self, part: Part, levels: dict[str, float]) -> Exchange[Submitted | Refused]:
        """Return what changes a trade's levels, whether it waits still or is open."""
        for name, order in self._telling.followed.items():
            if any(each.trade_id == part.trade_id for each, _ in _unfinished(order) if each.kind is Kind.OPEN):
                price = entry_price(self._telling.requests[name])
                return update_pending_order(self._line.endpoint, part.trade_id, {**price, **levels})
        return update_opened_order(self._line.endpoint, part.trade_id, levels)

    # Inside

    def _without_levels(self, part: Part) -> Exchange[Submitted | Refused]:
        return self.relevelled(part, self.levels(part))

    def _left(self, name: str) -> list[Part]:
        order = self._telling.followed.get(name)
        return [] if order is None else [part for part, _ in _unfinished(order)]

    def _parts(self, kind: Kind) -> Iterator[Part]:
        for order in self._telling.followed.values():
            yield from (part for part, _ in _unfinished(order) if part.kind is kind)

    def _is_levelled(self, name: str, poll: Poll) -> bool:
        """Return whether the level that an order stands for is gone from a trade that is there."""
        parts = [each for each in self._left(name) if each.kind in LEVELS]
        return bool(parts) and all(_has_no_level(each, poll) for each in parts)

    def _is_there(self, name: str, poll: Poll) -> bool:
        left = self._left(name)
        return any(
            each.trade_id in poll.pending or (each.kind in LEVELS and each.trade_id in poll.opened) for each in left
        )

    def _is_due(self, what: str) -> bool:
        asked_at = self._asked.get(what)
        return asked_at is None or self._line.clock.now() - asked_at >= self._line.habits.again

    async def _ask(self, what: str, exchange: Exchange[Submitted | Refused]) -> Submitted | Refused | None:
        """Ask; what is lost is asked for again with the next poll."""
        for each in _each(what):
            self._asked[each] = self._line.clock.now()
        try:
            return await self._line.ask(exchange)
        except CURABLE as error:
            log.warning("%s: %s; it is asked for again", what, error)
            for each in _each(what):
                self._asked.pop(each, None)
            return None

    def _refused(self, name: str, answer: Submitted | Refused | None) -> None:
        if isinstance(answer, Refused) and name in self._telling.followed:
            log.info("order %s was not cancelled: %s", name, answer.reason)

    def _forget(self) -> None:
        followed = self._telling.followed
        self._unwanted.difference_update([each for each in self._unwanted if self._telling.is_over(each)])
        there = {part.trade_id for order in followed.values() for part in order.parts}
        for what in list(self._asked):
            if what.partition(" ")[2] not in there | followed.keys():
                del self._asked[what]


def entry_price(request: OrderRequest) -> dict[str, float]:
    """Return the price of an order that waits, as it is sent; at the market there is none."""
    price = request.limit_price if request.limit_price is not None else request.stop_price
    return {} if price is None else {"price": price}


def _each(what: str) -> list[str]:
    """Return each of what is asked for together."""
    do, _, names = what.partition(" ")
    return [f"{do} {each}" for each in names.split(",")] if do == "close" else [what]


def _unfinished(order: Following) -> list[tuple[Part, object]]:
    return [(part, known) for part, known in zip(order.parts, order.known, strict=True) if known.end is None]


def _has_no_level(part: Part, poll: Poll) -> bool:
    there = poll.opened.get(part.trade_id) or poll.pending.get(part.trade_id)
    if there is None:
        return False
    return (there.take_profit if part.kind is Kind.TAKE_PROFIT else there.stop_loss) is None
