"""What the sandbox's ALGOGENE trades, and at which prices: the tape's symbols, and BTCUSD in any case. Pure.

Where the tape has a pair ("BTC/USD") it is BTCUSD here. Where it has neither, the minutes of BTCUSD are the sample's,
round the clock: the same that `SampleBars(["BTCUSD"], ..., calendar="24/7")` makes of the market's seed.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta

import numpy as np

from feeds import synthetic
from framework import intrabar
from framework.columns import Columns, instant, joined, moment
from framework.model import MINUTE, Bar, Quote
from framework.sandbox.tape import HISTORY, LOT, Instant, Tape

BITCOIN = "BTCUSD"

_DAY = np.timedelta64(1, "D")


class Board:
    """The instruments of a market by ALGOGENE's names."""

    def __init__(self, tape: Tape, seed: int, spread: float = 0.0) -> None:
        self._tape, self._seed, self._spread = tape, seed, spread
        self._symbols = {symbol.replace("/", ""): symbol for symbol in tape.symbols}
        self.names: tuple[str, ...] = tuple(dict.fromkeys((*self._symbols, BITCOIN)))

    def is_crypto(self, name: str) -> bool:
        """Return whether an instrument is a pair of coins."""
        return name == BITCOIN or "/" in self._symbols.get(name, "")

    def known(self, name: str, at: datetime) -> Columns:
        """Return the bars that have ended by then, from some days before the tape's start on."""
        if name in self._symbols:
            return self._tape.known(self._symbols[name], at)
        since = self._tape.starts_at - HISTORY
        days = np.arange(np.datetime64(since.date()), np.datetime64(at.date()) + _DAY)
        return joined([_bitcoin(self._seed, day) for day in days]).between(since, at)

    def ranges(self, name: str, played: Instant) -> Bar | None:
        """Return what orders meet at an instant."""
        if name in self._symbols:
            return next((_named(bar, name) for bar in played.ranges if bar.symbol == self._symbols[name]), None)
        return self.ended(name, played.at)

    def ended(self, name: str, at: datetime) -> Bar | None:
        """Return the bar that ends exactly then."""
        if name in self._symbols:
            bar = self._tape.ended(self._symbols[name], at)
            return None if bar is None else _named(bar, name)
        last = self.last(name, at)
        return last if last is not None and last.end == at else None

    def last(self, name: str, at: datetime) -> Bar | None:
        """Return the last bar that has ended by then."""
        if name in self._symbols:
            bar = self._tape.last(self._symbols[name], at)
            return None if bar is None else _named(bar, name)
        today = np.datetime64((at - timedelta(microseconds=1)).date())
        bars = joined([_bitcoin(self._seed, today - _DAY), _bitcoin(self._seed, today)]).between(None, at)
        return _bar(name, bars[-1:]) if len(bars) else None

    def price(self, name: str, at: datetime) -> float:
        """Return the last price; before the first bar, what that opens at."""
        last = self.last(name, at)
        return last.close if last is not None else float(self._tape.bars[self._symbols[name]].open[0])

    def quotes(self, bar: Bar) -> list[Quote]:
        """Return a bar as four quotes inside of it, which make the same bar again where there is no spread."""
        length = bar.timeframe.length or timedelta(days=1)
        times = [bar.end - length, bar.end - length * 2 / 3, bar.end - length / 3, bar.end - timedelta(milliseconds=1)]
        prices = intrabar.path(bar.open, bar.high, bar.low, bar.close)
        return [self._quote(bar.symbol, at, price) for at, price in zip(times, prices, strict=True)]

    def _quote(self, name: str, at: datetime, price: float) -> Quote:
        half = price * self._spread / 2
        return Quote(name, at, round(price - half, 6), LOT, round(price + half, 6), LOT)


@functools.lru_cache(maxsize=64)
def _bitcoin(seed: int, day: np.datetime64) -> Columns:
    opens = day.astype("datetime64[us]")
    return synthetic.minutes(seed, BITCOIN, day, opens, opens + _DAY)


def _bar(name: str, bars: Columns) -> Bar:
    open_, high, low, close, volume = (
        float(each[0]) for each in (bars.open, bars.high, bars.low, bars.close, bars.volume)
    )
    return Bar(name, moment(bars.end[0]), open_, high, low, close, volume, MINUTE)


def _named(bar: Bar, name: str) -> Bar:
    return Bar(name, bar.end, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.timeframe)


def spans(bars: Columns, length: timedelta) -> Columns:
    """Return bars of minutes as longer ones, cut at multiples of `length` in UTC, each as far as it goes."""
    if not len(bars):
        return bars
    size = length // timedelta(microseconds=1)
    groups = (bars.end.astype(np.int64) - 1) // size
    first = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    last = np.r_[first[1:] - 1, len(bars) - 1]
    ends = ((groups[first] + 1) * size).astype("datetime64[us]")
    high, low = np.maximum.reduceat(bars.high, first), np.minimum.reduceat(bars.low, first)
    return Columns.of(ends, bars.open[first], high, low, bars.close[last], np.add.reduceat(bars.volume, first))


def until(bars: Columns, at: datetime) -> Columns:
    """Return the bars that end before a time: "strictly less than", as the documentation has it."""
    return bars[: int(np.searchsorted(bars.end, instant(at), side="left"))]
