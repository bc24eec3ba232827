"""ALGOGENE as a Backtrader store: `AlgogeneStore`, `AlgogeneData` and `AlgogeneBroker`, on any Cerebro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brokers.algogene.venue import AlgogeneVenue
from feeds.algogene.source import AlgogeneBars
from framework.calendar import Calendar
from framework.engine.store_broker import StoreBroker
from framework.engine.store_data import StoreData
from framework.live.settings import Live
from framework.model import Timeframe
from framework.store import Store, known_only

_KNOWN = ("user", "api_key", "accountid", "runmode", "calendar", "broker", "reopens", "base_url", "live")


class AlgogeneData(StoreData):
    """Bars of an instrument, made by `store.getdata(...)`: the parameters are those of every store's feeds.

    `dataname` is ALGOGENE's name ("BTCUSD"); `fromdate` and `todate` are in the zone of the store's calendar where they
    name none. What the others mean is said at `brokers.alpaca.store.AlpacaData`.
    """


class AlgogeneBroker(StoreBroker):
    """The account, made by `store.getbroker(...)`; see `framework.engine.store_broker.StoreBroker`."""


class AlgogeneStore(Store):
    """An account at ALGOGENE. Each store is one of its own, and there may be several.

    user, api_key, accountid  else ALGOGENE_USER, ALGOGENE_API_KEY and ALGOGENE_ACCOUNTID, else the credentials file
    runmode         "livetest", on paper, which is the default; "livetrade" is real money, and needs
                    `live=Live(real_money="ACCOUNT")` too
    calendar        when the symbols trade: "24/7" for coins, "24/5" for currencies, "XNYS"
    broker          whose prices are taken, where there are several
    reopens         see `brokers.algogene.venue.AlgogeneVenue`
    base_url        another server, such as a sandbox's
    live            how a session is run: its name, its limits (`framework.Live`)
    """

    DataCls, BrokerCls = AlgogeneData, AlgogeneBroker

    def __init__(
        self,
        user: str | None = None,
        api_key: str | None = None,
        accountid: str | None = None,
        runmode: str = "livetest",
        calendar: str = "24/7",
        broker: str = "",
        reopens: bool = False,
        base_url: str | None = None,
        live: Live | None = None,
        **unknown: Any,
    ) -> None:
        known_only(AlgogeneStore, unknown, _KNOWN)
        login = {"user": user, "api_key": api_key, "base_url": base_url}
        super().__init__(AlgogeneVenue(accountid, runmode, reopens=reopens, **login), live)  # type: ignore[arg-type]
        self._calendar = Calendar(calendar)
        self._bars: dict[str, Any] = {**login, "calendar": calendar, "broker": broker}

    def __repr__(self) -> str:
        return f"AlgogeneStore(venue={self.venue!r})"

    def calendar(self, data: StoreData) -> Calendar:
        return self._calendar

    def bars(self, symbols: Sequence[str], data: StoreData, timeframe: Timeframe, **span: Any) -> AlgogeneBars:
        return AlgogeneBars(symbols, timeframe=timeframe, **span, **self._bars)
