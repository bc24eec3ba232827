"""Bars of one's own: a Parquet or CSV file, a pandas frame, or a dict of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from feeds import reading, stamps
from feeds.checks import check_columns, check_found, check_range, listed
from feeds.ends import day_ends, hours_of, minute_ends
from feeds.reading import Given, Table
from feeds.stamps import Stamps, as_utc
from feeds.steps import inferred
from framework import when
from framework.calendar import Calendar, Hours
from framework.columns import Columns, Instants, joined
from framework.errors import ConfigError, nearest
from framework.model import Timeframe
from framework.ports import Warmup
from framework.warmup import check_warmup, earlier
from framework.when import When


class FileBars:
    """The bars in a file or a frame.

    `path_or_frame` is a path (.csv, .csv.gz, .parquet, .pq), a pandas frame, or a dict of either by
    symbol. A long frame has a `symbol` column or index level; without one, `symbols` names what it
    holds. Columns are open, high, low, close and volume in any case, or their first letters; where
    there is no volume column at all, volumes are 0. Times are in a column named timestamp, datetime,
    time, date or t, or in the index. What is given is never changed.

    `stamp` says whether the times are the bars' "start" or "end". `timeframe` is inferred from the
    steps between them. `tz` is the zone of times without one. A daily bar needs its date alone, and
    ends at the session's close; a week or a month at the close of its last session.

    `start` and `end` are days in the exchange's zone (the end day is taken in whole) or aware
    datetimes. `hours` "regular" or "extended" keeps that part of each day; "all" keeps everything,
    and so does None, which reads off the bars which hours they cover.

    Everything is read and checked here: raise `ConfigError`, in one line, for what is wrong.
    """

    def __init__(
        self,
        path_or_frame: Given,
        symbols: str | Iterable[str] | None = None,
        *,
        stamp: str = "start",
        timeframe: str | Timeframe | None = None,
        tz: str | None = None,
        start: When = None,
        end: When = None,
        hours: str | Hours | None = None,
        calendar: str = "XNYS",
    ) -> None:
        self._where = reading.label(path_or_frame)
        self._stamp, self._tz = _one_of("stamp", stamp, ("start", "end")), tz
        asked = None if hours is None else _hours(hours)
        zone = Calendar(calendar).zone
        self.start = when.parse(start, zone, name="start")
        self.end = when.parse(end, zone, is_end=True, name="end")
        check_range(self.start, self.end)
        tables = reading.tables(path_or_frame, symbols)
        times = {symbol: stamps.read(each.stamps, self._label(symbol)) for symbol, each in tables.items()}
        self.symbols = tuple(tables)
        self.timeframe = inferred(times.values(), self._where) if timeframe is None else Timeframe.parse(timeframe)
        bars, covered = self._bars(tables, times, Calendar(calendar, asked or Hours.REGULAR))
        self.calendar = Calendar(calendar, asked or covered)
        self._known = {symbol: self._kept(symbol, each, covered) for symbol, each in bars.items()}

    def __repr__(self) -> str:
        hours = self.calendar.hours.value
        return f"FileBars({self._where}; {listed(list(self.symbols))}; {self.timeframe}; {hours} hours)"

    def history(self, warmup: Warmup = 0) -> dict[str, Columns]:
        """Return each symbol's bars, preceded by `warmup` earlier ones of the file (so many of each, or a span)."""
        check_warmup(warmup)
        return {symbol: self._one(symbol, warmup) for symbol in self.symbols}

    def _one(self, symbol: str, warmup: Warmup) -> Columns:
        known = self._known[symbol]
        found = known.between(self.start, self.end)
        check_found(self._label(symbol), found, known, self.start, self.end)
        return joined([earlier(known, self.start, warmup), found])

    def _bars(
        self, tables: dict[str, Table], times: dict[str, Stamps], calendar: Calendar
    ) -> tuple[dict[str, Columns], Hours]:
        """Return each symbol's bars and the hours that all of them cover."""
        length = self.timeframe.length
        if length is None:
            ends = {
                each: day_ends(times[each], self.timeframe, self._stamp, self._tz, calendar, self._label(each))
                for each in tables
            }
            return {each: _columns(ends[each], tables[each]) for each in tables}, calendar.hours
        utc = {each: as_utc(times[each], self._tz, calendar, self._label(each)) for each in tables}
        covered = hours_of(np.concatenate(list(utc.values())), self._stamp, calendar.name)
        whole = Calendar(calendar.name, covered)
        ends = {each: minute_ends(utc[each], length, self._stamp, whole) for each in tables}
        return {each: _columns(ends[each], tables[each]) for each in tables}, covered

    def _kept(self, symbol: str, bars: Columns, covered: Hours) -> Columns:
        """Return a symbol's bars, checked, without those outside of the hours where narrower ones were asked for."""
        length, order = self.timeframe.length, list(Hours)
        if length is not None and order.index(self.calendar.hours) < order.index(covered):
            inside = self.calendar.is_inside(bars.end, length)
            if not inside.any():
                asked = self.calendar.hours.value
                raise ConfigError(f'{self._label(symbol)}: no bar is inside of {asked} hours; try hours="all"')
            bars = bars[inside]
        return check_columns(self._label(symbol), bars)

    def _label(self, symbol: str) -> str:
        return f"{self._where}: {symbol}"


def _columns(ends: Instants, table: Table) -> Columns:
    return Columns.of(ends, **table.numbers)


def _hours(asked: str | Hours) -> Hours:
    if isinstance(asked, Hours):
        return asked
    return Hours(_one_of("hours", asked, tuple(each.value for each in Hours)))


def _one_of(name: str, asked: str, known: tuple[str, ...]) -> str:
    if asked not in known:
        raise ConfigError(f"{name} is {asked!r}{nearest(str(asked), known)}; try {' or '.join(map(repr, known))}")
    return asked
