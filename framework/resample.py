"""Event-time resampling: which longer bar a bar belongs to, and when that bar can be known.

A bar belongs to the window in which it STARTS, in the exchange's zone: minute and hour windows are
counted from midnight, days, weeks and months are the exchange's. A window's bar is stamped with the
window's end, but no later than the close of the day's trading (early closes too), for then all of it
is known. Nothing here looks at a clock: the same bars give the same windows, live or not.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from framework.calendar import Calendar, Days, utc_to_wall, wall_to_utc
from framework.columns import Columns, Floats, Instants, instant
from framework.errors import ConfigError
from framework.model import Timeframe, Unit


def resampled(bars: Columns, source: Timeframe, target: Timeframe, calendar: Calendar, until: datetime) -> Columns:
    """Return `bars` (of length `source`) as bars of length `target`.

    Windows that end after `until`, the instant up to which the history is complete, are left out.
    """
    check(source, target)
    ends = window_ends(bars.end, source, target, calendar)
    if not len(ends):
        return Columns.empty()
    first = np.flatnonzero(np.concatenate(([True], ends[1:] != ends[:-1])))
    last = np.concatenate((first[1:], [len(ends)])) - 1
    longer = Columns(
        end=ends[first],
        open=bars.open[first],
        high=np.maximum.reduceat(bars.high, first),
        low=np.minimum.reduceat(bars.low, first),
        close=bars.close[last],
        volume=_summed(bars.volume, first),
    )
    return longer[: int(np.searchsorted(longer.end, instant(until), side="right"))]


def _summed(volume: Floats, first: NDArray[np.int64]) -> Floats:
    """Return each window's volume, summed bar by bar as it is live: NumPy's own sums round fractions otherwise."""
    window = np.zeros(len(volume), dtype=np.int64)
    window[first[1:]] = 1
    return np.bincount(np.cumsum(window), weights=volume).astype(np.float64, copy=False)


def check(source: Timeframe, target: Timeframe) -> None:
    """Raise `ConfigError` where bars of length `target` cannot be made of bars of length `source`."""
    if source.length is None or not _divides(source, target):
        advice = "the longer must be a multiple of the shorter, and more than a day is counted in days (2Day)"
        raise ConfigError(f"cannot make {target} bars of {source} bars; {advice}")


def _divides(source: Timeframe, target: Timeframe) -> bool:
    if source.length is None:
        return False
    if target.length is None:
        return True
    return source.length < target.length <= timedelta(days=1) and not target.length % source.length


def window_ends(ends: Instants, source: Timeframe, target: Timeframe, calendar: Calendar) -> Instants:
    """Return, for the end of each bar of length `source`, the end of its window of length `target`."""
    assert source.length is not None
    walls = utc_to_wall(ends - np.timedelta64(source.length), str(calendar.zone))
    days = walls.astype("datetime64[D]")
    if target.length is None:
        return _period_ends(ends, days, target, calendar)
    length = np.timedelta64(target.length)
    midnight = days.astype("datetime64[us]")
    window = midnight + ((walls - midnight) // length + 1) * length
    start_to_end = window - walls
    close = _last_close(days, Timeframe(1, Unit.DAY), calendar)
    by_clock = ends - np.timedelta64(source.length) + start_to_end
    return np.asarray(np.where(ends <= close, np.minimum(by_clock, close), by_clock))


def _period_ends(ends: Instants, days: Days, target: Timeframe, calendar: Calendar) -> Instants:
    """Return when the period of each bar is over; what trades after its last close is a bar of its own, to midnight."""
    close = _last_close(days, target, calendar)
    midnight = wall_to_utc(_period_last(days, target), None, str(calendar.zone))
    return np.where(ends <= close, close, np.maximum(midnight, ends))


def _last_close(days: Days, target: Timeframe, calendar: Calendar) -> Instants:
    """Return when the period of each day is over: its last trading day's close, or the midnight after it."""
    last_days = _period_last(days, target)
    windows = calendar.windows
    at = (np.searchsorted(windows.days, last_days, side="right") - 1).clip(min=0)
    traded = _same_period(windows.days[at], days, target)
    ends: Instants = np.where(traded, windows.closes[at], wall_to_utc(last_days, None, str(calendar.zone)))
    return ends


def _period(days: Days, target: Timeframe) -> NDArray[np.int64]:
    """Number the periods: days since 1970, weeks from Mondays, months."""
    if target.unit is Unit.MONTH:
        counted = days.astype("datetime64[M]").astype(np.int64)
    else:
        counted = days.astype(np.int64)
        if target.unit is Unit.WEEK:
            counted = (counted + 3) // 7
    return counted // target.amount


def _period_last(days: Days, target: Timeframe) -> Days:
    """Return the last calendar day of each day's period."""
    following = (_period(days, target) + 1) * target.amount
    if target.unit is Unit.MONTH:
        first = following.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    else:
        first = following * 7 - 3 if target.unit is Unit.WEEK else following
    return (first - 1).astype("datetime64[D]")


def _same_period(left: Days, right: Days, target: Timeframe) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = _period(left, target) == _period(right, target)
    return same
