"""Numbers as Alpaca's trading side writes them: decimal strings, to nine decimals, without the noise of floats."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal
from typing import Any

from feeds.alpaca.protocol import NAME
from framework.errors import ConfigError, ProtocolError

_NINE = Decimal("1e-9")
_CENT = Decimal("0.01")


def price_text(value: float) -> str:
    """Return a price, a trail or a percentage: 100.1 * 3 is "300.3"."""
    return _text(_decimal(value).quantize(_NINE))


def quantity_text(value: float) -> str:
    """Return a quantity, never more than was asked: what is beyond nine decimals is cut off."""
    return _text(_cut(value, _NINE))


def money_text(value: float) -> str:
    """Return an amount of money in whole cents, never more than was asked."""
    return _text(_cut(value, _CENT))


def number(body: dict[str, Any], key: str) -> float | None:
    """Read a number, which comes as a string, None where there is none; raise `ProtocolError` for anything else."""
    value = body.get(key)
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or isinstance(value, bool):
        raise ProtocolError(NAME, f"{key} is {value!r}, which is not a number", body)
    return found


def _decimal(value: float) -> Decimal:
    number = float(value)  # numpy's floats have another repr
    if not (math.isfinite(number) and number > 0):
        raise ConfigError(f"an order with the number {value}; prices and sizes are above zero")
    return Decimal(repr(number))


def _cut(value: float, step: Decimal) -> Decimal:
    """Round down, but take 0.29999999999999998 for 0.3: the noise is far below the smallest step."""
    return _decimal(value).quantize(_NINE / 1000).quantize(step, ROUND_DOWN)


def _text(value: Decimal) -> str:
    if not value:
        raise ConfigError("an order's price or size is below the smallest step")
    return format(value.normalize(), "f")
