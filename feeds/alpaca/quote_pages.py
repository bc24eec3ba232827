"""Past quotes over HTTP, and the latest, without a socket: which to ask for, and how answers are read.

Sources: Alpaca's reference of the v2 stock and the v1beta3 crypto quotes. Pages are as those of bars
(`feeds.alpaca.protocol`); times have nanoseconds.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from feeds.alpaca.messages import stamp
from feeds.alpaca.protocol import DATA_URL, NAME, PAGE, check_status, headers, read_rows
from framework.config import Credentials
from framework.errors import ProtocolError
from framework.model import Quote
from framework.quoting import Quotes
from framework.wire import HttpRequest, HttpResponse, Priority


@dataclass(frozen=True, slots=True)
class QuotesQuery:
    """Which quotes to ask for: those of `symbols` with `start` <= at <= `end` (aware UTC)."""

    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    crypto: bool
    feed: str = "iex"
    base_url: str = DATA_URL
    credentials: Credentials | None = field(default=None, repr=False)

    def request(self, page_token: str | None) -> HttpRequest:
        """Return the request for one page."""
        params = {
            "symbols": ",".join(self.symbols), "start": stamp(self.start), "end": stamp(self.end),
            "limit": str(PAGE), "sort": "asc", **self._feed,
        }  # fmt: skip
        if page_token is not None:
            params["page_token"] = page_token
        return HttpRequest("GET", self._url, params, headers(self.credentials))

    def latest(self) -> HttpRequest:
        """Return the request for the quote that stands of each symbol."""
        params = {"symbols": ",".join(self.symbols), **self._feed}
        return HttpRequest("GET", f"{self._latest_url}", params, headers(self.credentials), priority=Priority.DATA)

    @property
    def _feed(self) -> dict[str, str]:
        return {} if self.crypto else {"feed": self.feed}

    @property
    def _url(self) -> str:
        return self.base_url + ("/v1beta3/crypto/us/quotes" if self.crypto else "/v2/stocks/quotes")

    @property
    def _latest_url(self) -> str:
        return self.base_url + ("/v1beta3/crypto/us/latest/quotes" if self.crypto else "/v2/stocks/quotes/latest")


def quotes_exchange(query: QuotesQuery) -> Generator[HttpRequest, HttpResponse, Mapping[str, Quotes]]:
    """Ask for page after page and return each symbol's quotes; raise as `bars_exchange` does."""
    pieces: dict[str, list[Quotes]] = {symbol: [] for symbol in query.symbols}
    seen: set[str | None] = {None}
    token: str | None = None
    while True:
        token, rows = read_rows((yield query.request(token)), "quotes", query.symbols, query.credentials)
        for symbol, found in rows.items():
            pieces[symbol].append(_read(symbol, found))
        if token is None:
            return {symbol: _joined(found) for symbol, found in pieces.items()}
        if token in seen:
            raise ProtocolError(NAME, "a page of quotes points back to an earlier page; try again later", token)
        seen.add(token)


def latest_exchange(query: QuotesQuery) -> Generator[HttpRequest, HttpResponse, tuple[Quote, ...]]:
    """Ask for the quote that stands of each symbol that has one."""
    response = yield query.latest()
    check_status(response, query.credentials)
    try:
        told = response.decode()["quotes"] or {}
        return tuple(_quote(symbol, row) for symbol, row in told.items() if symbol in query.symbols)
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError(NAME, f"an answer without the latest quotes: {error}") from error


def _quote(symbol: str, row: Mapping[str, Any]) -> Quote:
    at = datetime.fromisoformat(row["t"]).astimezone(UTC)
    return Quote(symbol, at, float(row["bp"]), float(row["bs"]), float(row["ap"]), float(row["as"]))


def _read(symbol: str, rows: Sequence[Mapping[str, Any]]) -> Quotes:
    try:
        times = [np.datetime64(str(row["t"]).rstrip("Zz"), "us") for row in rows]
        return Quotes.of(times, [row["bp"] for row in rows], [row["ap"] for row in rows])
    except (TypeError, KeyError, ValueError) as error:
        raise ProtocolError(NAME, f"quotes of {symbol} that cannot be read: {error}", rows) from error


def _joined(pieces: Sequence[Quotes]) -> Quotes:
    if not pieces:
        return Quotes.of([], [], [])
    return Quotes.of(*(np.concatenate([getattr(each, name) for each in pieces]) for name in ("at", "bid", "ask")))
