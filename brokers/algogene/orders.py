"""One order as the JSON that ALGOGENE is sent. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from brokers.algogene.instruments import Instrument
from brokers.algogene.lots import lots_of, volume
from feeds.algogene.naming import NAME
from framework.errors import ConfigError, Unsupported
from framework.model import OrderRequest, OrderType, Side

TYPES: Mapping[OrderType, str] = {OrderType.MARKET: "MKT", OrderType.LIMIT: "LMT", OrderType.STOP: "STOP"}
SIDES: Mapping[Side, str] = {Side.BUY: "BUY", Side.SELL: "SELL"}


def body(
    request: OrderRequest,
    instrument: Instrument,
    now: datetime,
    *,
    take_profit: float | None = None,
    stop_loss: float | None = None,
    holdtime: float | None = None,
) -> dict[str, Any]:
    """Return the request that opens a trade; its `orderRef` is our id, which must be one of its own.

    Raise `Unsupported` for a type that ALGOGENE has not, `ConfigError` for a number that is none or too small.
    """
    return {
        "instrument": request.symbol,
        "buysell": SIDES[request.side],
        "ordertype": _type(request),
        "volume": volume(lots_of(_units(request), instrument)),
        "orderRef": request.client_order_id,
        **_priced(request),
        **levels(take_profit, stop_loss, holdtime),
        **_lasting(request, now),
    }


def changes(request: OrderRequest, was: OrderRequest, now: datetime) -> dict[str, Any]:
    """Return what is changed of an order that waits: `request` is as it shall be, under an id of its own.

    Raise `Unsupported` where the size, the side or the type would change: ALGOGENE changes prices and times only.
    """
    for name in ("symbol", "side", "order_type", "quantity"):
        if getattr(request, name) != getattr(was, name):
            raise Unsupported(
                f"{was.symbol}: {NAME} does not change the {name} of an order; cancel it and send another"
            )
    return {"orderRef": request.client_order_id, **_priced(request), **_lasting(request, now)}


def levels(
    take_profit: float | None = None, stop_loss: float | None = None, holdtime: float | None = None
) -> dict[str, Any]:
    """Return what an open trade is closed by. None is left out: it is not known what takes a level away."""
    given = {"takeProfitLevel": take_profit, "stopLossLevel": stop_loss, "holdtime": holdtime}
    told = {key: float(value) for key, value in given.items() if value is not None}
    for key, value in told.items():
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{NAME}: {key} is {value}; give a number above zero")
    return told


def _type(request: OrderRequest) -> str:
    if request.order_type not in TYPES:
        kind = request.order_type.value
        raise Unsupported(f"{request.symbol}: {NAME} has no {kind} order; it has market, limit and stop")
    return TYPES[request.order_type]


def _units(request: OrderRequest) -> float:
    if request.quantity is None:
        raise Unsupported(f"{request.symbol}: {NAME} has no order for an amount of money; give a size")
    return request.quantity


def _priced(request: OrderRequest) -> dict[str, float]:
    if request.order_type is OrderType.MARKET:
        return {}
    price = request.limit_price if request.order_type is OrderType.LIMIT else request.stop_price
    if price is None or not (math.isfinite(price) and price > 0):
        raise ConfigError(
            f"{request.symbol}: a {request.order_type.value} order at the price {price}; give one above zero"
        )
    return {"price": float(price)}


def _lasting(request: OrderRequest, now: datetime) -> dict[str, int]:
    """Return the whole seconds until the order ends, never more than was asked; one that has no end bears none."""
    if request.expires_at is None:
        return {}
    left = math.floor((request.expires_at - now).total_seconds())
    if left < 1:
        raise ConfigError(f"{request.symbol}: an order that ends at {request.expires_at} is over already")
    return {"timeinforce": left}
