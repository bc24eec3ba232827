"""Orders with what was filled of them, from a journal or from a backtest alike, and what they brought. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import fsum

REFUSED = frozenset({"Rejected", "Margin", "rejected"})
"""The statuses of an order that was not taken, here or at the venue."""


@dataclass(frozen=True, slots=True)
class Part:
    """One fill of an order; `at` is aware UTC, `fee` in currency."""

    at: datetime
    quantity: float
    price: float
    fee: float = 0.0


@dataclass(frozen=True, slots=True)
class Booked:
    """An order and what became of it. `sign` is 1 for a buy, -1 for a sale; `size` is what was asked for.

    `decided` is the end of the bar on which it was made (aware UTC), `kind` Backtrader's word (Market, Limit, ...).
    """

    name: str
    symbol: str
    sign: int
    kind: str
    size: float
    decided: datetime
    parts: tuple[Part, ...] = ()
    status: str = ""
    reason: str = ""

    @property
    def quantity(self) -> float:
        """What was filled, above zero."""
        return fsum(each.quantity for each in self.parts)

    @property
    def average(self) -> float:
        """The average price of the fills, 0 where there are none."""
        return fsum(each.quantity * each.price for each in self.parts) / self.quantity if self.parts else 0.0

    @property
    def fee(self) -> float:
        return fsum(each.fee for each in self.parts)

    @property
    def is_refused(self) -> bool:
        return self.status in REFUSED

    def worth(self, mark: float) -> float:
        """Return what its fills brought by the time that the price is `mark`, fees taken off."""
        return self.sign * self.quantity * (mark - self.average) - self.fee if self.parts else 0.0

    def told(self) -> str:
        """Return what became of it, such as `10 at 126.84` or `rejected: insufficient qty`."""
        if self.parts:
            return f"{self.quantity:g} at {self.average:,.8g}"
        return ": ".join(filter(None, [self.status.lower() or "open", self.reason]))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The orders of one side, in the order in which they were made, and each symbol's last price."""

    orders: tuple[Booked, ...]
    marks: Mapping[str, float]

    @property
    def pnl(self) -> float:
        """What was made: what was taken less what was paid, what is still held at the last prices, fees taken off."""
        return fsum(each.worth(self.marks[each.symbol]) for each in self.orders if each.parts)

    @property
    def held(self) -> Mapping[str, float]:
        """What is held of each symbol at the end; what is short is negative."""
        held: dict[str, float] = {}
        for each in self.orders:
            held[each.symbol] = held.get(each.symbol, 0.0) + each.sign * each.quantity
        return held
