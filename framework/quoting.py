"""Quotes looked at so often: the same `QuoteBar`s come of a history, as columns, and live, one by one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from framework.calendar import Calendar
from framework.columns import Columns, Floats, Instants, instant, moment
from framework.errors import ConfigError
from framework.model import Quote, QuoteBar, Timeframe, Unit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_NEARLY = timedelta(microseconds=1)

LEAST = timedelta(milliseconds=100)
"""The shortest time between two looks."""


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """The quotes of one symbol, oldest first: three arrays of one length. `at` is UTC, `datetime64[us]`.

    Of a quote that lacks a side nothing is kept: nobody can trade on it.
    """

    at: Instants
    bid: Floats
    ask: Floats

    @classmethod
    def of(cls, at: Any, bid: Any, ask: Any) -> Quotes:
        """Make quotes from anything NumPy can read, in any order; those of one instant stay in theirs."""
        times = np.ascontiguousarray(at, dtype="datetime64[us]")
        bids, asks = (np.ascontiguousarray(each, dtype=np.float64) for each in (bid, ask))
        order = np.argsort(times, kind="stable")
        whole = order[(bids[order] > 0) & (asks[order] > 0)]
        return cls(times[whole], bids[whole], asks[whole])

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True, eq=False)
class QuoteColumns:
    """The `QuoteBar`s of one symbol, oldest first, as arrays of one length; times are UTC, `datetime64[us]`."""

    end: Instants
    quoted: Instants
    bid_open: Floats
    bid_high: Floats
    bid_low: Floats
    bid: Floats
    ask_open: Floats
    ask_high: Floats
    ask_low: Floats
    ask: Floats

    def __len__(self) -> int:
        return len(self.end)

    def mids(self) -> Columns:
        """Return the middle between the sides as bars without volume."""
        sides = [(self.bid_open, self.ask_open), (self.bid_high, self.ask_high), (self.bid_low, self.ask_low)]
        opens, highs, lows, closes = ((bid + ask) / 2 for bid, ask in [*sides, (self.bid, self.ask)])
        return Columns.of(self.end, opens, highs, lows, closes, np.zeros(len(self)))

    def ages(self) -> Floats:
        """Return how many seconds old each standing quote is."""
        return np.asarray((self.end - self.quoted) / np.timedelta64(1, "s"), dtype=np.float64)


NAMES = tuple(each.name for each in fields(QuoteColumns) if each.name not in ("end", "quoted"))
"""The prices of a `QuoteBar`, each side's first, highest, lowest and last."""


def sampled(quotes: Quotes, ends: Instants) -> QuoteColumns:
    """Return what was quoted up to each of these instants, in their order; those before the first quote are left out.

    A stretch begins after the instant before; where nothing came in it, it is the quote that stands.
    """
    counts = np.searchsorted(quotes.at, ends, side="right")
    known = counts > 0
    ends, counts = ends[known], counts[known]
    if not len(counts):
        return QuoteColumns(ends, quotes.at[:0], *[quotes.bid[:0]] * len(NAMES))
    last = counts - 1
    first = np.minimum(np.concatenate([[0], counts[:-1]]), last)
    sides = (quotes.bid[: counts[-1]], quotes.ask[: counts[-1]])
    return QuoteColumns(ends, quotes.at[last], *(each for side in sides for each in _stretches(side, first, last)))


def _stretches(side: Floats, first: Any, last: Any) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the first, highest, lowest and last of each stretch.

    `reduceat` leaves out the last of a stretch where the next one begins on it.
    """
    ends = side[last]
    high: Floats = np.maximum(np.maximum.reduceat(side, first), ends)
    low: Floats = np.minimum(np.minimum.reduceat(side, first), ends)
    return side[first], high, low, ends


class Board:
    """What stands for each symbol now, and what was quoted since the last look. Owned by the I/O thread."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._standing: dict[str, Quote | None] = dict.fromkeys(symbols)
        self._since: dict[str, list[float]] = {}

    def follows(self, symbol: str) -> bool:
        """Return whether a symbol's quotes are kept here."""
        return symbol in self._standing

    def take(self, quote: Quote) -> None:
        """Take a quote; one that lacks a side, or is older than the one that stands, counts for nothing."""
        standing = self._standing[quote.symbol]
        if not (quote.bid > 0 and quote.ask > 0) or (standing is not None and quote.at < standing.at):
            return
        self._standing[quote.symbol] = quote
        bid, ask = quote.bid, quote.ask
        since = self._since.get(quote.symbol)
        if since is None:
            self._since[quote.symbol] = [bid, bid, bid, ask, ask, ask]
            return
        since[1], since[2] = max(since[1], bid), min(since[2], bid)
        since[4], since[5] = max(since[4], ask), min(since[5], ask)

    def bars(self, at: datetime) -> tuple[QuoteBar, ...]:
        """Return what was quoted up to an instant, of the symbols that a quote is known of, and begin anew."""
        since, self._since = self._since, {}
        return tuple(_bar(each, at, since.get(each.symbol)) for each in self._standing.values() if each is not None)


def _bar(quote: Quote, at: datetime, since: Sequence[float] | None) -> QuoteBar:
    bid, ask = quote.bid, quote.ask
    opened, high, low, asked, most, least = since or [bid, bid, bid, ask, ask, ask]
    return QuoteBar(quote.symbol, at, quote.at, opened, high, low, bid, asked, most, least, ask)


@dataclass(frozen=True, slots=True)
class Beats:
    """The instants at which quotes are looked at: the multiples of `every` (since 1970, UTC) while the market is open.

    One that is the open itself is none, one that is the close is. Raise `ConfigError` for what cannot be a time.
    """

    every: timedelta
    calendar: Calendar

    def __post_init__(self) -> None:
        if not LEAST <= self.every <= timedelta(days=1):
            raise ConfigError(
                f"every={self.every.total_seconds():g} s is no time between two looks; give 0.1 seconds to a day"
            )

    def after(self, at: datetime) -> datetime:
        """Return the next instant after a time."""
        due = self._multiple(at)
        windows = self.calendar.windows
        index = int(np.searchsorted(windows.closes, instant(due), side="left"))
        opens = moment(windows.opens[index])
        return due if due > opens else self._multiple(opens)

    def between(self, after: datetime, until: datetime) -> Instants:
        """Return the instants with `after` < t <= `until`."""
        windows = self.calendar.windows
        first = int(np.searchsorted(windows.closes, instant(after), side="right"))
        last = int(np.searchsorted(windows.opens, instant(until), side="left"))
        pieces = [
            self._multiples(max(moment(windows.opens[each]), after), min(moment(windows.closes[each]), until))
            for each in range(first, last)
        ]
        return np.concatenate(pieces) if pieces else np.array([], dtype="datetime64[us]")

    def _multiples(self, after: datetime, until: datetime) -> Instants:
        first = instant(self._multiple(after))
        return np.asarray(np.arange(first, instant(until) + np.timedelta64(1, "us"), np.timedelta64(self.every)))

    def _multiple(self, at: datetime) -> datetime:
        return _EPOCH + ((at - _EPOCH) // self.every + 1) * self.every


def mids(quoted: Mapping[str, Quotes], beats: Beats) -> dict[str, Columns]:
    """Return the middle between the sides of each symbol's quotes at each look."""
    return {symbol: found.mids() for symbol, found in looked_at(quoted, beats).items()}


def looked_at(quoted: Mapping[str, Quotes], beats: Beats) -> dict[str, QuoteColumns]:
    """Return what stands at each look, from the first quote on to the first look after the last."""
    between = span(quoted.values())
    if between is None:
        return {symbol: sampled(quotes, quotes.at) for symbol, quotes in quoted.items()}
    ends = beats.between(between[0] - _NEARLY, beats.after(between[1] - _NEARLY))
    return {symbol: sampled(quotes, ends) for symbol, quotes in quoted.items()}


def seconds_timeframe(every: timedelta) -> Timeframe:
    """Return the timeframe that names feeds of quotes that are looked at so often: whole seconds, at least one."""
    return Timeframe(max(round(every.total_seconds()), 1), Unit.SECOND)


def span(quotes: Iterable[Quotes]) -> tuple[datetime, datetime] | None:
    """Return the times of the first quote and the last of several symbols, None where there are none."""
    found = [each for each in quotes if len(each)]
    if not found:
        return None
    return moment(min(each.at[0] for each in found)), moment(max(each.at[-1] for each in found))
