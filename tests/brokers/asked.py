"""Orders as a strategy asks for them, and as Alpaca tells of them: short forms for the tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from brokers.alpaca.chain import Told
from brokers.alpaca.following import Reports
from brokers.alpaca.groups import Plan, Post, plan
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, Side, TimeInForce

NOW = datetime(2026, 10, 5, 15, 0, tzinfo=UTC)
CLOSE = datetime(2026, 10, 5, 20, 0, tzinfo=UTC)

_TYPES = {"stop_price": OrderType.STOP, "limit_price": OrderType.LIMIT}


def order(name: str = "run-1-1", side: str = "buy", quantity: float | None = 10, **more: Any) -> OrderRequest:
    """Return an order for AAPL, good till cancelled: at market, or what its prices make of it."""
    both = {"stop_price", "limit_price"} <= more.keys()
    kind = OrderType.STOP_LIMIT if both else next((_TYPES[each] for each in _TYPES if each in more), OrderType.MARKET)
    given = {"symbol": "AAPL", "order_type": kind, "quantity": quantity, "time_in_force": TimeInForce.GTC, **more}
    return OrderRequest(name, side=Side(side), **given)


def bracket(**more: Any) -> tuple[OrderRequest, OrderRequest, OrderRequest]:
    """Return Backtrader's own bracket: entry, stop, limit."""
    return (
        order("run-1-1", limit_price=100.0, **more),
        order("run-1-2", "sell", stop_price=95.0, **more),
        order("run-1-3", "sell", limit_price=110.0, **more),
    )


def planned(*orders: OrderRequest, kind: GroupKind = GroupKind.LIST, at: datetime = NOW, position: float = 0.0) -> Plan:
    return plan(OrderGroup(orders, kind), at=at, closes_at=CLOSE, position=position)


def posted(*orders: OrderRequest, kind: GroupKind = GroupKind.LIST, position: float = 0.0) -> Post:
    """Return the one POST of orders that need nothing else."""
    (post,) = planned(*orders, kind=kind, position=position).posts
    return post


def shown(status: str = "new", *, name: str = "run-1-1", id: str = "A", seconds: float = 0.0, **more: Any) -> Any:
    """Return an order as Alpaca shows it, `seconds` after NOW."""
    at = (NOW + timedelta(seconds=seconds)).isoformat()
    common = {"symbol": "AAPL", "side": "buy", "type": "market", "qty": "10", "filled_qty": "0"}
    times = {"submitted_at": NOW.isoformat(), "created_at": NOW.isoformat(), "updated_at": at}
    return {"id": id, "client_order_id": name, "status": status, **common, **times, **more}


def event(name: str, body: Any, **more: Any) -> Any:
    """Return the data of a trade_updates message."""
    return {"event": name, "order": body, "timestamp": body["updated_at"], **more}


def filled(quantity: float, price: float, total: float, average: float, *, of: float = 10, **more: Any) -> Any:
    """Return the message of one fill."""
    is_last = total >= of
    body = shown(
        "filled" if is_last else "partially_filled",
        **{"seconds": total, **more},
        filled_qty=str(total),
        filled_avg_price=str(average),
    )
    numbers = {"qty": str(quantity), "price": str(price), "execution_id": f"{body['id']}-{total:g}"}
    return event("fill" if is_last else "partial_fill", body, **numbers)


def followed(*messages: Any, post: Post | None = None) -> list[Told]:
    """Return what follows of messages about one POST."""
    reports = Reports()
    reports.expect(post or posted(order()), NOW)
    return [told for each in messages for told in reports.hear(each, NOW)]


def statuses(told: Iterable[Told], name: str = "run-1-1") -> list[OrderStatus]:
    """Return the statuses that were told of one order, one after another."""
    return [each.status for each in told if isinstance(each, OrderUpdate) and each.client_order_id == name]


def fills(told: Iterable[Told]) -> list[tuple[float, float]]:
    """Return (size, price) of the fills."""
    found = [each.fill for each in told if isinstance(each, OrderUpdate) and each.fill is not None]
    return [(each.quantity, each.price) for each in found]
