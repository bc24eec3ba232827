"""Which open orders to look up because nothing is heard of them: soon at first, then more and more seldom. Pure.

Most silence is an order that waits for its price: thirty of them, looked up each quarter of a minute, would eat
the account's whole budget.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from brokers.alpaca.following import Inquiry


class Staleness:
    """When each order was last looked up in vain. `first` and `longest` are of venue time."""

    def __init__(self, first: timedelta, longest: timedelta) -> None:
        self.first, self.longest = first, longest
        self._looked: dict[Inquiry, tuple[timedelta, datetime]] = {}

    def due(self, inquiries: Iterable[Inquiry], now: datetime) -> list[Inquiry]:
        """Return those whose time has come, and count them as looked up now."""
        due = [each for each in inquiries if self._is_due(each, now)]
        for each in due:
            wait = self._looked[each][0] * 2 if each in self._looked else self.first
            self._looked[each] = min(wait, self.longest), now
        return due

    def heard(self, venue_order_id: str) -> None:
        """Begin anew with an order of which something was heard."""
        self._looked.pop(Inquiry(venue_order_id), None)

    def _is_due(self, inquiry: Inquiry, now: datetime) -> bool:
        wait, at = self._looked.get(inquiry, (timedelta(), now))
        return now - at >= wait
