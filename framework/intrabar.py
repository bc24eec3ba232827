"""The way a price takes within a bar, as backtests and the sandbox assume it.

A bar says where the price began, how far it went and where it ended, not in which order. The usual
assumption is that it went to the nearer extreme first.
"""

from __future__ import annotations


def path(open: float, high: float, low: float, close: float) -> tuple[float, float, float, float]:
    """Return the price's turning points within a bar: open, nearer extreme, other extreme, close.

    Where both are equally near, a bar that rose is taken to have dipped first, and one that fell to have
    risen first.
    """
    up, down = high - open, open - low
    falls_first = down < up or (down == up and close >= open)
    return (open, low, high, close) if falls_first else (open, high, low, close)


def touched_at(price: float, start: float, end: float, *, from_below: bool) -> float | None:
    """Return where a price that goes straight from `start` to `end` touches an order at `price`, or None.

    It does where it is at that price or beyond: above it `from_below` (a buy stop, a limit sale), else below it.
    """
    if start >= price if from_below else start <= price:
        return start
    return price if min(start, end) <= price <= max(start, end) else None
