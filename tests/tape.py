"""Bars written by hand, as a source: what the tests of runs and strategies play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from framework.calendar import Calendar
from framework.columns import Columns, instant, joined
from framework.model import MINUTE, Timeframe
from framework.ports import Warmup

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
"""A Monday's open in New York."""

Prices = Sequence[float | tuple[float, float, float, float] | None]
"""A price each minute (the whole bar at it), or (open, high, low, close); None is a minute without a bar."""


def bars(prices: Prices, opens: datetime = OPEN, volume: float = 1_000) -> Columns:
    """Return minute bars, the first of which begins at `opens`."""
    rows = [
        (at, each if isinstance(each, tuple) else (each,) * 4) for at, each in enumerate(prices) if each is not None
    ]
    ends = [instant(opens + timedelta(minutes=at + 1)) for at, _ in rows]
    values = np.array([row for _, row in rows], dtype=float).reshape(-1, 4)
    return Columns.of(ends, *values.T, np.full(len(rows), volume))


class Tape:
    """A source over bars written by hand; `start` makes what is before it warm-up."""

    def __init__(
        self,
        symbols: Mapping[str, Prices | Columns],
        *,
        opens: datetime = OPEN,
        start: datetime | None = None,
        end: datetime | None = None,
        calendar: str = "XNYS",
        timeframe: Timeframe = MINUTE,
    ) -> None:
        self.symbols = tuple(symbols)
        self.timeframe, self.start, self.end = timeframe, start, end
        self.calendar = Calendar(calendar)
        self.asked: list[Warmup] = []
        self._bars = {name: each if isinstance(each, Columns) else bars(each, opens) for name, each in symbols.items()}

    def history(self, warmup: Warmup = 0) -> dict[str, Columns]:
        self.asked.append(warmup)
        return {symbol: self._one(each, warmup) for symbol, each in self._bars.items()}

    def _one(self, known: Columns, warmup: Warmup) -> Columns:
        if self.start is None:
            return known
        before, after = known.between(None, self.start), known.between(self.start, self.end)
        if isinstance(warmup, timedelta):
            return joined([before.between(self.start - warmup, None), after])
        return joined([before[max(0, len(before) - warmup) :], after])
