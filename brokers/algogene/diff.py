"""The news between two polls: fills as increments, each once, and how orders ended. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from brokers.algogene.following import Followed, Following
from framework.model import Fill, OrderStatus, OrderUpdate


def diff(before: Followed, after: Followed, at: datetime) -> list[OrderUpdate]:
    """Return what became of each order of `after` since `before` (none of it told where it was not there).

    An order is told NEW first, then what it filled in one sum, then its end; nothing twice, and nothing after its end.
    `at` is the time of the poll: news bear the venue's own times where it tells them.
    """
    return [update for name, order in after.items() for update in _changes(before.get(name), order, at)]


def _changes(before: Following | None, after: Following, at: datetime) -> list[OrderUpdate]:
    was = before or Following(after.client_order_id, after.parts, booked=after.booked)
    found: list[OrderUpdate] = []
    if was.status.is_final:
        return found
    is_refused = after.status is OrderStatus.REJECTED
    if after.is_seen and not was.is_seen and not was.filled[0] and not is_refused:
        found.append(_update(after, OrderStatus.NEW, at))
    fill = _fill(was, after, at)
    if fill is not None:
        is_whole = after.status is OrderStatus.FILLED
        found.append(_update(after, after.status if is_whole else OrderStatus.PARTIALLY_FILLED, at, fill))
    if after.status.is_final and not (fill and after.status is OrderStatus.FILLED):
        found.append(_update(after, after.status, at))
    return found


def _fill(before: Following, after: Following, at: datetime) -> Fill | None:
    units, value = (now - then for now, then in zip(after.filled, before.filled, strict=True))
    if units <= 0:
        return None
    total = f"{after.filled[0].normalize():f}"
    cost = float(round(after.cost, 9))
    return Fill(f"{_names(after)}/{total}", float(units), _price(units, value), after.at or at, cost)


def _price(units: Decimal, value: Decimal) -> float:
    """Return a price without the noise of a division."""
    return float(round(value / units, 9))


def _update(order: Following, status: OrderStatus, at: datetime, fill: Fill | None = None) -> OrderUpdate:
    reason = order.reason if status.is_final and status is not OrderStatus.FILLED else ""
    return OrderUpdate(order.client_order_id, _names(order), status, order.at or at, fill, reason)


def _names(order: Following) -> str:
    return "+".join(dict.fromkeys(part.trade_id for part in order.parts))
