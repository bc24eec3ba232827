"""Alpaca's market data over HTTP, without a socket: addresses, headers, the exchange, what errors mean.

Sources: Alpaca's reference of the v2 stock bars and the v1beta3 crypto bars. What matters of it:
`limit` counts bars over all symbols, a page may be short or hold no bars, only a null
`next_page_token` ends; bars come by symbol, then by time; `t` is a bar's START; minutes without an
eligible trade have no bar. Our columns carry the END.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import numpy as np

from feeds.checks import check_columns
from framework.calendar import Calendar, Hours, utc_to_wall, wall_to_utc
from framework.columns import Columns, Instants, joined, moment
from framework.config import Credentials
from framework.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    ProtocolError,
    RateLimited,
    Unsupported,
    nearest,
)  # fmt: skip
from framework.model import Timeframe, Unit
from framework.wire import HttpRequest, HttpResponse

NAME = "Alpaca"
SERVICE = "alpaca"
VARIABLES = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
DATA_URL = "https://data.alpaca.markets"
PAGE = 10_000

FEEDS = ("iex", "sip", "delayed_sip", "otc")
TEST, TEST_SYMBOL = "test", "FAKEPACA"
"""The feed that is a stream only, day and night, and the one symbol that it has."""
CHANNELS = ("bars", "quotes", "trades")
ADJUSTMENTS = ("raw", "split", "dividend", "spin-off", "all")

_STOCK = re.compile(r"[A-Z0-9][A-Z0-9.\-]*")
_CRYPTO = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")

CRYPTO_DAY = "America/Chicago"
"""Crypto day bars begin at this zone's midnight (05:00 or 06:00 UTC; alpaca-py issue 169)."""


def is_crypto(symbols: Sequence[str]) -> bool:
    """Return whether the symbols are crypto pairs; raise `ConfigError` where they are mixed or misspelt."""
    pairs = [symbol for symbol in symbols if "/" in symbol]
    if pairs and len(pairs) < len(symbols):
        stock = next(symbol for symbol in symbols if "/" not in symbol)
        raise ConfigError(
            f"symbols mix crypto ({pairs[0]}) and stocks ({stock}), which keep different hours; "
            "give each its own AlpacaBars (a run takes a list of sources)"
        )
    for symbol in symbols:
        if not (_CRYPTO if pairs else _STOCK).fullmatch(symbol):
            raise ConfigError(f"symbol {symbol!r} is not one of Alpaca's{_advice(symbol)}")
    return bool(pairs)


def _advice(symbol: str) -> str:
    upper = symbol.upper()
    if upper != symbol and (_STOCK.fullmatch(upper) or _CRYPTO.fullmatch(upper)):
        return f" (did you mean {upper}?)"
    return "; try names such as AAPL, BRK.B or BTC/USD"


def check_timeframe(timeframe: Timeframe, *, crypto: bool, hours: Hours) -> None:
    """Raise `Unsupported` for bars that Alpaca does not make, or makes across the edge of the session."""
    if timeframe.unit in (Unit.WEEK, Unit.MONTH):
        raise Unsupported(
            f'{NAME} bars of {timeframe}: not here, for they end in unfinished days; try timeframe="1Day"'
        )
    most = {Unit.MINUTE: 59, Unit.HOUR: 23, Unit.DAY: 1}[timeframe.unit]
    if timeframe.amount > most:
        raise Unsupported(f"{NAME} bars of {timeframe}: the longest is {most}{timeframe.unit.value}; try 1Hour or 1Day")
    if timeframe.length is None:
        if hours is Hours.EXTENDED:
            raise Unsupported(f'{NAME} day bars have no hours to choose; leave out hours="extended"')
        return
    # 09:30 lies on a half hour, 04:00 on an hour: what does not divide these would mix two sessions in one bar.
    edge = timedelta(minutes=30 if hours is Hours.REGULAR else 60)
    if not crypto and edge % timeframe.length:
        raise Unsupported(
            f"{NAME} bars of {timeframe} do not keep to {hours.value} hours: they mix the session with what is around "
            f'it; try timeframe="1Min" and resample=("{timeframe}",)'
        )


def check_feed(feed: str, symbols: Sequence[str]) -> None:
    """Raise where a stock feed is not known, is not one of the exchange's day, or has not these symbols."""
    if feed == TEST:
        if set(symbols) != {TEST_SYMBOL}:
            raise ConfigError(f"feed {TEST!r} has one symbol, {TEST_SYMBOL}, and not {', '.join(symbols)}; try iex")
        return
    if feed in ("boats", "overnight"):
        raise Unsupported(f"feed {feed!r} trades at night, outside of every session here; try {_listed(FEEDS)}")
    if feed not in FEEDS:
        raise ConfigError(f"feed {feed!r} is not known{nearest(feed, FEEDS)}; try {_listed(FEEDS)}")


def check_channels(channels: Sequence[str]) -> tuple[str, ...]:
    """Return what a live feed brings, bars always; raise `ConfigError` for what is none of bars, quotes and trades."""
    for name in channels:
        if name not in CHANNELS:
            raise ConfigError(f"channel {name!r} is not known{nearest(name, CHANNELS)}; try {_listed(CHANNELS)}")
    return tuple(name for name in CHANNELS if name == "bars" or name in channels)


def check_adjustment(adjustment: str) -> str:
    """Return the adjustment in one order of words; raise `ConfigError` where a word is unknown or there twice."""
    words = [word.strip() for word in adjustment.split(",")]
    for word in words:
        if word not in ADJUSTMENTS:
            raise ConfigError(
                f"adjustment {word!r} is not known{nearest(word, ADJUSTMENTS)}; try {_listed(ADJUSTMENTS)}"
            )
    alone = {"raw", "all"} & set(words)
    if len(set(words)) < len(words) or (alone and len(words) > 1):
        raise ConfigError(f"adjustment {adjustment!r} says one thing twice; try split, or split,dividend")
    return ",".join(sorted(words))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def headers(credentials: Credentials | None) -> Mapping[str, str]:
    """Return the headers that log in; none without credentials (crypto history needs none)."""
    if credentials is None:
        return {}
    return {"APCA-API-KEY-ID": credentials.key, "APCA-API-SECRET-KEY": credentials.secret}


@dataclass(frozen=True, slots=True)
class BarsQuery:
    """Which bars to ask for: those of `symbols` with `after` < end <= `until` (aware UTC).

    With `to_latest` the server is not told the end: what is the latest that the account may see, now
    or 15 minutes ago, it knows best.
    """

    symbols: tuple[str, ...]
    timeframe: Timeframe
    calendar: Calendar
    after: datetime
    until: datetime
    crypto: bool
    feed: str = "iex"
    adjustment: str = "split"
    asof: str | None = None
    to_latest: bool = False
    base_url: str = DATA_URL
    credentials: Credentials | None = field(default=None, repr=False)

    def request(self, page_token: str | None) -> HttpRequest:
        """Return the request for one page."""
        path = "/v1beta3/crypto/us/bars" if self.crypto else "/v2/stocks/bars"
        params = {
            "symbols": ",".join(self.symbols),
            "timeframe": str(self.timeframe),
            "start": _stamp(self.after - self._longest),
            "limit": str(PAGE),
            "sort": "asc",
        }
        if not self.to_latest:
            params["end"] = _stamp(self.until - (self.timeframe.length or timedelta(seconds=1)))
        if not self.crypto:
            params |= {"feed": self.feed, "adjustment": self.adjustment}
            if self.asof is not None:
                params["asof"] = self.asof
        if page_token is not None:
            params["page_token"] = page_token
        return HttpRequest("GET", self.base_url + path, params, headers(self.credentials))

    @property
    def _longest(self) -> timedelta:
        """How long before its end a bar may begin: a day has 25 hours in autumn."""
        return self.timeframe.length or timedelta(hours=25)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Page:
    """How far a download is: the page's number, the last bar in it, and whether there is more."""

    number: int
    symbol: str | None
    end: datetime | None
    is_last: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """All bars of a query, by symbol (each of the query's symbols is there), and in how many pages they came."""

    bars: Mapping[str, Columns]
    pages: int


def bars_exchange(
    query: BarsQuery, on_page: Callable[[Page], None] = lambda page: None
) -> Generator[HttpRequest, HttpResponse, Answer]:
    """Ask for page after page and return the bars.

    Raise `AuthenticationError`, `ConfigError` (Alpaca refuses a parameter), `RateLimited`,
    `ConnectionLost` (a gateway fails), or `ProtocolError`.
    """
    pieces: dict[str, list[Columns]] = {symbol: [] for symbol in query.symbols}
    seen: set[str | None] = {None}
    token: str | None = None
    number = 0
    while True:
        response = yield query.request(token)
        token, rows = read_page(response, query)
        number += 1
        last = None
        for symbol, found in rows.items():
            last = (symbol, columns(symbol, found, query.timeframe, query.calendar, crypto=query.crypto))
            pieces[symbol].append(last[1])
        at = moment(last[1].end[-1]) if last else None
        on_page(Page(number, last[0] if last else None, at, token is None))
        if token is None:
            whole = {symbol: _checked(symbol, joined(found)) for symbol, found in pieces.items()}
            return Answer({symbol: bars.between(query.after, query.until) for symbol, bars in whole.items()}, number)
        if token in seen:
            raise ProtocolError(NAME, f"page {number} points back to an earlier page; try again later", token)
        seen.add(token)


def read_page(response: HttpResponse, query: BarsQuery) -> tuple[str | None, dict[str, list[Any]]]:
    """Return a page's token and its rows by symbol; symbols without bars are left out."""
    return read_rows(response, "bars", query.symbols, query.credentials)


def read_rows(
    response: HttpResponse, kind: str, symbols: Sequence[str], credentials: Credentials | None
) -> tuple[str | None, dict[str, list[Any]]]:
    """Return a page's token and its rows of "bars" or "trades" by symbol; symbols without any are left out."""
    check_status(response, credentials)
    body = _decoded(response)
    told, token = body.get(kind), body.get("next_page_token")
    if not isinstance(told, dict | None) or not isinstance(token, str | None) or kind not in body:
        raise ProtocolError(NAME, f"an answer without {kind} by symbol: {_shown(body)}", body)
    if not all(isinstance(found, list | None) for found in (told or {}).values()):
        raise ProtocolError(NAME, f"{kind} that are no lists: {_shown(told)}", told)
    rows = {symbol: found for symbol, found in (told or {}).items() if found}
    strange = next((symbol for symbol in rows if symbol not in symbols), None)
    if strange is not None:
        raise ProtocolError(NAME, f"{kind} of {strange}, which was not asked for", strange)
    return token or None, rows


def _decoded(response: HttpResponse) -> dict[str, Any]:
    try:
        body = response.decode()
    except ValueError as error:
        raise ProtocolError(NAME, f"an answer that is not JSON ({len(response.body)} bytes)") from error
    if not isinstance(body, dict):
        raise ProtocolError(NAME, f"an answer that is no object: {_shown(body)}", body)
    return body


def _shown(body: object) -> str:
    text = " ".join(str(body).split())
    return text if len(text) <= 120 else text[:120] + "..."


def columns(symbol: str, rows: list[Any], timeframe: Timeframe, calendar: Calendar, *, crypto: bool) -> Columns:
    """Return one symbol's rows of a page as columns, stamped with their ends."""
    try:
        starts, *numbers = ([row[name] for row in rows] for name in "tohlcv")
        return Columns.of(ends(_instants(starts), timeframe, calendar, crypto=crypto), *numbers)
    except (TypeError, KeyError, ValueError) as error:
        raise ProtocolError(NAME, f"bars of {symbol} that cannot be read: {_shown(rows)}", rows) from error


def _instants(texts: list[str]) -> Instants:
    """Read RFC 3339 times; those in whole seconds of UTC, which bars have, all at once."""
    if set(map(len, texts)) == {20}:
        plain = np.frombuffer("".join(texts).encode(), "S20")
        if (plain.view("S1").reshape(-1, 20)[:, 19] == b"Z").all():
            return plain.astype("S19").astype("datetime64[us]")
    aware = [datetime.fromisoformat(text) for text in texts]
    if any(at.tzinfo is None for at in aware):
        raise ValueError("a time without a zone")
    return np.array([at.astimezone(UTC).replace(tzinfo=None) for at in aware], dtype="datetime64[us]")


def ends(starts: Instants, timeframe: Timeframe, calendar: Calendar, *, crypto: bool) -> Instants:
    """Return the first instant at which each bar could be known.

    A stock's day bar is known when its session closes; a crypto day bar when the day is over.
    """
    if timeframe.length is not None:
        return starts + np.timedelta64(timeframe.length)
    zone = CRYPTO_DAY if crypto else str(calendar.zone)
    days = utc_to_wall(starts, zone).astype("datetime64[D]")
    over = wall_to_utc(days, None, zone)
    if crypto:
        return over
    sessions = calendar.sessions
    at = np.searchsorted(sessions.days, days).clip(max=len(sessions.days) - 1)
    return np.where(sessions.days[at] == days, sessions.closes[at], over)


def _checked(symbol: str, bars: Columns) -> Columns:
    try:
        return check_columns(symbol, bars)
    except ConfigError as wrong:
        raise ProtocolError(NAME, f"bars that cannot be right: {wrong}") from None


def check_status(response: HttpResponse, credentials: Credentials | None) -> None:
    """Raise what a status other than 200 means, with Alpaca's own message and without a secret."""
    if response.status != 200:
        message = _message(response)
        _refuse(response, credentials.hidden(message) if credentials else message)


def _message(response: HttpResponse) -> str:
    """Return Alpaca's message; a gateway answers in HTML, which says nothing."""
    try:
        body = response.decode()
    except ValueError:
        return ""
    message = body.get("message", "") if isinstance(body, dict) else ""
    return _shown(message)


def _refuse(response: HttpResponse, message: str) -> NoReturn:
    status = response.status
    said = f'HTTP {status} "{message}"' if message else f"HTTP {status}"
    if "subscription does not permit" in message:
        raise AuthenticationError(NAME, f'{said}; use feed="iex", or end 15 minutes ago')
    if status in (401, 403):
        advice = f"check {VARIABLES[0]} and {VARIABLES[1]} (a paper account has its own keys)"
        raise AuthenticationError(NAME, f"{said}; {advice}")
    if status in (400, 422):
        raise ConfigError(f"{NAME} refused the request: {said}; check symbols, dates and the other parameters")
    if status == 404:
        raise ConfigError(f"{NAME}: {said}; there are no bars at this address: check base_url")
    if status == 429:
        wait = _retry_after(response)
        raise RateLimited(NAME, f"{said}, after several attempts; try again in {wait:.0f} s", wait)
    if status >= 500:
        raise ConnectionLost(NAME, f"{said}, after several attempts; try again later")
    raise ProtocolError(NAME, f"{said} was not expected; check base_url", message)


def _retry_after(response: HttpResponse) -> float:
    """Return the seconds that the answer asks to wait, a minute (the window) where it does not say."""
    after = response.headers.get("retry-after", "")
    return float(after) if after.isdigit() else 60.0
