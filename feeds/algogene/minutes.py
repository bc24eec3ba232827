"""Minute bars made of quotes, each broker's and symbol's apart. Pure.

A minute is [begin, end): a quote at its end belongs to the next one. A bar is the middle prices of its quotes; its
volume is 0, for quotes tell of no trades. A minute without a quote has no bar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from feeds.algogene.quotes import BrokerQuote, Key, Quotes
from framework.model import MINUTE, Bar

LENGTH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Stale:
    """A quote that was refused, because it was `age` old when it came (negative: that far ahead)."""

    key: Key
    age: timedelta


class MinuteBuilder:
    """Builds the bars of what it is given. Owned by one thread.

    A quote that is more than `age` older than the time at which it comes is refused: its minute is not now, and a
    price that stands still is none. So is one as far ahead: all that follow would be older. One that is older than its
    predecessor is dropped.
    """

    def __init__(self, age: timedelta = timedelta(seconds=90)) -> None:
        self.quotes = Quotes()
        self._age = age
        self._open: dict[Key, Bar] = {}
        self._told: dict[Key, datetime] = {}
        self._whole: datetime | None = None

    def begin(self, now: datetime) -> None:
        """Begin, or begin anew: a minute of which a part was not heard is not told, and has to be asked for."""
        self._open.clear()
        self._whole = now if now == _end(now) - LENGTH else _end(now)

    def take(self, quote: BrokerQuote, now: datetime) -> tuple[tuple[str, Bar], ...] | Stale:
        """Take a quote; return the bar that it ends, with its broker, none, or why it was refused."""
        age = now - quote.quote.at
        if abs(age) > self._age:
            return Stale(quote.key, age)
        if not self.quotes.take(quote):
            return ()
        end = _end(quote.quote.at)
        if self._is_past(quote.key, end):
            return ()
        before = self._open.get(quote.key)
        if before is None or before.end == end:
            self._open[quote.key] = _with(before, quote, end)
            return ()
        finished = self._finish(quote.key)
        self._open[quote.key] = _with(None, quote, end)
        return finished

    def due(self, now: datetime, grace: timedelta = timedelta()) -> tuple[tuple[str, Bar], ...]:
        """Return the bars whose minute was over `grace` ago, each with its broker, by their ends."""
        over = [key for key, bar in self._open.items() if bar.end + grace <= now]
        finished = [each for key in over for each in self._finish(key)]
        return tuple(sorted(finished, key=lambda each: each[1].end))

    def _is_past(self, key: Key, end: datetime) -> bool:
        """Return whether a minute was told when its time was over, or is not told because it was not heard whole."""
        is_part = self._whole is not None and end - LENGTH < self._whole
        return is_part or (key in self._told and end <= self._told[key])

    def _finish(self, key: Key) -> tuple[tuple[str, Bar], ...]:
        bar = self._open.pop(key)
        self._told[key] = bar.end
        return ((key[0], bar),)


def _end(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + LENGTH


def _with(bar: Bar | None, quote: BrokerQuote, end: datetime) -> Bar:
    price = quote.price
    if bar is None:
        return Bar(quote.quote.symbol, end, price, price, price, price, 0.0, MINUTE)
    return replace(bar, high=max(bar.high, price), low=min(bar.low, price), close=price)
