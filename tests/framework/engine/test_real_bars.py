"""Real minutes of three symbols, with holes and extended hours: every strategy of the matrix, in stock and in ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import backtrader as bt
import cases
import pytest
import strategies_zoo as zoo
from fingerprint import differences

from feeds import FileBars


def same(strategy: type[Any], path: Path, *, five: bool) -> None:
    history = FileBars(path).history()

    def feeds(cerebro: Any) -> None:
        for symbol, columns in history.items():
            data = cases.feed(columns, symbol)
            cerebro.adddata(data)
            if five:
                cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5, name=f"{symbol}5")

    stock, ours, engine = cases.both(strategy, feeds, cases.six_analyzers)
    if isinstance(stock, str) or isinstance(ours, str):
        assert stock == ours
    else:
        assert differences(stock, ours) == []
        assert engine == "lean"


@pytest.mark.parametrize("strategy", zoo.ALL, ids=lambda strategy: strategy.__name__)
def test_real_minutes_give_what_stock_gives(strategy: type[Any], real_bars_path: Path) -> None:
    """Orders, trades, analyzers, observers and lines are the same, bit for bit."""
    same(strategy, real_bars_path, five=False)


@pytest.mark.parametrize("strategy", [zoo.Rotating, zoo.Brackets, zoo.Reversing], ids=lambda each: each.__name__)
def test_real_minutes_resampled_give_what_stock_gives(strategy: type[Any], real_bars_path: Path) -> None:
    """So are they with five-minute bars of each symbol made in the run."""
    same(strategy, real_bars_path, five=True)
