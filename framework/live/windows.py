"""Longer bars made of minutes as they come, by the minutes' own time. Pure.

The windows are those of `framework.resample`, so that live and history cut alike. A window's bar is complete
with the first instant at or after its end; a minute that comes later is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from framework.calendar import Calendar
from framework.columns import Columns, instant, moment
from framework.model import Bar, Timeframe
from framework.resample import window_ends


class Cut:
    """Where the windows of one timeframe end, for bars of one length by one calendar."""

    def __init__(self, source: Timeframe, target: Timeframe, calendar: Calendar) -> None:
        self._source, self._target, self._calendar = source, target, calendar
        self._known: tuple[datetime, datetime] | None = None

    def end(self, bar_end: datetime) -> datetime:
        """Return the end of the window that a bar belongs to."""
        # Many symbols have a bar at one instant.
        if self._known is None or self._known[0] != bar_end:
            ends = window_ends(instant(bar_end).reshape(1), self._source, self._target, self._calendar)
            self._known = (bar_end, moment(ends[0]))
        return self._known[1]


@dataclass(slots=True)
class Growing:
    """One symbol's window that is not over. Owned by the engine's thread."""

    symbol: str
    target: Timeframe
    cut: Cut
    bar: Bar | None = None
    done: datetime | None = None
    late: int = 0
    """How many bars came when their window had been told."""

    @classmethod
    def begun(cls, symbol: str, target: Timeframe, cut: Cut, minutes: Columns, longer: Columns) -> Growing:
        """Return the window that history left open: `longer` are the bars that are complete."""
        growing = cls(symbol, target, cut, done=moment(longer.end[-1]) if len(longer) else None)
        for bar in _bars(symbol, minutes.between(growing.done, None)):
            growing.add(bar)
        return growing

    def add(self, bar: Bar) -> None:
        """Take a bar into its window."""
        end = self.cut.end(bar.end)
        if self.done is not None and end <= self.done:
            self.late += 1
            return
        if self.bar is None or self.bar.end != end:
            self.bar = replace(bar, end=end, timeframe=self.target)
            return
        was = self.bar
        high, low = max(was.high, bar.high), min(was.low, bar.low)
        self.bar = replace(was, high=high, low=low, close=bar.close, volume=was.volume + bar.volume)

    @property
    def ends_at(self) -> datetime | None:
        """When the window ends, None where none is open."""
        return None if self.bar is None else self.bar.end

    def take(self) -> Bar:
        """Return the window's bar: it is over."""
        assert self.bar is not None
        bar = self.bar
        self.bar, self.done = None, bar.end
        return bar


def ending(windows: Iterable[Growing], until: datetime) -> list[datetime]:
    """Return when the open windows end that do so by an instant, the earliest first."""
    ends = {each.ends_at for each in windows}
    return sorted(end for end in ends if end is not None and end <= until)


def _bars(symbol: str, columns: Columns) -> Iterable[Bar]:
    values = (getattr(columns, name).tolist() for name in ("open", "high", "low", "close", "volume"))
    for end, *prices in zip(columns.end, *values, strict=True):
        yield Bar(symbol, moment(end), *prices)
