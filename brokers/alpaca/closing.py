"""Orders for the close: Alpaca takes them until ten minutes before it, and again from 19:00 New York time.

In between, and for fractions, which it takes at no close, we send a market order shortly before the close.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from brokers.alpaca.protocol import is_crypto, is_fractional
from framework.errors import Unsupported
from framework.model import OrderRequest, OrderType, TimeInForce

NEW_YORK = ZoneInfo("America/New_York")
LATEST = timedelta(minutes=10)
"""How long before the close Alpaca takes the last order for it."""

BARRED = time(15, 50), time(19)
"""Between these it takes none at all, New York time (its reference, "Time in Force")."""

LEAD = timedelta(seconds=10)
"""How long before the close we send the market order that stands for one."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The order to send, and when: None is now, as an order for the close."""

    request: OrderRequest
    at: datetime | None = None
    remark: str = ""


def closing(request: OrderRequest, at: datetime, closes_at: datetime) -> Closing:
    """Return how an order for the close is carried; `closes_at` ends the session that `at` is in or before.

    Raise `Unsupported` for crypto, which has no close.
    """
    check_close(request)
    local = at.astimezone(NEW_YORK)
    is_that_day = local.date() == closes_at.astimezone(NEW_YORK).date()
    if is_fractional(request):
        return _just_before(request, at, closes_at, "no fractions at the close")
    if is_that_day and closes_at - LATEST < at:
        return _just_before(request, at, closes_at, "no order for the close in its last ten minutes")
    if BARRED[0] < local.time() < BARRED[1]:
        opens = local.replace(hour=BARRED[1].hour, minute=0, second=0, microsecond=0).astimezone(UTC)
        remark = f"{request.symbol}: Alpaca takes orders for the next close from 19:00 New York time; it is sent then"
        return Closing(request, opens, remark)
    return Closing(request)


def before_the_close(request: OrderRequest, at: datetime, closes_at: datetime) -> Closing:
    """Return the market order that stands for one at the close, where none can rest. Raise as `closing` does."""
    check_close(request)
    return _just_before(request, at, closes_at, "one exit for the same shares")


def check_close(request: OrderRequest) -> None:
    """Raise `Unsupported` for what has no close."""
    if is_crypto(request.symbol):
        raise Unsupported(f"{request.symbol}: crypto has no close to trade at; try exectype=Order.Market")


def _just_before(request: OrderRequest, at: datetime, closes_at: datetime, why: str) -> Closing:
    market = replace(request, order_type=OrderType.MARKET, time_in_force=TimeInForce.DAY, expires_at=None)
    seconds = int(LEAD.total_seconds())
    remark = f"{request.symbol}: Alpaca takes {why}; a market order is sent {seconds} s before it, from here"
    return Closing(market, max(at, closes_at - LEAD), remark)
