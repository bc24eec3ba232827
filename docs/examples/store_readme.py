"""The example of alpaca-backtrader-api's README, with a changed import: days of AAPL, and Backtrader's own signals.

    python store_readme.py            a backtest over the days since 2015
    python store_readme.py --live     on paper, from now on

Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY. With SWITCHBACK_SANDBOX set to a sandbox's URL, that is traded.
`bt.Cerebro` in place of this one runs it too; this one is faster in a backtest, and draws where there is no display.
"""

import datetime
import os
import sys

import backtrader as bt

from brokers.alpaca import AlpacaStore
from framework.engine import Cerebro

ALPACA_LIVE = "--live" in sys.argv
SYMBOL = os.environ.get("SYMBOL", "AAPL")


class SmaCross(bt.SignalStrategy):
    params = (("fast", 10), ("slow", 30))

    def __init__(self):
        fast, slow = bt.ind.SMA(period=self.p.fast), bt.ind.SMA(period=self.p.slow)
        self.signal_add(bt.SIGNAL_LONG, bt.ind.CrossOver(fast, slow))


if __name__ == "__main__":
    cerebro = Cerebro()
    cerebro.addstrategy(SmaCross)

    store = AlpacaStore(paper=True, base_url=os.environ.get("SWITCHBACK_SANDBOX"))
    if ALPACA_LIVE:
        cerebro.adddata(store.getdata(dataname=SYMBOL, timeframe=bt.TimeFrame.Days))
        cerebro.setbroker(store.getbroker())
    else:
        since = datetime.date(2015, 1, 1)
        cerebro.adddata(store.getdata(dataname=SYMBOL, historical=True, fromdate=since, timeframe=bt.TimeFrame.Days))
        cerebro.broker.setcash(100_000)

    print(f"Starting Portfolio Value: {cerebro.broker.getvalue():.2f}")
    (strategy,) = cerebro.run(quicknotify=True)
    print(f"Final Portfolio Value: {cerebro.broker.getvalue():.2f}")
    if chart := os.environ.get("CHART"):  # such as chart.png
        cerebro.plot(style="candle")[0][0].savefig(chart)
