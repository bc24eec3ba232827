"""Timers in the exchange's zone, for every Cerebro that a run makes."""

from __future__ import annotations

from typing import Any

import backtrader as bt


class Zoned(bt.Cerebro):
    """A Cerebro whose timers mean the exchange's clock, as all times in a run do; stock's mean UTC."""

    def _add_timer(self, *args: Any, tzdata: Any = None, **kwargs: Any) -> Any:
        return super()._add_timer(*args, tzdata=self.datas[0] if tzdata is None else tzdata, **kwargs)
