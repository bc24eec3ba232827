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
