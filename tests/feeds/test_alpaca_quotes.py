"""Alpaca's quotes as a source, against the sandbox: their history, what stands at the start, and a line that breaks."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import Any

import backtrader as bt
import pytest
from data_sandbox import KEY, SECRET, at, sandbox
from tape import OPEN, Tape

from brokers import AlpacaVenue
from feeds import AlpacaQuotes
from feeds.alpaca import quote_pages
from framework import run
from framework.app.sandbox import Sandbox
from framework.columns import moment
from framework.errors import AuthenticationError, ConfigError
from framework.model import Quote

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PRICES = {"SPY": [100.0, 101.0, 102.0, 103.0], "IBM": [50.0, 51.0, 52.0, 53.0]}


def quotes(venue: Any, **how: Any) -> AlpacaQuotes:
    access = {"base_url": venue.url, "key": KEY, "secret": SECRET, "now": lambda: at(10)}
    return AlpacaQuotes(["SPY", "IBM"], "2026-01-05", "2026-01-05", **{**access, **how})


def test_history_is_what_alpacas_own_client_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pages of it, symbol by symbol."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn when they are imported
        from alpaca.data.enums import DataFeed
        from alpaca.data.historical import StockHistoricalDataClient
        from alpaca.data.requests import StockQuotesRequest

    monkeypatch.setattr(quote_pages, "PAGE", 3)
    with sandbox(PRICES) as venue:
        venue.step(4)
        asked = StockQuotesRequest(symbol_or_symbols=["SPY", "IBM"], start=OPEN, end=at(10), feed=DataFeed.IEX)
        judge = StockHistoricalDataClient(KEY, SECRET, url_override=venue.url).get_stock_quotes(asked).data
        found = quotes(venue).quoted()
        assert venue.market.requests  # it was asked, and not a cache
    for symbol, told in judge.items():
        rows = [(each.timestamp, each.bid_price, each.ask_price) for each in told]
        ours = found[symbol]
        assert [*zip(map(moment, ours.at), ours.bid.tolist(), ours.ask.tolist(), strict=True)] == rows
        assert len(rows) == 4


def test_what_cannot_be_asked_is_one_clear_line() -> None:
    """No start, a start to come, the wrong key."""
    for start in (None, OPEN + timedelta(days=365)):
        with pytest.raises(ConfigError, match="AlpacaQuotes needs a start in the past"):
            AlpacaQuotes("SPY", start, now=lambda: OPEN).quoted()
    with pytest.raises(ConfigError, match="is no time between two looks"):
        AlpacaQuotes("SPY", every=0.01)
    with sandbox(PRICES) as venue, pytest.raises(AuthenticationError) as refused:
        quotes(venue, key="PKWRONG", secret="wr0ng-wr0ng").quoted()
    assert "wr0ng" not in str(refused.value)


class Looks(bt.Strategy):
    """Notes what each instant shows."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.told: list[str] = []

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        now = max(data.datetime[0] for data in self.datas if len(data))
        sides = {data._name: (data.bid[0], data.ask[0], data.age[0]) for data in self.datas[:-1] if len(data)}
        self.seen.append((round((now - bt.date2num(OPEN.replace(tzinfo=None))) * 86_400), sides))
        if self.seen[-1][0] == 240:  # the tape goes on to the close, without quotes
            self.env.runstop()

    def notify_store(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.told.append(msg)


def looked(every: float = 30, **how: Any) -> Any:
    """Run a session over four minutes of the tape; return the strategy."""
    fault = how.pop("fault", None)
    with Sandbox(Tape(PRICES), **how) as venue:
        if fault:
            venue.fault(**fault)
        source = AlpacaQuotes(["SPY", "IBM"], every=every, **venue.access)
        return run(Looks, source=source, venue=AlpacaVenue(**venue.access), live=True).strategy


def test_a_strategy_sees_bid_ask_and_age_at_each_instant_of_the_clock() -> None:
    """What stands, also where nothing came since."""
    seen = looked(quotes=[Quote("SPY", at(1.25), 99.0, 1, 100.0, 1)]).seen
    assert [time for time, _ in seen] == [30 * each for each in range(1, 9)]
    assert seen[1][1]["SPY"] == (99.99, 100.01, 0.0)
    assert seen[2][1]["SPY"] == (99.0, 100.0, 15.0)
    assert seen[4][1]["IBM"][2] == 30.0


def test_a_line_that_breaks_brings_the_quotes_that_stand_with_it() -> None:
    """What was quoted meanwhile is not waited for."""
    strategy = looked(every=60, fault={"name": "drop", "stream": "data", "at": 2})
    assert strategy.seen[-1][1]["SPY"] == pytest.approx((102.98, 103.03, 0.0), abs=0.02)
    assert any(each.startswith("data: down") for each in strategy.told)
    assert len(strategy.seen) == 4


def test_quotes_are_not_made_into_bars_and_have_one_source() -> None:
    """What a run cannot have is said before it begins."""
    source = AlpacaQuotes("SPY", "2026-01-05", every=60)
    with pytest.raises(ConfigError, match="resample=5Min: quotes are not made into bars"):
        run(Looks, source=source, resample=["5Min"])
    with pytest.raises(ConfigError, match="a run has one clock, and so one source of quotes"):
        run(Looks, source=[source, AlpacaQuotes("IBM", "2026-01-05", every=1)])


def test_an_order_in_the_clock_is_refused() -> None:
    """It has no price."""

    class Wrong(Looks):
        def next(self) -> None:
            if not self.seen:
                self.seen.append(self.buy(data=self.getdatabyname("clock")))

    from feeds import BarQuotes

    (order,) = run(Wrong, source=BarQuotes(Tape(PRICES), 60)).strategy.seen
    assert order.status == order.Rejected
    assert "a clock has no prices; name the symbol's feed" in order.info.reason


def test_quotes_of_another_day_are_said_to_be_lacking() -> None:
    """A run without any quote of a symbol tells which."""
    with sandbox(PRICES) as venue, pytest.raises(ConfigError, match="there are no quotes of SPY, IBM; try other days"):
        run(Looks, source=quotes(venue))


def test_the_repr_holds_no_secret() -> None:
    """Nor does an error."""
    text = repr(AlpacaQuotes("SPY", key="PKKEYKEY", secret="s3cr3ts3cr3t", every=5))
    assert text == "AlpacaQuotes(['SPY'], every=5, feed='iex')"
