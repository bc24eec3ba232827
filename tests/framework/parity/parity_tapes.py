"""What is played on both sides: hours of sample bars and of real ones, with and without holes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from tape import Tape

from feeds import FileBars, SampleBars
from framework.columns import Columns, instant, joined, moment
from framework.ports import Source


def last_minutes(source: Source, minutes: int = 30, warm: int = 40) -> Tape:
    """Return the last minutes of each day of a source, up to the close, with `warm` minutes of history."""
    sessions = source.calendar.sessions
    bars = source.history()
    first, last = (moment(at([each.end[end] for each in bars.values()])) for at, end in ((min, 0), (max, -1)))
    closes = [moment(each) for each in sessions.closes if instant(first) <= each <= instant(last)]
    spans = [(close - timedelta(minutes=minutes), close) for close in closes]
    begins = spans[0][0]
    spans.insert(0, (begins - timedelta(minutes=warm), begins))
    kept = {symbol: joined([each.between(*span) for span in spans]) for symbol, each in bars.items()}
    return Tape(kept, start=begins, end=closes[-1])


def sample(symbols: Sequence[str] = ("SPY", "IBM"), **cut: int) -> Tape:
    """Return the last half hour of two days of sample bars, with forty minutes of history."""
    return last_minutes(SampleBars(symbols, "2026-10-05", "2026-10-06"), **cut)


def real(path: Path, minutes: int = 30) -> Tape:
    """Return the last half hour of two days of real bars of three symbols; BAC lacks some."""
    return last_minutes(FileBars(path, hours="regular", start="2013-10-07", end="2013-10-08"), minutes, 30)


def with_holes(tape: Tape, every: int = 3) -> Tape:
    """Return a tape in which each symbol lacks every third minute, each its own."""
    bars = tape.history(timedelta(days=30))
    held = {symbol: _thinned(each, number, every) for number, (symbol, each) in enumerate(bars.items())}
    return Tape(held, start=tape.start, end=tape.end)


def _thinned(bars: Columns, number: int, every: int) -> Columns:
    keep = [at % every != number % every for at in range(len(bars))]
    return Columns.of(*(line[keep] for line in (bars.end, bars.open, bars.high, bars.low, bars.close, bars.volume)))
