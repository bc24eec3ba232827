"""One order as the JSON that Alpaca is sent (its reference, "Create an Order" and "Replace Order by ID")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brokers.alpaca.amounts import money_text, price_text, quantity_text
from framework.errors import ConfigError, Unsupported
from framework.model import OrderRequest, OrderType, TimeInForce

TYPES: Mapping[OrderType, str] = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TRAILING_STOP: "trailing_stop",
    OrderType.MARKET_ON_CLOSE: "market",
}
"""Alpaca's word for each type; a market order for the close differs by its time in force."""


def body(request: OrderRequest, time_in_force: TimeInForce) -> dict[str, Any]:
    """Return the request for one order on its own.

    Raise `Unsupported` for a type that Alpaca has not, `ConfigError` for a number that is none.
    """
    return {
        "symbol": request.symbol,
        **_size(request),
        "side": request.side.value,
        "type": _type(request),
        "time_in_force": time_in_force.value,
        **prices(request),
        **({"extended_hours": True} if request.extended_hours else {}),
        "client_order_id": request.client_order_id,
    }


def changes(request: OrderRequest, time_in_force: TimeInForce | None = None) -> dict[str, Any]:
    """Return what a replacement changes: `request` is the order as it shall be, under a client id of its own."""
    if request.quantity is None:
        raise Unsupported(f"{request.symbol}: Alpaca does not replace an order for an amount of money; cancel it")
    told = prices(request)
    trail = told.pop("trail_price", None) or told.pop("trail_percent", None)
    trails = {} if trail is None else {"trail": trail}
    in_force = {} if time_in_force is None else {"time_in_force": time_in_force.value}
    identity = {"client_order_id": request.client_order_id}
    return {"qty": quantity_text(request.quantity), **told, **trails, **in_force, **identity}


def prices(request: OrderRequest) -> dict[str, str]:
    """Return the prices that belong to the order's type, and no others: one too many is refused."""
    match request.order_type:
        case OrderType.LIMIT:
            return _priced(request, "limit_price")
        case OrderType.STOP:
            return _priced(request, "stop_price")
        case OrderType.STOP_LIMIT:
            return _priced(request, "stop_price", "limit_price")
        case OrderType.TRAILING_STOP:
            return _trail(request)
        case _:
            return {}


def _size(request: OrderRequest) -> dict[str, str]:
    if request.notional is not None:
        return {"notional": money_text(request.notional)}
    return {"qty": quantity_text(request.quantity or 0.0)}


def _type(request: OrderRequest) -> str:
    if request.order_type not in TYPES:
        raise Unsupported(f"{request.symbol}: Alpaca has no {request.order_type.value} order; it is ours to emulate")
    return TYPES[request.order_type]


def _priced(request: OrderRequest, *keys: str) -> dict[str, str]:
    found = {key: getattr(request, key) for key in keys}
    for key, value in found.items():
        if value is None:
            raise ConfigError(f"{request.symbol}: a {request.order_type.value} order without its {key}; give one")
    return {key: price_text(value) for key, value in found.items()}


def _trail(request: OrderRequest) -> dict[str, str]:
    """Alpaca's percentage is one of a hundred, Backtrader's a fraction."""
    if request.trail_amount:
        return {"trail_price": price_text(request.trail_amount)}
    if request.trail_percent:
        return {"trail_percent": price_text(request.trail_percent * 100)}
    raise ConfigError(f"{request.symbol}: a trailing stop without a trail; give trailamount or trailpercent")
