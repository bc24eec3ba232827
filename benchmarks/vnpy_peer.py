"""W1 in vnpy_ctastrategy, for `engine.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from vnpy.trader.constant import Exchange, Interval
from vnpy.trader.object import BarData
from vnpy.trader.utility import ArrayManager
from vnpy_ctastrategy import CtaTemplate
from vnpy_ctastrategy.backtesting import BacktestingEngine

from framework.columns import Columns

_FIRST, _LAST = datetime.fromisoformat("2023-01-01"), datetime.fromisoformat("2025-01-01")


class Cross(CtaTemplate):  # type: ignore[misc]
    """Long 100 above the average, flat below it."""

    author = ""

    def on_init(self) -> None:
        self.bars = ArrayManager(21)

    def on_bar(self, bar: Any) -> None:
        self.bars.update_bar(bar)
        if not self.bars.inited:
            return
        average = self.bars.close[-20:].mean()
        if not self.pos:
            if bar.close_price > average:
                self.buy(bar.close_price * 1.1, 100)
        elif bar.close_price < average:
            self.sell(bar.close_price * 0.9, 100)


def job(columns: Columns) -> Callable[[], Any]:
    """Return W1 as a job: making the bars and running them."""

    def run() -> None:
        engine = BacktestingEngine()
        engine.output = lambda message: None
        engine.set_parameters(
            "W1.LOCAL", Interval.MINUTE, _FIRST, 0, 0, 1, 0.00001, 1_000_000, _LAST
        )  # fmt: skip
        engine.add_strategy(Cross, {})
        rows = zip(*(getattr(columns, name).tolist() for name in ("end", "open", "high", "low", "close")), strict=True)
        engine.history_data = [
            BarData("", "W1", Exchange.LOCAL, end, Interval.MINUTE, 0, 0, 0, opened, high, low, close)
            for end, opened, high, low, close in rows
        ]
        engine.run_backtesting()

    return run
