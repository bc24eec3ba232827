"""A loopback server that speaks the dialect of Alpaca's bars, with its faults: the tests' other side."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
KEY, SECRET = "PKLOOPBACK", "s3cr3t-of-the-loopback"


@dataclass(frozen=True)
class Row:
    """One bar as it traded, stamped with its start."""

    start: datetime
    price: float
    volume: float = 100.0


@dataclass(frozen=True)
class Split:
    """From `day` on, each share is `ratio` shares."""

    day: date
    ratio: float


@dataclass
class Market:
    """What the server knows: rows of each symbol, and the splits that have been worked in."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    splits: dict[str, list[Split]] = field(default_factory=dict)
    timeframe: str = "1Min"

    def served(self, symbol: str, adjustment: str) -> list[dict[str, Any]]:
        return [self._bar(symbol, row, adjustment) for row in self.rows.get(symbol, [])]

    def _bar(self, symbol: str, row: Row, adjustment: str) -> dict[str, Any]:
        factor = 1.0
        if adjustment in ("split", "all"):
            day = row.start.astimezone(NEW_YORK).date()
            for split in self.splits.get(symbol, []):
                factor *= split.ratio if day < split.day else 1.0
        price = round(row.price / factor, 4)
        top, bottom = round((row.price + 0.5) / factor, 4), round((row.price - 0.5) / factor, 4)
        stamp = row.start.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "t": stamp,
            "o": price,
            "h": top,
            "l": bottom,
            "c": price,
            "v": row.volume * factor,
            "n": 3,
            "vw": price,
        }


Fault = Callable[["Handler"], None]


def status(code: int, body: str | dict[str, Any], **headers: str) -> Fault:
    """Answer with a status; a text is a gateway's HTML."""

    def answer(handler: Handler) -> None:
        content = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json"
        handler.reply(code, content.encode(), kind, {name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def cut_short(handler: Handler) -> None:
    """Promise more bytes than come, then hang up."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"bars":{"AAPL":[')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


class AlpacaServer(ThreadingHTTPServer):
    """Serves `market`; `faults` are played first, one for each request; `requests` are the queries that came."""

    daemon_threads = False  # closing waits for them: no thread outlives a test

    def __init__(self, market: Market) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.market = market
        self.page_size = 10_000
        self.empty_pages = False
        self.faults: list[Fault | None] = []
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.before_page: Callable[[int], None] = lambda number: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that a test cut."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5  # for a connection that a test leaves open
    server: AlpacaServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.server.paths.append(parts.path)
        self.server.requests.append(query)
        self.server.before_page(len(self.server.requests))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault is not None:
            return fault(self)
        crypto = parts.path == "/v1beta3/crypto/us/bars"
        if not crypto and parts.path != "/v2/stocks/bars":
            return self.json(404, {"message": "endpoint not found"})
        login = self.headers.get("APCA-API-KEY-ID"), self.headers.get("APCA-API-SECRET-KEY")
        if not crypto and login != (KEY, SECRET):
            return self.json(401, {"code": 40110000, "message": f"request of {login[0]} is not authorized"})
        return self._bars(query)

    def _bars(self, query: dict[str, str]) -> None:
        market = self.server.market
        if query["timeframe"] != market.timeframe:
            return self.json(400, {"code": 40010001, "message": f"invalid timeframe: {query['timeframe']}"})
        start = datetime.fromisoformat(query["start"])
        end = datetime.fromisoformat(query.get("end", "9999-12-31T00:00:00Z"))
        points = [
            (symbol, bar)
            for symbol in sorted(query["symbols"].split(","))
            for bar in market.served(symbol, query.get("adjustment", "raw"))
            if start <= datetime.fromisoformat(bar["t"]) <= end
        ]
        first = int(query.get("page_token", "p0")[1:])
        size = min(int(query.get("limit", 1000)), self.server.page_size)
        if self.server.empty_pages and first % 2 == 0 and points:
            return self.json(200, {"bars": None, "next_page_token": f"p{first + 1}"})
        at = first // 2 * size if self.server.empty_pages else first * size
        page: dict[str, list[Any]] = {}
        for symbol, bar in points[at : at + size]:
            page.setdefault(symbol, []).append(bar)
        token = f"p{first + 1}" if at + size < len(points) else None
        return self.json(200, {"bars": page or None, "next_page_token": token})

    def json(self, code: int, body: dict[str, Any]) -> None:
        self.reply(code, json.dumps(body).encode(), "application/json", {})

    def reply(self, code: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in {"X-RateLimit-Limit": "200", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(market: Market) -> Iterator[AlpacaServer]:
    """Serve in a thread of its own, until the block is left."""
    with AlpacaServer(market) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def minutes(day: date, first: str = "09:30", count: int = 5, price: float = 100.0, step: int = 1) -> list[Row]:
    """Return rows of one day in New York, one each `step` minutes, each a little dearer than the one before."""
    begin = datetime.fromisoformat(f"{day}T{first}").replace(tzinfo=NEW_YORK)
    utc = begin.astimezone(ZoneInfo("UTC"))
    return [Row(utc + timedelta(minutes=step * n), price + n / 100) for n in range(count)]
