"""The path that a price is taken to have gone inside a bar: open, nearer extreme, other extreme, close.

A bar does not say which extreme came first. The rule here is the usual one: the extreme nearer to the
open came first; where both are as near, the low. Backtests with an intrabar path, and the sandbox's
matching, both read this function.
"""

from __future__ import annotations

from collections.abc import Iterator

Path = tuple[float, float, float, float]
"""Four prices in the order in which they traded."""

Leg = tuple[float, float, float, float]
"""A stretch of the path as (open, high, low, close)."""


def path(open: float, high: float, low: float, close: float) -> Path:
    """Return the four prices of a bar in the order in which they are taken to have traded."""
    return (open, high, low, close) if high - open < open - low else (open, low, high, close)


def legs(open: float, high: float, low: float, close: float) -> Iterator[Leg]:
    """Yield the bar as four smaller ones: the open alone, then each way from one price to the next.

    A price between two points of the path is passed, so an order there fills at its own price.
    """
    points = path(open, high, low, close)
    for before, after in zip((open, *points[:-1]), points, strict=True):
        yield before, max(before, after), min(before, after), after
