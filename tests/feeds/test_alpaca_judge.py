"""alpaca-py, Alpaca's own client and unmodified, is the judge: the loopback server speaks the dialect it reads."""

import warnings
from datetime import UTC, date, datetime

import numpy as np
from alpaca_server import KEY, SECRET, Market, minutes, serving

from feeds.alpaca.source import AlpacaBars

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn when they are imported
    from alpaca.data.enums import Adjustment, DataFeed
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.requests import StockBarsRequest
    from alpaca.data.timeframe import TimeFrame

MON, TUE = date(2026, 1, 5), date(2026, 1, 6)


def test_both_read_the_same_bars():
    """Over short pages of two symbols, alpaca-py's bars are ours, but for the minute between start and end."""
    with serving(Market({"AAPL": minutes(MON, count=9), "IBM": minutes(TUE, count=4, step=2)})) as server:
        server.page_size = 4
        ours = AlpacaBars(["AAPL", "IBM"], MON, TUE, key=KEY, secret=SECRET, base_url=server.url, cache=False).history()
        client = StockHistoricalDataClient(KEY, SECRET, url_override=server.url)
        asked = StockBarsRequest(
            symbol_or_symbols=["AAPL", "IBM"],
            timeframe=TimeFrame.Minute,
            start=datetime(2026, 1, 5, tzinfo=UTC),
            end=datetime(2026, 1, 7, tzinfo=UTC),
            feed=DataFeed.IEX,
            adjustment=Adjustment.SPLIT,
        )
        theirs = client.get_stock_bars(asked).data
        client._session.close()
    for symbol, bars in ours.items():
        starts = np.array([bar.timestamp.replace(tzinfo=None) for bar in theirs[symbol]], dtype="datetime64[us]")
        assert np.array_equal(starts + np.timedelta64(1, "m"), bars.end)
        assert [bar.close for bar in theirs[symbol]] == bars.close.tolist()
