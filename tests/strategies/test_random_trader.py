"""The random trader: the seed decides, in a backtest and live; what it held is closed each minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt

from brokers import AlgogeneVenue
from brokers.algogene.sandbox_book import Book
from feeds import AlgogeneBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from strategies.random_trader import CHOICES, RandomTrader

BEGINS = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
BARS = SampleBars(["BTCUSD"], BEGINS, BEGINS + timedelta(minutes=45), calendar="24/7")


def backtest(seed: int) -> Any:
    return run(RandomTrader, source=BARS, venue=AlgogeneVenue(), seed=seed)


def test_live_it_decides_and_trades_as_in_its_backtest() -> None:
    """The same decisions for the same seed, the same fills at the same prices, the same equity; the venue agrees."""
    tested = backtest(seed=3)
    with Sandbox(BARS) as sandbox:
        source, venue = AlgogeneBars(["BTCUSD"], **sandbox.algogene), AlgogeneVenue(**sandbox.algogene)
        lived = run(RandomTrader, source=source, venue=venue, live=Live(durable="OFF"), warmup=0, seed=3)
        book: Book = sandbox.market._listeners["algogene"].book
        assert sum(each.held * each.side.sign for each in book.opened) == lived.strategy.position.size
    assert lived.strategy.decisions == tested.strategy.decisions
    assert lived.fills.drop(columns="ref").equals(tested.fills.drop(columns="ref"))
    assert list(lived.equity) == list(tested.equity)


def test_its_live_bars_can_be_backtested_from_the_venues_history() -> None:
    """What was traded live is asked for afterwards, in pages, and makes the same decisions and fills."""
    with Sandbox(BARS) as sandbox:
        options: Any = sandbox.algogene
        source = AlgogeneBars(["BTCUSD"], **options)
        lived = run(
            RandomTrader, source=source, venue=AlgogeneVenue(**options), live=Live(durable="OFF"), warmup=0, seed=5
        )
        end = BEGINS + timedelta(minutes=45)
        past = AlgogeneBars(["BTCUSD"], BEGINS, end, now=lambda: end, **options)
        tested = run(RandomTrader, source=past, venue=AlgogeneVenue(), seed=5)
    assert lived.strategy.decisions == tested.strategy.decisions
    assert lived.fills.drop(columns="ref").equals(tested.fills.drop(columns="ref"))


def test_other_seeds_decide_otherwise() -> None:
    """And each draws all that there is to choose."""
    one, two = backtest(seed=1).strategy.decisions, backtest(seed=2).strategy.decisions
    assert one != two
    assert set(one) == set(two) == set(CHOICES)


def test_it_holds_one_position_for_one_minute() -> None:
    """Each trade is closed with the next bar."""
    trades = backtest(seed=4).trades
    assert len(trades) > 10
    assert set(trades["size"].abs()) == {1}


def test_it_runs_in_stock_backtrader() -> None:
    """It imports nothing else."""
    cerebro = bt.Cerebro()
    columns = BARS.history()["BTCUSD"]
    import pandas as pd

    frame = pd.DataFrame({name: getattr(columns, name) for name in ("open", "high", "low", "close", "volume")})
    frame.index = pd.DatetimeIndex(columns.end)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(RandomTrader, seed=3)
    (strategy,) = cerebro.run()
    assert strategy.decisions == backtest(seed=3).strategy.decisions
