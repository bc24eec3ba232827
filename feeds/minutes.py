"""Which minutes of the calendar can have a bar: the grid that gaps are looked for on. Pure.

A minute is named by its END, as bars are. Every time is an aware UTC datetime.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from framework.calendar import Calendar
from framework.columns import instant, moment
from framework.errors import ConfigError

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The minutes of one trading day: those with `opens` < end <= `closes`."""

    day: date
    opens: datetime
    closes: datetime

    def __len__(self) -> int:
        return (self.closes - self.opens) // MINUTE

    def place(self, end: datetime) -> int:
        """Return a minute's place in the day, from 0."""
        return (end - self.opens) // MINUTE - 1

    def end(self, place: int) -> datetime:
        """Return the end of the minute at a place: the other way of `place`."""
        return self.opens + (place + 1) * MINUTE


@dataclass(frozen=True, slots=True)
class Minutes:
    """The minutes of a calendar, in the hours that it keeps."""

    calendar: Calendar

    def window(self, end: datetime) -> Window | None:
        """Return the day that has a minute, None for one outside of all hours or off the grid."""
        window = self._reaching(end)
        return window if window and window.opens < end and not (end - window.opens) % MINUTE else None

    def following(self, at: datetime) -> datetime:
        """Return the first minute that ends after a time; raise `ConfigError` where the calendar is at its end."""
        window = self._reaching(at + timedelta(microseconds=1))
        if window is None:
            raise ConfigError(f"calendar {self.calendar.name} has no minutes after {at:%Y-%m-%d}; try a newer version")
        return window.end(max(window.place(at) + 1, 0))

    def day(self, day: date) -> Window | None:
        """Return the minutes of a day, None where there are none."""
        days = self.calendar.windows.days
        index = int(np.searchsorted(days, np.datetime64(day)))
        return _window(self.calendar, index) if index < len(days) and days[index] == np.datetime64(day) else None

    def opening(self, at: datetime, days: int) -> datetime:
        """Return when the first of the last so many days opened: those that had begun by a time."""
        opens = self.calendar.windows.opens
        return moment(opens[max(int(np.searchsorted(opens, instant(at))) - days, 0)])

    def days(self, after: datetime, until: datetime) -> Iterator[Window]:
        """Yield the days that have a minute with `after` < end <= `until`."""
        first = self._reaching(after + MINUTE)
        while first is not None and first.opens < until:
            yield first
            first = self._reaching(first.closes + MINUTE)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the minutes with `after` < end <= `until`."""
        at = self.following(after)
        while at <= until:
            yield at
            at = self.following(at)

    def _reaching(self, at: datetime) -> Window | None:
        """Return the first day that closes at a time or later."""
        return _reaching(self.calendar, at)


@functools.lru_cache(maxsize=1024)
def _reaching(calendar: Calendar, at: datetime) -> Window | None:
    # Cached, for all symbols of a feed ask about the same minute.
    closes = calendar.windows.closes
    index = int(np.searchsorted(closes, instant(at), side="left"))
    return _window(calendar, index) if index < len(closes) else None


@functools.lru_cache(maxsize=64)
def _window(calendar: Calendar, index: int) -> Window:
    windows = calendar.windows
    return Window(windows.days[index].item(), moment(windows.opens[index]), moment(windows.closes[index]))
