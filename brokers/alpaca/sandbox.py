"""Alpaca's trading side on loopback: REST v2 and `/stream`, with its faults.

`routes(market)` mounts it; see `framework.sandbox.market` for how. What the venue decides is in `book`,
what it shows in `entries` and `records`, the stream in `trade_stream`; here are the paths,
authentication, rate limits, and what goes wrong with a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from brokers.alpaca import records
from brokers.alpaca.book import Book
from brokers.alpaca.refusals import BAD, Refusal
from brokers.alpaca.settings import Settings
from brokers.alpaca.trade_stream import FAULTS as STREAM_FAULTS
from brokers.alpaca.trade_stream import TradeStream
from framework.sandbox.market import Market
from framework.sandbox.rate import RateLimit
from framework.sandbox.tape import Instant

NAME = "alpaca"

FAULTS = {
    "event_first": "an order's events are sent before its POST is answered",
    "gateway_timeout": "504 with an empty body, after the order was taken",
    "stall": "no answer, after the request was carried out (seconds, 600)",
    "stall_early": "no answer, and the request is not carried out (seconds, 600)",
    "cut_answer": "the connection is cut before the answer, after the request was carried out",
    "bad_gateway": "502 with a page of HTML; the request was not carried out",
    "rate_limited": "429 (count: for how many requests)",
    "rejected": "an order is taken, then rejected by the venue",
    "cancel_rejected": "a cancel is answered 204, then order_cancel_rejected comes and the order lives on",
    "moved_leg": "the held stop of a bracket carries on under another id, without an event",
    **STREAM_FAULTS,
}

HTML = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"

Answer = tuple[int, Any]
Handler = Callable[[web.Request, dict[str, Any]], Answer]


def routes(
    market: Market, settings: Settings | None = None, *, limit: int | None = None, connections: int = 1
) -> list[web.RouteDef]:
    """Mount Alpaca's trading side: orders, positions, account, and the stream of order updates.

    `limit` is the requests a minute that are answered (None: 200 in real time, else as many as come);
    `connections` is how many clients `/stream` takes at a time, 0 any.
    """
    return AlpacaTrading(market, settings, limit, connections).routes()


class AlpacaTrading:
    """The dialect over one market. Owned by the thread that serves it."""

    name = NAME

    def __init__(
        self, market: Market, settings: Settings | None = None, limit: int | None = None, connections: int = 1
    ) -> None:
        self.market = market
        self.book = Book(market.tape, settings, market.seed, market.clock.speed)
        self.stream = TradeStream(market, self.book, connections)
        kept = limit is not None or market.clock.speed == 1
        clock = market.clock
        self.rate = RateLimit(limit or 200, is_kept=kept, monotonic=clock.monotonic, wall=clock.wall)
        market.faults.know(FAULTS)
        market.join(self)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes on Alpaca's own paths."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/account", lambda *_: (200, records.account(self.book))),
            ("GET", "/account/configurations", lambda *_: (200, self.book.configuration)),
            ("PATCH", "/account/configurations", self._configure),
            ("GET", "/account/portfolio/history", self._query(records.portfolio_history)),
            ("GET", "/account/activities", self._query(records.activities)),
            ("GET", "/account/activities/{type}", self._activities),
            ("GET", "/orders", self._query(records.orders)),
            ("POST", "/orders", self._submit),
            ("DELETE", "/orders", self._cancel_all),
            ("GET", "/orders:by_client_order_id", self._by_client_id),
            ("GET", "/orders/{id}", self._order),
            ("PATCH", "/orders/{id}", self._replace),
            ("DELETE", "/orders/{id}", self._cancel),
            ("GET", "/positions", lambda *_: (200, records.positions(self.book))),
            ("DELETE", "/positions", self._close_all),
            ("GET", "/positions/{symbol:.+}", lambda request, _: (200, records.position(self.book, _named(request)))),
            ("DELETE", "/positions/{symbol:.+}", self._close),
            ("GET", "/assets", self._query(records.assets)),
            ("GET", "/assets/{symbol:.+}", lambda request, _: (200, records.asset(self.book, _named(request)))),
            ("GET", "/clock", lambda *_: (200, records.clock(self.market.tape, self.market.now()))),
            ("GET", "/calendar", lambda request, _: (200, records.calendar(self.market.tape, request.query))),
        ]
        served = [web.route(method, f"/v2{path}", self._served(handler)) for method, path, handler in table]
        return [*served, web.get("/stream", self.stream.serve), web.get("/stream/", self.stream.serve)]

    # As the market sees it

    def play(self, instant: Instant) -> None:
        """Match what happens, and let a leg move where a fault says so."""
        self.book.play(instant)
        if any(each.event == "fill" for each in self.book.updates) and self.market.faults.take("moved_leg", "trading"):
            self._commit({"do": "move_leg", "at": instant.at.isoformat()})

    async def flush(self) -> None:
        """Send the updates that wait."""
        await self.stream.flush()

    def restore(self, body: Mapping[str, Any]) -> None:
        """Carry a command out again."""
        self._do(body)

    def forget(self) -> None:
        """Drop what the restart made of updates."""
        self.book.updates.clear()

    # Commands: the same path for a request and for a restart

    def _commit(self, body: dict[str, Any]) -> Any:
        """Carry a command out and write it down, in one breath."""
        done = self._do(body)
        self.market.record(NAME, body)
        return done

    def _do(self, body: Mapping[str, Any]) -> Any:
        at = datetime.fromisoformat(body["at"])
        match body["do"]:
            case "submit":
                return self.book.submit(body["order"], at)
            case "cancel":
                return self.book.cancel(body["id"], at)
            case "replace":
                return self.book.replace(body["id"], body["changes"], at).shown(self.book.entries)
            case "close":
                return self.book.close(body["symbol"], at, body["qty"], body["percentage"])
            case "configure":
                return self.book.configure(body["changes"])
            case "reject":
                return self.book.reject(body["id"], at)
            case _:
                return self.book.move_leg(at)

    def _command(self, do: str, **more: Any) -> Any:
        return self._commit({"do": do, "at": self.market.now().isoformat(), **more})

    # Requests

    def _submit(self, _: web.Request, body: dict[str, Any]) -> Answer:
        shown = self._command("submit", order=body)
        self.market.requests["orders"] += 1
        if self.market.faults.take("rejected", "trading", symbol=shown["symbol"]):
            self._command("reject", id=shown["id"])
        return 200, shown

    def _replace(self, request: web.Request, body: dict[str, Any]) -> Answer:
        return 200, self._command("replace", id=_named(request, "id"), changes=body)

    def _cancel(self, request: web.Request, _: dict[str, Any]) -> Answer:
        order_id = _named(request, "id")
        if self.book.find(order_id).is_live and self.market.faults.take("cancel_rejected", "trading"):
            self.book.say_cancel_rejected(order_id, self.market.now())
        else:
            self._command("cancel", id=order_id)
        return 204, None

    def _cancel_all(self, *_: Any) -> Answer:
        answers = []
        for entry in list(self.book.live):
            if entry.is_live:
                self._command("cancel", id=entry.id)
                answers.append({"id": entry.id, "status": 200})
        return 207, answers

    def _close(self, request: web.Request, _: dict[str, Any]) -> Answer:
        symbol = records.symbol_of(self.book, _named(request))
        parts = {key: records.fraction(request.query, key) for key in ("qty", "percentage")}
        return 200, self._command("close", symbol=symbol, **parts)

    def _close_all(self, request: web.Request, _: dict[str, Any]) -> Answer:
        if request.query.get("cancel_orders", "false").lower() == "true":
            self._cancel_all()
        return 207, [self._closed(symbol) for symbol, held in list(self.book.account.holdings.items()) if held.size]

    def _closed(self, symbol: str) -> dict[str, Any]:
        try:
            order = self._command("close", symbol=symbol, qty=None, percentage=None)
        except Refusal as refusal:
            return {"symbol": symbol, "status": refusal.status, "body": refusal.body}
        return {"symbol": symbol, "status": 200, "order_id": order["id"], "body": order}

    def _configure(self, _: web.Request, body: dict[str, Any]) -> Answer:
        return 200, self._command("configure", changes=body)

    def _order(self, request: web.Request, _: dict[str, Any]) -> Answer:
        entry = self.book.find(_named(request, "id"))
        nested = request.query.get("nested", "false").lower() == "true"
        return 200, entry.shown(self.book.entries if nested else None)

    def _by_client_id(self, request: web.Request, _: dict[str, Any]) -> Answer:
        wanted = request.query.get("client_order_id", "")
        return 200, self.book.find(self.book.by_client_id.get(wanted, wanted)).shown()

    def _activities(self, request: web.Request, _: dict[str, Any]) -> Answer:
        return 200, records.activities(self.book, request.query, _named(request, "type"))

    def _query(self, shown: Callable[[Book, Mapping[str, str]], Any]) -> Handler:
        return lambda request, _: (200, shown(self.book, request.query))

    # The wire

    def _served(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            self.market.requests["trading"] += 1
            early = self._refused(request) or await self._stalled(request, "stall_early")
            if early is not None:
                return early
            try:
                status, shown = handler(request, await _body(request))
            except Refusal as refusal:
                return self._json(refusal.status, refusal.body)
            await self.market.synced()
            return await self._answered(request, status, shown)

        return serve

    def _refused(self, request: web.Request) -> web.Response | None:
        """Return the answer of a gateway, a rate limit or a doorkeeper, where there is one."""
        facts = {"method": request.method, "path": request.path}
        if self.market.faults.take("bad_gateway", "trading", **facts):
            return web.Response(status=502, text=HTML, content_type="text/html")
        if not self.rate.take() or self.market.faults.take("rate_limited", "trading", **facts):
            return self._json(429, {"code": 42910000, "message": "rate limit exceeded"}, used_up=True)
        given = tuple(request.headers.get(f"APCA-API-{name}", "") for name in ("KEY-ID", "SECRET-KEY"))
        if not all(given):
            return self._json(401, {"code": 40110000, "message": "request is not authorized"})
        if given != (self.market.key, self.market.secret):
            return self._json(403, {"message": "forbidden."})
        return None

    async def _answered(self, request: web.Request, status: int, shown: Any) -> web.StreamResponse:
        """Answer a request that was carried out, then send the updates that came of it."""
        facts = {"method": request.method, "path": request.path}
        faults = self.market.faults
        if faults.take("event_first", "trading", **facts):
            await self.flush()
        if faults.take("cut_answer", "trading", **facts) and request.transport is not None:
            request.transport.abort()
            await self.flush()
            return web.Response()
        answer = self._json(status, shown)
        if faults.take("gateway_timeout", "trading", **facts):
            answer = web.Response(status=504)
        stalled = await self._stalled(request, "stall")
        answer = answer if stalled is None else stalled
        with contextlib.suppress(ConnectionError):  # whoever asked may have hung up
            await answer.prepare(request)
            await answer.write_eof()
        await self.flush()
        return answer

    async def _stalled(self, request: web.Request, name: str) -> web.Response | None:
        """Hold a request without an answer, where a fault says so; then hang up."""
        fault = self.market.faults.take(name, "trading", method=request.method, path=request.path)
        if fault is None:
            return None
        await self.flush()
        await asyncio.sleep(fault.seconds(600))
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=504)

    def _json(self, status: int, shown: Any, *, used_up: bool = False) -> web.Response:
        headers = self.rate.headers(used_up=used_up)
        if shown is None:
            return web.Response(status=status, headers=headers)
        return web.json_response(shown, status=status, headers=headers)


def _named(request: web.Request, part: str = "symbol") -> str:
    return request.match_info[part]


async def _body(request: web.Request) -> dict[str, Any]:
    if not request.can_read_body:
        return {}
    try:
        body = json.loads(await request.text())
    except ValueError:
        raise Refusal(400, 40010000, "request body format is invalid") from None
    if not isinstance(body, dict):
        raise Refusal(400, BAD, "request body must be an object")
    return body
