"""The programs that Backtrader's documentation explains itself by, each written again, in stock and in ours."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import backtrader as bt
import pytest
from fingerprint import differences, fingerprint

from feeds import SampleBars
from framework.columns import Columns
from framework.engine import Cerebro
from framework.engine.data import BarData


@functools.cache
def bars(symbol: str, timeframe: str) -> Columns:
    days = ("2024-01-02", "2025-06-30") if timeframe == "1Day" else ("2026-01-05", "2026-01-07")
    return SampleBars([symbol], *days, timeframe=timeframe).history()[symbol]


def day(symbol: str = "ACME", **options: Any) -> BarData:
    return BarData(dataname=bars(symbol, "1Day"), timeframe=bt.TimeFrame.Days, **options)


def minute(symbol: str = "ACME", **options: Any) -> BarData:
    return BarData(dataname=bars(symbol, "1Min"), timeframe=bt.TimeFrame.Minutes, **options)


class AverageWithLog(bt.Strategy):
    """Quickstart: one position at a time, sold when the price falls under its average, every step logged."""

    params = (("period", 15),)

    def __init__(self) -> None:
        self.sent: Any = None
        self.log: list[Any] = []
        self.average = bt.indicators.SimpleMovingAverage(self.data, period=self.p.period)
        bt.indicators.ExponentialMovingAverage(self.data, period=25)
        bt.indicators.WeightedMovingAverage(self.data, period=25).subplot = True
        bt.indicators.StochasticSlow(self.data)
        bt.indicators.MACDHisto(self.data)
        rsi = bt.indicators.RSI(self.data)
        bt.indicators.SmoothedMovingAverage(rsi, period=10)
        bt.indicators.ATR(self.data)

    def notify_order(self, order: Any) -> None:
        if not order.alive():
            self.log.append((len(self), order.getstatusname(), order.executed.price, order.executed.comm))
            self.sent = None

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            self.log.append((trade.pnl, trade.pnlcomm))

    def next(self) -> None:
        if self.sent:
            return
        if not self.position:
            if self.data.close[0] > self.average[0]:
                self.sent = self.buy()
        elif self.data.close[0] < self.average[0]:
            self.sent = self.sell()


def quickstart(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(AverageWithLog)
    cerebro.addsizer(bt.sizers.FixedSize, stake=10)
    cerebro.broker.setcommission(commission=0.001)


class SignalAverages(bt.SignalStrategy):
    """Signals: long while a fast average is above a slow one."""

    def __init__(self) -> None:
        fast, slow = bt.ind.SMA(period=10), bt.ind.SMA(period=30)
        self.signal_add(bt.SIGNAL_LONG, bt.ind.CrossOver(fast, slow))


def signal_strategy(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(SignalAverages)


class Above(bt.Indicator):
    lines = ("signal",)
    params = (("period", 30),)

    def __init__(self) -> None:
        self.lines.signal = self.data - bt.indicators.SMA(period=self.p.period)


def signals_without_a_strategy(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.add_signal(bt.SIGNAL_LONGSHORT, Above, period=20)
    cerebro.add_signal(bt.SIGNAL_LONGEXIT, Above, period=5)
    cerebro.signal_accumulate(True)


class Bracketed(bt.Strategy):
    """Bracket orders: entry with a time limit, a stop and a target that end one another."""

    params = (("by_method", True),)

    def __init__(self) -> None:
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=5), bt.ind.SMA(period=15))
        self.left: list[int] = []

    def notify_order(self, order: Any) -> None:
        if not order.alive() and order.ref in self.left:
            self.left.remove(order.ref)

    def next(self) -> None:
        if self.left or self.position or self.cross[0] <= 0:
            return
        close = self.data.close[0]
        entry, stop, target = close * 0.995, close * 0.975, close * 1.015
        days = timedelta(3)
        if self.p.by_method:
            sent = self.buy_bracket(
                price=entry, valid=days, stopprice=stop, stopargs={"valid": timedelta(90)}, limitprice=target
            )
        else:
            main = self.buy(exectype=bt.Order.Limit, price=entry, valid=days, transmit=False)
            low = self.sell(exectype=bt.Order.Stop, price=stop, parent=main, transmit=False)
            sent = [main, low, self.sell(exectype=bt.Order.Limit, price=target, parent=main, transmit=True)]
        self.left = [each.ref for each in sent]


def bracket(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(Bracketed)


def bracket_by_hand(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(Bracketed, by_method=False)


class OneOfThree(bt.Strategy):
    """OCO: three limits at different depths, the first that fills ends the others."""

    def __init__(self) -> None:
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=5), bt.ind.SMA(period=15))
        self.hold = 0
        self.left: list[int] = []

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            self.hold = len(self)
        if not order.alive() and order.ref in self.left:
            self.left.remove(order.ref)

    def next(self) -> None:
        if self.position:
            if len(self) - self.hold >= 10:
                self.close()
        elif not self.left and self.cross[0] > 0:
            leader = None
            for depth, days in ((0.995, 3), (0.99, 1_000), (0.98, 1_000)):
                order = self.buy(
                    exectype=bt.Order.Limit, price=self.data.close[0] * depth, valid=timedelta(days), oco=leader
                )
                leader = leader or order
                self.left.append(order.ref)


def one_cancels_others(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(OneOfThree)


class TrailsAfterEntry(bt.Strategy):
    """Stop trail: the exit follows the price, by an amount or a share of it, with and without a limit."""

    params = (("kind", bt.Order.StopTrail), ("amount", 0.0), ("percent", 0.02))

    def __init__(self) -> None:
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=10), bt.ind.SMA(period=25))
        self.exit: Any = None

    def next(self) -> None:
        if not self.position:
            self.exit = None
            if self.cross[0] > 0:
                self.buy()
        elif self.exit is None or not self.exit.alive():
            limit = self.data.close[0] * 0.97 if self.p.kind == bt.Order.StopTrailLimit else None
            self.exit = self.sell(
                exectype=self.p.kind,
                price=self.data.close[0] * 0.98 if limit else None,
                plimit=limit,
                trailamount=self.p.amount or None,
                trailpercent=self.p.percent or None,
            )


def stop_trail(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(TrailsAfterEntry)


def stop_trail_limit(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(TrailsAfterEntry, kind=bt.Order.StopTrailLimit, amount=1.5, percent=0.0)


class ToTarget(bt.Strategy):
    """Target orders: the day of the month decides the size, the value or the share of the portfolio."""

    params = (("target", "size"),)

    def next(self) -> None:
        number = self.data.datetime.date(0).day
        if self.p.target == "size":
            self.order_target_size(target=number if len(self) % 40 < 20 else 31 - number)
        elif self.p.target == "value":
            self.order_target_value(target=1_000 * number)
        else:
            self.order_target_percent(target=number / 100 - 0.1)


def target(kind: str) -> Callable[[Any], None]:
    def setup(cerebro: Any) -> None:
        cerebro.adddata(day())
        cerebro.broker.setcash(1_000_000)
        cerebro.addstrategy(ToTarget, target=kind)

    setup.__name__ = f"target_{kind}"
    return setup


class AtTheClose(bt.Strategy):
    """Order close: bought and sold at the close of the session, from minutes."""

    def next(self) -> None:
        if self.data.datetime.time(0).minute == 0:
            (self.close if self.position else self.buy)(exectype=bt.Order.Close)


def order_close(cerebro: Any) -> None:
    cerebro.adddata(minute(sessionend=time(21, 0)))
    cerebro.addstrategy(AtTheClose)


class OnTheOpen(bt.Strategy):
    """Cheat on open: the size is settled on the bar's own open."""

    def __init__(self) -> None:
        self.signal = bt.ind.CrossOver(bt.ind.SMA(period=5), bt.ind.SMA(period=12))
        self.due = False

    def next(self) -> None:
        self.due = bool(self.signal[0])

    def next_open(self) -> None:
        if self.due and not self.position:
            self.buy(size=int(5_000 / self.data.open[0]))
        elif self.due:
            self.close()
        self.due = False


def cheat_on_open(cerebro: Any) -> None:
    cerebro.p.cheat_on_open = True
    cerebro.adddata(day())
    cerebro.addstrategy(OnTheOpen)


class Scheduled(bt.Strategy):
    """Timers: one in the session, one at its start, repeated and on weekdays."""

    def __init__(self) -> None:
        self.rung: list[Any] = []
        self.add_timer(when=time(15, 0), weekdays=[1, 3], weekcarry=True)
        self.add_timer(when=bt.Timer.SESSION_START, offset=timedelta(minutes=30), repeat=timedelta(minutes=90))
        self.add_timer(when=time(16, 30), cheat=True, monthdays=[5, 6])

    def notify_timer(self, timer: Any, when: Any, *args: Any, **kwargs: Any) -> None:
        self.rung.append((timer.p.tid, when, len(self)))
        (self.close if self.position else self.buy)()


def scheduled(cerebro: Any) -> None:
    cerebro.adddata(minute(sessionstart=time(14, 30), sessionend=time(21, 0)))
    cerebro.addstrategy(Scheduled)


class AcrossTimeframes(bt.Strategy):
    """Multiple timeframes: a signal of the slow feed, traded on the fast one."""

    def __init__(self) -> None:
        fast, slow = bt.ind.SMA(self.data0, period=8), bt.ind.SMA(self.data1, period=4)
        self.signal = bt.cmp(fast, slow()) == 1

    def next(self) -> None:
        if not self.position and self.signal[0]:
            self.buy()
        elif self.position and not self.signal[0]:
            self.close()


def resampled_timeframes(cerebro: Any) -> None:
    data = minute()
    cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=15)
    cerebro.addstrategy(AcrossTimeframes)


def replayed_week(cerebro: Any) -> None:
    cerebro.replaydata(day(), timeframe=bt.TimeFrame.Weeks)
    cerebro.addstrategy(AverageWithLog, period=6)


class Pairs(bt.Strategy):
    """Multi-data and pairs: the distance of two symbols' returns, bought and sold against one another."""

    def __init__(self) -> None:
        self.ratio = self.data0.close / self.data1.close
        self.mean, self.width = bt.ind.SMA(self.ratio, period=20), bt.ind.StdDev(self.ratio, period=20)

    def next(self) -> None:
        away = self.ratio[0] - self.mean[0]
        if not self.getposition(self.data0) and abs(away) > 1.5 * self.width[0]:
            first, second = (self.sell, self.buy) if away > 0 else (self.buy, self.sell)
            first(self.data0, size=10)
            second(self.data1, size=10)
        elif self.getposition(self.data0) and abs(away) < 0.3 * self.width[0]:
            self.close(self.data0)
            self.close(self.data1)


def pairs(cerebro: Any) -> None:
    cerebro.adddata(day("ACME"))
    cerebro.adddata(day("GLOBEX"))
    cerebro.addstrategy(Pairs)


class LongOnly(bt.Sizer):
    """Sizers: a sale never sells more than there is."""

    params = (("stake", 3),)

    def _getsizing(self, comminfo: Any, cash: float, data: Any, isbuy: bool) -> int:
        if isbuy:
            return int(self.p.stake)
        return int(self.p.stake) if self.broker.getposition(data).size else 0


class CloseAgainstAverage(bt.Strategy):
    def __init__(self) -> None:
        self.cross = bt.ind.CrossOver(self.data, bt.ind.SMA(period=15))

    def next(self) -> None:
        if self.cross[0] > 0:
            self.buy()
        elif self.cross[0] < 0:
            self.sell()


def sizer(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(CloseAgainstAverage)
    cerebro.addsizer(LongOnly)


def slippage(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(CloseAgainstAverage)
    cerebro.broker.set_slippage_perc(0.005, slip_open=True, slip_match=False, slip_out=True)


def commission_of_futures(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(CloseAgainstAverage)
    cerebro.broker.setcommission(commission=2.0, margin=2_000.0, mult=10.0)


def credit_interest(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(CloseAgainstAverage)
    cerebro.broker.setcommission(commission=0.0, interest=0.01, interest_long=True)


def volume_fillers(cerebro: Any) -> None:
    cerebro.adddata(minute())
    cerebro.addstrategy(CloseAgainstAverage)
    cerebro.addsizer(bt.sizers.FixedSize, stake=50_000)
    cerebro.broker.set_filler(bt.broker.fillers.FixedBarPerc(perc=50.0))
    cerebro.broker.setcash(1e9)


def analyzers_and_observers(cerebro: Any) -> None:
    cerebro.adddata(day())
    cerebro.addstrategy(CloseAgainstAverage)
    for analyzer in (bt.analyzers.SQN, bt.analyzers.TradeAnalyzer, bt.analyzers.PyFolio, bt.analyzers.Calmar):
        cerebro.addanalyzer(analyzer)
    cerebro.addanalyzer(bt.analyzers.SharpeRatio, riskfreerate=0.01, timeframe=bt.TimeFrame.Years)
    cerebro.addobserver(bt.observers.DrawDown)
    cerebro.addobserver(bt.observers.TimeReturn, timeframe=bt.TimeFrame.Months)


SAMPLES = [
    quickstart, signal_strategy, signals_without_a_strategy, bracket, bracket_by_hand, one_cancels_others, stop_trail,
    stop_trail_limit, target("size"), target("value"), target("percent"), order_close, cheat_on_open, scheduled,
    resampled_timeframes, replayed_week, pairs, sizer, slippage, commission_of_futures, credit_interest,
    volume_fillers, analyzers_and_observers,
]  # fmt: skip


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.__name__)
def test_sample_leaves_what_stock_leaves(sample: Callable[[Any], None]) -> None:
    """The documented program is lean, trades, and leaves the same to the last bit."""
    runs = []
    for kind in (bt.Cerebro, Cerebro):
        cerebro = kind()
        sample(cerebro)
        runs.append((fingerprint(cerebro, cerebro.run()), cerebro))
    (stock, _), (ours, cerebro) = runs
    assert differences(stock, ours) == []
    assert cerebro.engine == "lean"
    assert cerebro.broker.orders
