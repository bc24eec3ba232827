"""Cancels that are under way: what a symbol's next order has to wait for.

`cancel(stop)` and then `close()` in one breath is what everybody writes. The venue holds the shares for the
stop until it has ended, and would refuse the close; and where the stop has filled instead, a close that goes all
the same opens a position on the other side.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from framework.model import OrderGroup, OrderRequest, OrderUpdate, Side


@dataclass(slots=True)
class Ending:
    """An order whose end was asked for. `filled` is what it filled since."""

    request: OrderRequest
    filled: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Cancels:
    """The cancels of a session by symbol. Owned by the I/O thread."""

    def __init__(self) -> None:
        self._open: dict[str, OrderRequest] = {}
        self._ending: dict[str, Ending] = {}

    def know(self, group: OrderGroup) -> None:
        """Note what is sent."""
        self._open.update((each.client_order_id, each) for each in group.orders)

    def ask(self, client_order_id: str) -> None:
        """Note that an order's end is asked for."""
        if (request := self._open.get(client_order_id)) is not None:
            self._ending.setdefault(client_order_id, Ending(request))

    def hear(self, update: OrderUpdate) -> None:
        """Take an order's news."""
        ending = self._ending.get(update.client_order_id)
        if ending is not None and update.fill is not None:
            ending.filled += update.fill.quantity
        if update.status.is_final:
            self._open.pop(update.client_order_id, None)
            self._ending.pop(update.client_order_id, None)
            if ending is not None:
                ending.over.set()

    def before(self, group: OrderGroup) -> list[Ending]:
        """Return the cancels that an order asked for now comes after: those of its symbol."""
        symbol = group.orders[0].symbol
        return [each for each in self._ending.values() if each.request.symbol == symbol]


def overtaken(group: OrderGroup, endings: list[Ending]) -> str:
    """Return why an exit must not be sent any more: what it comes after has filled instead; else an empty string."""
    side: Side = group.orders[0].side
    filled = sum(each.filled for each in endings if each.request.side is side)
    if not group.is_exit or not filled:
        return ""
    return (
        f"the order that was cancelled before it has filled {filled:g} instead, so that this exit would be "
        "too large; nothing was sent, look at the position and ask again"
    )
