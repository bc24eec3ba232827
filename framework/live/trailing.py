"""A trailing stop with a limit, where the venue has none: the price in, the stop and its limit out. Pure.

It moves as Backtrader's own (`Order.trailadjust`): the stop follows the price at its distance and never goes
back, the limit stays where it was, seen from the stop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from framework.errors import ConfigError
from framework.model import OrderRequest, Side


@dataclass(frozen=True, slots=True)
class Trailing:
    """Where a stop is. `offset` is how far its limit lies below it (above it: negative)."""

    side: Side
    stop: float
    offset: float
    amount: float | None = None
    percent: float | None = None

    @classmethod
    def start(cls, request: OrderRequest, price: float) -> Trailing:
        """Return the stop of an order at the first price that is seen; raise `ConfigError` where it has no trail."""
        check_trail(request)
        begun = cls(request.side, -math.inf * request.side.sign, 0.0, request.trail_amount, request.trail_percent)
        stop = begun._away(price) if request.stop_price is None else request.stop_price
        limit = stop if request.limit_price is None else request.limit_price
        return replace(begun, stop=stop, offset=stop - limit)

    @property
    def limit(self) -> float:
        """The limit of the order that is sent when the stop is reached."""
        return self.stop - self.offset

    def is_reached(self, price: float) -> bool:
        """Return whether the price is at the stop or beyond it."""
        return (price - self.stop) * self.side.sign >= 0

    def moved(self, price: float) -> Trailing:
        """Return the stop after a price: nearer to it, or as it was."""
        stop = self._away(price)
        return replace(self, stop=stop) if (stop - self.stop) * self.side.sign < 0 else self

    def _away(self, price: float) -> float:
        """Return the stop that belongs to a price: above it for a buy, below it for a sell."""
        return price + self.side.sign * (self.amount or price * (self.percent or 0.0))


def check_trail(request: OrderRequest) -> None:
    """Raise `ConfigError` for a trailing order without its trail."""
    if not request.trail_amount and not request.trail_percent:
        raise ConfigError(f"{request.symbol}: a trailing stop without a trail; give trailamount or trailpercent")


def on_tick(price: float, tick: float, side: Side) -> float:
    """Return a limit on the venue's grid, never beyond what was asked: a buy's goes down, a sell's up."""
    steps = Decimal(repr(float(price))).quantize(Decimal("1e-9")) / Decimal(repr(tick))
    whole = steps.to_integral_value(ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)
    return float(whole * Decimal(repr(tick)))
