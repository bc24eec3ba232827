"""A random trader: each minute close what is open, then buy, sell or do nothing by chance.

After ALGOGENE's example of its REST API. It is worth nothing as a strategy, and a good first thing to run on a venue:
it opens, closes and turns positions all day. The same `seed` draws the same decisions, in a backtest and live.
"""

from __future__ import annotations

from random import Random
from typing import Any

import backtrader as bt

CHOICES = ("BUY", "SELL", "")


class RandomTrader(bt.Strategy):
    """Trades every symbol it is given, at the market.

    size   units to buy or sell
    seed   what the decisions are drawn from; None is another series each time
    """

    params = (("size", 1), ("seed", None))

    def __init__(self) -> None:
        self._chance = Random(self.p.seed)
        self._seen: dict[Any, int] = {}
        self.decisions: list[str] = []

    def prenext(self) -> None:
        self.next()  # a symbol without bars must not keep the others waiting

    def next(self) -> None:
        for data in self.datas:
            if len(data) > self._seen.get(data, 0):
                self._seen[data] = len(data)
                self._trade(data)

    def _trade(self, data: Any) -> None:
        if self.getposition(data).size:
            self.close(data=data)
        decision = self._chance.choice(CHOICES)
        self.decisions.append(decision)
        if decision == "BUY":
            self.buy(data=data, size=self.p.size)
        elif decision == "SELL":
            self.sell(data=data, size=self.p.size)
