"""From stamps to the ends of bars: the first instant at which each could be known. Pure.

A bar's end must never be too early, for then a backtest would know the future: where a stamp can be
read in two ways, the later end is taken.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from feeds.stamps import Stamps, as_utc
from framework.calendar import Calendar, Days, Hours, utc_to_wall, wall_to_utc
from framework.columns import Instants
from framework.model import Timeframe, Unit

_DAY = np.timedelta64(1, "D")


def hours_of(utc: Instants, stamp: str, name: str) -> Hours:
    """Return the narrowest hours of the exchange `name` in which all these stamps are ("start" or "end")."""
    narrow = (Hours.REGULAR, Hours.EXTENDED)
    return next((each for each in narrow if _within(utc, stamp, Calendar(name, each)).all()), Hours.ALL)


def _within(utc: Instants, stamp: str, calendar: Calendar) -> NDArray[np.bool_]:
    """Return which stamps are in a window: the bar's first instant, or its last, whatever its length."""
    windows = calendar.windows
    at = np.searchsorted(windows.closes, utc, side="right" if stamp == "start" else "left")
    opens = windows.opens[at.clip(max=len(windows.opens) - 1)]
    after_open = opens <= utc if stamp == "start" else opens < utc
    return np.asarray(after_open & (at < len(windows.opens)))


def minute_ends(utc: Instants, length: timedelta, stamp: str, calendar: Calendar) -> Instants:
    """Return the ends of bars of minutes or hours; the last of a window is cut short by its close.

    `calendar` has the hours that the file covers: in them no bar holds a trade from after the close.
    """
    if stamp == "end":
        return utc
    ends = utc + np.timedelta64(length)
    closes = calendar.windows.closes
    at = np.searchsorted(closes, utc, side="right").clip(max=len(closes) - 1)
    return np.where(_within(utc, stamp, calendar), np.minimum(ends, closes[at]), ends)


def day_ends(
    given: Stamps, timeframe: Timeframe, stamp: str, tz: str | None, calendar: Calendar, where: str
) -> Instants:
    """Return the ends of bars of days, weeks or months.

    Where all stamps are midnights (without a zone, in UTC, or the exchange's) they mean days, and a
    bar ends as `period_ends` says, so that an end is not taken for the midnight before the session.
    """
    if not given.aware and _are_midnights(given.times):
        return period_ends(given.times.astype("datetime64[D]"), timeframe, stamp, calendar)
    utc = as_utc(given, tz, calendar, where)
    walls = utc if _are_midnights(utc) else utc_to_wall(utc, calendar.zone.key)
    if stamp == "end" and not _are_midnights(walls):
        return utc
    return period_ends(walls.astype("datetime64[D]"), timeframe, stamp, calendar)


def _are_midnights(times: Instants) -> bool:
    return bool((times == times.astype("datetime64[D]")).all())


def period_ends(days: Days, timeframe: Timeframe, stamp: str, calendar: Calendar) -> Instants:
    """Return when the period that begins (`stamp` "start") or ends ("end") on each day is over.

    That is the close of its last trading day, or where it has none, the midnight after it.
    """
    first, last = _period(days, timeframe, stamp)
    windows = calendar.windows
    at = (np.searchsorted(windows.days, last, side="right") - 1).clip(min=0)
    traded = (first <= windows.days[at]) & (windows.days[at] <= last)
    return np.where(traded, windows.closes[at], wall_to_utc(last, None, calendar.zone.key))


def _period(days: Days, timeframe: Timeframe, stamp: str) -> tuple[Days, Days]:
    """Return the first and the last day of each period. A day is both, whatever the stamp."""
    sign = 1 if stamp == "start" else -1
    if timeframe.unit is Unit.MONTH:
        months = days.astype("datetime64[M]")
        there = (months + np.timedelta64(sign * timeframe.amount, "M")).astype("datetime64[D]") + (
            days - months.astype("datetime64[D]")
        )
    else:
        there = days + sign * timeframe.amount * (7 if timeframe.unit is Unit.WEEK else 1) * _DAY
    return (days, there - _DAY) if stamp == "start" else (there + _DAY, days)
