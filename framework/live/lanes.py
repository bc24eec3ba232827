"""In which order what is asked for leaves: one symbol's one after another, and of what goes together exits first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from framework.model import OrderGroup

Work = asyncio.Task[None]
Before = tuple[Work, ...]
"""What something waits for."""

T = TypeVar("T")
Made = tuple[OrderGroup, T]
"""A group and what it was made of."""


@dataclass(slots=True)
class _Party:
    """What may go at a time; all of it waits for the same."""

    kind: Hashable
    before: Before
    works: list[Work] = field(default_factory=list)


class Lanes:
    """What is under way by symbol. Owned by the I/O thread."""

    def __init__(self) -> None:
        self._last: dict[str, _Party] = {}

    def enter(self, lane: str, kind: Hashable, begin: Callable[[Before], Work]) -> None:
        """Begin something that waits for what was begun before it in its lane.

        What directly follows what is of the same `kind` does not wait for it; None is a kind of its own.
        """
        party = self._last.get(lane)
        if party is None or kind is None or kind != party.kind:
            waits_for = () if party is None else tuple(each for each in party.works if not each.done())
            party = self._last[lane] = _Party(kind, waits_for)
        party.works.append(begin(party.before))


def kind(group: OrderGroup, batch: int) -> Hashable:
    """Return what an order of a batch need not wait for, None where it waits for all of its symbol before it.

    Single orders that were asked for in one breath, on one side, and that can only open a position or add to it: none
    was decided on for what became of another, none closes what another opens, and none makes a venue refuse another.
    """
    if not batch or len(group.orders) > 1:
        return None
    side = group.orders[0].side
    return None if side.sign * group.position < 0 else (batch, side)


def exits_first(made: Iterable[Made[T]]) -> list[Made[T]]:
    """Return groups that leave together as they go: exits before the rest, those of one symbol in their order.

    Where few requests are left, what makes positions smaller is not to wait a minute for what opens some.
    """
    first: list[Made[T]] = []
    rest: list[Made[T]] = []
    held_back: set[str] = set()
    for group, what in made:
        symbol = group.orders[0].symbol
        if group.is_exit and symbol not in held_back:
            first.append((group, what))
        else:
            rest.append((group, what))
            held_back.add(symbol)
    return [*first, *rest]
