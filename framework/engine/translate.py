"""Backtrader's orders in FIX words: what the simulated and the live broker both ask a venue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt

from framework.errors import Unsupported
from framework.model import OrderRequest, OrderType, Side, TimeInForce

_TYPES = {
    bt.Order.Market: OrderType.MARKET,
    bt.Order.Close: OrderType.MARKET_ON_CLOSE,
    bt.Order.Limit: OrderType.LIMIT,
    bt.Order.Stop: OrderType.STOP,
    bt.Order.StopLimit: OrderType.STOP_LIMIT,
    bt.Order.StopTrail: OrderType.TRAILING_STOP,
    bt.Order.StopTrailLimit: OrderType.TRAILING_STOP_LIMIT,
}


def order_type(exectype: int | None) -> OrderType:
    """Return Backtrader's execution type (None is Market) as an order type."""
    kind = bt.Order.Market if exectype is None else exectype
    if kind not in _TYPES:
        raise Unsupported(f"order type {bt.Order.ExecTypes[kind]} replays a history; no venue takes it")
    return _TYPES[kind]


def order_request(order: Any, symbol: str, client_order_id: str) -> OrderRequest:
    """Return a `bt.Order` as the request that a venue is sent.

    `buy(..., notional=1000)` asks for an amount of money, `extended_hours=True` for trading beyond the session.
    """
    kind = order_type(order.exectype)
    price, plimit = order.created.price, order.created.pricelimit
    has_stop = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    # Backtrader fills an order's pricelimit in with a reference price where it has none.
    limit = price if kind is OrderType.LIMIT else plimit if has_limit(order) else None
    notional = order.info.get("notional")
    lasts = time_in_force(order.p.valid)
    return OrderRequest(
        client_order_id=client_order_id,
        symbol=symbol,
        side=Side.BUY if order.isbuy() else Side.SELL,
        order_type=kind,
        quantity=None if notional else abs(order.size),
        notional=notional or None,
        limit_price=limit,
        stop_price=price if has_stop else None,
        trail_amount=order.trailamount,
        trail_percent=order.trailpercent,
        time_in_force=lasts,
        # Backtrader has no time for `valid=0`; the end of a day is for the venue's calendar to say.
        expires_at=utc(order.valid) if lasts is TimeInForce.GTD else None,
        extended_hours=bool(order.info.get("extended_hours")),
    )


def has_limit(order: Any) -> bool:
    """Return whether a `bt.Order` has a limit beside its price: once a stop has triggered."""
    return order.exectype in (bt.Order.StopLimit, bt.Order.StopTrailLimit)


def time_in_force(valid: Any) -> TimeInForce:
    """Return Backtrader's `valid` as a time in force: None is good till cancelled, 0 or `Order.DAY` the day."""
    if valid is None:
        return TimeInForce.GTC
    return TimeInForce.DAY if valid in (0, timedelta()) else TimeInForce.GTD


def utc(number: float) -> datetime:
    """Return a Backtrader date number as an aware UTC time."""
    at: datetime = bt.num2date(number)
    return at.replace(tzinfo=UTC)


def symbol_of(data: Any) -> str:
    """Return the symbol that a data feed carries; a resampled feed's is that of its minutes."""
    return str(getattr(data.p, "symbol", "") or data._name)
