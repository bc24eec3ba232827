"""Alpaca as a Backtrader store: `AlpacaStore`, `AlpacaData` and `AlpacaBroker`, on any Cerebro.

The names are those of alpaca-backtrader-api, whose scripts run with a changed import (docs/migrating.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from brokers.alpaca.venue import AlpacaVenue
from feeds.alpaca.protocol import is_crypto
from feeds.alpaca.source import AlpacaBars
from feeds.alpaca.stream import endpoint
from feeds.alpaca.via import Given
from framework.calendar import Calendar
from framework.engine.store_broker import StoreBroker
from framework.engine.store_data import StoreData
from framework.live.settings import Live
from framework.model import MINUTE, Timeframe
from framework.store import Store, known_only
from framework.wire import is_on_this_machine

_KNOWN = (
    "key_id", "secret_key", "paper", "account_tmout", "usePolygon", "api_version", "base_url", "proxy", "live",
)  # fmt: skip


class AlpacaData(StoreData):
    """Bars of a stock or a crypto pair, made by `store.getdata(...)`.

    dataname        the symbol: "AAPL", "BTC/USD"
    timeframe, compression  `bt.TimeFrame.Minutes` and longer; live bars longer than a minute are made of minutes
    historical      True: a backtest's bars from `fromdate` to `todate`, and nothing live
    fromdate        where bars begin, in New York (crypto: UTC) where it names no zone. Live: where the backfill does;
                    left out, that is what the strategy's indicators need
    todate          where a backtest's bars end
    tz              the zone of what a strategy reads as times: "America/New_York"; left out, UTC
    backfill_start  live: begin with history, on which nothing is traded (DELAYED)
    backfill        after a line that was down: play what was missed, too
    backfill_from   another feed, whose bars come before the history
    reconnect, reconnections  whether, and how often, the feed goes on after its line was down (-1: always)
    qcheck          seconds for which Backtrader's loop rests, at most, where nothing comes; what comes wakes it at once
    data_feed       "iex" (free), "sip" (a plan), or live "test" (FAKEPACA)
    extended_hours  bars from 04:00 to 20:00 and not of the session only
    bidask, useask, includeFirst, reconntimeout  are taken, and change nothing: bars are of trades
    """

    params = (  # type: ignore[assignment]  # Backtrader's metaclass adds it to the others
        ("data_feed", "iex"), ("extended_hours", False), ("bidask", True), ("useask", False), ("includeFirst", True),
        ("reconntimeout", 5.0),
    )  # fmt: skip


class AlpacaBroker(StoreBroker):
    """The account, made by `store.getbroker(...)`; see `framework.engine.store_broker.StoreBroker`."""


class AlpacaStore(Store):
    """An account at Alpaca. Each store is one of its own, and there may be several.

    key_id, secret_key  else APCA_API_KEY_ID and APCA_API_SECRET_KEY, else the credentials file
    paper           the paper account, which is the default; real money also needs
                    `live=Live(real_money="ACCOUNT NUMBER")`
    base_url        another server for everything, such as a sandbox's
    proxy           the address of a `switchback proxy` that streams come through
    live            how a session is run: its name, its limits (`framework.Live`)
    usePolygon, account_tmout, api_version  are taken, and change nothing: Alpaca has its own data now, and the account
                    is followed, not asked
    """

    DataCls, BrokerCls = AlpacaData, AlpacaBroker

    def __init__(
        self,
        key_id: str | None = None,
        secret_key: str | None = None,
        paper: bool = True,
        account_tmout: float = 10.0,
        usePolygon: bool = False,
        api_version: str | None = None,
        base_url: str | None = None,
        proxy: Given = None,
        live: Live | None = None,
        **unknown: Any,
    ) -> None:
        known_only(AlpacaStore, unknown, _KNOWN)
        if usePolygon:
            text = 'usePolygon=True changes nothing: Alpaca serves its own data; data_feed="sip" has all exchanges'
            warnings.warn(text, stacklevel=2)
        super().__init__(AlpacaVenue(paper=paper, key=key_id, secret=secret_key, base_url=base_url, proxy=proxy), live)
        self._access: dict[str, Any] = {"key": key_id, "secret": secret_key, "base_url": base_url, "proxy": proxy}
        if base_url and is_on_this_machine(base_url):
            self._access["cache"] = False  # the next sandbox at this address has other bars

    def __repr__(self) -> str:
        return f"AlpacaStore(venue={self.venue!r})"

    def calendar(self, data: StoreData) -> Calendar:
        return self.bars([data.p.symbol], data, MINUTE).calendar

    def line(self, data: StoreData) -> str:
        return endpoint(data.p.data_feed, crypto=is_crypto((data.p.symbol,))).stream

    def kind(self, data: StoreData) -> Mapping[str, Any]:
        return {"data_feed": data.p.data_feed, "extended_hours": data.p.extended_hours}

    def bars(self, symbols: Sequence[str], data: StoreData, timeframe: Timeframe, **span: Any) -> AlpacaBars:
        hours = "extended" if data.p.extended_hours and timeframe.length else "regular"
        return AlpacaBars(symbols, timeframe=timeframe, feed=data.p.data_feed, hours=hours, **span, **self._access)
