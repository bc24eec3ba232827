"""Where a trading function trades, and which quotes it sees: what was asked for, made into a source and a venue."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from framework.calendar import Calendar
from framework.columns import Columns
from framework.errors import ConfigError, nearest
from framework.model import Timeframe
from framework.ports import LiveVenue, QuoteSource, Source, Venue, Warmup
from framework.quoting import Beats, Quotes, mids
from framework.wire import is_on_this_machine

PAPER, LIVE, SANDBOX, BACKTEST = "paper", "live", "sandbox", "backtest"

VENUES = (PAPER, LIVE, SANDBOX, BACKTEST)

VARIABLE = "SWITCHBACK_SANDBOX"
"""The environment variable that names a sandbox: it has the last word where no venue is named."""


@dataclass(frozen=True, slots=True)
class Place:
    """A venue, the quotes to trade it by, and what its money is; `is_live` False is a backtest."""

    source: QuoteSource
    venue: Venue
    money: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """Quotes that were fetched once, as a source of their own."""

    symbols: tuple[str, ...]
    timeframe: Timeframe
    calendar: Calendar
    start: datetime | None
    end: datetime | None
    beats: Beats
    known: Mapping[str, Quotes]

    @classmethod
    def of(cls, source: QuoteSource) -> Loaded:
        """Fetch a source's quotes."""
        what = (source.symbols, source.timeframe, source.calendar, source.start, source.end, source.beats)
        return cls(*what, source.quoted())

    def quoted(self) -> Mapping[str, Quotes]:
        """Return the quotes."""
        return self.known

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return the middle between bid and ask at each look."""
        return mids(self.known, self.beats)


def place(
    tickers: Sequence[str],
    every: float,
    venue: str | Venue | None,
    source: Any,
    keys: tuple[str | None, str | None],
    feed: str,
    spread: float,
) -> Place:
    """Return where to trade. Raise `ConfigError` where it cannot be there, or source and tickers do not agree."""
    if isinstance(venue, str) and venue not in VENUES and "://" not in venue:
        raise ConfigError(f"venue={venue!r} is not known{nearest(venue, VENUES)}; it is {', '.join(VENUES)} or a URL")
    if venue == BACKTEST:
        return _backtest(tickers, every, source, spread)
    found = _venue(venue, keys)
    quotes = _quotes(tickers, every, found, source, keys, feed)
    money = "real-money" if found.is_real else SANDBOX if is_on_this_machine(found.base_url) else PAPER
    return Place(_checked(quotes, tickers, every), found, money, is_live=True)


def _venue(venue: str | Venue | None, keys: tuple[str | None, str | None]) -> LiveVenue:
    from brokers import AlpacaVenue

    if venue is not None and not isinstance(venue, str):
        if not isinstance(venue, LiveVenue):
            raise ConfigError(f"venue={venue!r} cannot be traded on; give AlpacaVenue(), or one of {', '.join(VENUES)}")
        return venue
    key, secret = keys
    if venue in (PAPER, LIVE):
        return AlpacaVenue(paper=venue == PAPER, key=key, secret=secret)
    url = venue if venue not in (None, SANDBOX) else os.environ.get(VARIABLE)
    if venue == SANDBOX and not url:
        raise ConfigError(f'venue="sandbox" needs its address: start one (switchback sandbox) and set {VARIABLE}=URL')
    return AlpacaVenue(key=key, secret=secret, base_url=_loopback(url) if url else None)


def _loopback(url: str) -> str:
    if not is_on_this_machine(url):
        raise ConfigError(f"{url} is no sandbox: one is on this machine, such as http://127.0.0.1:8000")
    return url


def _quotes(
    tickers: Sequence[str], every: float, venue: LiveVenue, source: Any, keys: tuple[str | None, str | None], feed: str
) -> Any:
    from feeds import AlpacaQuotes

    if source is not None:
        return source
    key, secret = keys
    url = venue.base_url if is_on_this_machine(venue.base_url) else None
    return AlpacaQuotes(tickers, every=every, feed=feed, key=key, secret=secret, base_url=url)


def _backtest(tickers: Sequence[str], every: float, source: Any, spread: float) -> Place:
    from brokers import AlpacaVenue
    from feeds import BarQuotes

    if not isinstance(source, Source):
        raise ConfigError(
            'venue="backtest" needs quotes, or bars to make them of: source=AlpacaBars(tickers, start="2026-01-05"), '
            "AlpacaQuotes(...), FileQuotes(...) or SampleBars(...)"
        )
    quotes = source if isinstance(source, QuoteSource) else BarQuotes(source, every, spread=spread)
    return Place(Loaded.of(_checked(quotes, tickers, every)), AlpacaVenue(), BACKTEST, is_live=False)


def _checked(source: Any, tickers: Sequence[str], every: float) -> QuoteSource:
    if not isinstance(source, QuoteSource):
        raise ConfigError(f"source={source!r} brings no quotes; leave it out, or give AlpacaQuotes(tickers, every=...)")
    if source.beats.every != timedelta(seconds=every):
        raise ConfigError(
            f"source looks at its quotes every {source.beats.every.total_seconds():g} s and frequency is {every:g} s; "
            f"give both the same: every={every:g}"
        )
    lacking = [each for each in tickers if each not in source.symbols]
    if lacking:
        raise ConfigError(f"source has no quotes of {', '.join(lacking)}; it has {', '.join(source.symbols)}")
    return source
