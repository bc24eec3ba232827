"""Sample bars: synthetic minutes on the real exchange calendar, for trying things without an account.

They look like a market (holidays, early closes, summer time, overnight gaps, a U of volume, quiet
minutes without a bar) and mean nothing: no price here was ever traded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np

from feeds import synthetic
from feeds.checks import check_found, check_range, symbol_list
from framework import when
from framework.calendar import Calendar
from framework.columns import Columns, instant, joined, moment
from framework.errors import ConfigError
from framework.model import MINUTE, Timeframe, Unit
from framework.ports import Warmup
from framework.resample import check, resampled
from framework.warmup import check_warmup, last
from framework.when import When

_FEWEST = 60
"""Minutes that even a thin symbol has in a short session: the first guess at how far a warm-up reaches."""

_LONGEST = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31}
"""Days in a period: minutes are made from that much earlier, so that the first longer bar is whole."""


class SampleBars:
    """Synthetic bars of any upper-case symbols, each with a price level and a character of its own.

    `start` and `end` are days in the exchange's zone ("2026-01-05", a `date`; the end day is taken in
    whole) or aware datetimes, from 1990 to the end of the year after next. A symbol's bars of a day
    depend on `seed`, the symbol and the day alone, not on the range, and are the same on every
    machine. Prices are whole cents, about 1.5 % apart from day to day; volumes are whole shares.
    Bars longer than a minute are made of the minutes.

    Raise `ConfigError` for a symbol, a range or a timeframe that cannot be.
    """

    def __init__(
        self,
        symbols: str | Iterable[str] = ("SPY",),
        start: When = "2026-01-05",
        end: When = "2026-03-31",
        *,
        seed: int = 0,
        timeframe: str | Timeframe = MINUTE,
        calendar: str = "XNYS",
    ) -> None:
        self.symbols = _upper(symbol_list(symbols))
        self.timeframe = Timeframe.parse(timeframe)
        if self.timeframe != MINUTE:
            check(MINUTE, self.timeframe)
        self.calendar = Calendar(calendar)
        self.seed = seed
        self.start = self._limit(start, "start")
        self.end = self._limit(end, "end")
        check_range(self.start, self.end)
        self._check_open()

    def __repr__(self) -> str:
        span = f"{when.text(self.start)} to {when.text(self.end)}"
        return f"SampleBars({', '.join(self.symbols)}; {self.timeframe}; {span}; seed {self.seed})"

    def history(self, warmup: Warmup = 0) -> dict[str, Columns]:
        """Return each symbol's bars, preceded by `warmup` earlier ones (so many of each symbol, or a span)."""
        check_warmup(warmup)
        return {symbol: self._one(symbol, warmup) for symbol in self.symbols}

    def _one(self, symbol: str, warmup: Warmup) -> Columns:
        found = self._made(symbol, self.start, self.end)
        if not len(found):
            around = self._period + timedelta(days=7)
            known = self._made(symbol, self.start - around, self.end + around)
            check_found(symbol, found, known, self.start, self.end)
        return joined([self._before(symbol, warmup), found])

    def _before(self, symbol: str, warmup: Warmup) -> Columns:
        """Return the warm-up: where it is a number of bars, reach back further until there are so many."""
        if isinstance(warmup, timedelta):
            return self._made(symbol, self.start - warmup, self.start)
        opens = self.calendar.sessions.opens
        at = int(np.searchsorted(opens, instant(self.start)))
        known, back = Columns.empty(), 1 + warmup // _FEWEST
        while len(known) < warmup and at > 0:
            at = max(0, at - back)
            known = self._made(symbol, moment(opens[at]), self.start)
            back *= 2
        return last(known, warmup)

    def _made(self, symbol: str, since: datetime, until: datetime) -> Columns:
        """Return the bars with `since` < end <= `until`, each made of all its minutes."""
        sessions = self.calendar.sessions
        first = np.searchsorted(sessions.closes, instant(since - self._period), side="right")
        after = np.searchsorted(sessions.opens, instant(until))
        each = zip(*(column[first:after] for column in (sessions.days, sessions.opens, sessions.closes)), strict=True)
        bars = joined([synthetic.minutes(self.seed, symbol, *session) for session in each])
        if self.timeframe != MINUTE:
            bars = resampled(bars, MINUTE, self.timeframe, self.calendar, until)
        return bars.between(since, until)

    @property
    def _period(self) -> timedelta:
        """How far from its end a bar's first session may be."""
        return timedelta(days=_LONGEST.get(self.timeframe.unit, 0) * self.timeframe.amount)

    def _check_open(self) -> None:
        sessions = self.calendar.sessions
        at = int(np.searchsorted(sessions.closes[:-1], instant(self.start), side="right"))
        if sessions.opens[at] >= instant(self.end):
            asked = f"from {when.text(self.start)} to {when.text(self.end)}"
            raise ConfigError(f"{self.calendar.name} has no session {asked}; the next is on {sessions.days[at]}")

    def _limit(self, value: When, name: str) -> datetime:
        """Read `start` or `end`; refuse what the calendar does not reach, but for holidays at its edges."""
        at = when.parse(value, self.calendar.zone, is_end=name == "end", name=name)
        sessions = self.calendar.sessions
        first, last = moment(sessions.opens[0]), moment(sessions.closes[-1])
        if at is None or not first - timedelta(days=7) <= at <= last + timedelta(days=7):
            raise ConfigError(f"{name} is {value}; sample bars need a day from {first.date()} to {last.date()}")
        return at


def _upper(symbols: tuple[str, ...]) -> tuple[str, ...]:
    for symbol in symbols:
        if symbol != symbol.upper():
            raise ConfigError(f"symbol {symbol!r} is not in upper case; try {symbol.upper()!r}")
    return symbols
