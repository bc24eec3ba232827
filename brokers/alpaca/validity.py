"""How long an order lives: what Alpaca is told, and what is left for us to end.

The rule: the shortest time in force that covers what was asked, so that an order dies at the venue even
where our process has died before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from brokers.alpaca.protocol import is_crypto, is_fractional
from framework.errors import Unsupported
from framework.model import OrderRequest, TimeInForce

SHORT = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.AT_THE_OPENING, TimeInForce.AT_THE_CLOSE)
"""Those that are one attempt: nothing of them waits."""


@dataclass(frozen=True, slots=True)
class Validity:
    """`time_in_force` is what Alpaca is told; where it lasts too long we cancel at `ends_at`.

    `remark` says what differs from what was asked, for whoever placed the order; mostly empty.
    """

    time_in_force: TimeInForce
    ends_at: datetime | None = None
    remark: str = ""


def validity(request: OrderRequest, closes_at: datetime) -> Validity:
    """Return how an order is carried; `closes_at` ends the session that it is sent in, or before.

    Raise `Unsupported` where nothing that Alpaca has comes near it.
    """
    asked = request.time_in_force
    if is_crypto(request.symbol):
        return _crypto(request, closes_at)
    if asked in SHORT:
        return Validity(asked)
    if is_fractional(request) or request.extended_hours:
        return _day_only(request, closes_at)
    if asked is TimeInForce.GTD and request.expires_at is not None:
        if request.expires_at <= closes_at:
            return _within_the_day(request.expires_at, closes_at)
        return Validity(TimeInForce.GTC, request.expires_at)
    return Validity(TimeInForce.DAY if asked is TimeInForce.DAY else TimeInForce.GTC)


def end_of(request: OrderRequest, closes_at: datetime) -> datetime | None:
    """Return when an order is to end, None where it is to last until it is cancelled."""
    if request.time_in_force is TimeInForce.DAY:
        return closes_at
    return request.expires_at if request.time_in_force is TimeInForce.GTD else None


def _within_the_day(ends_at: datetime, closes_at: datetime) -> Validity:
    return Validity(TimeInForce.DAY, None if ends_at == closes_at else ends_at)


def _day_only(request: OrderRequest, closes_at: datetime) -> Validity:
    """Fractions and extended hours are for the day, whatever was asked."""
    ends_at = end_of(request, closes_at)
    if request.time_in_force is TimeInForce.GTD and ends_at is not None and ends_at <= closes_at:
        return _within_the_day(ends_at, closes_at)
    if request.time_in_force is TimeInForce.DAY:
        return Validity(TimeInForce.DAY)
    what = "an order in extended hours" if request.extended_hours else "a fractional order"
    wanted = "until cancelled" if ends_at is None else f"until {ends_at:%Y-%m-%d %H:%M} UTC"
    return Validity(
        TimeInForce.DAY,
        remark=f"{request.symbol}: Alpaca takes {what} for the day only; this one was to last {wanted}, "
        "and ends with the session",
    )


def _crypto(request: OrderRequest, closes_at: datetime) -> Validity:
    """Crypto knows gtc and ioc; the day and a date are kept by us."""
    if request.time_in_force is TimeInForce.IOC:
        return Validity(TimeInForce.IOC)
    if request.time_in_force in SHORT:
        raise Unsupported(
            f"{request.symbol}: Alpaca's crypto orders are gtc or ioc, not {request.time_in_force.value}; "
            "try valid=None, or ioc"
        )
    return Validity(TimeInForce.GTC, end_of(request, closes_at))
