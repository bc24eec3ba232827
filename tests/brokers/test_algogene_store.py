"""`AlgogeneStore`: the same convention over the other venue, which has no stream of orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import backtrader as bt
import pytest
from store_script import DAY, OPEN, QUICK, Scripted, half_an_hour

from brokers import AlgogeneStore, AlgogeneVenue
from brokers.algogene.settings import Settings
from feeds import AlgogeneBars
from framework import run
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError

MINUTES = bt.TimeFrame.Minutes


class InAndOut(Scripted):
    """In and out every ten minutes."""

    def next(self) -> None:
        super().next()
        if len(self) % 10 in (5, 9):
            self.buy(size=2) if len(self) % 10 == 5 else self.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Half an hour of SPY and IBM, for whoever speaks ALGOGENE's dialect."""
    with Sandbox(half_an_hour(), algogene=Settings(cash=1e6)) as served:
        yield served


def played(sandbox: Sandbox, **data: Any) -> Any:
    """Run a script on stock Cerebro: live, or a backtest where its data are historical."""
    store, cerebro = AlgogeneStore(calendar="XNYS", live=QUICK, **sandbox.algogene), bt.Cerebro()
    cerebro.addstrategy(InAndOut)
    for symbol in ("SPY", "IBM"):
        cerebro.adddata(store.getdata(dataname=symbol, timeframe=MINUTES, **data))
    if data.get("historical"):
        cerebro.broker.setcash(1e6)
    else:
        cerebro.setbroker(store.getbroker())
        assert cerebro.broker.getvalue() == 1e6
    (strategy,) = cerebro.run(quicknotify=True)
    return strategy


def test_a_script_runs_live_in_a_backtest_and_as_run_does(sandbox: Sandbox) -> None:
    """Three ways, one outcome."""
    lived = played(sandbox, backfill_start=False)
    until = (OPEN + timedelta(minutes=30)).isoformat()
    past = played(sandbox, historical=True, fromdate=DAY, todate=until)
    with Sandbox(half_an_hour(), algogene=Settings(cash=1e6)) as other:
        bars = AlgogeneBars(["SPY", "IBM"], calendar="XNYS", now=lambda: OPEN, **other.algogene)
        venue = AlgogeneVenue(**other.algogene)
        ran = run(InAndOut, source=bars, venue=venue, live=QUICK, warmup=0, cash=1e6).strategy
    assert lived.heard == past.heard == ran.heard
    assert lived.seen == ran.seen
    assert prices(lived) == prices(past)
    assert lived.broker.getvalue() == past.broker.getvalue() == ran.broker.getvalue()
    assert statuses(lived) == ["CONNECTED", "DELAYED", "LIVE"]


def prices(strategy: Any) -> list[Any]:
    """Return what was seen without the volume, which live minutes have not: they are made of quotes."""
    return [tuple(data[:-1] for data in row) for row in strategy.seen]


def statuses(strategy: Any) -> list[str]:
    return [status for name, status in strategy.statuses if name == "SPY"]


def test_its_parameters_are_known_by_their_names() -> None:
    """A misspelt one is named, and no secret is shown."""
    with pytest.raises(ConfigError, match=r"no parameter 'apikey' \(did you mean api_key\?\)"):
        AlgogeneStore(apikey="k")
    with pytest.raises(ConfigError, match=r"AlgogeneData has no parameter 'data_feed'"):
        AlgogeneStore().getdata("BTCUSD", data_feed="iex")
    assert "hidden" not in repr(AlgogeneStore(user="hidden", api_key="hidden"))
    assert not AlgogeneStore().venue.is_real
