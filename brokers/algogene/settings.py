"""How ALGOGENE's sandbox is set up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from framework.model import nothing


@dataclass(frozen=True, slots=True)
class Settings:
    """How the venue fills, and what the account may do.

    `leverage` divides the margin of what is held, net, of each instrument. `contracts` are the units of one lot, 1
    where an instrument is not among them. `commission` and `slippage` are fractions of the value, `spread` of the
    price. `partial` is the chance that a fill takes half of an order. `latency` is how long an order, or a close, is
    on its way, in venue time.
    """

    cash: float = 100_000.0
    currency: str = "USD"
    leverage: float = 5.0
    contracts: Mapping[str, float] = field(default_factory=nothing)
    commission: float = 0.0
    slippage: float = 0.0
    spread: float = 0.0
    partial: float = 0.0
    latency: timedelta = timedelta()
