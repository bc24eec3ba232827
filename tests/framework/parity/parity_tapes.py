"""What is played on both sides: hours of sample bars and of real ones, with and without holes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tape import Tape

from feeds import SampleBars
from framework.columns import Columns, instant, joined, moment
from framework.ports import Source


def last_hours(source: Source, minutes: int = 50, warm: int = 60) -> Tape:
    """Return the last minutes of each day of a source, up to the close; before the first lie `warm` minutes of history."""
    sessions = source.calendar.sessions
    bars = source.history()
    first, last = (moment(at([each.end[end] for each in bars.values()])) for at, end in ((min, 0), (max, -1)))
    closes = [moment(each) for each in sessions.closes if instant(first) <= each <= instant(last)]
    spans = [(close - timedelta(minutes=minutes), close) for close in closes]
    begins = spans[0][0]
    return Tape({symbol: _kept(each, [(begins - timedelta(minutes=warm), begins), *spans]) for symbol, each in bars.items()},
        start=begins, end=closes[-1])  # fmt: skip


def sample(symbols: Sequence[str] = ("SPY",), first: str = "2026-10-05", last: str = "2026-10-06", **cut: int) -> Tape:
    """Return the last fifty minutes of two days of sample bars, with an hour of history."""
    return last_hours(SampleBars(symbols, first, last), **cut)


def with_holes(tape: Tape, every: int = 3) -> Tape:
    """Return a tape in which each symbol lacks every third minute, each its own."""
    bars = tape.history(timedelta(days=30))
    held = {symbol: _thinned(each, number, every) for number, (symbol, each) in enumerate(bars.items())}
    return Tape(held, start=tape.start, end=tape.end)


def _thinned(bars: Columns, number: int, every: int) -> Columns:
    keep = [at % every != number % every for at in range(len(bars))]
    return Columns.of(*(line[keep] for line in (bars.end, bars.open, bars.high, bars.low, bars.close, bars.volume)))


def _kept(bars: Columns, spans: Sequence[tuple[datetime, datetime]]) -> Columns:
    return joined([bars.between(*span) for span in spans])
