"""A Backtrader data feed of instants: it has an item at each, whether or not a price is known then.

Backtrader calls `next` when a feed has a new item, and its timers fire with a bar only; this is what a strategy goes by
that is to be called every so often. Backtests and live sessions have the same one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import Instants
from framework.engine.data import BarData
from framework.engine.dates import date2num
from framework.engine.live_data import number

NAME = "clock"
"""The feed's name in Backtrader."""


class ClockData(BarData):
    """Instants, `every` so many seconds apart. Its `dataname` are those of a backtest (UTC, `datetime64[us]`).

    It has no prices: those lines are 0.
    """

    params = (  # type: ignore[assignment]  # Backtrader's metaclass adds them to the others
        ("every", 1.0), ("timeframe", bt.TimeFrame.Ticks),
    )  # fmt: skip

    def _columns(self) -> list[Any]:
        instants: Instants = np.asarray(self.p.dataname, dtype="datetime64[us]")
        times = date2num(instants)
        return [times, *[times * 0.0] * 6]


class LiveClockData(ClockData):
    """The same, moved by the live loop."""

    def islive(self) -> bool:
        return True

    def history(self) -> list[Any]:
        """Return what it begins with: nothing."""
        return []

    def row(self, at: datetime) -> tuple[float, ...]:
        """Return an instant as an item."""
        return number(at), *[0.0] * 6

    def feed(self, row: tuple[float, ...]) -> None:
        """Move to an instant."""
        self.forward()
        for line, value in zip(self._in_order(), row, strict=True):
            line[0] = value


def is_clock(data: Any) -> bool:
    """Return whether a feed is a clock, which has no prices."""
    return isinstance(data, ClockData)
