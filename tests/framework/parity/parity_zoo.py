"""Small strategies, each of which does one thing with orders: what is played on both sides."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import backtrader as bt

Order = bt.Order


def cents(price: float) -> float:
    """Return a price on the grid."""
    return round(price, 2)


class Paced(bt.Strategy):
    """Something at every tenth instant: `enter` without a position and orders, `leave` with one."""

    params = (("every", 10), ("size", 10))

    def __init__(self) -> None:
        self.open: dict[int, Any] = {}

    def notify_order(self, order: Any) -> None:
        if order.alive():
            self.open[order.ref] = order
        else:
            self.open.pop(order.ref, None)

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        if not len(self.data) or len(self) % self.p.every:
            return
        if self.position:
            self.leave(self.data.close[0])
        elif not self.open:
            self.enter(self.data.close[0])

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size)

    def leave(self, price: float) -> None:
        self.close()


class InAndOut(Paced):
    """At the market, in and out."""


class Short(Paced):
    """Sells short and buys back."""

    def enter(self, price: float) -> None:
        self.sell(size=self.p.size)


class Limits(Paced):
    """Bids below, offers above, and waits."""

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.9996))

    def leave(self, price: float) -> None:
        if not self.open:
            self.sell(size=self.p.size, exectype=Order.Limit, price=cents(price * 1.0004))


class MarketableLimits(Paced):
    """Limits on the far side of the market, which fill at the open."""

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 1.01))

    def leave(self, price: float) -> None:
        if not self.open:
            self.sell(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.99))


class Stops(Paced):
    """Enters on strength, with a stop below."""

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size, exectype=Order.Stop, price=cents(price * 1.0004))

    def leave(self, price: float) -> None:
        if not self.open:
            self.sell(size=self.p.size, exectype=Order.Stop, price=cents(price * 0.9996))


class StopLimits(Paced):
    """Triggered above, and not for more than a limit."""

    def enter(self, price: float) -> None:
        up = cents(price * 1.0003)
        self.buy(size=self.p.size, exectype=Order.StopLimit, price=up, plimit=cents(up + 0.02))

    def leave(self, price: float) -> None:
        if not self.open:
            down = cents(price * 0.9997)
            self.sell(size=self.p.size, exectype=Order.StopLimit, price=down, plimit=cents(down - 0.02))


class Trailing(Paced):
    """Trails by an amount."""

    def leave(self, price: float) -> None:
        if not self.open:
            self.sell(size=self.p.size, exectype=Order.StopTrail, trailamount=cents(price * 0.0006))


class TrailingPercent(Paced):
    """Trails by a part of the price."""

    def leave(self, price: float) -> None:
        if not self.open:
            self.sell(size=self.p.size, exectype=Order.StopTrail, trailpercent=0.001)


class TrailingShort(Paced):
    """A short position with a trailing stop above."""

    def enter(self, price: float) -> None:
        self.sell(size=self.p.size)

    def leave(self, price: float) -> None:
        if not self.open:
            self.buy(size=self.p.size, exectype=Order.StopTrail, trailamount=cents(price * 0.0006))


class TrailingLimit(Paced):
    """Trails by an amount, and leaves by a limit beyond it."""

    def leave(self, price: float) -> None:
        if not self.open:
            self.sell(
                size=self.p.size, exectype=Order.StopTrailLimit, price=price, plimit=cents(price - 0.05),
                trailamount=cents(price * 0.0006),
            )  # fmt: skip


class AtTheClose(Paced):
    """Leaves at the session's close, and says so ten minutes before it or earlier."""

    def leave(self, price: float) -> None:
        if not self.open and self.data.datetime.time() < time(15, 50):
            self.close(exectype=Order.Close)


class LateForTheClose(Paced):
    """Asks for the close when the venue takes no order for it any more."""

    def leave(self, price: float) -> None:
        if not self.open and self.data.datetime.time() > time(15, 50):
            self.close(exectype=Order.Close)


class Brackets(Paced):
    """Backtrader's own bracket around an entry at the market."""

    def enter(self, price: float) -> None:
        self.buy_bracket(
            size=self.p.size, exectype=Order.Market, stopprice=cents(price * 0.999), limitprice=cents(price * 1.001)
        )

    def leave(self, price: float) -> None: ...


class LimitBrackets(Brackets):
    """A bracket whose entry is a limit."""

    def enter(self, price: float) -> None:
        low = cents(price * 0.9998)
        self.buy_bracket(size=self.p.size, price=low, stopprice=cents(low * 0.999), limitprice=cents(low * 1.001))


class SellBrackets(Brackets):
    """A short bracket."""

    def enter(self, price: float) -> None:
        self.sell_bracket(
            size=self.p.size, exectype=Order.Market, stopprice=cents(price * 1.001), limitprice=cents(price * 0.999)
        )


class HandMade(Brackets):
    """A bracket put together by hand, with a stop-limit as its stop."""

    def enter(self, price: float) -> None:
        stop = cents(price * 0.999)
        entry = self.buy(size=self.p.size, transmit=False)
        kind = {"exectype": Order.StopLimit, "price": stop, "plimit": cents(stop - 0.05)}
        self.sell(size=self.p.size, parent=entry, transmit=False, **kind)
        self.sell(size=self.p.size, exectype=Order.Limit, price=cents(price * 1.001), parent=entry)


class OneExit(Brackets):
    """An entry with a stop, and no take-profit."""

    def enter(self, price: float) -> None:
        entry = self.buy(size=self.p.size, transmit=False)
        self.sell(size=self.p.size, exectype=Order.Stop, price=cents(price * 0.9992), parent=entry)


class StopEntryBrackets(Brackets):
    """A bracket that Alpaca does not know: its entry is a stop."""

    def enter(self, price: float) -> None:
        up = cents(price * 1.0002)
        self.buy_bracket(
            size=self.p.size, exectype=Order.Stop, price=up, stopprice=cents(up * 0.999), limitprice=cents(up * 1.001)
        )


class ExitPairs(Paced):
    """Exits that cancel each other, sent when the entry has filled."""

    def leave(self, price: float) -> None:
        if not self.open:
            stop = self.sell(size=self.p.size, exectype=Order.Stop, price=cents(price * 0.9992))
            self.sell(size=self.p.size, exectype=Order.Limit, price=cents(price * 1.0008), oco=stop)


class EntryPairs(Paced):
    """Two bids, of which one is wanted: a pair that Alpaca does not know."""

    def enter(self, price: float) -> None:
        first = self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.9996))
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.9998), oco=first)


class Cancels(Limits):
    """Takes back what has not filled within a few instants."""

    def next(self) -> None:
        super().next()
        if len(self) % self.p.every == 4:
            for order in self.open.values():
                self.cancel(order)


class CancelsAtOnce(Paced):
    """Takes an order back in the callback that made it."""

    def enter(self, price: float) -> None:
        self.cancel(self.buy(size=self.p.size))
        self.buy(size=self.p.size + 1)


class CancelsEntry(Brackets):
    """Takes back the entry of a bracket, and with it the exits."""

    def enter(self, price: float) -> None:
        low = cents(price * 0.9994)
        self.made = self.buy_bracket(
            size=self.p.size, price=low, stopprice=cents(low * 0.999), limitprice=cents(low * 1.001)
        )

    def next(self) -> None:
        super().next()
        if len(self) % self.p.every == 3 and self.open and self.made[0].alive():
            self.cancel(self.made[0])


class CancelsExit(Brackets):
    """Takes back one exit of a bracket: the other goes with it, and the position is closed at the market."""

    def enter(self, price: float) -> None:
        self.made = self.buy_bracket(
            size=self.p.size, exectype=Order.Market, stopprice=cents(price * 0.998), limitprice=cents(price * 1.002)
        )

    def next(self) -> None:
        super().next()
        if len(self) % self.p.every == 3 and self.position and self.open:
            self.cancel(self.made[1])

    def leave(self, price: float) -> None:
        if not self.open:
            self.close()


class CancelsAndCloses(ExitPairs):
    """Cancels its exit and closes in one callback."""

    def leave(self, price: float) -> None:
        if not self.open:
            self.sell(size=self.p.size, exectype=Order.Limit, price=cents(price * 1.01))
            return
        for order in list(self.open.values()):
            self.cancel(order)
        self.close()


class Timed(Limits):
    """Orders that are good for three minutes and a half."""

    def enter(self, price: float) -> None:
        valid = timedelta(seconds=210)
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.9996), valid=valid)


class TimedTo(Limits):
    """Orders that are good until a time that is the end of a bar."""

    def enter(self, price: float) -> None:
        valid = self.data.datetime.datetime(0) + timedelta(minutes=4)
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.9996), valid=valid)


class TimedByNumber(Limits):
    """Orders that are good until a date number."""

    def enter(self, price: float) -> None:
        valid = self.data.datetime[0] + 2.5 / 1440
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.9996), valid=valid)


class ForTheDay(Limits):
    """Orders for the day: a bid far below dies at the close, every day anew."""

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.98), valid=Order.DAY)


class TimedBrackets(Brackets):
    """A bracket whose entry is good for four minutes."""

    def enter(self, price: float) -> None:
        low = cents(price * 0.9994)
        self.buy_bracket(
            size=self.p.size, price=low, valid=timedelta(minutes=4, seconds=30),
            stopprice=cents(low * 0.999), limitprice=cents(low * 1.001),
        )  # fmt: skip


class FromOrders(Paced):
    """Answers its own fills: bought, it offers at once; sold, it waits for the next time."""

    def notify_order(self, order: Any) -> None:
        super().notify_order(order)
        if order.status == order.Completed and order.isbuy():
            price = cents(order.executed.price + 0.03)
            self.sell(size=order.executed.size, exectype=Order.Limit, price=price)

    def leave(self, price: float) -> None: ...


class FromTrades(Paced):
    """Buys again whenever a round trip has ended."""

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed and len(self) < 60:
            self.buy(size=self.p.size + 1)


class FromTimers(bt.Strategy):
    """Buys and sells by the clock."""

    cheat = False

    def __init__(self) -> None:
        self.add_timer(time(9, 44), repeat=timedelta(minutes=7), cheat=self.cheat)

    def notify_timer(self, timer: Any, when: Any, *args: Any, **kwargs: Any) -> None:
        if self.position:
            self.close()
        else:
            self.buy(size=5)


class FromCheatTimers(FromTimers):
    """The same, before the broker has its turn."""

    cheat = True


class Targets(Paced):
    """Targets in shares, in money and in parts of the account."""

    def next(self) -> None:
        if len(self) % self.p.every:
            return
        step = len(self) // self.p.every % 6
        if step == 0:
            self.order_target_size(target=7)
        elif step == 1:
            self.order_target_value(target=4_000)
        elif step == 2:
            self.order_target_percent(target=0.2)
        elif step == 3:
            self.order_target_percent(target=0.05)
        elif step == 4:
            self.order_target_size(target=0)


class Sized(Paced):
    """Leaves sizes to the sizer."""

    def enter(self, price: float) -> None:
        self.buy()


class Fractions(Paced):
    """Parts of a share."""

    def enter(self, price: float) -> None:
        self.buy(size=1.234567891)
        self.buy(size=0.3)


class FractionLimits(Paced):
    """Parts of a share, at a limit."""

    def enter(self, price: float) -> None:
        self.buy(size=2.5, exectype=Order.Limit, price=cents(price * 0.9998))


class Rotating(bt.Strategy):
    """Trades every feed it has, each on its own, with holes or without."""

    def __init__(self) -> None:
        self.fast = {data: bt.ind.SMA(data, period=3) for data in self.datas}
        self.out: dict[Any, Any] = {}

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        for data in self.datas:
            order = self.out.get(data)
            if len(data) < 4 or (order is not None and order.alive()):
                continue
            held, rises = self.getposition(data).size, data.close[0] > self.fast[data][0]
            if rises and not held:
                self.out[data] = self.buy(data, size=3)
            elif not rises and held:
                self.out[data] = self.sell(data, size=3, exectype=Order.Limit, price=cents(data.close[0] * 1.0002))


class TwoTimeframes(Paced):
    """Reads the longer bars, trades the minutes."""

    def __init__(self) -> None:
        super().__init__()
        longer = self.datas[len(self.datas) // 2]
        self.slow = bt.ind.SMA(longer, period=2)

    def prenext(self) -> None: ...

    def next(self) -> None:
        rise = self.data.close[0] - self.slow[0]
        if not self.position and rise > 0:
            self.buy(size=self.p.size)
        elif self.position and rise < 0:
            self.close()


class DayAndMinutes(Paced):
    """Three timeframes: it trades when the last whole day and the last quarter of an hour say so."""

    def __init__(self) -> None:
        super().__init__()
        self.quarter, self.day = self.datas[len(self.datas) // 3], self.datas[2 * len(self.datas) // 3]

    def prenext(self) -> None: ...

    def next(self) -> None:
        if len(self) % 3 == 0:
            wanted = self.data.close[0] < self.day.close[0] or self.data.close[0] > self.quarter.close[0]
            self.order_target_size(target=self.p.size if wanted else 0)


class OnTheLonger(bt.Strategy):
    """Orders on the longer feed, as stock allows: filled with its symbol."""

    def __init__(self) -> None:
        self.longer = self.datas[len(self.datas) // 2]
        self.seen = 0

    def next(self) -> None:
        if len(self.longer) == self.seen:
            return
        self.seen = len(self.longer)
        if self.getposition(self.longer):
            self.close(self.longer)
        else:
            self.buy(self.longer, size=4)


class Refused(Paced):
    """Asks for what the rules refuse: more than it has, and too little."""

    def leave(self, price: float) -> None:
        self.sell(size=self.p.size * 3)
        self.sell(size=self.p.size)

    def enter(self, price: float) -> None:
        self.buy(size=0.001)
        self.buy(size=self.p.size)


class TooDear(Paced):
    """Buys for more than there is."""

    def enter(self, price: float) -> None:
        self.buy(size=int(3 * self.broker.getcash() / price))


class Washes(Paced):
    """Rests on both sides of the market at once."""

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size, exectype=Order.Limit, price=cents(price * 0.99))
        self.sell(size=self.p.size, exectype=Order.Stop, price=cents(price * 0.98))


class WrongSide(Paced):
    """A buy stop below the market: stock fills it at once."""

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size, exectype=Order.Stop, price=cents(price * 0.99))


class Reversing(Paced):
    """Closes and opens the other way in one callback."""

    def enter(self, price: float) -> None:
        self.buy(size=self.p.size)

    def leave(self, price: float) -> None:
        side = self.sell if self.position.size > 0 else self.buy
        self.close()
        side(size=self.p.size)


class Averaging(Paced):
    """Adds to a position in steps, and leaves in parts."""

    def next(self) -> None:
        if len(self) % 4:
            return
        step = len(self) // 4 % 6
        if step < 3:
            self.buy(size=step + 1)
        elif self.position.size:
            self.sell(size=2)
