"""Strategies that use one feature of Backtrader each: the rows of the identity matrix."""

from __future__ import annotations

import datetime
from typing import Any

import backtrader as bt

Order = bt.Order


class SmaCross(bt.Strategy):
    """Long above the average, flat below it."""

    def __init__(self) -> None:
        self.sma = bt.ind.SMA(self.data.close, period=5)

    def next(self) -> None:
        if not self.position:
            if self.data.close[0] > self.sma[0]:
                self.buy(size=10)
        elif self.data.close[0] < self.sma[0]:
            self.close()


class Reversing(bt.Strategy):
    """Long and short by turns, through zero."""

    def __init__(self) -> None:
        self.cross = bt.ind.CrossOver(self.data.close, bt.ind.SMA(self.data, period=4))

    def next(self) -> None:
        if self.cross > 0:
            self.order_target_size(target=7)
        elif self.cross < 0:
            self.order_target_size(target=-5)


class Brackets(bt.Strategy):
    def __init__(self) -> None:
        self.orders: list[Any] = []

    def next(self) -> None:
        price = self.data.close[0]
        if not self.position and not any(each.alive() for each in self.orders):
            self.orders = self.buy_bracket(
                size=3, price=price * 0.9995, stopprice=price * 0.998, limitprice=price * 1.002,
                valid=datetime.timedelta(minutes=9),
            )  # fmt: skip
        elif len(self) % 17 == 0 and self.orders[0].alive():
            self.cancel(self.orders[0])


class SellBrackets(bt.Strategy):
    def next(self) -> None:
        if len(self) % 12 == 1:
            price = self.data.close[0]
            self.sell_bracket(exectype=Order.Market, size=2, stopprice=price * 1.001, limitprice=price * 0.999)
        if len(self) % 40 == 0:
            self.close()


class ChildOfSent(bt.Strategy):
    """Children whose parent was sent on its own, is done, or is dead."""

    def __init__(self) -> None:
        self.parent: Any = None

    def next(self) -> None:
        step = len(self) % 9
        if step == 1:
            self.parent = self.buy(size=1, exectype=Order.Limit, price=self.data.close[0] * (0.9 + len(self) % 2 / 10))
        elif step == 3 and self.parent is not None:
            self.sell(size=1, exectype=Order.Stop, price=self.data.close[0] * 0.999, parent=self.parent)
        elif step == 5 and self.parent is not None and self.parent.alive():
            self.cancel(self.parent)
        elif step == 6 and self.parent is not None:
            self.sell(size=1, exectype=Order.Limit, price=self.data.close[0] * 1.001, parent=self.parent)


class Oco(bt.Strategy):
    def next(self) -> None:
        if len(self) % 6 == 0:
            price = self.data.close[0]
            first = self.buy(size=2, exectype=Order.Limit, price=price * 0.9995)
            second = self.buy(size=2, exectype=Order.Stop, price=price * 1.0005, oco=first)
            self.buy(size=2, exectype=Order.Limit, price=price * 0.9, oco=second, valid=datetime.timedelta(minutes=20))
        if len(self) % 25 == 0:
            self.close()


class LateOco(bt.Strategy):
    """Joins a group whose leader has already been filled or cancelled."""

    def __init__(self) -> None:
        self.leader: Any = None

    def next(self) -> None:
        price = self.data.close[0]
        if len(self) % 8 == 1:
            self.leader = self.buy(size=9, exectype=Order.Limit, price=price)
        elif len(self) % 8 in (3, 5) and self.leader is not None:
            self.sell(size=4, exectype=Order.Limit, price=price * 1.0005, oco=self.leader)
        elif len(self) % 8 == 6 and self.leader is not None:
            self.cancel(self.leader)


class Trailing(bt.Strategy):
    def next(self) -> None:
        if not self.position and len(self) % 3 == 0:
            self.buy(size=4)
        elif self.position and len(self) % 11 == 0:
            self.sell(size=4, exectype=Order.StopTrail, trailamount=0.05)
            self.buy(size=1, exectype=Order.StopTrail, trailpercent=0.0007)
            self.sell(size=1, exectype=Order.StopTrailLimit, price=self.data.close[0], plimit=self.data.close[0] + 0.01,
                      trailpercent=0.0005)  # fmt: skip
            self.buy(size=1, exectype=Order.StopTrailLimit, price=self.data.close[0], plimit=self.data.close[0] + 0.03,
                     trailamount=0.04)  # fmt: skip


class StopLimits(bt.Strategy):
    def next(self) -> None:
        price = self.data.close[0]
        match len(self) % 10:
            case 1:
                self.buy(size=2, exectype=Order.StopLimit, price=price * 1.0004, plimit=price * 1.0006)
            case 3:
                self.sell(size=2, exectype=Order.StopLimit, price=price * 0.9996, plimit=price * 0.9997)
            case 5:
                self.sell(size=1, exectype=Order.StopLimit, price=price * 0.9996, plimit=price * 0.9992)
            case 7:
                self.buy(size=1, exectype=Order.StopLimit, price=price * 1.0004, plimit=price * 1.0001)


class Stops(bt.Strategy):
    def next(self) -> None:
        price = self.data.close[0]
        if len(self) % 5 == 0:
            self.buy(size=1, exectype=Order.Stop, price=price * 1.0005)
            self.sell(size=1, exectype=Order.Stop, price=price * 0.9995)
        if len(self) % 7 == 0:
            self.buy(size=1, exectype=Order.Limit, price=price * 1.01)
            self.sell(size=1, exectype=Order.Limit, price=price * 0.99)


class Valid(bt.Strategy):
    """Orders that live for a while, in each of the ways there are to say so."""

    def next(self) -> None:
        low = self.data.close[0] * 0.999
        now = self.data.datetime.datetime()
        match len(self) % 14:
            case 1:
                self.buy(size=1, exectype=Order.Limit, price=low, valid=datetime.timedelta(minutes=3))
            case 3:
                self.buy(size=1, exectype=Order.Limit, price=low, valid=now + datetime.timedelta(minutes=5))
            case 5:
                self.buy(size=1, exectype=Order.Limit, price=low, valid=Order.DAY)
            case 7:
                self.buy(size=1, exectype=Order.Limit, price=low, valid=0)
            case 9:
                self.buy(size=1, exectype=Order.Limit, price=low, valid=self.data.datetime[0] + 0.002)
            case 11:
                self.buy(size=1, exectype=Order.Limit, price=low, valid=now.date() if self.data._tz is None else now)
            case 13:
                self.close()


class CloseOrders(bt.Strategy):
    def next(self) -> None:
        if len(self) % 30 == 0:
            self.buy(size=1, exectype=Order.Close)
        if len(self) % 50 == 0:
            self.sell(size=2, exectype=Order.Close)


class Cancelling(bt.Strategy):
    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def next(self) -> None:
        self.waiting.append(self.buy(size=1, exectype=Order.Limit, price=self.data.low[0] * 0.9995))
        if len(self.waiting) > 4:
            self.cancel(self.waiting.pop(0))
        if len(self) % 19 == 0:
            self.cancel(self.buy(size=1))
            self.close()


class Targets(bt.Strategy):
    def next(self) -> None:
        match len(self) % 12:
            case 1:
                self.order_target_percent(target=0.5)
            case 4:
                self.order_target_value(target=3_000.0)
            case 7:
                self.order_target_size(target=3)
            case 10:
                self.order_target_percent(target=0.0)


class TooMuch(bt.Strategy):
    """Orders that the cash does not allow: refused when sent, or when filled."""

    def next(self) -> None:
        affordable = self.broker.getcash() / self.data.close[0]
        if len(self) % 4 == 0:
            self.buy(size=max(1.0, affordable * (0.999 + 0.001 * (len(self) % 3))))
            self.buy(size=2_000, exectype=Order.Limit, price=self.data.close[0])
        elif len(self) % 10 == 0:
            self.close()


class Fractions(bt.Strategy):
    def next(self) -> None:
        if len(self) % 3 == 0:
            self.buy(size=0.1 * (1 + len(self) % 7))
        elif len(self) % 5 == 0:
            self.sell(size=0.37)


class Informed(bt.Strategy):
    """Orders that carry words of their own, and trade groups."""

    def next(self) -> None:
        if len(self) % 4 == 0:
            order = self.buy(size=1, tradeid=len(self) % 3, why="four", coc=False)
            order.addinfo(also=len(self))
            order.info.dotted = "yes"
        elif len(self) % 9 == 0:
            self.sell(size=2, tradeid=len(self) % 3)

    def notify_order(self, order: Any) -> None:
        order.info.seen = order.status


class Answering(bt.Strategy):
    """Orders sent in answer to a notification."""

    def __init__(self) -> None:
        self.sma = bt.ind.SMA(period=3)

    def next(self) -> None:
        if not self.position and len(self) % 4 == 0:
            self.buy(size=1)

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed and order.isbuy():
            self.sell(size=1, exectype=Order.Limit, price=order.executed.price * 1.0004)
            self.sell(size=1, exectype=Order.Stop, price=order.executed.price * 0.9996)

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            for order in self.broker.get_orders_open():
                self.cancel(order)


class OwnLines(bt.Strategy):
    lines = ("mine", "other")

    def __init__(self) -> None:
        self.lines.other = self.data.close - self.data.open

    def next(self) -> None:
        self.lines.mine[0] = self.data.close[0] - self.data.close[-2] + len(self)
        if len(self) > 6 and self.lines.mine[-5] > self.lines.mine[0]:
            self.buy(size=1)
        elif self.mine[-1] == self.mine[-1] and len(self) % 6 == 0:
            self.close()


class Phases(bt.Strategy):
    """prenext and nextstart of its own, and every way to look back at a line."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.sma = bt.ind.SMA(self.data, period=8)
        self.high = bt.ind.Highest(self.data.high, period=6)

    def prenext(self) -> None:
        self.seen.append(("pre", len(self), len(self.sma), self.data.close[-1]))
        if len(self) == 3:
            self.buy(size=1)

    def nextstart(self) -> None:
        self.seen.append(("start", len(self), self.sma[0]))
        self.buy(size=2)

    def next(self) -> None:
        looked = [len(self.data), self.data[0], self.data.close.get(size=3).tolist(), self.data.close.get(ago=-1)[0]]
        looked += [self.data.datetime.date(), self.datetime.datetime(), self.sma.sma[-1], self.data.buflen()]
        looked += [self.data.tick_close, self.data.lines.high[0], len(self.high), self.data_close[0]]
        looked += [self.high.lines[0][0], self.data > self.sma, self.data.close(0) if False else None]
        self.seen.append(looked)
        if self.data.close[0] == self.high[0]:
            self.close()


class Stopped(bt.Strategy):
    def next(self) -> None:
        if len(self) % 4 == 0:
            self.buy(size=1)
        if len(self) == 37:
            self.env.runstop()


class CashMoves(bt.Strategy):
    def next(self) -> None:
        if len(self) % 13 == 0:
            self.broker.add_cash(500.0 if len(self) % 2 else -300.0)
            self.buy(size=1)
        if len(self) % 29 == 0:
            self.order_target_value(target=1_000.0)
        if len(self) == 71:
            self.broker.set_cash(self.broker.getcash() + 100.0)


class Dearer(bt.Strategy):
    """Changes its commission while it runs."""

    def next(self) -> None:
        if len(self) % 5 == 0:
            self.buy(size=1) if len(self) % 2 else self.sell(size=2)
        if len(self) == 40:
            self.broker.setcommission(commission=0.002)
        if len(self) == 80:
            self.broker.setcommission(commission=2.0, margin=50.0, mult=3.0)


class ReadsStats(SmaCross):
    """Looks at its observers while it runs."""

    def next(self) -> None:
        super().next()
        self.seen = [*getattr(self, "seen", []), *(obs.lines[0][0] for obs in self.observers if hasattr(obs, "lines"))]
        if len(self) % 10 == 0 and hasattr(self.stats, "broker") and self.stats.broker.value[0] > 0:
            self.sell(size=1)


class ReadsAnalyzers(SmaCross):
    """Decides by what its analyzers say so far."""

    def next(self) -> None:
        super().next()
        for analyzer in self.analyzers:
            said = analyzer.get_analysis()
            if len(self) % 10 == 0 and len(said) % 2:
                self.sell(size=1)


class KeptAnalyzer(SmaCross):
    """Took hold of an analyzer's results before the run began."""

    def start(self) -> None:
        self.kept = [analyzer.rets for analyzer in self.analyzers]

    def next(self) -> None:
        super().next()
        if len(self) % 10 == 0 and any(str(each).count("0.0") % 2 for each in self.kept):
            self.sell(size=1)


class LateReader(SmaCross):
    """Looks at all results once, in the middle of the run."""

    def next(self) -> None:
        super().next()
        if len(self) == 60:
            said = [str(analyzer.get_analysis()) for analyzer in self.analyzers]
            said += [str(obs.lines[0].get(size=5)) for obs in self.observers if hasattr(obs, "lines")]
            if sum(map(len, said)) % 2:
                self.sell(size=1)


class ToldReader(SmaCross):
    """Looks at its results while it is told of an order."""

    def notify_order(self, order: Any) -> None:
        if len(self) > 50:
            self.said = [str(analyzer.get_analysis()) for analyzer in self.analyzers]


class CashTold(SmaCross):
    def notify_cashvalue(self, cash: float, value: float) -> None:
        self.low = min(getattr(self, "low", value), value)
        if value < self.low + 1e-9 and len(self) % 7 == 0:
            self.buy(size=1)

    def notify_fund(self, cash: float, value: float, fundvalue: float, shares: float) -> None:
        self.fund = fundvalue, shares


class Timers(bt.Strategy):
    def __init__(self) -> None:
        self.rung: list[Any] = []
        self.add_timer(datetime.time(14, 40), repeat=datetime.timedelta(minutes=7))
        self.add_timer(datetime.time(15, 0), weekdays=[1, 3, 4], weekcarry=True)
        self.add_timer(bt.timer.SESSION_START, offset=datetime.timedelta(hours=15))
        self.add_timer(datetime.time(15, 5), cheat=True)

    def notify_timer(self, timer: Any, when: Any, *args: Any, **kwargs: Any) -> None:
        self.rung.append((len(self), len(self.data), when, self.broker.getvalue()))
        if len(self.rung) % 3 == 0:
            self.close()
        else:
            self.buy(size=1)


class OpenCheater(bt.Strategy):
    """Orders on the bar's open (with cheat_on_open)."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.sma = bt.ind.SMA(period=4)

    def next_open(self) -> None:
        self.seen.append((len(self), len(self.data), self.data.open[0], self.broker.getvalue(), self.sma[0]))
        if not self.position and self.data.open[0] > self.data.close[-1]:
            self.buy(size=2)
        elif self.position and len(self) % 5 == 0:
            self.close(coo=True)


class Rotating(bt.Strategy):
    """Trades all its data feeds."""

    def __init__(self) -> None:
        self.fast = {data: bt.ind.SMA(data, period=3) for data in self.datas}
        self.spread = [data.close - bt.ind.SMA(data, period=2) for data in self.datas]

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        for number, data in enumerate(self.datas):
            if not len(data) or len(self.fast[data]) < 3:
                continue
            held = self.getposition(data).size
            if data.close[0] > self.fast[data][0] and not held:
                self.buy(data=data, size=1 + number)
            elif data.close[0] < self.fast[data][0] and held:
                self.close(data=data)
            elif len(self) % 20 == 0:
                self.sell(data=data, exectype=Order.Limit, price=data.close[0] * 1.0005, size=1)


class Indicators(bt.Strategy):
    """Many indicators at once."""

    def __init__(self) -> None:
        d = self.data
        ind = bt.ind
        self.all = [
            ind.SMA(d, period=5), ind.EMA(d, period=5), ind.WMA(d, period=5), ind.SMMA(d, period=4),
            ind.DEMA(d, period=3),
            ind.RSI(d, period=5), ind.RSI_SMA(d, period=9, safediv=True), ind.ATR(d, period=4),
            ind.TrueRange(d), ind.MACDHisto(d),
            ind.BollingerBands(d, period=6), ind.StdDev(d, period=5), ind.Highest(d.high, period=5),
            ind.Lowest(d.low, period=5), ind.SumN(d, period=4), ind.Momentum(d, period=3), ind.ROC(d, period=3),
            ind.Stochastic(d), ind.WilliamsR(d), ind.CCI(d, period=6), ind.CrossOver(d, ind.SMA(d, period=4)),
            ind.CrossUp(d, ind.EMA(d, period=4)), ind.PctChange(d, period=2), ind.KAMA(d), ind.HMA(d, period=6),
            ind.AwesomeOscillator(d), ind.AroonIndicator(d, period=4), ind.DirectionalMovement(d, period=4),
            ind.ParabolicSAR(d), ind.UpMove(d), ind.DownMove(d), ind.MeanDev(d, period=3), ind.Accum(d.volume),
            ind.ZLEMA(d, period=3), ind.TSI(d), ind.DV2(d, period=20), ind.PercentRank(d, period=10),
            ind.Envelope(d), ind.UltimateOscillator(d), ind.Vortex(d),
            ind.FindFirstIndexHighest(d.high, period=4), ind.FindLastIndexLowest(d.low, period=4),
            ind.AnyN(d, period=2),
            ind.AllN(d, period=2), bt.Max(d.close, d.open, 3.0), bt.Min(d.close, d.open), bt.Sum(d.close, d.open),
            bt.And(d.close > d.open, d.high), bt.Or(d.close > d.open, d.low > 1e9),
            bt.If(d.close > d.open, d.high, d.low),
            bt.Cmp(d.close, d.open), bt.DivByZero(d.close, d.close - d.open),
        ]  # fmt: skip
        c, o = d.close, d.open
        self.ops = [
            c + o, c - o, c * o, c / o, c // 2.0, c**2.0, c > o, c >= o, c < o, c <= o, c == o, c != o, -c, abs(c - o),
            2.0 * c, 1.0 - c, 1.0 / c, c(-1), c(-3) - o, 3 + c, c - 1, (c > o) * 2.0, 2.0**(c - o), 5 // c,
        ]  # fmt: skip

    def next(self) -> None:
        if self.all[0][0] > self.all[1][0] and not self.position:
            self.buy(size=1)
        elif self.all[5] > 60:
            self.close()


class Nested(bt.Strategy):
    """Indicators of indicators, and one of the user's own."""

    def __init__(self) -> None:
        macd = bt.ind.MACD(self.data)
        self.signal = bt.ind.SMA(macd.macd - macd.signal, period=3)
        self.mine = Spread(self.data, period=4)
        self.smooth = bt.ind.EMA(self.mine, period=3)
        self.two = bt.ind.CrossOver(self.mine, self.smooth)

    def next(self) -> None:
        if self.two[0] > 0:
            self.buy(size=2)
        elif self.two[0] < 0 and self.signal[0] != 0:
            self.close()


class Spread(bt.Indicator):
    """An indicator of the user's own, with `next` only."""

    lines = ("spread",)
    params = (("period", 3),)

    def __init__(self) -> None:
        self.addminperiod(self.p.period)

    def next(self) -> None:
        window = self.data.close.get(size=self.p.period)
        self.lines.spread[0] = max(window) - min(window)


class Sized(bt.Strategy):
    """Leaves sizes to the sizer."""

    def __init__(self) -> None:
        self.up = self.data.close > bt.ind.SMA(self.data, period=5)

    def next(self) -> None:
        if self.up[0] and self.position.size <= 0:
            self.buy()
        elif not self.up[0] and len(self) % 3 == 0:
            self.sell()


class Positions(bt.Strategy):
    """Looks at its positions in every way."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def next(self) -> None:
        if len(self) % 5 == 0:
            self.buy(size=2)
        elif len(self) % 7 == 0:
            self.sell(size=3)
        position = self.position
        self.seen.append((len(position), bool(position), str(position), getattr(position, "datetime", None)))
        self.seen.append(
            (self.broker.getvalue([self.data]), self.broker.get_leverage(), self.broker.getvalue(lever=True))
        )
        self.seen.append([(data._name, held.size) for data, held in self.positions.items()])
        self.seen.append([(name, held.size) for name, held in self.positionsbyname.items()])
        self.seen.append([order.ref - order.ref for order in self.broker.get_orders_open(safe=True)])


class Idle(bt.Strategy):
    """Does nothing at all."""


class Signals(bt.SignalStrategy):
    def __init__(self) -> None:
        self.signal_add(bt.SIGNAL_LONGSHORT, bt.ind.CrossOver(self.data, bt.ind.SMA(self.data, period=5)))


ALL = [
    SmaCross, Reversing, Brackets, SellBrackets, ChildOfSent, Oco, LateOco, Trailing, StopLimits, Stops, Valid,
    CloseOrders, Cancelling, Targets, TooMuch, Fractions, Informed, Answering, OwnLines, Phases, Stopped, CashMoves,
    Dearer, ReadsStats, ReadsAnalyzers, KeptAnalyzer, LateReader, ToldReader, CashTold, Timers, OpenCheater, Rotating,
    Indicators, Nested, Sized, Positions, Idle, Signals,
]  # fmt: skip
