"""Alpaca's market data over HTTP, served from the sandbox's market: bars, quotes, trades, latest, snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from feeds.alpaca.messages import (
    CONDITIONS,
    EXCHANGES,
    Row,
    as_json,
    bar_rows,
    bar_texts,
    book_row,
    quote_row,
    trade_row,
)
from feeds.alpaca.pages import Points, page
from feeds.alpaca.plans import Plan
from feeds.alpaca.queries import Latest, Query, Refused, read_latest, read_range
from feeds.alpaca.sandbox_book import Book
from framework.columns import Instants, instant
from framework.errors import ConfigError
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market
from framework.sandbox.rate import RateLimit

REQUESTS = "market_data"
"""The name of these requests, for faults (as a stream) and in the count."""

FAULTS = {
    "rate_limited": "429 (count: for how many requests; of data, headers: false leaves the limit's out)",
    "bad_gateway": "502 with a page of HTML; the request was not carried out",
    "stall": "no answer, after the request was carried out (seconds, 600)",
    "gateway_unauthorized": "answer a request for data with 401 and HTML, as Alpaca's gateway does",
    "null_bars": "answer with null instead of bars, and no next page",
    "short_pages": "put fewer points on a page than were asked for (size, 1)",
}

_GATEWAY = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)

_TOO_MANY = {"message": "too many requests."}

Answer = Callable[[web.Request], Row]


class Rest:
    """The data side's answers to requests. Owned by the thread that serves the market."""

    def __init__(self, market: Market, book: Book, plan: Plan, rate: RateLimit) -> None:
        self.market, self.book, self.plan = market, book, plan
        self.rate = rate
        market.faults.know(FAULTS)

    def routes(self) -> list[web.RouteDef]:
        """Return the venue's own paths."""
        found: list[web.RouteDef] = []
        for name in ("conditions/{kind}", "exchanges"):
            found.append(self._get(f"/v2/stocks/meta/{name}", self._meta))
        for crypto, root in ((False, "/v2/stocks"), (True, "/v1beta3/crypto/us")):
            for kind in ("bars", "quotes", "trades"):
                latest = f"{root}/latest/{kind}" if crypto else f"{root}/{kind}/latest"
                found.append(self._get(latest, self._latest(kind, crypto=crypto), crypto=crypto))
                found.append(self._get(f"{root}/{kind}", self._range(kind, crypto=crypto), crypto=crypto))
                if not crypto:
                    found.append(self._get(f"{root}/{{symbol}}/{kind}/latest", self._latest(kind, crypto=False)))
                    found.append(self._get(f"{root}/{{symbol}}/{kind}", self._range(kind, crypto=False)))
            found.append(self._get(f"{root}/snapshots", self._snapshots(crypto=crypto), crypto=crypto))
        found.append(self._get("/v2/stocks/{symbol}/snapshot", self._snapshots(crypto=False)))
        found.append(
            self._get("/v1beta3/crypto/us/latest/orderbooks", self._latest("orderbooks", crypto=True), crypto=True)
        )
        return found

    def _get(self, path: str, answer: Answer, *, crypto: bool = False) -> web.RouteDef:
        async def handle(request: web.Request) -> web.Response:
            self.market.requests[REQUESTS] += 1
            if wrong := await self._wrong(request):
                return wrong
            if refusal := self._unauthorized(request, crypto=crypto):
                return refusal
            if not self.rate.take():
                return self._told(429, _TOO_MANY, self.rate.headers(used_up=True))
            try:
                return self._told(200, answer(request))
            except Refused as refused:
                return self._told(refused.status, refused.body)
            except ConfigError as error:  # a timeframe that cannot be made of this tape's bars
                return self._told(422, {"code": 42210000, "message": f"invalid timeframe: the sandbox {error}"})

        return web.get(path, handle, allow_head=False)

    def _told(self, status: int, body: Row, headers: Mapping[str, str] | None = None) -> web.Response:
        """Return an answer, with the rate limit's headers unless others are given."""
        headers = self.rate.headers() if headers is None else headers
        return web.Response(status=status, text=as_json(body), content_type="application/json", headers=headers)

    def _take(self, name: str, request: web.Request) -> Fault | None:
        return self.market.faults.take(name, REQUESTS, method=request.method, path=request.path)

    async def _wrong(self, request: web.Request) -> web.Response | None:
        """Return what a fault answers, where there is one."""
        if fault := self._take("stall", request):
            await asyncio.sleep(fault.seconds(600))
            return _gateway(504, "504 Gateway Time-out")
        if self._take("bad_gateway", request):
            return _gateway(502, "502 Bad Gateway")
        if self._take("gateway_unauthorized", request):
            return _gateway(401, "401 Authorization Required")
        if fault := self._take("rate_limited", request):
            shown = fault.options.get("headers", True)
            return self._told(429, _TOO_MANY, self.rate.headers(used_up=True) if shown else {})
        return None

    def _unauthorized(self, request: web.Request, *, crypto: bool) -> web.Response | None:
        key, secret = (request.headers.get(name) for name in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"))
        if (key, secret) == (self.market.key, self.market.secret) or (crypto and key is None):
            return None
        if key is None or secret is None:
            return self._told(401, {"message": "unauthorized."})
        return self._told(403, {"message": "forbidden."})

    def _range(self, kind: str, *, crypto: bool) -> Answer:
        def answer(request: web.Request) -> Row:
            symbol = request.match_info.get("symbol")
            query = read_range(request.query, kind, self.market.now(), self.plan, crypto=crypto, symbol=symbol)
            short = self._take("short_pages", request)
            limit = query.limit if short is None else min(query.limit, int(short.options.get("size", 1)))
            found, token = page(
                query.symbols,
                lambda each: self._points(kind, each, query),
                query.position,
                limit,
                is_descending=query.is_descending,
            )
            if kind == "bars" and self._take("null_bars", request):
                return _named({kind: None}, symbol, query.currency) | {"next_page_token": None}
            body = {kind: found} if symbol is None else {kind: found.get(symbol)}
            return _named(body, symbol, query.currency) | {"next_page_token": token}

        return answer

    def _points(self, kind: str, symbol: str, query: Query) -> Points:
        if kind == "bars":
            return self._bars(symbol, query)
        until = min(query.end, query.known_at)
        exchange = _exchange(query.feed)
        if kind == "quotes":
            quotes = self.book.quotes(symbol, query.start, until)
            return _points([each.at for each in quotes], [quote_row(each, exchange) for each in quotes])
        trades = self.book.trades(symbol, query.start, until, query.known_at)
        return _points([each.at for each in trades], [trade_row(each, exchange) for each in trades])

    def _bars(self, symbol: str, query: Query) -> Points:
        assert query.timeframe is not None
        bars = self.book.bars(symbol, query.timeframe, query.known_at, adjusts=query.adjusts_splits)
        inside = bars[(instant(query.start) <= bars.start) & (bars.start <= instant(query.end))]
        return Points(inside.start, lambda which: bar_texts(inside[which], crypto="/" in symbol))

    def _latest(self, kind: str, *, crypto: bool) -> Answer:
        def answer(request: web.Request) -> Row:
            symbol = request.match_info.get("symbol")
            asked = read_latest(request.query, self.market.now(), self.plan, crypto=crypto, symbol=symbol)
            rows = {each: row for each in asked.symbols if (row := self._last(kind, each, asked))}
            if symbol is None:
                return _named({kind: rows}, None, asked.currency)
            if symbol not in rows:
                raise Refused(404, f"no {kind[:-1]} found for {symbol}")
            return _named({kind[:-1]: rows[symbol]}, symbol, asked.currency)

        return answer

    def _last(self, kind: str, symbol: str, asked: Latest) -> Row | None:
        if kind == "bars":
            known = self.book.known(symbol, asked.known_at)[-1:]
            timeframe = self.market.tape.timeframe
            rows = bar_rows(self.book.of(known, timeframe, symbol), crypto="/" in symbol)
            return rows[0] if rows else None
        if kind == "trades":
            trade = self.book.trade(symbol, asked.known_at)
            return trade_row(trade, _exchange(asked.feed)) if trade else None
        quote = self.book.quote(symbol, asked.known_at)
        if quote is None:
            return None
        return book_row(quote) if kind == "orderbooks" else quote_row(quote, _exchange(asked.feed))

    def _snapshots(self, *, crypto: bool) -> Answer:
        def answer(request: web.Request) -> Row:
            symbol = request.match_info.get("symbol")
            asked = read_latest(request.query, self.market.now(), self.plan, crypto=crypto, symbol=symbol)
            found = {each: self._snapshot(each, asked) for each in asked.symbols if self._last("bars", each, asked)}
            if symbol is None:
                return {"snapshots": found} if crypto else found
            if symbol not in found:
                raise Refused(404, f"no snapshot found for {symbol}")
            return {"symbol": symbol, **found[symbol]}

        return answer

    def _snapshot(self, symbol: str, asked: Latest) -> Row:
        days = bar_rows(self.book.days(symbol, asked.known_at), crypto="/" in symbol)
        return {
            "latestTrade": self._last("trades", symbol, asked),
            "latestQuote": self._last("quotes", symbol, asked),
            "minuteBar": self._last("bars", symbol, asked),
            "dailyBar": days[-1],
            "prevDailyBar": days[-2] if len(days) > 1 else None,
        }

    def _meta(self, request: web.Request) -> Row:
        kind = request.match_info.get("kind")
        if kind is None:
            return dict(EXCHANGES)
        if kind not in CONDITIONS:
            raise Refused(400, f"invalid ticktype: {kind}")
        if request.query.get("tape") not in ("A", "B", "C"):
            raise Refused(400, "Invalid format for parameter tape: query parameter 'tape' is required")
        return dict(CONDITIONS[kind])


def _gateway(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=_GATEWAY.format(text), content_type="text/html")


def _exchange(feed: str) -> str:
    """Return the exchange that a feed's points are from: IEX has its own only."""
    return "V" if feed == "iex" else "P"


def _points(times: list[datetime], rows: list[Row]) -> Points:
    at: Instants = np.array([instant(each) for each in times], dtype="datetime64[us]")

    def tell(which: NDArray[np.intp]) -> list[Any]:
        return [rows[index] for index in which]

    return Points(at, tell)


def _named(body: Mapping[str, Any], symbol: str | None, currency: str | None) -> Row:
    named = dict(body)
    if symbol is not None:
        named["symbol"] = symbol
    if currency is not None:
        named["currency"] = currency
    return named
