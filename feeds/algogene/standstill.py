"""Which symbols' quotes stand still. Pure.

Test accounts have been seen to be quoted one price for minutes, and to be filled at it. Nothing says so: the same quote
comes again and again, or an old one. Such a symbol counts as halted, so that no position is opened on its price.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from framework.model import Halt, Quote


class Standstill:
    """The newest quote of each symbol, and which of them are too old. Owned by one thread.

    `after` is how old a quote may be that comes again.
    """

    def __init__(self, after: timedelta) -> None:
        self._after = after
        self._newest: dict[str, datetime] = {}
        self._still: set[str] = set()

    def take(self, quote: Quote, now: datetime, *, is_stale: bool = False) -> Halt | None:
        """Take a quote; return the change, None where there is none. `is_stale` where it was refused for its age."""
        newest = self._newest.get(quote.symbol)
        is_new = not is_stale and (newest is None or quote.at > newest)
        if is_new:
            self._newest[quote.symbol] = quote.at
            return self._moves(quote.symbol, now)
        age = now - (newest or quote.at)
        return self._stands(quote.symbol, age, now) if age > self._after else None

    def _moves(self, symbol: str, now: datetime) -> Halt | None:
        if symbol not in self._still:
            return None
        self._still.remove(symbol)
        return Halt(symbol, now, is_halted=False)

    def _stands(self, symbol: str, age: timedelta, now: datetime) -> Halt | None:
        if symbol in self._still:
            return None
        self._still.add(symbol)
        return Halt(symbol, now, is_halted=True, reason=f"its quote stands still, {age.total_seconds():.0f} s old")
