"""ALGOGENE on loopback, as a dialect of the sandbox: REST under `/rest/v1`, prices at `/ws`, with its faults.

`routes(market)` mounts it; see `framework.sandbox.market` for how. User and API key are the market's key and secret.
What the venue decides is in `sandbox_book`; here are the paths, who is let in, and what goes wrong with a request.
How failures are worded, and with which statuses, is a guess throughout: none is documented.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from brokers.algogene import sandbox_prices as prices
from brokers.algogene import sandbox_records as records
from brokers.algogene.sandbox_book import Book
from brokers.algogene.sandbox_entries import stamp
from brokers.algogene.sandbox_records import ACCOUNT, listed
from brokers.algogene.sandbox_requests import Refusal, ids
from brokers.algogene.sandbox_sessions import LIFE, Sessions
from brokers.algogene.sandbox_socket import Sockets
from brokers.algogene.settings import Settings
from framework.model import Bar
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market
from framework.sandbox.tape import Instant

NAME = "algogene"
REST = "/rest/v1"

REQUESTS = "algogene_api"
"""The name of these requests, for faults (as a stream) and in the count; sessions are counted as LOGINS too."""

LOGINS = "algogene_logins"

FAULTS = {
    "expired_token": "401 to a request: its token is over",
    "gateway_timeout": "504 with an empty body, after the order was taken",
    "html_answer": "200 with a page of HTML, after the request was carried out",
    "odd_answer": "an answer without what it should hold, after the request was carried out",
    "bad_gateway": "502 with a page of HTML; the request was not carried out",
    "rate_limited": "429 (count: for how many requests)",
    "stall": "no answer, after the request was carried out (seconds, 600)",
    "stall_early": "no answer, and the request is not carried out (seconds, 600)",
    "cut_answer": "the connection is cut before the answer, after the request was carried out",
    "rejected": "an order is taken, then rejected by the venue",
    "slow_close": "a close is submitted, and carried out late (seconds of venue time, 120)",
    "lost_close": "a close is submitted, and never carried out",
    "frozen_quotes": "a symbol's quotes of a minute stay what they were before, times and all",
}

HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"

Handler = Callable[[dict[str, Any]], Any]


def access(market: Market) -> dict[str, str]:
    """Return what a client needs beside the URL."""
    return {"user": market.key, "api_key": market.secret, "accountid": ACCOUNT}


def routes(market: Market, settings: Settings | None = None, life: float = LIFE) -> list[web.RouteDef]:
    """Let ALGOGENE join a market, and return its paths; a token lives for `life` seconds of I/O time."""
    return Algogene(market, settings, life).routes()


class Algogene:
    """The dialect over one market. Owned by the thread that serves it."""

    name = NAME

    def __init__(self, market: Market, settings: Settings | None = None, life: float = LIFE) -> None:
        self.market, self.settings = market, settings or Settings()
        self.book = Book(market.tape, self.settings, market.seed)
        self.sessions = Sessions(market.secret, life)
        self.sockets = Sockets(market, self.book.board)
        self._untold: list[Bar] = []
        market.faults.know(FAULTS)
        market.join(self)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes on ALGOGENE's own paths."""
        public: dict[str, Handler] = {
            "/session": lambda _: self._login(),
            "/history_price": lambda query: prices.history(self.book.board, query, self.market.now()),
            "/realtime_price": self._realtime,
            "/list_instrument": lambda _: listed([self._instrument(name) for name in self.book.board.names]),
            "/meta_instrument": lambda query: listed([self._instrument(str(query.get("instrument")))]),
        }
        asked: dict[str, Handler] = {
            "/accounts": lambda query: records.accounts(self.book, query["runmode"], self.market.now()),
            "/balance": lambda _: records.balance(self.book, self.market.now()),
            "/positions": lambda _: records.positions(self.book, self.market.now()),
            "/opened_trades": lambda _: records.opened(self.book),
            "/pending_trades": lambda _: records.pending(self.book),
            "/query_order": lambda query: records.order(self.book, str(query.get("tradeID"))),
            "/strategy_trade": lambda query: records.transactions(self.book, query.get("orderRef") or ""),
        }
        sent: dict[str, Handler] = {
            "/open_order": self._open,
            "/update_pending_order": self._updating("update_pending", "Submitted for pending order update!"),
            "/update_opened_order": self._updating("update_opened", "Submitted for opened order update!"),
            "/cancel_orders": self._cancel,
            "/close_orders": self._close,
        }
        free = [
            web.get(REST + path, self._served(each, is_free=True), allow_head=False) for path, each in public.items()
        ]
        gets = [web.get(REST + path, self._served(each), allow_head=False) for path, each in asked.items()]
        posts = [web.post(REST + path, self._served(each)) for path, each in sent.items()]
        return [*free, *gets, *posts, web.get("/ws", self.sockets.serve, allow_head=False)]

    # As the market sees it

    def play(self, instant: Instant) -> None:
        """Match what happens, and keep the bars whose quotes are to be told."""
        self.book.play(instant)
        ended = (self.book.board.ended(name, instant.at) for name in self.sockets.wanted)
        self._untold += [each for each in ended if each is not None]

    async def flush(self) -> None:
        """Tell the quotes that wait."""
        untold, self._untold = self._untold, []
        for bar in untold:
            await self.sockets.tell(bar)

    def restore(self, body: Mapping[str, Any]) -> None:
        """Carry a command out again."""
        self._do(body)

    def forget(self) -> None:
        """Drop what the restart made of quotes."""
        self._untold.clear()

    # Commands: the same path for a request and for a restart

    def _command(self, do: str, **more: Any) -> Any:
        """Carry a command out and write it down, in one breath."""
        body = {"do": do, "at": self.market.now().isoformat(), **more}
        done = self._do(body)
        self.market.record(NAME, body)
        return done

    def _do(self, body: Mapping[str, Any]) -> Any:
        if body["do"] == "login":
            return self.sessions.do(body)
        at = datetime.fromisoformat(body["at"])
        match body["do"]:
            case "open":
                return self.book.open(body["order"], at)
            case "close":
                return self.book.close(body["id"], at, body["after"])
            case "cancel":
                return self.book.cancel(body["id"], at)
            case "reject":
                return self.book.reject(body["id"], at)
            case "update_pending":
                return self.book.update_pending(body["id"], body["changes"], at)
            case _:
                return self.book.update_opened(body["id"], body["changes"], at)

    # Answers

    def _login(self) -> Any:
        self.market.requests[LOGINS] += 1
        return self._command("login", since=self.market.clock.wall())

    def _open(self, body: dict[str, Any]) -> Any:
        self.market.requests["algogene_orders"] += 1
        entry = self._command("open", order=_without_secrets(body))
        if self.market.faults.take("rejected", REQUESTS, instrument=entry.instrument):
            self._command("reject", id=entry.id)
        at = stamp(self.market.now())
        return {"status": "PENDING_TO_FILL", "timestamp_utc": at, "tradeID": int(entry.id)}

    def _updating(self, do: str, said: str) -> Handler:
        def update(body: dict[str, Any]) -> Any:
            self._command(do, id=str(body.get("tradeID") or ""), changes=_without_secrets(body))
            return {"status": "SUCCESS", "res": said}

        return update

    def _cancel(self, body: dict[str, Any]) -> Any:
        self._each("cancel", ids(body), "pending orders")
        return {"status": "SUCCESS", "res": "Submitted for BULK_CANCEL"}

    def _close(self, body: dict[str, Any]) -> Any:
        named = ids(body)
        if not named and body.get("orderRef"):
            named = [each.id for each in self.book.opened if each.order_ref == body["orderRef"]]
        if not self.market.faults.take("lost_close", REQUESTS):
            slow = self.market.faults.take("slow_close", REQUESTS)
            self._each("close", named, "opened trades", after=slow.seconds(120) if slow else 0.0)
        shown = "".join(f"'{each}'," for each in named)
        return {"status": "SUCCESS", "res": f"Submitted close order request for {shown}"}

    def _each(self, do: str, named: list[str], what: str, **more: Any) -> None:
        """Carry out what names several; refuse where none of them is there."""
        there = 0
        for each in named:
            with contextlib.suppress(Refusal):
                self._command(do, id=each, **more)
                there += 1
        if not there:
            raise Refusal(f"no such {what}: {','.join(named)}")

    def _realtime(self, query: dict[str, Any]) -> Any:
        names = [each for each in str(query.get("symbols") or "").split(",") if each]
        quotes, told = prices.last_quotes(self.book.board, names, self.market.now()), self.sockets.told
        for name in names:
            if name in told and self.market.faults.take("frozen_quotes", REQUESTS, symbol=name):
                quotes[name] = told[name]
            told[name] = quotes[name]
        return {"res": {name: prices.shown(each, "", is_named=False) for name, each in quotes.items()}}

    def _instrument(self, name: str) -> dict[str, Any]:
        return prices.instrument(self.book.board, self.settings, name)

    # The wire

    def _served(
        self, handler: Handler, *, is_free: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            self.market.requests[REQUESTS] += 1
            if (wrong := await self._wrong(request)) is not None:
                return wrong
            try:
                body = await _body(request)
                self._let_in(body, request, is_free=is_free)
                shown = handler(body)
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status)
            await self.market.synced()
            return await self._answered(request, shown)

        return serve

    def _let_in(self, body: Mapping[str, Any], request: web.Request, *, is_free: bool) -> None:
        """Raise `Refusal` for whoever has no account, no session, or asks for another account."""
        if (body.get("user"), body.get("api_key")) != (self.market.key, self.market.secret):
            raise Refusal("Invalid user or api_key", 401)
        if is_free:
            return
        is_open = self.sessions.is_open(str(body.get("token") or ""), self.market.clock.wall())
        if not is_open or self._take("expired_token", request):
            raise Refusal("Invalid or expired token", 401)
        if body.get("runmode") not in ("livetest", "livetrade"):
            raise Refusal(f"invalid runmode: {body.get('runmode')}")
        if not request.path.endswith("/accounts") and ACCOUNT not in (body.get("accountid"), body.get("runtime_id")):
            raise Refusal(f"invalid accountid: {body.get('accountid')}")

    async def _wrong(self, request: web.Request) -> web.Response | None:
        """Return what a fault answers in place of the venue, where there is one."""
        if self._take("bad_gateway", request):
            return _page(502, "502 Bad Gateway")
        if self._take("rate_limited", request):
            return web.json_response({"status": "FAILED", "res": "too many requests"}, status=429)
        return await self._stalled(request, "stall_early")

    async def _answered(self, request: web.Request, shown: Any) -> web.StreamResponse:
        """Answer a request that was carried out, or lose the answer on the way."""
        if self._take("cut_answer", request) and request.transport is not None:
            request.transport.abort()
        if self._take("gateway_timeout", request):
            return web.Response(status=504)
        if self._take("html_answer", request):
            return _page(200, "ALGOGENE")
        if (stalled := await self._stalled(request, "stall")) is not None:
            return stalled
        return web.json_response({} if self._take("odd_answer", request) else shown)

    async def _stalled(self, request: web.Request, name: str) -> web.Response | None:
        """Hold a request without an answer, where a fault says so; then hang up."""
        if (fault := self._take(name, request)) is None:
            return None
        await asyncio.sleep(fault.seconds(600))
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=504)

    def _take(self, name: str, request: web.Request) -> Fault | None:
        path = request.path.removeprefix(REST)
        return self.market.faults.take(name, REQUESTS, method=request.method, path=path)


def _page(status: int, title: str) -> web.Response:
    return web.Response(status=status, text=HTML.format(title), content_type="text/html")


def _without_secrets(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as it may be written down: a state file holds no token."""
    return {key: value for key, value in body.items() if key not in ("user", "api_key", "token", "callback")}


async def _body(request: web.Request) -> dict[str, Any]:
    """Return a query, or the JSON of a body whatever its content type says: ALGOGENE's own example sends none."""
    if request.method == "GET":
        return dict(request.query)
    try:
        body = json.loads(await request.text())
    except ValueError:
        raise Refusal("Invalid request", 400) from None
    if not isinstance(body, dict):
        raise Refusal("Invalid request", 400)
    return body
