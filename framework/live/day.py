"""A session's trading day: what it was worth when the day began, and whether it has lost too much since. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Day:
    """`date` is ISO, "" before there is one; `lost` is what was lost when that became too much, 0 before."""

    date: str = ""
    opened: float = 0.0
    lost: float = 0.0

    def loss(self, value: float) -> float:
        """Return what has been lost; what became too much stays lost until the day is over."""
        return max(self.lost, self.opened - value) if self.date else 0.0

    def body(self) -> dict[str, float]:
        """Return the day as the journal keeps it, under its date."""
        return {"value": self.opened, "lost": self.lost}


def date_of(at: datetime, zone: tzinfo) -> str:
    """Return the trading date that an instant belongs to: a bar that ends at midnight is the old day's."""
    return (at - _MOMENT).astimezone(zone).date().isoformat()
