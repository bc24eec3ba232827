"""The columns of the identity matrix: shapes of data, ways to set Cerebro up, and how a case is run."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np
import strategies_zoo as zoo
from fingerprint import Fingerprint, fingerprint, watched

from framework.columns import Columns
from framework.engine import Cerebro
from framework.engine.data import BarData

Setting = Callable[[Any], None]
BARS = 112


@functools.cache
def bars(count: int = BARS, seed: int = 0, minutes: int = 1, first: str = "2024-03-01T14:31") -> Columns:
    """Return a seeded random walk: `count` bars, `minutes` long each, 60 bars a day."""
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.0008, count))), 3)
    opened = np.concatenate(([100.0], close[:-1])) + np.round(random.normal(0, 0.02, count), 2)
    high = np.maximum(opened, close) + np.round(np.abs(random.normal(0, 0.03, count)), 2)
    low = np.minimum(opened, close) - np.round(np.abs(random.normal(0, 0.03, count)), 2)
    of_day = np.arange(count) % 60 * minutes + np.arange(count) // 60 * 24 * 60
    end = np.datetime64(first, "us") + of_day * np.timedelta64(1, "m")
    return Columns.of(end, opened, high, low, close, random.integers(1, 900, count).astype(float))


def feed(columns: Columns, name: str = "one", **options: Any) -> Any:
    options = {"timeframe": bt.TimeFrame.Minutes, **options}
    return BarData(dataname=columns, name=name, **options)


def _holes(columns: Columns, seed: int) -> Columns:
    return columns[np.random.default_rng(seed).random(len(columns)) > 0.3]


def _five(columns: Columns) -> Columns:
    last = np.arange(4, len(columns), 5)
    first = last - 4
    high = np.maximum.reduceat(columns.high, first)
    low = np.minimum.reduceat(columns.low, first)
    return Columns.of(columns.end[last], columns.open[first], high, low, columns.close[last], columns.volume[last])


def one(cerebro: Any) -> None:
    cerebro.adddata(feed(bars()))


def three(cerebro: Any) -> None:
    for seed in range(3):
        cerebro.adddata(feed(bars(seed=seed), f"data{seed}"))


def holes(cerebro: Any) -> None:
    for seed in range(3):
        cerebro.adddata(feed(_holes(bars(seed=seed), seed + 10), f"data{seed}"))


def late(cerebro: Any) -> None:
    """A second symbol that starts later and ends earlier."""
    cerebro.adddata(feed(bars(), "first"))
    cerebro.adddata(feed(bars(seed=5)[40:110], "second"))


def frames(cerebro: Any) -> None:
    """Minutes and, loaded beside them, five minutes."""
    cerebro.adddata(feed(bars(), "fast"))
    cerebro.adddata(feed(_five(bars()), "slow", compression=5))


def slow_first(cerebro: Any) -> None:
    cerebro.adddata(feed(_five(bars()), "slow", compression=5))
    cerebro.adddata(feed(bars(), "fast"))


def daily(cerebro: Any) -> None:
    cerebro.adddata(feed(bars(minutes=1440, first="2019-11-25T21:00"), timeframe=bt.TimeFrame.Days))


def doubled(cerebro: Any) -> None:
    """Bars that share an instant with the one before."""
    columns = bars()
    end = columns.end.copy()
    end[20:30] = end[19]
    cerebro.adddata(feed(Columns.of(end, *(getattr(columns, n) for n in ("open", "high", "low", "close", "volume")))))
    cerebro.adddata(feed(bars(seed=4), "plain"))


def short(cerebro: Any) -> None:
    """Fewer bars than most indicators need."""
    cerebro.adddata(feed(bars(6)))


def zoned(cerebro: Any) -> None:
    cerebro.adddata(feed(bars(), tz="America/New_York", sessionend=None))


def resampled(cerebro: Any) -> None:
    data = feed(bars())
    cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5, name="five")


def only_resampled(cerebro: Any) -> None:
    cerebro.resampledata(feed(bars()), timeframe=bt.TimeFrame.Minutes, compression=5, name="five")


def resampled_many(cerebro: Any) -> None:
    data = feed(_holes(bars(), 3))
    cerebro.adddata(data)
    for name, compression in (("fifteen", 15), ("hour", 60)):
        cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=compression, name=name)
    cerebro.resampledata(data, timeframe=bt.TimeFrame.Days, name="day")


def resampled_two(cerebro: Any) -> None:
    for seed in (1, 2):
        data = feed(_holes(bars(seed=seed), seed), f"data{seed}")
        cerebro.adddata(data)
        cerebro.resampledata(data, timeframe=bt.TimeFrame.Minutes, compression=5, name=f"five{seed}")


def replayed(cerebro: Any) -> None:
    cerebro.replaydata(feed(bars()), timeframe=bt.TimeFrame.Minutes, compression=5, name="five")


def replayed_beside(cerebro: Any) -> None:
    data = feed(bars())
    cerebro.adddata(data)
    cerebro.replaydata(data, timeframe=bt.TimeFrame.Minutes, compression=15, name="fifteen")


def replayed_two(cerebro: Any) -> None:
    for seed in (1, 2):
        data = feed(_holes(bars(seed=seed), seed), f"data{seed}")
        cerebro.replaydata(data, timeframe=bt.TimeFrame.Minutes, compression=5, name=f"five{seed}")


SHAPES: list[Setting] = [one, three, holes, late, frames, slow_first, daily, doubled, short, zoned]
RESAMPLED: list[Setting] = [resampled, only_resampled, resampled_many, resampled_two, replayed, replayed_beside,
                              replayed_two]  # fmt: skip


def plain(cerebro: Any) -> None: ...


def quick(cerebro: Any) -> None:
    cerebro.p.quicknotify = True


def no_observers(cerebro: Any) -> None:
    cerebro.p.stdstats = False


def percent(cerebro: Any) -> None:
    cerebro.broker.setcommission(commission=0.001)


def futures(cerebro: Any) -> None:
    cerebro.broker.setcommission(commission=1.5, margin=20.0, mult=5.0)


def automargin(cerebro: Any) -> None:
    cerebro.broker.setcommission(commission=1.5, automargin=0.2, stocklike=False, commtype=1, margin=1.0)


def fixed(cerebro: Any) -> None:
    cerebro.broker.setcommission(commission=0.02, commtype=bt.CommInfoBase.COMM_FIXED, stocklike=True, leverage=4.0)


def interest(cerebro: Any) -> None:
    cerebro.broker.setcommission(commission=0.0005, interest=0.2, interest_long=True)


class _Scheme(bt.CommInfoBase):
    params = (("stocklike", True), ("commtype", bt.CommInfoBase.COMM_PERC), ("percabs", True), ("commission", 0.001))

    def _getcommission(self, size: float, price: float, pseudoexec: bool) -> float:
        return max(1.0, abs(size) * price * self.p.commission)


def own_scheme(cerebro: Any) -> None:
    cerebro.broker.addcommissioninfo(_Scheme())


def by_name(cerebro: Any) -> None:
    cerebro.broker.setcommission(commission=0.003, name="data1")


def slipping(cerebro: Any) -> None:
    cerebro.broker.set_slippage_perc(0.0007)


def slipping_hard(cerebro: Any) -> None:
    cerebro.broker.set_slippage_fixed(0.03, slip_open=True, slip_limit=False, slip_match=False)


def slipping_out(cerebro: Any) -> None:
    cerebro.broker.set_slippage_fixed(0.05, slip_open=False, slip_out=True)


def filled_by_volume(cerebro: Any) -> None:
    cerebro.broker.set_filler(bt.broker.fillers.FixedBarPerc(perc=0.4))


def filled_in_part(cerebro: Any) -> None:
    cerebro.broker.set_filler(bt.broker.fillers.FixedSize(size=3))


def on_close(cerebro: Any) -> None:
    cerebro.broker.set_coc(True)


def on_open(cerebro: Any) -> None:
    cerebro.p.cheat_on_open = True


def history(cerebro: Any) -> None:
    cerebro.p.tradehistory = True


def unchecked(cerebro: Any) -> None:
    cerebro.broker.set_checksubmit(False)


def no_short_cash(cerebro: Any) -> None:
    cerebro.broker.set_shortcash(False)


def fund(cerebro: Any) -> None:
    cerebro.broker.set_fundmode(True, 10.0)


def poor(cerebro: Any) -> None:
    cerebro.broker.setcash(450.0)


def percent_sizer(cerebro: Any) -> None:
    cerebro.addsizer(bt.sizers.PercentSizer, percents=40)


def six_analyzers(cerebro: Any) -> None:
    a = bt.analyzers
    for each in (a.TradeAnalyzer, a.DrawDown, a.TimeReturn, a.Returns, a.SQN):
        cerebro.addanalyzer(each)
    cerebro.addanalyzer(a.SharpeRatio, timeframe=bt.TimeFrame.Days)


def more_analyzers(cerebro: Any) -> None:
    a, frame = bt.analyzers, bt.TimeFrame
    for each in (a.Transactions, a.PyFolio, a.PositionsValue, a.GrossLeverage, a.TimeDrawDown, a.LogReturnsRolling):
        cerebro.addanalyzer(each)
    for each in (frame.Days, frame.Weeks, frame.Months, frame.Years, frame.NoTimeFrame):
        cerebro.addanalyzer(a.TimeReturn, timeframe=each, _name=f"return{each}")
        cerebro.addanalyzer(a.Returns, timeframe=each, _name=f"total{each}")
    cerebro.addanalyzer(a.TimeReturn, timeframe=frame.Minutes, compression=15, _name="quarters")
    cerebro.addanalyzer(a.PeriodStats, timeframe=frame.Days)
    cerebro.addanalyzer(a.DrawDown, fund=True, _name="funddrawdown")
    cerebro.addanalyzer(a.VWR, timeframe=frame.Days)


class _Counting(bt.Analyzer):
    """An analyzer of the user's own, told everything."""

    def start(self) -> None:
        self.rets["bars"] = []

    def next(self) -> None:
        self.rets["bars"].append((len(self.strategy), self.strategy.broker.getvalue()))

    def notify_order(self, order: Any) -> None:
        self.rets["bars"].append(("order", order.status, order.executed.price))

    def notify_trade(self, trade: Any) -> None:
        self.rets["bars"].append(("trade", trade.pnl))

    def notify_cashvalue(self, cash: float, value: float) -> None:
        self.rets["bars"].append(("cash", cash, value))


class _Nosy(bt.Analyzer):
    """An analyzer that looks at the others and at the observers."""

    def start(self) -> None:
        self.rets["seen"] = []

    def next(self) -> None:
        others = [str(each.get_analysis()) for each in self.strategy.analyzers if each is not self]
        seen = [observer.lines[0][0] for observer in self.strategy.observers if hasattr(observer, "lines")]
        self.rets["seen"].append((others, seen))


def own_analyzer(cerebro: Any) -> None:
    six_analyzers(cerebro)
    cerebro.addanalyzer(_Counting)


def nosy_analyzer(cerebro: Any) -> None:
    cerebro.addanalyzer(bt.analyzers.DrawDown)
    cerebro.addanalyzer(_Nosy)
    cerebro.addanalyzer(bt.analyzers.TimeReturn)


def more_observers(cerebro: Any) -> None:
    o = bt.observers
    for each in (o.Cash, o.Value, o.FundValue, o.FundShares, o.DrawDown, o.TimeReturn, o.LogReturns, o.Benchmark):
        cerebro.addobserver(each)
    cerebro.addobservermulti(o.BuySell, barplot=False)


def old_observers(cerebro: Any) -> None:
    cerebro.p.oldbuysell = cerebro.p.oldtrades = True


def two_strategies(cerebro: Any) -> None:
    cerebro.addstrategy(zoo.Reversing)


def signal(cerebro: Any) -> None:
    cerebro.signal_strategy(bt.SignalStrategy)
    cerebro.add_signal(bt.SIGNAL_LONGSHORT, _Lean, period=4)
    cerebro.signal_accumulate(True)


class _Lean(bt.Indicator):
    lines = ("signal",)
    params = (("period", 4),)

    def __init__(self) -> None:
        self.lines.signal = self.data - bt.ind.SMA(self.data, period=self.p.period)


def past_orders(cerebro: Any) -> None:
    day = "2024-03-01T14:%d:00"
    cerebro.add_order_history([[day % 35, 3, 100.0], [day % 44, -1, 100.5], [day % 50, -2, 99.0]], notify=True)


def alarm(cerebro: Any) -> None:
    import datetime

    cerebro.add_timer(datetime.time(14, 45), strats=True, repeat=datetime.timedelta(minutes=11))


def local_time(cerebro: Any) -> None:
    cerebro.p.tz = "America/New_York"


def looking_ahead(cerebro: Any) -> None:
    cerebro.p.lookahead = 5


def rounding_broker(cerebro: Any) -> None:
    cash = cerebro.broker.p.cash
    cerebro.broker = _Rounding(cash=cash)


class _Rounding(bt.brokers.BackBroker):  # type: ignore[misc]
    """A broker of the user's own, at the door only."""

    def buy(self, owner: Any, data: Any, size: float, price: Any = None, **kwargs: Any) -> Any:
        return super().buy(owner, data, math.ceil(size), None if price is None else round(price, 2), **kwargs)

    def submit(self, order: Any, check: bool = True) -> Any:
        if abs(order.size) > 50:
            order.reject()
            self.notify(order)
            return order
        return super().submit(order, check=check)


SETTINGS: list[Setting] = [
    plain, quick, no_observers, percent, futures, automargin, fixed, interest, own_scheme, by_name, slipping,
    slipping_hard, slipping_out, filled_by_volume, filled_in_part, on_close, on_open, history, unchecked,
    no_short_cash, fund, poor, percent_sizer, six_analyzers, more_analyzers, own_analyzer, nosy_analyzer,
    more_observers, old_observers, two_strategies, signal, past_orders, alarm, local_time, looking_ahead,
    rounding_broker,
]  # fmt: skip


def played(
    engine: type[Any], strategy: type[Any], shape: Setting, *settings: Setting, watch: bool = False, **options: Any
) -> tuple[Fingerprint | str, Any]:
    """Run a case; return its fingerprint (or the error it ended with) and its Cerebro."""
    cerebro = engine(**options)
    cerebro.broker.setcash(25_000.0)
    shape(cerebro)
    cerebro.addstrategy(watched(strategy) if watch else strategy)
    for setting in settings:
        setting(cerebro)
    try:
        return fingerprint(cerebro, cerebro.run()), cerebro
    except Exception as error:  # what stock cannot run, ours must not run either
        return f"{type(error).__name__}: {error}", cerebro


def both(strategy: type[Any], shape: Setting, *settings: Setting, watch: bool = False) -> tuple[Any, Any, str]:
    """Run a case with stock's Cerebro and with ours; return both fingerprints and what ours ran on."""
    stock, _ = played(bt.Cerebro, strategy, shape, *settings, watch=watch)
    ours, cerebro = played(Cerebro, strategy, shape, *settings, watch=watch)
    return stock, ours, cerebro.engine
