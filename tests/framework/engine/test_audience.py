"""What is put aside during a run, and how it comes back."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import cases
import numpy as np
import pytest
import strategies_zoo as zoo

from framework.engine import Cerebro, orders
from framework.engine.dates import date2num, num2date
from framework.engine.schedule import merged


class Equity(bt.Analyzer):
    """The portfolio's value at each bar; it says how its bars are rebuilt."""

    calls = 0

    def next(self) -> None:
        type(self).calls += 1
        self.rets[len(self.strategy)] = self.strategy.broker.getvalue()

    def catch_up(self, series: Any, notified: int, done: int) -> None:
        self.rets.update(enumerate(series.value[:done].tolist(), start=1))


def _equity(engine: type[Any], strategy: type[Any]) -> tuple[dict[int, float], int]:
    Equity.calls = 0
    cerebro = engine()
    cases.three(cerebro)
    cerebro.addanalyzer(Equity)
    cerebro.addstrategy(strategy)
    (run,) = cerebro.run()
    return dict(run.analyzers.equity.get_analysis()), Equity.calls


def test_analyzer_that_can_catch_up_is_not_called_at_all() -> None:
    """Its bars are rebuilt after the run, and are what its calls would have left."""
    stock, calls = _equity(bt.Cerebro, zoo.Rotating)
    ours, called = _equity(Cerebro, zoo.Rotating)
    assert ours == stock
    assert (calls, called) == (cases.BARS, 0)


def test_analyzer_that_was_looked_at_is_called_from_then_on() -> None:
    """A look at bar 60 brings 59 bars up to date; bar 60 and those after it are called."""
    stock, _ = _equity(bt.Cerebro, zoo.LateReader)
    ours, called = _equity(Cerebro, zoo.LateReader)
    assert ours == stock
    assert called == cases.BARS - 59


def test_usual_analyzers_and_observers_are_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `DrawDown.next` nor `Broker.next` is called in a run in which nobody looks."""
    monkeypatch.setattr(bt.analyzers.DrawDown, "next", lambda analyzer: pytest.fail("called"))
    monkeypatch.setattr(bt.observers.Broker, "next", lambda observer: pytest.fail("called"))
    cerebro = Cerebro()
    cases.one(cerebro)
    cerebro.addanalyzer(bt.analyzers.DrawDown)
    cerebro.addstrategy(zoo.SmaCross)
    (run,) = cerebro.run()
    assert run.analyzers.drawdown.get_analysis().max.drawdown > 0
    assert len(run.stats.broker.value) == cases.BARS


def test_notification_that_nobody_hears_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a strategy without `notify_order`, an order that is filled at once is never copied."""
    monkeypatch.setattr(orders._Lean, "clone", lambda order: pytest.fail("copied"))
    cerebro = Cerebro(stdstats=False)
    cases.one(cerebro)
    cerebro.addstrategy(zoo.SmaCross)
    (run,) = cerebro.run()
    assert len(run.broker.orders) > 10
    assert run.broker.orders[0].status == bt.Order.Completed


def test_dates_go_to_numbers_and_back_as_backtraders_do() -> None:
    """`num2date` over a column is `bt.num2date` over its items, odd microseconds included."""
    random = np.random.default_rng(5)
    moments = np.datetime64("1990-01-01", "us") + random.integers(0, 40 * 365 * 86_400_000_000, 2_000)
    numbers = date2num(moments)
    assert num2date(numbers).tolist() == [bt.num2date(each) for each in numbers.tolist()]


def test_feeds_that_share_their_instants_share_a_clock() -> None:
    """Two feeds alike are one group; one with holes is another, and stands still over them."""
    schedule = merged([np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), np.array([2.0])])
    assert schedule.group_of == (0, 0, 1)
    assert [each.tolist() for each in schedule.places] == [[0, 1, 2], [-1, 0, 0]]


def test_instants_that_repeat_are_steps_of_their_own() -> None:
    """Bars that share an instant come one after the other, as Backtrader delivers them."""
    schedule = merged([np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0])])
    assert schedule.times.tolist() == [1.0, 1.0, 2.0]
    assert [each.tolist() for each in schedule.places] == [[0, 1, 2], [0, 0, 1]]
