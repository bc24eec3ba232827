"""Quotes made from bars, for a backtest of what goes by quotes where none were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from feeds.checks import listed
from framework.calendar import Calendar
from framework.columns import Columns, Floats
from framework.errors import ConfigError
from framework.model import Timeframe
from framework.ports import Source, Warmup
from framework.quoting import Beats, Quotes, mids, seconds_timeframe

_SHARES = (0, 1, 2, 3)


class BarQuotes:
    """Quotes along each bar's path (open, nearer extreme, other extreme, close), as a `framework.ports.QuoteSource`.

    `source` has bars of a fixed length; `every` is how many seconds lie between two looks; `spread`, a fraction of the
    price, lies between the sides, each of them on the tick or beyond. It is made up: that a price was there within the
    minute is true, when it was there is an assumption.
    """

    def __init__(self, source: Source, every: float | timedelta = 1.0, *, spread: float = 0.0002) -> None:
        if source.timeframe.length is None:
            raise ConfigError(f"quotes cannot be made of bars of {source.timeframe}; give minutes")
        if not 0 <= spread < 1:
            raise ConfigError(f"spread={spread} is not a fraction of the price; 0.0002 is 2 basis points")
        self._source, self.spread = source, spread
        self.beats = Beats(seconds(every), source.calendar)

    def __repr__(self) -> str:
        every = self.beats.every.total_seconds()
        return f"BarQuotes({listed(list(self.symbols))}; every {every:g} s; spread {self.spread:g})"

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._source.symbols

    @property
    def timeframe(self) -> Timeframe:
        return seconds_timeframe(self.beats.every)

    @property
    def calendar(self) -> Calendar:
        return self._source.calendar

    @property
    def start(self) -> datetime | None:
        return self._source.start

    @property
    def end(self) -> datetime | None:
        return self._source.end

    def quoted(self) -> Mapping[str, Quotes]:
        """Return four quotes for each bar of the source; raise as its `history` does."""
        length = self._source.timeframe.length
        assert length is not None
        return {symbol: _made(bars, length, self.spread) for symbol, bars in self._source.history().items()}

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return the middle between bid and ask at each look; there is nothing before the start."""
        return mids(self.quoted(), self.beats)


def seconds(every: float | timedelta) -> timedelta:
    """Return a time between two looks, given in seconds."""
    return every if isinstance(every, timedelta) else timedelta(seconds=every)


def _made(bars: Columns, length: timedelta, spread: float) -> Quotes:
    up, down = bars.high - bars.open, bars.open - bars.low
    falls_first = (down < up) | ((down == up) & (bars.close >= bars.open))
    nearer, other = np.where(falls_first, (bars.low, bars.high), (bars.high, bars.low))
    prices = np.stack([bars.open, nearer, other, bars.close], axis=1).ravel()
    begun = bars.end - np.timedelta64(length)
    times = [begun + np.timedelta64(length) * share // 3 for share in _SHARES]
    times[0] = begun + np.timedelta64(1, "us")  # what is known at its beginning is the bar before
    bid, ask = sides(prices, spread)
    return Quotes.of(np.stack(times, axis=1).ravel(), bid, ask)


def sides(prices: Floats, spread: float) -> tuple[Floats, Floats]:
    """Return bid and ask around prices, each on the tick or beyond: the sandbox's `made_quote`, for many."""
    steps = np.where(prices >= 1, 100.0, 10_000.0)
    half = prices * spread / 2
    bid = np.floor((prices - half) * steps + 1e-6) / steps
    ask = np.ceil((prices + half) * steps - 1e-6) / steps
    return bid, ask
