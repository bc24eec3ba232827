"""A Backtrader data feed that is handed its bars one by one: history first, then live."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import moment
from framework.engine.data import BarData
from framework.engine.dates import num2date
from framework.model import Bar, Timeframe

Row = tuple[float, float, float, float, float, float]
"""A bar's time (a date number), open, high, low, close, volume."""


class LiveData(BarData):
    """A feed that the live loop moves. Its `dataname` is the history; bars up to `opens_at` are warm-up.

    `unit` is the length of its bars, `is_made` tells that they are made of shorter ones.

    Its status is DELAYED until the bars are those of now, then LIVE: strategies hear of each change through
    `notify_data`.
    """

    params = (("unit", None), ("is_made", False))  # type: ignore[assignment]  # Backtrader's metaclass adds it to the others

    @property
    def unit(self) -> Timeframe:
        """The length of its bars."""
        unit: Timeframe = self.p.unit
        return unit

    def islive(self) -> bool:
        return True

    def start(self) -> None:
        super().start()
        self.told = self.DELAYED
        self.put_notification(self.DELAYED)

    def history(self) -> list[Row]:
        """Return the rows of the history."""
        return list(zip(*self._columns()[:6], strict=True))

    def become(self, status: int) -> None:
        """Take a status; the strategy is told where it is another one."""
        if status != self.told:
            self.told = status
            self.put_notification(status)

    def feed(self, row: Row) -> None:
        """Move to a new bar."""
        self.forward()
        for line, value in zip(self._in_order(), (*row, 0.0), strict=True):
            line[0] = value
        self._tick_fill(force=True)


def row(bar: Bar) -> Row:
    """Return a bar as a row."""
    return number(bar.end), bar.open, bar.high, bar.low, bar.close, bar.volume


@functools.lru_cache(maxsize=64)  # all symbols of an instant end at one time
def number(at: datetime) -> float:
    """Return an aware time as Backtrader's date number."""
    return float(bt.date2num(at.astimezone(UTC).replace(tzinfo=None)))


def ended_at(data: Any) -> datetime:
    """Return when a feed's last bar ended, aware UTC."""
    return moment(num2date(np.array([data.datetime[0]]))[0])


def last_time(data: Any) -> float:
    """Return the time of a feed's last bar, minus infinity where it has none."""
    return float(data.datetime[0]) if len(data) else float("-inf")
