"""Cancels that are under way: what a symbol's next order has to wait for.

`cancel(stop)` and then `close()` in one breath is what everybody writes. The venue holds the shares for the
stop until it has ended, and would refuse the close; and where the stop has filled instead, a close that goes all
the same opens a position on the other side.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from framework.model import OrderGroup, OrderRequest, OrderUpdate, Side

NOISE = 1e-9


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
        self._on_the_way: deque[tuple[int, OrderRequest, float]] = deque()

    def know(self, group: OrderGroup) -> None:
        """Note what is sent."""
        self._open.update((each.client_order_id, each) for each in group.orders)

    def ask(self, client_order_id: str) -> None:
        """Note that an order's end is asked for."""
        if (request := self._open.get(client_order_id)) is not None:
            self._ending.setdefault(client_order_id, Ending(request))

    def hear(self, update: OrderUpdate, number: int = 0) -> None:
        """Take an order's news; `number` is how many news the engine has taken when it knows of it."""
        request = self._open.get(update.client_order_id)
        if number and request is not None and update.fill is not None:
            self._on_the_way.append((number, request, update.fill.quantity))
        ending = self._ending.get(update.client_order_id)
        if ending is not None and update.fill is not None:
            ending.filled += update.fill.quantity
        if update.status.is_final:
            self._open.pop(update.client_order_id, None)
            self._ending.pop(update.client_order_id, None)
            if ending is not None:
                ending.over.set()

    def before(self, group: OrderGroup, known: int = 0) -> list[Ending]:
        """Return what an order that is asked for comes after: the cancels of its symbol.

        Fills that were on their way to who asked, who had taken `known` news, are among them, where they leave
        less of the position than is to be closed.
        """
        symbol = group.orders[0].symbol
        while self._on_the_way and self._on_the_way[0][0] <= known:
            self._on_the_way.popleft()
        missed = [_filled(request, size) for _, request, size in self._on_the_way if request.symbol == symbol]
        ending = [each for each in self._ending.values() if each.request.symbol == symbol]
        return [*missed, *ending] if _is_too_much(group, missed) else ending


def _is_too_much(group: OrderGroup, missed: list[Ending]) -> bool:
    """Return whether an exit is for more than is left of the position, after fills that who asked did not know."""
    side = group.orders[0].side
    left = abs(group.position) - sum(each.filled for each in missed if each.request.side is side)
    return any(each.quantity is None or each.quantity > left + NOISE for each in group.orders)


def _filled(request: OrderRequest, size: float) -> Ending:
    ending = Ending(request, size)
    ending.over.set()
    return ending


def overtaken(group: OrderGroup, endings: list[Ending]) -> str:
    """Return why an exit must not be sent any more: what it comes after has filled instead; else an empty string."""
    side: Side = group.orders[0].side
    filled = sum(each.filled for each in endings if each.request.side is side)
    if not group.is_exit or not filled:
        return ""
    return (
        f"an order that was open when it was asked for has filled {filled:g} instead, so that this exit would be "
        "too large; nothing was sent, look at the position and ask again"
    )
