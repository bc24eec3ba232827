"""What is asked of a venue, in a trader's words: `buy 52 limit 381.58 until 10:06`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from framework.model import OrderRequest, OrderType, TimeInForce

_TYPES = {
    OrderType.MARKET: "at the market",
    OrderType.MARKET_ON_CLOSE: "at the close",
    OrderType.TRAILING_STOP: "trailing stop",
    OrderType.TRAILING_STOP_LIMIT: "trailing stop limit",
}

_LIVES = {
    TimeInForce.GTC: "until canceled",
    TimeInForce.IOC: "at once or not at all",
    TimeInForce.FOK: "whole and at once or not at all",
    TimeInForce.AT_THE_OPENING: "at the opening",
}


def asked(request: OrderRequest, at: datetime) -> str:
    """Return an order in words; `at` is when it was asked, in the zone that its times are told in."""
    return " ".join([request.side.value, amount(request), *_prices(request), *_life(request, at)])


def amount(request: OrderRequest) -> str:
    """Return how much is asked for: units, or worth."""
    return f"{request.quantity:g}" if request.quantity is not None else f"{request.notional:,.2f} worth"


def money(price: float) -> str:
    """Return a price with at least two decimals, and as many more as it has, up to eight."""
    whole, _, decimals = f"{price:.8f}".rstrip("0").partition(".")
    return f"{whole}.{decimals:0<2}"


def _prices(request: OrderRequest) -> Iterator[str]:
    if word := _TYPES.get(request.order_type):
        yield word
    if request.stop_price is not None:
        yield f"stop {money(request.stop_price)}"
    if request.limit_price is not None:
        yield f"limit {money(request.limit_price)}"
    if request.trail_amount is not None:
        yield f"trail {money(request.trail_amount)}"
    if request.trail_percent is not None:
        yield f"trail {100 * request.trail_percent:g} %"


def _life(request: OrderRequest, at: datetime) -> Iterator[str]:
    if request.time_in_force is TimeInForce.GTD and request.expires_at is not None:
        end = request.expires_at.astimezone(at.tzinfo)
        yield f"until {end:%H:%M}" if end.date() == at.date() else f"until {end:%Y-%m-%d %H:%M}"
    elif word := _LIVES.get(request.time_in_force):
        yield word
    if request.extended_hours:
        yield "in extended hours too"
