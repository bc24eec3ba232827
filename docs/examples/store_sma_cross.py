"""One symbol and two averages of its minutes, on stock Backtrader: nothing is traded before the bars are live.

    python store_sma_cross.py            a backtest over the last three days
    python store_sma_cross.py --live     on paper, from now on; Ctrl-C ends it

Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY. With SWITCHBACK_SANDBOX set to a sandbox's URL, that is traded.
"""

import os
import sys

import backtrader as bt

from brokers.alpaca import AlpacaStore

IS_BACKTEST = "--live" not in sys.argv
SYMBOL = os.environ.get("SYMBOL", "AA")


class SmaCross(bt.Strategy):
    params = (("fast", 10), ("slow", 30), ("size", 5))

    def __init__(self):
        self.live_bars = IS_BACKTEST
        fast, slow = bt.ind.SMA(period=self.p.fast), bt.ind.SMA(period=self.p.slow)
        self.crossing = bt.ind.CrossOver(fast, slow)

    def notify_data(self, data, status, *args, **kwargs):
        print("***** DATA NOTIF:", data._name, data._getstatusname(status))
        self.live_bars = self.live_bars or status == data.LIVE

    def notify_store(self, message, *args, **kwargs):
        print("***** STORE NOTIF:", message)

    def notify_order(self, order):
        if not order.alive():
            print(
                f"{order.getordername()} {order.executed.size:g}: {order.getstatusname()} at {order.executed.price:g}"
            )

    def next(self):
        if not self.live_bars:
            return
        held = self.positionsbyname[SYMBOL].size
        if not held and self.crossing[0] > 0:
            self.buy(size=self.p.size)
        elif held and self.crossing[0] < 0:
            self.close()

    def stop(self):
        print(f"Starting Value - {self.broker.startingcash:.2f}")
        print(f"Ending   Value - {self.broker.getvalue():.2f}")


if __name__ == "__main__":
    cerebro = bt.Cerebro()
    cerebro.addstrategy(SmaCross)

    store = AlpacaStore(paper=True, base_url=os.environ.get("SWITCHBACK_SANDBOX"))
    cerebro.adddata(store.getdata(dataname=SYMBOL, timeframe=bt.TimeFrame.Minutes, historical=IS_BACKTEST))
    if IS_BACKTEST:
        cerebro.broker.setcash(100_000)
    else:
        cerebro.setbroker(store.getbroker())

    (strategy,) = cerebro.run(quicknotify=True)  # orders are told before `next`, as they are live between bars
