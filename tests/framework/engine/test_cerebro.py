"""What Cerebro says about its run, and that it leaves the rest of Backtrader alone."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any

import backtrader as bt
import cases
import pytest
import strategies_zoo as zoo
from fingerprint import differences, fingerprint

from framework.engine import Cerebro


class OwnNext(bt.brokers.BackBroker):  # type: ignore[misc]
    """A broker that overrides what the lean path relies on."""

    def next(self) -> None:
        super().next()


class OwnOncepost(zoo.SmaCross):
    """A strategy that overrides Backtrader's internals."""

    def _oncepost(self, dt: float) -> None:
        super()._oncepost(dt)


def _own_broker(cerebro: Any) -> None:
    cerebro.broker = OwnNext(cash=25_000.0)


def _asked(cerebro: Any) -> None:
    cerebro.p.engine = "stock"


def _writer(cerebro: Any) -> None:
    cerebro.addwriter(bt.WriterFile, out=os.devnull)


def _option(name: str, value: Any) -> cases.Setting:
    return lambda cerebro: setattr(cerebro.p, name, value)


REASONS: dict[str, tuple[type[Any], cases.Setting]] = {
    "asked for": (zoo.SmaCross, _option("engine", "stock")),
    "writer": (zoo.SmaCross, _writer),
    "broker overrides next": (zoo.SmaCross, _own_broker),
    "strategy overrides _oncepost": (OwnOncepost, cases.plain),
    "runonce is off": (zoo.SmaCross, _option("runonce", False)),
    "oldsync": (zoo.SmaCross, _option("oldsync", True)),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_cannot_be_lean_is_stock_with_its_reason(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """The reason is on `cerebro.engine` and in the log, and the results are stock's."""
    strategy, setting = REASONS[reason]
    stock, _ = cases.played(bt.Cerebro, strategy, cases.one, setting)
    with caplog.at_level(logging.INFO, logger="switchback.engine"):
        ours, cerebro = cases.played(Cerebro, strategy, cases.one, setting)
    assert cerebro.engine.startswith(f"stock: {reason}")
    assert cerebro.engine in caplog.text
    assert stock == ours if isinstance(stock, str) else differences(stock, ours) == []


def test_run_says_that_it_was_lean() -> None:
    """`cerebro.engine` is empty before a run and "lean" after one."""
    cerebro = Cerebro()
    cases.one(cerebro)
    before = cerebro.engine
    cerebro.run()
    assert (before, cerebro.engine) == ("", "lean")


def test_run_may_ask_for_stock_by_keyword() -> None:
    """`run(engine="stock")`, as with any other parameter of Cerebro's."""
    cerebro = Cerebro()
    cases.one(cerebro)
    cerebro.run(engine="stock")
    assert cerebro.engine == "stock: asked for"


def test_instances_are_backtraders_own_again_after_a_run() -> None:
    """Lines, feeds, indicators, strategy, broker and positions have their own classes back."""
    cerebro = Cerebro()
    cases.three(cerebro)
    cerebro.addstrategy(zoo.Rotating)
    (strategy,) = cerebro.run()
    data = cerebro.datas[0]
    assert type(data.lines.close) is bt.linebuffer.LineBuffer
    assert type(data) is type(cases.feed(cases.bars()))
    assert type(strategy) is zoo.Rotating
    assert type(cerebro.broker) is bt.brokers.BackBroker
    assert {type(each) for each in cerebro.broker.positions.values()} == {bt.Position}
    known = set(vars(data)) | set(vars(strategy))
    assert not known & {"lean_clock", "close", "lean_values", "getposition", "lean_position", "preload"}


def test_everything_is_given_back_when_a_strategy_fails() -> None:
    """An exception passes through, and leaves no lean class behind."""

    class Failing(bt.Strategy):
        def next(self) -> None:
            raise ValueError("on purpose")

    cerebro = Cerebro()
    cases.one(cerebro)
    cerebro.addstrategy(Failing)
    threshold = gc.get_threshold()
    with pytest.raises(ValueError, match="on purpose"):
        cerebro.run()
    assert type(cerebro.broker) is bt.brokers.BackBroker
    assert type(cerebro.datas[0].lines.close) is bt.linebuffer.LineBuffer
    assert gc.get_threshold() == threshold


def test_cerebro_runs_again_and_gives_the_same() -> None:
    """Two runs of one Cerebro leave the same."""
    cerebro = Cerebro()
    cases.one(cerebro)
    cerebro.addstrategy(zoo.Brackets)
    first = fingerprint(cerebro, cerebro.run())
    assert differences(first, fingerprint(cerebro, cerebro.run())) == []


def test_optimisation_gives_what_stock_gives() -> None:
    """`optstrategy` in one process: each set of parameters is a lean run."""
    found = []
    for engine in (bt.Cerebro, Cerebro):
        cerebro = engine(maxcpus=1, optreturn=False)
        cases.one(cerebro)
        cerebro.optstrategy(_Periodic, period=[3, 5])
        found.append([[each.broker.getvalue() for each in run] for run in cerebro.run()])
    assert found[0] == found[1]


class _Periodic(bt.Strategy):
    params = (("period", 3),)

    def __init__(self) -> None:
        self.sma = bt.ind.SMA(self.data, period=self.p.period)

    def next(self) -> None:
        if self.data.close[0] > self.sma[0]:
            self.buy(size=1)
