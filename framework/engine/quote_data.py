"""A Backtrader data feed of quotes: an item for each instant at which they are looked at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from framework.engine.data import BarData
from framework.engine.dates import date2num
from framework.engine.live_data import LiveData, ended_at, number
from framework.model import QuoteBar
from framework.quoting import NAMES, QuoteColumns

LINES = ("age", *NAMES)


class QuoteData(BarData):
    """One symbol's quotes. Its `dataname` is a `QuoteColumns`.

    Lines: `bid` and `ask` as they stand, `age` of that quote in seconds, and of each side what was first, highest and
    lowest since the last look (`bid_open`, `bid_high`, `bid_low`, `ask_open`, ...). Open, high, low and close are the
    middle between the sides.
    """

    lines = LINES

    def _in_order(self) -> list[Any]:
        return [*super()._in_order(), *(getattr(self.lines, name) for name in LINES)]

    def _columns(self) -> list[Any]:
        quotes: QuoteColumns = self.p.dataname
        mids = quotes.mids()
        prices = [mids.open, mids.high, mids.low, mids.close]
        own = [quotes.ages(), *(np.ascontiguousarray(getattr(quotes, name)) for name in NAMES)]
        return [date2num(quotes.end), *prices, mids.volume, mids.volume, *own]


class LiveQuoteData(LiveData):
    """The same, moved by the live loop; it begins with nothing."""

    lines = LINES

    def _in_order(self) -> list[Any]:
        return [*super()._in_order(), *(getattr(self.lines, name) for name in LINES)]

    def history(self) -> list[Any]:
        return []

    def feed(self, row: tuple[float, ...]) -> None:
        """Move to a new instant."""
        self.forward()
        for line, value in zip(self._in_order(), row, strict=True):
            line[0] = value
        self._tick_fill(force=True)


def quote_row(bar: QuoteBar) -> tuple[float, ...]:
    """Return a `QuoteBar` as a row of all lines."""
    sides = ((bar.bid_open, bar.ask_open), (bar.bid_high, bar.ask_high), (bar.bid_low, bar.ask_low), (bar.bid, bar.ask))
    age = max((bar.end - bar.quoted).total_seconds(), 0.0)
    prices = (getattr(bar, name) for name in NAMES)
    return number(bar.end), *((bid + ask) / 2 for bid, ask in sides), 0.0, 0.0, age, *prices


def is_quoted(data: Any) -> bool:
    """Return whether a feed is one of quotes."""
    return isinstance(data, QuoteData | LiveQuoteData)


def quoted_at(data: Any) -> datetime:
    """Return when a feed's standing quote came, aware UTC."""
    return ended_at(data) - timedelta(seconds=data.age[0])
