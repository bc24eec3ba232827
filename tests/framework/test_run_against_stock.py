"""`run` and plain stock Backtrader: the same orders, fills and final value, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from feeds import FileBars, SampleBars
from framework import run
from framework.columns import Columns
from framework.engine.calendar import TradingCalendar
from framework.engine.compat import Zone
from framework.ports import Source
from strategies.scalper import SmaCrossScalper
from strategies.sma_cross import SmaCross

NEW_YORK = Zone("America/New_York")


class OrderLog(bt.Analyzer):
    """Every order notification, and the account's value after each instant, as bits."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.first: int | None = None

    def notify_order(self, order: Any) -> None:
        self.first = order.ref if self.first is None else self.first
        done = order.executed
        self.rows.append((
            order.ref - self.first, order.data._name, order.getstatusname(), order.getordername(), order.created.dt,
            order.created.size, order.created.price, done.dt, done.size, done.price, done.value, done.pnl,
        ))  # fmt: skip

    def notify_trade(self, trade: Any) -> None:
        self.rows.append((trade.data._name, trade.status, trade.dtopen, trade.dtclose, trade.price, trade.pnlcomm))

    def next(self) -> None:
        self.rows.append((self.strategy.datetime[0], len(self.strategy), self.strategy.broker.getvalue()))


def frame(bars: Columns) -> pd.DataFrame:
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name: getattr(bars, name) for name in names}, index=pd.DatetimeIndex(bars.end))


def in_stock(strategy: type[bt.Strategy], source: Source, quicknotify: bool, **params: Any) -> list[tuple[Any, ...]]:
    """Run the strategy class in plain `bt.Cerebro`, as any Backtrader user would."""
    cerebro = bt.Cerebro(stdstats=False, quicknotify=quicknotify)
    for symbol, bars in source.history().items():
        data = bt.feeds.PandasData(
            dataname=frame(bars),
            timeframe=bt.TimeFrame.Minutes,
            tz=NEW_YORK,
            calendar=TradingCalendar(name="XNYS"),
        )
        cerebro.adddata(data, name=symbol)
    cerebro.broker.setcash(100_000)
    cerebro.addstrategy(strategy, **params)
    cerebro.addanalyzer(OrderLog)
    return cerebro.run()[0].analyzers.orderlog.rows


def in_ours(strategy: type[bt.Strategy], source: Source, quicknotify: bool, **params: Any) -> list[tuple[Any, ...]]:
    result = run(strategy, source=source, quicknotify=quicknotify, analyzers=[OrderLog], params=params)
    return result.strategy.analyzers.orderlog.rows


CASES = [(SmaCrossScalper, {"lot": 20_000}), (SmaCross, {"lot": 20_000})]


@pytest.mark.parametrize("quicknotify", [True, False])
@pytest.mark.parametrize(("strategy", "params"), CASES)
def test_real_bars_give_what_stock_gives(
    strategy: type[bt.Strategy], params: dict[str, Any], quicknotify: bool, real_bars_path: Path
) -> None:
    """On real minutes of three symbols, with holes and extended hours, ours is stock."""
    source = FileBars(real_bars_path)
    ours = in_ours(strategy, source, quicknotify, **params)
    assert ours == in_stock(strategy, source, quicknotify, **params)
    assert sum(row[2] == "Completed" for row in ours) > 20


@pytest.mark.parametrize("quicknotify", [True, False])
@pytest.mark.parametrize(("strategy", "params"), CASES)
def test_sample_bars_give_what_stock_gives(
    strategy: type[bt.Strategy], params: dict[str, Any], quicknotify: bool
) -> None:
    """On sample bars around an early close and a holiday, ours is stock."""
    source = SampleBars(["ACME", "THIN"], "2025-11-26", "2025-12-01")
    without_warmup = FileBars({symbol: frame(bars) for symbol, bars in source.history().items()}, stamp="end", tz="UTC")
    ours = in_ours(strategy, without_warmup, quicknotify, **params)
    assert ours == in_stock(strategy, without_warmup, quicknotify, **params)
    assert sum(row[2] == "Completed" for row in ours) > 4
