"""Backtrader data feeds over columns: whole arrays go into the lines at once, not row by row."""

from __future__ import annotations

import array
from collections.abc import Iterator
from typing import Any

import backtrader as bt

from framework.columns import Columns
from framework.engine.dates import date2num
from framework.model import Timeframe, Unit

_TIMEFRAMES = {
    Unit.SECOND: (bt.TimeFrame.Seconds, 1),
    Unit.MINUTE: (bt.TimeFrame.Minutes, 1),
    Unit.HOUR: (bt.TimeFrame.Minutes, 60),
    Unit.DAY: (bt.TimeFrame.Days, 1),
    Unit.WEEK: (bt.TimeFrame.Weeks, 1),
    Unit.MONTH: (bt.TimeFrame.Months, 1),
}


def bt_timeframe(timeframe: Timeframe) -> dict[str, int]:
    """Return a timeframe as Backtrader's two parameters, `timeframe` and `compression`."""
    unit, minutes = _TIMEFRAMES[timeframe.unit]
    return {"timeframe": unit, "compression": timeframe.amount * minutes}


class BarData(bt.feed.DataBase):
    """A data feed whose `dataname` is `Columns`. It preloads in milliseconds, in stock Cerebro too.

    Where a filter, a date range or a `tzinput` is set, or Cerebro does not preload, bars are loaded
    one by one as Backtrader does. `symbol` is the instrument; a resampled feed's is that of its minutes.
    Bars up to `opens_at` (a date number) are warm-up.
    """

    params = (("symbol", ""), ("opens_at", float("-inf")))

    def start(self) -> None:
        super().start()
        self._rows: Iterator[tuple[float, ...]] = zip(*self._columns(), strict=True)

    def preload(self) -> None:
        if not self._is_whole():
            super().preload()
            return
        for line, column in zip(self._in_order(), self._columns(), strict=True):
            line.array = array.array("d", column.tobytes())
            line.array.extend([float("nan")] * line.extension)
        self._rows = iter(())
        self._last()
        self.home()

    def _is_whole(self) -> bool:
        unfiltered = not (self._filters or self._ffilters or self._tzinput)
        return unfiltered and self.p.fromdate is None and self.p.todate is None

    def _load(self) -> bool:
        row = next(self._rows, None)
        if row is None:
            return False
        for line, value in zip(self._in_order(), row, strict=True):
            line[0] = value
        return True

    def _in_order(self) -> list[Any]:
        lines = self.lines
        return [
            lines.datetime, lines.open, lines.high, lines.low, lines.close, lines.volume, lines.openinterest,
        ]  # fmt: skip

    def _columns(self) -> list[Any]:
        return self._columns_of(self.p.dataname)

    def _columns_of(self, bars: Columns) -> list[Any]:
        none = bars.volume * 0.0
        return [date2num(bars.end), bars.open, bars.high, bars.low, bars.close, bars.volume, none]
