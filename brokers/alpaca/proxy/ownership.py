"""Whose an order is, by the beginning of its client order id. Pure.

Alpaca itself names the legs of a bracket and what takes an order's place: these are known by the order that told of
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class Ownership:
    """The orders whose ids begin with `prefix`, and what belongs to them. An empty prefix is everybody's orders."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self._ids: set[str] = set()

    def has(self, data: Any) -> bool:
        """Return whether an update is of such an order, and remember what else it names. What is odd is everybody's."""
        order = data.get("order") if isinstance(data, Mapping) else None
        if not self.prefix or not isinstance(order, Mapping):
            return True
        if not (str(order.get("client_order_id")).startswith(self.prefix) or self._ids & set(_ids(order))):
            return False
        self._ids.update(_ids(order))
        return True


def _ids(order: Mapping[str, Any]) -> Iterator[str]:
    """Give the venue's ids of an order, of its legs, and of what it replaces or is replaced by."""
    yield from (str(order[name]) for name in ("id", "replaces", "replaced_by") if order.get(name))
    for leg in order.get("legs") or ():
        if isinstance(leg, Mapping):
            yield from _ids(leg)
