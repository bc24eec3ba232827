"""The shortest useful example: hold while a fast moving average is above a slow one."""

from __future__ import annotations

from typing import Any

import backtrader as bt


class SmaCross(bt.Strategy):
    """Buy `lot` worth of each symbol when the fast average crosses above the slow one; sell when it falls below."""

    params = (("fast", 10), ("slow", 30), ("lot", 10_000))

    def __init__(self) -> None:
        self.crossings = {
            data: bt.ind.CrossOver(bt.ind.SMA(data, period=self.p.fast), bt.ind.SMA(data, period=self.p.slow))
            for data in self.datas
        }
        self.orders: dict[Any, Any] = {}

    def next(self) -> None:
        for data, crossing in self.crossings.items():
            # Another symbol's bar calls `next` too: an order that is still out must not go out again.
            if data in self.orders and self.orders[data].alive():
                continue
            held = self.getposition(data).size
            if crossing[0] > 0 and not held and self.p.lot >= data.close[0]:
                self.orders[data] = self.buy(data, size=int(self.p.lot / data.close[0]))
            elif crossing[0] < 0 and held:
                self.orders[data] = self.close(data)
