"""Minutes and longer bars made of them by Backtrader's own `resampledata`, on stock Backtrader, live too.

    python store_resampling.py            a backtest over the last three days
    python store_resampling.py --live     on paper, from now on; Ctrl-C ends it

Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY. With SWITCHBACK_SANDBOX set to a sandbox's URL, that is traded.
"""

import os
import sys

import backtrader as bt

from brokers.alpaca import AlpacaStore

IS_BACKTEST = "--live" not in sys.argv
SYMBOL = os.environ.get("SYMBOL", "GOOG")


class WithTheTrend(bt.Strategy):
    """The longer bars tell the direction, the minutes are traded."""

    params = (("period", 5), ("size", 5))

    def __init__(self):
        self.live_bars = IS_BACKTEST
        self.trend = bt.ind.SMA(self.data1, period=self.p.period)

    def notify_data(self, data, status, *args, **kwargs):
        self.live_bars = self.live_bars or status == data.LIVE

    def next(self):
        if not self.live_bars:
            return
        is_up = self.data1.close[0] > self.trend[0]
        if is_up and not self.position:
            self.buy(size=self.p.size)
        elif self.position and not is_up:
            self.close()


if __name__ == "__main__":
    cerebro = bt.Cerebro()
    cerebro.addstrategy(WithTheTrend)

    store = AlpacaStore(paper=True, base_url=os.environ.get("SWITCHBACK_SANDBOX"))
    minutes = store.getdata(dataname=SYMBOL, timeframe=bt.TimeFrame.Minutes, historical=IS_BACKTEST)
    cerebro.adddata(minutes)
    cerebro.resampledata(minutes, timeframe=bt.TimeFrame.Minutes, compression=5)
    if IS_BACKTEST:
        cerebro.broker.setcash(100_000)
    else:
        cerebro.setbroker(store.getbroker())

    (strategy,) = cerebro.run(quicknotify=True)
    print(f"Final Portfolio Value: {cerebro.broker.getvalue():.2f}")
