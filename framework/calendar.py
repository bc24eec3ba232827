"""The exchange's calendar: its sessions in UTC, holidays and early closes included.

A thin, cached face on the `exchange_calendars` library, which is loaded at first use. `Hours` says
which minutes of a day a source's bars cover; a day's bar is complete when that window closes.
"""

from __future__ import annotations

import enum
import functools
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from framework.columns import Instants, instant, moment
from framework.errors import ConfigError, nearest

Days = NDArray[np.datetime64]
"""Dates in the exchange's zone, `datetime64[D]`."""


class Hours(enum.Enum):
    """Which minutes of a day bars cover: the session, pre- and post-market too, or the whole day."""

    REGULAR = "regular"
    EXTENDED = "extended"
    ALL = "all"


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Trading days in order, and the UTC instants at which each opens and closes."""

    days: Days
    opens: Instants
    closes: Instants


@dataclass(frozen=True, slots=True)
class Calendar:
    """An exchange by its ISO 10383 code ("XNYS"), or "24/7" for what never closes."""

    name: str = "XNYS"
    hours: Hours = Hours.REGULAR

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's time zone (UTC for 24/7)."""
        return ZoneInfo(str(_library(self.name).tz))

    @property
    def sessions(self) -> Schedule:
        """Every regular session from 1990 (or where the library begins) to the end of the year after next."""
        return _sessions(self.name)

    @property
    def windows(self) -> Schedule:
        """The sessions, widened to the `hours` that the bars cover."""
        return _windows(self.name, self.hours)

    def is_inside(self, ends: Instants, length: timedelta) -> NDArray[np.bool_]:
        """Return which bars of that length, given their ends, lie inside a window."""
        windows = self.windows
        index = np.searchsorted(windows.closes, ends, side="left").clip(max=len(windows.closes) - 1)
        inside: NDArray[np.bool_] = (windows.opens[index] <= ends - np.timedelta64(length)) & (
            ends <= windows.closes[index]
        )
        return inside

    def next_close(self, at: datetime) -> datetime:
        """Return the close of the regular session that a time is in or before; a close is past at its instant."""
        closes = self.sessions.closes
        return moment(closes[int(np.searchsorted(closes, instant(at), side="right"))])

    def midnight(self, day: date) -> datetime:
        """Return the UTC instant at which that day begins in the exchange's zone."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


PRE_MARKET, POST_MARKET, POST_MARKET_EARLY = time(4), time(20), time(17)
"""US equities' extended hours, New York time; after an early close they end at 17:00."""


@functools.cache
def _library(name: str) -> Any:
    import exchange_calendars

    if name not in exchange_calendars.get_calendar_names():
        known = exchange_calendars.get_calendar_names(include_aliases=False)
        raise ConfigError(f"calendar {name!r} is not known{nearest(name, known)}; try XNYS, or 24/7 for crypto")
    last = f"{datetime.now(UTC).year + 2}-12-31"
    with warnings.catch_warnings():
        # The library's own use of pandas is deprecated from pandas 3.1; nothing that a user could mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return exchange_calendars.get_calendar(name, start="1990-01-01", end=last)
        except ValueError:  # some calendars begin later, some end earlier
            return exchange_calendars.get_calendar(name)


@functools.cache
def _sessions(name: str) -> Schedule:
    schedule = _library(name).schedule
    return Schedule(
        days=schedule.index.to_numpy().astype("datetime64[D]"),
        opens=_utc(schedule["open"]),
        closes=_utc(schedule["close"]),
    )


def _utc(times: Any) -> Instants:
    found: Instants = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return found


@functools.cache
def _windows(name: str, hours: Hours) -> Schedule:
    regular = _sessions(name)
    if hours is Hours.REGULAR:
        return regular
    opening, closing = (PRE_MARKET, POST_MARKET) if hours is Hours.EXTENDED else (time(), None)
    zone = str(_library(name).tz)
    closes = wall_to_utc(regular.days, closing, zone)
    if hours is Hours.EXTENDED:
        early = _is_early(name, regular)
        closes = np.where(early, wall_to_utc(regular.days, POST_MARKET_EARLY, zone), closes)
    opens = wall_to_utc(regular.days, opening, zone)
    return Schedule(regular.days, np.minimum(opens, regular.opens), np.maximum(closes, regular.closes))


def _is_early(name: str, regular: Schedule) -> NDArray[np.bool_]:
    early: NDArray[np.bool_] = np.isin(regular.days, _library(name).early_closes.to_numpy().astype("datetime64[D]"))
    return early


def wall_to_utc(days: Days, at: time | None, zone: str) -> Instants:
    """Return a wall-clock time of each day as UTC instants; None is the midnight that ends the day."""
    import pandas as pd

    minutes = 24 * 60 if at is None else at.hour * 60 + at.minute
    walls = days.astype("datetime64[us]") + np.timedelta64(minutes, "m")
    index = pd.DatetimeIndex(walls).tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    found: Instants = index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    return found


def utc_to_wall(instants: Instants, zone: str) -> Instants:
    """Return UTC instants as wall-clock times of that zone, without a zone (`datetime64[us]`)."""
    import pandas as pd

    index = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    walls: Instants = index.to_numpy().astype("datetime64[us]")
    return walls
