"""An order as Alpaca tells of it, in an answer or on the stream: JSON in, frozen values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from brokers.alpaca.amounts import number
from feeds.alpaca.protocol import NAME
from framework.errors import ProtocolError
from framework.model import OrderStatus, OrderUpdate, Side

STATUSES: Mapping[str, OrderStatus | None] = {
    "pending_new": OrderStatus.PENDING_NEW,
    "pending_review": OrderStatus.PENDING_NEW,
    # Alpaca has it, and waits for the session or the auction: to the trader it is a working order.
    "accepted": OrderStatus.NEW,
    "accepted_for_bidding": OrderStatus.NEW,
    "new": OrderStatus.NEW,
    "held": OrderStatus.HELD,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "pending_cancel": OrderStatus.PENDING_CANCEL,
    "pending_replace": OrderStatus.PENDING_REPLACE,
    "stopped": OrderStatus.STOPPED,
    "suspended": OrderStatus.SUSPENDED,
    "done_for_day": OrderStatus.DONE_FOR_DAY,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "replaced": OrderStatus.REPLACED,
    "rejected": OrderStatus.REJECTED,
    # About the settlement of what has filled: nothing that a trader has not been told.
    "calculated": None,
}

EXECUTIONS = ("fill", "partial_fill")
TAKEN_BACK = ("trade_bust", "trade_correct")
"""Events that change a fill afterwards; what was booked is then wrong."""


@dataclass(frozen=True, slots=True)
class Report:
    """One order at an instant. `filled` and `average` are of all its fills; `said` is Alpaca's word for the status."""

    venue_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    kind: str
    status: OrderStatus | None
    said: str
    quantity: float | None
    filled: float
    average: float
    at: datetime | None
    sent_at: datetime | None
    replaced_at: datetime | None
    replaces: str | None
    replaced_by: str | None
    order_class: str
    legs: tuple[Report, ...]
    reason: str

    @property
    def is_known(self) -> bool:
        """False where Alpaca has a status that we have no word for."""
        return self.said in STATUSES

    @property
    def paid(self) -> float:
        """The value of its fills."""
        return self.filled * self.average

    def update(self, at: datetime) -> OrderUpdate:
        """Return the order as it is, without its fills: for a snapshot. One in a status we do not know is open."""
        status = self.status or OrderStatus.NEW
        client_id, replaces = self.client_order_id, self.replaces
        return OrderUpdate(client_id, self.venue_order_id, status, self.at or at, replaces=replaces)


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill. `total` is what the order had filled after it; with the order's id that is its identity.

    `is_last` where it is known to have filled the order.
    """

    id: str
    quantity: float
    price: float
    total: float
    at: datetime | None
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """One message of the stream."""

    event: str
    report: Report
    at: datetime | None
    execution: Execution | None
    reason: str


def read_order(body: Any) -> Report:
    """Read an order and its legs; raise `ProtocolError` where it is none. A new status does not make it one."""
    if not isinstance(body, dict):
        raise ProtocolError(NAME, f"an order that is {body!r}", body)
    filled, average = number(body, "filled_qty") or 0.0, number(body, "filled_avg_price")
    if filled and average is None:
        raise ProtocolError(NAME, f"an order that has filled {filled:g} at no price", body)
    said = _text(body, "status")
    return Report(
        venue_order_id=_text(body, "id"),
        client_order_id=str(body.get("client_order_id") or ""),
        symbol=str(body.get("symbol") or ""),
        side=_side(body),
        kind=str(body.get("type") or body.get("order_type") or ""),
        status=STATUSES.get(said),
        said=said,
        quantity=number(body, "qty"),
        filled=filled,
        average=average or 0.0,
        at=instant(body, "updated_at"),
        sent_at=instant(body, "submitted_at") or instant(body, "created_at"),
        replaced_at=instant(body, "replaced_at"),
        replaces=body.get("replaces") or None,
        replaced_by=body.get("replaced_by") or None,
        order_class=str(body.get("order_class") or "simple"),
        legs=tuple(read_order(each) for each in body.get("legs") or ()),
        reason=str(body.get("reject_reason") or body.get("failed_reason") or ""),
    )


def read_news(data: Any) -> News:
    """Read the `data` of a trade_updates message; raise `ProtocolError` where there is no order in it."""
    if not isinstance(data, dict) or "order" not in data:
        raise ProtocolError(NAME, "an order update without an order", data)
    report, event = read_order(data["order"]), str(data.get("event") or "")
    at = instant(data, "timestamp") or instant(data, "at") or report.at
    reason = str(data.get("reason") or data.get("reject_reason") or report.reason)
    return News(event, report, at, _execution(data, report, at) if event in EXECUTIONS else None, reason)


def read_activity(body: Any) -> tuple[str, Execution]:
    """Read a FILL of the account's activities: the order's id, and the execution."""
    if not isinstance(body, dict):
        raise ProtocolError(NAME, f"an activity that is {body!r}", body)
    quantity, price, total = (number(body, key) for key in ("qty", "price", "cum_qty"))
    if quantity is None or price is None or total is None:
        raise ProtocolError(NAME, "a fill without its size, its price or the order's total", body)
    at = instant(body, "transaction_time")
    is_last = body.get("type") == "fill"
    return _text(body, "order_id"), Execution(_text(body, "id"), quantity, price, total, at, is_last)


def instant(body: Mapping[str, Any], key: str) -> datetime | None:
    """Read a time as aware UTC, None where there is none; raise `ProtocolError` for what is none."""
    text = body.get(key)
    if text is None or text == "":
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise ProtocolError(NAME, f"{key} is {text!r}, which is not a time", body) from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _execution(data: dict[str, Any], report: Report, at: datetime | None) -> Execution | None:
    """Return the fill of a message; one without a size or a price is told by the order's totals alone."""
    quantity, price = number(data, "qty"), number(data, "price")
    if quantity is None or price is None:
        return None
    name = str(data.get("execution_id") or f"{report.venue_order_id}/{report.filled:g}")
    return Execution(name, quantity, price, report.filled, at)


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise ProtocolError(NAME, f"an order or a fill without its {key}", body)
    return value


def _side(body: Mapping[str, Any]) -> Side:
    try:
        return Side(str(body.get("side")))
    except ValueError:
        raise ProtocolError(NAME, f"an order on the side {body.get('side')!r}", body) from None
