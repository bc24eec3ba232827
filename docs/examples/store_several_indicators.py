"""An average's cross and an RSI on one symbol, on stock Backtrader, with an exit that waits at the exchange.

    python store_several_indicators.py            a backtest over the last three days
    python store_several_indicators.py --live     on paper, from now on; Ctrl-C ends it

Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY. With SWITCHBACK_SANDBOX set to a sandbox's URL, that is traded.
"""

import os
import sys

import backtrader as bt

from brokers.alpaca import AlpacaStore
from framework import Limits, Live

IS_BACKTEST = "--live" not in sys.argv
SYMBOL = os.environ.get("SYMBOL", "AAPL")


class CrossAndStrength(bt.Strategy):
    params = (("fast", 10), ("slow", 30), ("period", 14), ("upper", 65.0), ("lower", 35.0), ("size", 5))

    def __init__(self):
        self.live_bars = IS_BACKTEST
        self.crossing = bt.ind.CrossOver(bt.ind.SMA(period=self.p.fast), bt.ind.SMA(period=self.p.slow))
        strength = bt.ind.RSI_Safe(period=self.p.period)
        self.wakes, self.tires = bt.ind.CrossUp(strength, self.p.lower), bt.ind.CrossDown(strength, self.p.upper)
        self.exit = None

    def notify_data(self, data, status, *args, **kwargs):
        self.live_bars = self.live_bars or status == data.LIVE

    def notify_order(self, order):
        if order.status == order.Completed and order.isbuy():
            stop = round(order.executed.price * 0.99, 2)
            self.exit = self.sell(size=self.p.size, exectype=bt.Order.Stop, price=stop)

    def next(self):
        if not self.live_bars:
            return
        if not self.position and (self.crossing[0] > 0 or self.wakes[0]):
            self.buy(size=self.p.size)
        elif self.position and self.exit is not None and (self.crossing[0] < 0 or self.tires[0]):
            self.cancel(self.exit)
            self.exit = self.close()


if __name__ == "__main__":
    cerebro = bt.Cerebro()
    cerebro.addstrategy(CrossAndStrength)

    how = Live(limits=Limits(order_value=5_000, daily_loss=500))  # of a live session
    store = AlpacaStore(paper=True, base_url=os.environ.get("SWITCHBACK_SANDBOX"), live=how)
    cerebro.adddata(store.getdata(dataname=SYMBOL, timeframe=bt.TimeFrame.Minutes, historical=IS_BACKTEST))
    if IS_BACKTEST:
        cerebro.broker.setcash(100_000)
    else:
        cerebro.setbroker(store.getbroker())

    (strategy,) = cerebro.run(quicknotify=True)
    print(f"Final Portfolio Value: {cerebro.broker.getvalue():.2f}")
