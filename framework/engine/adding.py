"""A feed that comes to a session that runs: what Backtrader does for each before a run, done for one during it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from framework.engine.live_data import LiveData


def add_feed(cerebro: Any, strategies: Iterable[Any], data: LiveData) -> None:
    """Let a Cerebro and its strategies have one more feed, its history loaded; nothing is called for that."""
    cerebro.adddata(data, name=data.p.symbol)
    data.reset()
    data._start()
    for row in data.history():
        data.feed(row)
    for strategy in strategies:
        _let_see(strategy, data)


def _let_see(strategy: Any, data: LiveData) -> None:
    number = len(strategy.datas)
    strategy.datas.append(data)
    strategy.dnames[data._name] = data
    strategy.ddatas[data] = None
    setattr(strategy, f"data{number}", data)
    strategy._minperiods.append(1)
    strategy._dlens.append(len(data))
