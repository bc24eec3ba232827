"""Bars as Alpaca tells them: stamped with their START, with trade count and average price, of any length. Pure.

A bar belongs to the window in which it begins, on the wall clock of its zone: New York for stocks; for
crypto UTC, but Chicago from a day up. Windows count from midnight and know no session: pre- and
post-market are in them, and the last window may still be growing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.alpaca.protocol import CRYPTO_DAY
from framework.calendar import Calendar, Days, utc_to_wall, wall_to_utc
from framework.columns import Columns, Floats, Instants, moment
from framework.model import Timeframe, Unit
from framework.resample import resampled, window_ends

TRADES = 4
"""How many trades the tape makes of a bar."""

_ROUND_THE_CLOCK = Calendar("24/7")
"""Its zone is UTC and its days have no close: given wall times, it makes windows of any zone."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Bars of one symbol by their starts, oldest first: eight arrays of one length."""

    start: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    trades: NDArray[np.int64]
    vwap: Floats

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, which: Any) -> Windows:
        """Return the bars that a slice, a mask or an array of indices picks."""
        return Windows(*(getattr(self, each.name)[which] for each in fields(self)))


def zone_of(timeframe: Timeframe, *, crypto: bool) -> str:
    """Return the zone on whose wall clock the windows of that length begin."""
    if not crypto:
        return "America/New_York"
    return "UTC" if timeframe.length is not None else CRYPTO_DAY


def windows(bars: Columns, source: Timeframe, target: Timeframe, *, crypto: bool = False) -> Windows:
    """Return bars of length `source` as Alpaca's bars of length `target`, an unfinished last one among them.

    Raise `ConfigError` where the one cannot be made of the other.
    """
    zone = zone_of(target, crypto=crypto)
    if target == source:
        return _told(_starts(bars.end, source, zone), bars, np.full(len(bars), TRADES), _average(bars))
    length = np.timedelta64(source.length) if source.length else np.timedelta64(0, "us")
    starts = bars.end - length
    walls = utc_to_wall(starts, zone)
    local = replace(bars, end=walls + length)
    longer = resampled(local, source, target, _ROUND_THE_CLOCK, moment(np.datetime64("2262-01-01", "us")))
    if not len(longer):
        return _told(starts, bars, np.empty(0), np.empty(0))
    ends = window_ends(local.end, source, target, _ROUND_THE_CLOCK)
    first = np.flatnonzero(np.concatenate(([True], ends[1:] != ends[:-1])))
    counts = np.diff(np.append(first, len(bars))) * TRADES
    spent = np.add.reduceat(_average(bars) * bars.volume, first)
    begins = _window_starts(walls[first], target)
    if target.length is None:
        at = wall_to_utc(begins.astype("datetime64[D]"), time(), zone)
    else:  # by the way back on the clock, so that an hour that is there twice is no riddle
        at = starts[first] - (walls[first] - begins)
    return _told(at, longer, counts, _divided(spent, longer.volume, longer.close))


def _told(start: Instants, bars: Columns, trades: Any, vwap: Floats) -> Windows:
    rounded = np.round(vwap, 6)
    prices = (bars.open, bars.high, bars.low, bars.close)
    return Windows(start, *prices, bars.volume, np.asarray(trades, dtype=np.int64), rounded)


def _starts(ends: Instants, timeframe: Timeframe, zone: str) -> Instants:
    if timeframe.length is not None:
        return ends - np.timedelta64(timeframe.length)
    days = utc_to_wall(ends - np.timedelta64(1, "us"), zone).astype("datetime64[D]")
    return wall_to_utc(_first_day(days, timeframe), time(), zone)


def _average(bars: Columns) -> Floats:
    """Return the average price of the four trades that the tape makes of each bar; the last has what is left over."""
    share = np.floor(bars.volume / TRADES)
    spent = share * (bars.open + bars.high + bars.low) + (bars.volume - 3 * share) * bars.close
    return _divided(spent, bars.volume, bars.close)


def _divided(spent: Floats, volume: Floats, otherwise: Floats) -> Floats:
    return np.divide(spent, volume, out=otherwise.copy(), where=volume > 0)


def _window_starts(walls: Instants, timeframe: Timeframe) -> Instants:
    days = walls.astype("datetime64[D]")
    if timeframe.length is None:
        return _first_day(days, timeframe).astype("datetime64[us]")
    length = np.timedelta64(timeframe.length)
    midnight = days.astype("datetime64[us]")
    begun: Instants = midnight + (walls - midnight) // length * length
    return begun


def _first_day(days: Days, timeframe: Timeframe) -> Days:
    """Return the first calendar day of each day's day, week (from Monday) or months."""
    if timeframe.unit is Unit.WEEK:
        since: NDArray[np.int64] = (days.astype(np.int64) + 3) % 7
        return np.asarray(days - since)
    if timeframe.unit is Unit.MONTH:
        months = days.astype("datetime64[M]").astype(np.int64)
        first = months // timeframe.amount * timeframe.amount
        return np.asarray(first.astype("datetime64[M]").astype("datetime64[D]"))
    return days
