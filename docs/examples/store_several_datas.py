"""Several symbols over one connection, on stock Backtrader: the bars of a minute make one `next`.

    python store_several_datas.py            a backtest over the last three days
    python store_several_datas.py --live     on paper, from now on; Ctrl-C ends it

Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY. With SWITCHBACK_SANDBOX set to a sandbox's URL, that is traded.
"""

import os
import sys

import backtrader as bt

from brokers.alpaca import AlpacaStore

IS_BACKTEST = "--live" not in sys.argv
SYMBOLS = os.environ.get("SYMBOLS", "AAPL,GOOG").split(",")


class SmaCross(bt.Strategy):
    params = (("fast", 10), ("slow", 30), ("size", 5))

    def __init__(self):
        self.live_bars = IS_BACKTEST
        averages = {data: [bt.ind.SMA(data, period=each) for each in (self.p.fast, self.p.slow)] for data in self.datas}
        self.crossings = {data: bt.ind.CrossOver(*each) for data, each in averages.items()}

    def notify_data(self, data, status, *args, **kwargs):
        self.live_bars = self.live_bars or status == data.LIVE

    def notify_trade(self, trade):
        if trade.isclosed:
            print(f"{trade.getdataname()}: {trade.pnlcomm:+.2f}")

    def next(self):
        if not self.live_bars:
            return
        for data, crossing in self.crossings.items():
            held = self.getposition(data).size
            if not held and crossing[0] > 0:
                self.buy(data, size=self.p.size)
            elif held and crossing[0] < 0:
                self.close(data)


if __name__ == "__main__":
    cerebro = bt.Cerebro()
    cerebro.addstrategy(SmaCross)

    store = AlpacaStore(paper=True, base_url=os.environ.get("SWITCHBACK_SANDBOX"))
    for symbol in SYMBOLS:
        cerebro.adddata(store.getdata(dataname=symbol, timeframe=bt.TimeFrame.Minutes, historical=IS_BACKTEST))
    if IS_BACKTEST:
        cerebro.broker.setcash(100_000)
    else:
        cerebro.setbroker(store.getbroker())

    (strategy,) = cerebro.run(quicknotify=True)
    print(f"Final Portfolio Value: {cerebro.broker.getvalue():.2f}")
