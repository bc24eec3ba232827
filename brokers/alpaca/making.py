"""From a request to an order: as Alpaca keeps it (`Entry`), and as the matching core takes it (`Order`). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Any

from brokers.alpaca.entries import Entry, number
from brokers.alpaca.protocol import is_crypto
from brokers.alpaca.refusals import GTC_LASTS, NEW_YORK, Asked, check_shape, invalid, positive
from brokers.sim.orders import Order
from framework.model import OrderType, Side

TYPES = {
    "market": OrderType.MARKET, "limit": OrderType.LIMIT, "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT, "trailing_stop": OrderType.TRAILING_STOP,
}  # fmt: skip

EVENING = time(20)
"""When extended hours end, New York time."""


def entry_of(asked: Asked, expires_at: datetime | None, status: str, **fresh: Any) -> Entry:
    """Return the order that a request asks for, without its exits; `fresh` is what the book gives it."""
    return Entry(
        **fresh,
        client_order_id=asked.client_order_id,
        symbol=asked.symbol,
        side=asked.side,
        type=asked.type,
        time_in_force=asked.time_in_force,
        order_class=asked.order_class,
        qty=asked.qty,
        notional=asked.notional,
        limit_price=asked.limit_price,
        stop_price=asked.stop_price,
        trail_price=asked.trail_price,
        trail_percent=asked.trail_percent,
        extended_hours=asked.extended_hours,
        position_intent=asked.position_intent,
        status=status,
        expires_at=expires_at,
    )


def exits_of(entry: Entry, asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield what sets each exit apart from its entry: take-profit, then stop-loss.

    An OCO's parent is itself the take-profit. Exits take over the time in force.
    """
    is_oco = entry.order_class == "oco"
    side = entry.side if is_oco else "sell" if entry.side == "buy" else "buy"
    shape = {"side": side, "status": "held", "client_order_id": "", "parent": entry.id, "position_intent": None}
    if asked.take_profit is not None and not is_oco:
        yield {**shape, "legs": [], "type": "limit", "limit_price": asked.take_profit, "stop_price": None}
    if asked.stop_loss is not None:
        limit = asked.stop_loss_limit
        kind = "stop" if limit is None else "stop_limit"
        yield {**shape, "legs": [], "type": kind, "limit_price": limit, "stop_price": asked.stop_loss}


def changed(old: Entry, body: Mapping[str, Any], **fresh: Any) -> Entry:
    """Return the order that takes another's place; raise `Refusal` where it would be none."""
    known = ("qty", "limit_price", "stop_price", "trail")
    changes = {key: positive(body, key) for key in known if body.get(key) is not None}
    if "trail" in changes:
        changes["trail_percent" if old.trail_percent is not None else "trail_price"] = changes.pop("trail")
    numbers: dict[str, Any] = changes
    in_force = str(body.get("time_in_force") or old.time_in_force)
    client_id = str(body.get("client_order_id") or "")
    new = replace(
        old, **fresh, **numbers, replaces=old.id, replaced_by=None, time_in_force=in_force, client_order_id=client_id
    )
    check_shape(asked_of(new))
    if (new.qty or 0.0) <= old.filled_qty:
        raise invalid(f"qty must be > filled_qty {number(old.filled_qty)}")
    return new


def asked_of(entry: Entry) -> Asked:
    """Return an order as a simple one is asked for."""
    given = {key: getattr(entry, key) for key in Asked.__slots__ if key not in _EXITS}
    stop = None if entry.type == "trailing_stop" else entry.stop_price
    return Asked(**{**given, **dict.fromkeys(_EXITS), "order_class": "simple", "stop_price": stop})


_EXITS = ("take_profit", "stop_loss", "stop_loss_limit")


def order_of(
    entry: Entry,
    last: float,
    arrives_at: datetime,
    closes_at: datetime,
    *,
    parent: str | None = None,
    oco: str | None = None,
) -> Order:
    """Return the order for the matching core; `last` is the symbol's last price, `closes_at` the session's end."""
    at_close = entry.time_in_force == "cls"
    if entry.type == "trailing_stop":
        price = entry.hwm or last
    else:
        price = entry.stop_price or (None if at_close else entry.limit_price) or last
    return Order(
        entry.id,
        entry.symbol,
        Side(entry.side),
        OrderType.MARKET_ON_CLOSE if at_close else TYPES[entry.type],
        entry.qty if entry.qty is not None else round((entry.notional or 0.0) / last, 9),
        price,
        arrives_at,
        limit=entry.limit_price if at_close or entry.type == "stop_limit" else None,
        trail_amount=entry.trail_price,
        trail_percent=None if entry.trail_percent is None else entry.trail_percent / 100,
        closes_at=closes_at if at_close else None,
        parent=parent,
        oco=oco,
        is_immediate=entry.time_in_force in ("ioc", "fok"),
        is_whole=entry.time_in_force == "fok",
        is_opening=entry.time_in_force == "opg",
        in_extended_hours=entry.extended_hours or is_crypto(entry.symbol),
        notional=entry.notional,
    )


def expiry(asked: Asked, at: datetime, close: datetime) -> datetime | None:
    """Return when an order sent at `at` expires; `close` is the end of the session that it is in or before."""
    if is_crypto(asked.symbol) or asked.time_in_force in ("ioc", "fok", "opg"):
        return None
    if asked.time_in_force == "gtc":
        return at + GTC_LASTS
    if not asked.extended_hours:
        return close
    evening = datetime.combine(at.astimezone(NEW_YORK).date(), EVENING, NEW_YORK)
    return evening if evening > at else datetime.combine(close.astimezone(NEW_YORK).date(), EVENING, NEW_YORK)
