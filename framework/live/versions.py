"""As what an order may stand at its venue while changes of it are under way. Pure.

A venue tells when a change has been made, and a change that it refuses changes nothing: until one is told of,
an order may be as it was or as it was asked to be.
"""

from __future__ import annotations

from framework.model import OrderRequest, OrderStatus, OrderUpdate

CHANGED = "changed"
"""The reason of an update that tells of a change of an order that is held on our side."""


class Versions:
    """What is known of one order, and what was asked for since: `most` and `least` are how much it may be for."""

    __slots__ = ("_asked",)

    def __init__(self, request: OrderRequest) -> None:
        self._asked = [request]

    def ask(self, request: OrderRequest) -> None:
        """Note a change that is asked for."""
        self._asked.append(request)

    def hear(self, update: OrderUpdate) -> bool:
        """Take news of the order; return whether they tell of a change that nobody here has asked for."""
        is_held = update.status is OrderStatus.HELD and update.reason == CHANGED
        if not update.replaces and not is_held:
            return False
        if len(self._asked) == 1:
            return not is_held
        del self._asked[0]
        return False

    @property
    def all(self) -> tuple[OrderRequest, ...]:
        """Each of them, the oldest first."""
        return tuple(self._asked)

    @property
    def last(self) -> OrderRequest:
        """The order as it was asked to be last."""
        return self._asked[-1]

    @property
    def most(self) -> float:
        """The most units that it may be for, 0 where it is for an amount of money."""
        return max(each.quantity or 0.0 for each in self._asked)

    @property
    def least(self) -> float:
        """The fewest."""
        return min(each.quantity or 0.0 for each in self._asked)
