"""alpaca-py, Alpaca's own client and unmodified, reads the sandbox's market data: history and streams."""

from __future__ import annotations

import logging
import queue
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from data_sandbox import KEY, SECRET, Venue, sandbox
from tape import Tape

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn when they are imported
    from alpaca.common.enums import Sort
    from alpaca.common.exceptions import APIError
    from alpaca.data import requests as ask
    from alpaca.data.enums import Adjustment, DataFeed
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PRICES = {"SPY": [(100.0, 104.0, 99.0, 101.0), 102.0, 103.0], "IBM": [50.0, 51.0, None]}
MONDAY = {"start": datetime(2026, 1, 5, tzinfo=UTC), "feed": DataFeed.IEX}


@contextmanager
def stocks(prices: dict[str, Any] = PRICES, *, raw: bool = False, steps: int = 3) -> Iterator[tuple[Venue, Any]]:
    with sandbox(prices) as venue:
        venue.step(steps)
        client = StockHistoricalDataClient(KEY, SECRET, raw_data=raw, url_override=venue.url)
        yield venue, client
        client._session.close()


@contextmanager
def crypto(*, raw: bool = False) -> Iterator[tuple[Venue, Any]]:
    with sandbox(source=Tape({"BTC/USD": [100.0, 101.0]}, calendar="24/7")) as venue:
        venue.step(2)
        client = CryptoHistoricalDataClient(raw_data=raw, url_override=venue.url)
        yield venue, client
        client._session.close()


def bars(symbols: Any = ("SPY", "IBM"), timeframe: TimeFrame = TimeFrame.Minute, **options: Any) -> Any:
    return ask.StockBarsRequest(symbol_or_symbols=list(symbols), timeframe=timeframe, **{**MONDAY, **options})


def test_its_bars_are_the_tapes():
    """Every bar of two symbols, over pages, a minute earlier than the tape's ends."""
    with stocks() as (venue, client):
        venue.arm("short_pages", size=2, count=2)
        found = client.get_stock_bars(bars(adjustment=Adjustment.ALL)).data
        for symbol, tape in venue.market.tape.bars.items():
            starts = np.array([bar.timestamp.replace(tzinfo=None) for bar in found[symbol]], dtype="datetime64[us]")
            assert (starts + np.timedelta64(1, "m")).tolist() == tape.end.tolist()
            assert [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in found[symbol]] == [
                *zip(tape.open, tape.high, tape.low, tape.close, tape.volume, strict=True)
            ]


def test_it_reads_a_frame_of_any_timeframe():
    """Its data frame of hours and days has one row of each symbol."""
    with stocks() as (_, client):
        for timeframe in (TimeFrame.Hour, TimeFrame.Day, TimeFrame.Week, TimeFrame(3, TimeFrameUnit.Month)):
            frame = client.get_stock_bars(bars(timeframe=timeframe, start=datetime(2026, 1, 1, tzinfo=UTC))).df
            assert frame.loc["SPY"].volume.tolist() == [3000.0]
            assert frame.loc["IBM"].close.tolist() == [51.0]


def test_it_reads_raw_bars():
    """With raw_data the wire's own names come back, pages merged."""
    with stocks(raw=True) as (venue, client):
        venue.arm("short_pages", size=1, count=3)
        found = client.get_stock_bars(bars())
        assert {symbol: [bar["c"] for bar in each] for symbol, each in found.items()} == {
            "SPY": [101.0, 102.0, 103.0],
            "IBM": [50.0, 51.0],
        }


def test_it_reads_quotes_and_trades():
    """Models of both, with exchange, conditions and tape."""
    with stocks() as (_, client):
        [quote, *_] = client.get_stock_quotes(ask.StockQuotesRequest(symbol_or_symbols="SPY", **MONDAY)).data["SPY"]
        assert quote.bid_price < 101.0 < quote.ask_price
        trades = client.get_stock_trades(ask.StockTradesRequest(symbol_or_symbols="SPY", **MONDAY)).data["SPY"]
        assert [trade.price for trade in trades[:4]] == [100.0, 99.0, 104.0, 101.0]
        assert (trades[0].exchange, trades[0].tape, trades[0].size) == ("V", "A", 250.0)


def test_it_joins_pages_of_trades():
    """Symbol by symbol and in time, however short the pages are; and from the last to the first."""
    both = {"symbol_or_symbols": ["SPY", "IBM"], **MONDAY}
    with stocks() as (venue, client):
        venue.arm("short_pages", size=3, count=20)
        found = client.get_stock_trades(ask.StockTradesRequest(**both)).data
        assert {symbol: len(each) for symbol, each in found.items()} == {"SPY": 12, "IBM": 8}
        for each in found.values():
            assert [trade.timestamp for trade in each] == sorted({trade.timestamp for trade in each})
        back = client.get_stock_trades(ask.StockTradesRequest(**both, sort=Sort.DESC)).data
        assert [trade.id for trade in back["SPY"]] == [trade.id for trade in found["SPY"]][::-1]


def test_it_reads_the_latest_and_snapshots():
    """Latest bar, quote and trade, and the snapshot that holds them all."""
    with stocks() as (_, client):
        asked = {"symbol_or_symbols": ["SPY", "IBM"]}
        assert client.get_stock_latest_bar(ask.StockLatestBarRequest(**asked))["IBM"].close == 51.0
        assert client.get_stock_latest_trade(ask.StockLatestTradeRequest(**asked))["SPY"].price == 103.0
        quote = client.get_stock_latest_quote(ask.StockLatestQuoteRequest(**asked))["SPY"]
        snapshot = client.get_stock_snapshot(ask.StockSnapshotRequest(**asked))["SPY"]
        assert (snapshot.latest_quote, snapshot.latest_trade.price) == (quote, 103.0)
        assert (snapshot.minute_bar.close, snapshot.daily_bar.high, snapshot.previous_daily_bar) == (103.0, 104.0, None)


def test_it_reads_crypto_without_keys():
    """Bars, quotes, trades, their latest, order books and snapshots of a pair."""
    with crypto() as (_, client):
        pair = {"symbol_or_symbols": "BTC/USD"}
        start = {**pair, "start": MONDAY["start"]}
        found = client.get_crypto_bars(ask.CryptoBarsRequest(timeframe=TimeFrame.Minute, **start)).data["BTC/USD"]
        assert [bar.close for bar in found] == [100.0, 101.0]
        assert len(client.get_crypto_quotes(ask.CryptoQuoteRequest(**start)).data["BTC/USD"]) == 2
        assert len(client.get_crypto_trades(ask.CryptoTradesRequest(**start)).data["BTC/USD"]) == 8
        quote = client.get_crypto_latest_quote(ask.CryptoLatestQuoteRequest(**pair))["BTC/USD"]
        book = client.get_crypto_latest_orderbook(ask.CryptoLatestOrderbookRequest(**pair))["BTC/USD"]
        assert (book.bids[0].price, book.asks[0].price) == (quote.bid_price, quote.ask_price)
        assert client.get_crypto_latest_trade(ask.CryptoLatestTradeRequest(**pair))["BTC/USD"].price == 101.0
        assert client.get_crypto_latest_bar(ask.CryptoLatestBarRequest(**pair))["BTC/USD"].volume == 1000.0
        assert client.get_crypto_snapshot(ask.CryptoSnapshotRequest(**pair))["BTC/USD"].daily_bar.close == 101.0


def test_it_reads_everything_raw():
    """With raw_data, stocks and crypto, the decoded bodies by symbol."""
    with stocks(raw=True) as (_, client):
        asked = {"symbol_or_symbols": "SPY"}
        assert client.get_stock_latest_quote(ask.StockLatestQuoteRequest(**asked))["SPY"]["bx"] == "V"
        assert client.get_stock_snapshot(ask.StockSnapshotRequest(**asked))["SPY"]["dailyBar"]["v"] == 3000
        assert len(client.get_stock_trades(ask.StockTradesRequest(**asked, **MONDAY))["SPY"]) == 12
    with crypto(raw=True) as (_, client):
        asked = {"symbol_or_symbols": "BTC/USD", "timeframe": TimeFrame.Day}
        assert [bar["c"] for bar in client.get_crypto_bars(ask.CryptoBarsRequest(**asked))["BTC/USD"]] == [101.0]


def test_its_errors_have_our_words():
    """A refusal is its APIError, with the status and the body."""
    with stocks() as (_, client), pytest.raises(APIError, match="does not permit querying recent SIP") as refused:
        client.get_stock_bars(bars(feed=DataFeed.SIP, end=datetime(2026, 1, 5, 14, 33, tzinfo=UTC)))
    assert refused.value.status_code == 403


class Heard(logging.Handler):
    """Waits for what the client logs, such as that its subscription has been answered."""

    log = logging.getLogger("alpaca.data.live.websocket")

    def __init__(self, beginning: str = "subscribed to") -> None:
        super().__init__()
        self._beginning, self._event = beginning, threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._beginning):
            self._event.set()

    def __enter__(self) -> Heard:
        self.log.addHandler(self)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.log.removeHandler(self)

    def wait(self) -> None:
        assert self._event.wait(10)


@contextmanager
def streaming(venue: Venue, stream: Any) -> Iterator[None]:
    """Run a stream in a thread of its own until the block is left."""
    before = Heard.log.level
    Heard.log.setLevel(logging.INFO)
    thread = threading.Thread(target=stream.run, name="alpaca-py")
    try:
        with Heard() as subscribed:
            thread.start()
            subscribed.wait()
        yield
    finally:
        stream.stop()
        venue.step()  # it looks whether it is to stop when a frame comes, or every five seconds
        thread.join(10)
        Heard.log.setLevel(before)


def received() -> tuple[queue.Queue[Any], Any]:
    """Return a queue, and a handler that puts into it."""
    found: queue.Queue[Any] = queue.Queue()

    async def handle(message: Any) -> None:
        found.put(message)

    return found, handle


def stock_stream(venue: Venue, *, raw: bool = False) -> Any:
    return StockDataStream(KEY, SECRET, raw_data=raw, url_override=venue.address + "/v2/iex")


def test_its_stream_reads_every_kind_of_message():
    """Bars, late bars, day bars, trades, quotes, halts, corrections and cancels, as its models."""
    with sandbox({"SPY": [100.0] * 6}) as venue:
        stream, (found, handle) = stock_stream(venue), received()
        for name in ("bars", "updated_bars", "daily_bars", "trades", "quotes", "trading_statuses"):
            getattr(stream, f"subscribe_{name}")(handle, "SPY")
        stream.register_trade_corrections(handle)
        stream.register_trade_cancels(handle)
        for fault in ("late_update", "trade_correction", "trade_cancel", "trading_status"):
            venue.arm(fault)
        with streaming(venue, stream):
            venue.step(2)
            told = [found.get(timeout=10) for _ in range(18)]
        kinds = [type(each).__name__ for each in told]
        assert kinds[:10] == [*["Trade"] * 4, "TradeCorrection", "TradeCancel", "TradingStatus", "Quote", "Bar", "Bar"]
        assert (told[8].timestamp, told[8].close) == (datetime(2026, 1, 5, 14, 30, tzinfo=UTC), 100.0)
        assert (kinds[10], told[10].high, told[10].timestamp) == ("Bar", 100.01, told[8].timestamp)


def test_its_stream_reads_a_halt_and_its_end():
    """Of a symbol that is halted on demand, with the codes of its tape."""
    with sandbox({"AAPL": [100.0] * 6, "IBM": [50.0] * 6}) as venue:
        stream, (found, handle) = stock_stream(venue), received()
        stream.subscribe_trading_statuses(handle, "AAPL", "IBM")
        with streaming(venue, stream):
            venue.halt("AAPL", minutes=2)
            venue.halt("IBM", minutes=1)
            venue.step(8)
            told = [found.get(timeout=10) for _ in range(4)]
    assert [(each.symbol, each.status_code, each.reason_code) for each in told] == [
        ("AAPL", "H", "T1"), ("IBM", "2", "T1"), ("IBM", "3", ""), ("AAPL", "T", "")
    ]  # fmt: skip


def test_its_raw_stream_hands_over_the_wires_messages():
    """Raw messages have the wire's names, and a time that MessagePack itself knows."""
    with sandbox(PRICES) as venue:
        stream, (found, handle) = stock_stream(venue, raw=True), received()
        stream.subscribe_bars(handle, "*")
        with streaming(venue, stream):
            venue.step()
            spy, ibm = found.get(timeout=10), found.get(timeout=10)
        assert (spy["T"], spy["S"], spy["t"].to_datetime()) == ("b", "SPY", datetime(2026, 1, 5, 14, 30, tzinfo=UTC))
        assert (ibm["c"], ibm["v"]) == (50.0, 1000)


def test_its_crypto_stream_reads_books():
    """A pair's bar, quote, trade and order book."""
    with sandbox(source=Tape({"BTC/USD": [100.0, 101.0, 102.0]}, calendar="24/7")) as venue:
        stream, (found, handle) = (
            CryptoDataStream(KEY, SECRET, url_override=venue.address + "/v1beta3/crypto/us"),
            received(),
        )
        for name in ("bars", "quotes", "trades", "orderbooks"):
            getattr(stream, f"subscribe_{name}")(handle, "BTC/USD")
        with streaming(venue, stream):
            venue.step()
            told = [found.get(timeout=10) for _ in range(7)]
        assert [type(each).__name__ for each in told] == [*["Trade"] * 4, "Quote", "Orderbook", "Bar"]


def test_its_stream_subscribes_while_it_runs():
    """From another thread more can be asked for, and given back: the set is told in full each time."""
    with sandbox({"SPY": [100.0] * 5, "IBM": [50.0] * 5}) as venue:
        stream, (found, handle) = stock_stream(venue), received()
        stream.subscribe_bars(handle, "SPY")
        with streaming(venue, stream):
            with Heard("subscribed to bars: ['IBM']") as changed:
                stream.subscribe_bars(handle, "IBM")
                stream.unsubscribe_bars("SPY")
                changed.wait()
            venue.step()
            assert found.get(timeout=10).symbol == "IBM"
            assert venue.market.sent == {"data": 1}


def test_its_stream_reconnects_after_a_drop():
    """The line breaks; it comes back by itself, logs in and subscribes again, and reads on: what was lost is lost."""
    with sandbox({"SPY": [100.0, 101.0, 102.0, 103.0]}) as venue:
        stream, (found, handle) = stock_stream(venue), received()
        stream._reconnect_min_backoff = 0.01
        stream.subscribe_bars(handle, "SPY")
        with streaming(venue, stream):
            venue.step()
            assert found.get(timeout=10).close == 100.0
            with Heard() as again:
                venue.arm("drop", stream="data")
                venue.step()
                again.wait()
            venue.step()
            assert found.get(timeout=10).close == 102.0
