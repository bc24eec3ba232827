"""An order as Alpaca's sandbox keeps it, and as it is shown on the wire (v2 of the Trading API)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from brokers.alpaca.protocol import is_crypto

LIVE = frozenset({"new", "accepted", "pending_new", "partially_filled", "held", "pending_cancel", "pending_replace"})
"""Statuses in which something can still happen; a held order is not listed among the open ones."""

_NAMES = uuid.UUID("6f0c1d1e-2b60-4c0b-9f0e-6d1f8f1b7a10")


def identity(*parts: object) -> str:
    """Return the UUID of something: the same for the same parts."""
    return str(uuid.uuid5(_NAMES, "/".join(map(str, parts))))


def asset_id(symbol: str) -> str:
    """Return the UUID of an asset."""
    return identity("asset", symbol)


def number(value: float | None) -> str | None:
    """Return a number as Alpaca writes it: a string without trailing zeros, to nine decimals."""
    if value is None:
        return None
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def stamp(at: datetime | None) -> str | None:
    """Return a time in RFC 3339, UTC."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(slots=True, eq=False)
class Entry:
    """One order. `place` is its number in the venue's sequence; `paid` the value of its fills."""

    id: str
    place: int
    client_order_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    order_class: str
    created_at: datetime
    qty: float | None = None
    notional: float | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    trail_price: float | None = None
    trail_percent: float | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    status: str = "pending_new"
    expires_at: datetime | None = None
    parent: str | None = None
    legs: list[str] = field(default_factory=list)
    filled_qty: float = 0.0
    paid: float = 0.0
    hwm: float | None = None
    updated_at: datetime | None = None
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: str | None = None
    replaces: str | None = None

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def left(self) -> float:
        """What is not filled yet."""
        return (self.qty or 0.0) - self.filled_qty

    @property
    def average(self) -> float | None:
        """The average price of the fills."""
        return self.paid / self.filled_qty if self.filled_qty else None

    def shown(self, entries: Mapping[str, Entry] | None = None) -> dict[str, Any]:
        """Return the order object, with its legs where the other entries are given."""
        legs = [entries[each].shown(entries) for each in self.legs] if entries and self.legs else None
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at or self.created_at),
            "submitted_at": stamp(self.created_at),
            "filled_at": stamp(self.filled_at),
            "expired_at": stamp(self.expired_at),
            "expires_at": stamp(self.expires_at),
            "canceled_at": stamp(self.canceled_at),
            "failed_at": stamp(self.failed_at),
            "replaced_at": stamp(self.replaced_at),
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": asset_id(self.symbol),
            "symbol": self.symbol,
            "asset_class": "crypto" if is_crypto(self.symbol) else "us_equity",
            "notional": number(self.notional),
            "qty": None if self.notional is not None else number(self.qty),
            "filled_qty": number(self.filled_qty),
            "filled_avg_price": number(self.average),
            "order_class": self.order_class,
            "order_type": self.type,
            "type": self.type,
            "side": self.side,
            "position_intent": self.position_intent,
            "time_in_force": self.time_in_force,
            "limit_price": number(self.limit_price),
            "stop_price": number(self.stop_price),
            "status": self.status,
            "extended_hours": self.extended_hours,
            "legs": legs,
            "trail_percent": number(self.trail_percent),
            "trail_price": number(self.trail_price),
            "hwm": number(self.hwm),
            "subtag": None,
            "source": None,
            "ratio_qty": None,
        }
