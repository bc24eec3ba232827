"""When what is traded at Alpaca trades: shares in New York's sessions, crypto always."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, time, timedelta

import numpy as np

from brokers.alpaca.protocol import is_crypto
from framework.calendar import Calendar, Hours
from framework.columns import instant, moment
from framework.model import OrderRequest

REGULAR = Calendar("XNYS")
EXTENDED = Calendar("XNYS", Hours.EXTENDED)

AFTER = timedelta(minutes=10)
"""How long after the close there is still something to be heard of orders that ended with it."""


def closes_at(symbol: str, at: datetime) -> datetime:
    """Return the end of the session that a time is in or before (aware UTC); crypto's day ends at midnight UTC."""
    if is_crypto(symbol):
        day = at.astimezone(UTC).date() + timedelta(days=1)
        return datetime.combine(day, time(), UTC)
    return _next_close(at.replace(second=0, microsecond=0))


@functools.lru_cache(maxsize=16)  # sessions close on whole minutes, and orders of one minute come together
def _next_close(at: datetime) -> datetime:
    closes = REGULAR.sessions.closes
    return moment(closes[int(np.searchsorted(closes, instant(at), side="right"))])


def may_have_news(request: OrderRequest, at: datetime) -> bool:
    """Return whether something can have become of an open order just now: its market trades, or has just closed."""
    if is_crypto(request.symbol):
        return True
    windows = (EXTENDED if request.extended_hours else REGULAR).windows
    index = int(np.searchsorted(windows.closes, instant(at - AFTER), side="right"))
    return bool(windows.opens[index] <= instant(at))
