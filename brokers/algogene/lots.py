"""Units and lots: Backtrader counts units, ALGOGENE lots of `contractSize` units. Pure, and exact.

Sums are done in decimals: a hundred times a hundredth of a lot is one lot, and a position that is closed is zero.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from brokers.algogene.instruments import Instrument
from framework.errors import ConfigError

_NOISE = Decimal("1e-9")
"""What a float may be off: 0.29999999999999998 is 0.3."""


def exact(value: float | Decimal) -> Decimal:
    """Return a float as the decimal that it is written as."""
    return value if isinstance(value, Decimal) else Decimal(repr(float(value)))


def steps(units: float | Decimal, instrument: Instrument) -> int:
    """Return how many whole steps a positive size is, never more than it; below one step it is 0."""
    count = exact(units) / instrument.smallest
    return int((count + _NOISE).to_integral_value(ROUND_FLOOR))


def lots_of(units: float | Decimal, instrument: Instrument) -> Decimal:
    """Return a size of more than zero in lots, rounded down to the step; raise `ConfigError` below one step."""
    if why := refusal(units, instrument):
        raise ConfigError(why)
    return steps(units, instrument) * instrument.step


def units_of(lots: float | Decimal, instrument: Instrument) -> Decimal:
    """Return lots in units, with their sign."""
    return exact(lots) * instrument.contract


def refusal(units: float | Decimal, instrument: Instrument) -> str:
    """Return why a size cannot be traded, or an empty string."""
    if not units > 0:
        return f"{instrument.symbol}: a size of {units}; give one above zero"
    if not exact(units).is_finite() or steps(units, instrument) < 1:
        smallest = f"{instrument.smallest.normalize():f}"
        return f"{instrument.symbol}: a size of {units} is below the smallest, {smallest} ({instrument.step} lot)"
    return ""


def volume(lots: Decimal) -> float:
    """Return lots as they are sent: a number."""
    return float(lots)
