"""A strategy that follows signals: the same in a backtest over what was received as live, in lock-step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from both_sides import EXACT, both, difference

from feeds import SampleBars, SampleSignals
from framework import run
from strategies.signal_follower import SignalFollower


@pytest.fixture(autouse=True)
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


class Noting(SignalFollower):
    """The follower, noting what the feed of signals says at every `next`."""

    log: list[Any]

    def next(self) -> None:
        (feed,) = self.feeds
        told = [(each.symbol, each.action, each.side, each.weight, each.key) for each in feed.signals()]
        self.log.append(("signals", len(feed), feed.action[0], feed.side[0], feed.weight[0], told))
        super().next()


class Bracketing(bt.Strategy):
    """Buys what is opened with a take-profit and a stop-loss, all three named after the signal."""

    def next(self) -> None:
        for signal in self.getdatabyname("AlphaHub 16").signals():
            if signal.action.value == "open":
                data, price = self.getdatabyname(signal.symbol), signal.price
                self.buy_bracket(
                    data, size=10, exectype=bt.Order.Market, stopprice=price * 0.997, limitprice=price * 1.003,
                    name=signal.key,
                )  # fmt: skip


@pytest.mark.parametrize("strategy", [Noting, Bracketing])
def test_signals_are_followed_alike(strategy: type[bt.Strategy]) -> None:
    """Two symbols over three days: every order, fill and value, and what is seen at each `next`."""
    bars = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-07")
    signals = SampleSignals(bars, algorithm=16)
    tested, lived = both(strategy, bars, signals=signals)
    assert len(tested.fills) > 4
    assert difference(tested, lived, EXACT) == ""


def test_strategy_that_does_not_look_sees_the_same_bars() -> None:
    """Beside signals each bar is there as without them."""
    bars = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-06")
    result = run(SignalFollower, source=[bars, SampleSignals(bars)])
    assert {symbol: len(each) for symbol, each in result.bars.items()} == {
        symbol: len(each) for symbol, each in bars.history().items()
    }
