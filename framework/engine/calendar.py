"""The exchange's calendar in Backtrader's terms: `cerebro.addcalendar(TradingCalendar("XNYS"))`.

Stock Backtrader takes it too: session ends, early closes included, then mean the same in both.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from datetime import date, datetime
from typing import Any

import backtrader as bt

from framework.calendar import Calendar
from framework.errors import ConfigError


class TradingCalendar(bt.TradingCalendarBase):
    """A Backtrader calendar over an exchange's real sessions, by the exchange's code ("XNYS", "24/7")."""

    params = (("name", "XNYS"),)

    def __init__(self) -> None:
        self._days, self._opens, self._closes = _sessions(self.p.name)

    def _nextday(self, day: date) -> tuple[date, tuple[int, int, int]]:
        """Return the first trading day after `day`, and its ISO year, week and weekday."""
        on = day.date() if isinstance(day, datetime) else day
        index = bisect_right(self._days, on)
        if index == len(self._days):
            raise ConfigError(f"calendar {self.p.name} ends on {self._days[-1]}; no trading day after {on} is known")
        following = self._days[index]
        year, week, weekday = following.isocalendar()
        return following, (year, week, weekday)

    def schedule(self, day: datetime, tz: object = None) -> tuple[datetime, datetime]:
        """Return open and close (naive UTC) of the session that `day` (naive UTC) is in or before.

        `tz` is Backtrader's and not needed: the sessions are held as instants.
        """
        index = bisect_left(self._closes, day)
        if index == len(self._closes):
            raise ConfigError(f"calendar {self.p.name} ends on {self._days[-1]}; no session at {day} is known")
        return self._opens[index], self._closes[index]


@functools.cache
def _sessions(name: str) -> tuple[list[date], list[datetime], list[datetime]]:
    sessions = Calendar(name).sessions
    columns: list[Any] = [each.tolist() for each in (sessions.days, sessions.opens, sessions.closes)]
    days, opens, closes = columns
    return days, opens, closes
