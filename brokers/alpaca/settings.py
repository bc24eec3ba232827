"""How Alpaca's sandbox is set up, and the values that its book hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from brokers.alpaca.entries import stamp


@dataclass(frozen=True, slots=True)
class Settings:
    """How the venue fills, and what the account may do.

    `spread` and `slippage` are fractions of the price, `commission` of a fill's value. `partial` is the
    chance that a fill takes half of an order (Alpaca's paper account: about 0.1). `latency` is how long
    an order is on its way, in venue time. `match_quotes` fills at the quotes instead of the bars.
    `hard_to_borrow` are symbols that cannot be sold short, `whole_only` those without fractions.
    `old_account` shows the account as it was before July 2026, with the pattern-day-trader fields.
    `split_in_two` tells a split as two activities, what goes and what comes; `whole_splits` pays what a split
    leaves of a share in money.
    """

    cash: float = 100_000.0
    multiplier: int = 2
    spread: float = 0.0
    slippage: float = 0.0
    commission: float = 0.0
    partial: float = 0.0
    participation: float | None = None
    latency: timedelta = timedelta()
    match_quotes: bool = False
    hard_to_borrow: frozenset[str] = frozenset()
    whole_only: frozenset[str] = frozenset()
    old_account: bool = False
    split_in_two: bool = False
    whole_splits: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """One message of the trade_updates stream: what happened, and the order as it was then."""

    number: int
    event: str
    order: Mapping[str, Any]
    at: datetime
    more: Mapping[str, Any] = field(default_factory=dict)
    is_silent_sibling: bool = False

    def shown(self) -> dict[str, Any]:
        """Return the message's data."""
        at = stamp(self.at)
        tail = {"timestamp": at, "at": at, "event_id": f"{int(self.at.timestamp() * 1000):013d}{self.number:013d}"}
        return {"event": self.event, **self.more, **tail, "order": self.order}


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill, as the activities tell it."""

    id: str
    at: datetime
    entry: str
    quantity: float
    price: float
    total: float
    is_last: bool


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a split did to a position, as the activities tell it; `day` is the first session in the new shares."""

    id: str
    at: datetime
    day: date
    symbol: str
    before: float
    after: float
    price: float
