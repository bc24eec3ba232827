"""Quotes of one's own: a Parquet or CSV file, a pandas frame, or a dict of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import numpy as np

from feeds import reading, stamps
from feeds.checks import check_range, listed
from feeds.quotes import seconds
from feeds.reading import Given, Table
from framework import when
from framework.calendar import Calendar, Hours
from framework.columns import Columns, instant
from framework.errors import ConfigError
from framework.model import Timeframe
from framework.ports import Warmup
from framework.quoting import Beats, Quotes, mids, seconds_timeframe
from framework.when import When

NUMBERS = {"bid": ("bid", "bid_price", "bp"), "ask": ("ask", "ask_price", "ap")}
"""The names that a column may have, in any case."""


class FileQuotes:
    """The quotes in a file or a frame, as a `framework.ports.QuoteSource`.

    `path_or_frame` and `symbols` are as in `FileBars`; the columns are bid and ask (or alpaca-py's `bid_price` and
    `ask_price`) and a time. `every` is how many seconds lie between two looks, `tz` the zone of times without one.
    `start` and `end` are days in the exchange's zone (the end day is taken in whole) or aware datetimes. A quote that
    lacks a side is left out. Everything is read and checked here: raise `ConfigError`, in one line, for what is wrong.
    """

    def __init__(
        self,
        path_or_frame: Given,
        symbols: str | Iterable[str] | None = None,
        *,
        every: float | timedelta = 1.0,
        tz: str | None = None,
        start: When = None,
        end: When = None,
        calendar: str = "XNYS",
        hours: str = "regular",
    ) -> None:
        self._where = reading.label(path_or_frame)
        self.calendar = Calendar(calendar, Hours(hours))
        self.beats = Beats(seconds(every), self.calendar)
        self.start = when.parse(start, self.calendar.zone, name="start")
        self.end = when.parse(end, self.calendar.zone, is_end=True, name="end")
        check_range(self.start, self.end)
        tables = reading.tables(path_or_frame, symbols, NUMBERS)
        self.symbols = tuple(tables)
        self._known = {symbol: self._read(symbol, table, tz) for symbol, table in tables.items()}

    def __repr__(self) -> str:
        every = self.beats.every.total_seconds()
        return f"FileQuotes({self._where}; {listed(list(self.symbols))}; every {every:g} s)"

    @property
    def timeframe(self) -> Timeframe:
        return seconds_timeframe(self.beats.every)

    def quoted(self) -> Mapping[str, Quotes]:
        """Return each symbol's quotes with `start` < at <= `end`."""
        return self._known

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return the middle between bid and ask at each look; there is nothing before the start."""
        return mids(self._known, self.beats)

    def _read(self, symbol: str, table: Table, tz: str | None) -> Quotes:
        where = f"{self._where}: {symbol}"
        at = stamps.as_utc(stamps.read(table.stamps, where), tz, self.calendar, where)
        inside = np.ones(len(at), dtype=bool)
        if self.start is not None:
            inside &= at > instant(self.start)
        if self.end is not None:
            inside &= at <= instant(self.end)
        quotes = Quotes.of(at[inside], table.numbers["bid"][inside], table.numbers["ask"][inside])
        if not len(quotes):
            raise ConfigError(f"{where}: none of its {len(at)} rows is a quote with both sides in these days")
        return quotes
