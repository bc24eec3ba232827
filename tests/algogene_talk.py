"""What the tests of ALGOGENE's exchanges share: an account, prepared answers, rows as the venue writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from brokers.algogene.protocol import Endpoint
from feeds.algogene.protocol import Session
from framework.config import Credentials
from framework.wire import Exchange, HttpRequest, HttpResponse

USER, API_KEY, TOKEN = "us+er@x.com", "k/ey 1&2", "t0k=en"
SECRETS = (USER, API_KEY, TOKEN, "us%2Ber", "k%2Fey", "t0k%3Den", "k/ey+1%262")

GRANTED = {"res": {"token": TOKEN, "expired_utc": "2026-01-05 15:30:00.000000"}}
LOGIN = (200, GRANTED, {"date": "Mon, 05 Jan 2026 14:30:00 GMT"})
NOTHING = (200, {"count": 0, "res": []})
OVER = (401, {"status": "FAILED", "res": "Invalid or expired token"})
ACCEPTED = (200, {"status": "PENDING_TO_FILL", "timestamp_utc": "2026-01-05 14:30:01.5", "tradeID": 746805590705})


class Hours:
    """I/O time, set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def session(clock: Hours | None = None) -> Session:
    return Session(Credentials(USER, API_KEY), clock or Hours(), "http://here")


def endpoint(clock: Hours | None = None) -> Endpoint:
    return Endpoint(session(clock), "A1")


def said(answer: Any) -> HttpResponse:
    status, body, *headers = answer
    return HttpResponse(status, *(headers or [{}]), body if isinstance(body, bytes) else json.dumps(body).encode())


def driven(exchange: Exchange[Any], answers: Sequence[Any]) -> tuple[Any, list[HttpRequest]]:
    """Drive an exchange with prepared answers; return its result and what it asked. An error is thrown."""
    asked: list[HttpRequest] = []
    try:
        asked.append(next(exchange))
        for each in answers:
            asked.append(exchange.throw(each) if isinstance(each, Exception) else exchange.send(said(each)))
    except StopIteration as end:
        return end.value, asked
    raise AssertionError(f"it goes on with {asked[-1].method} {asked[-1].url}")


def paths(asked: Sequence[HttpRequest]) -> list[str]:
    return [each.url.removeprefix("http://here/rest/v1/") for each in asked]


def trade(**more: Any) -> dict[str, Any]:
    """Return an open trade as it was observed, with an id and a reference of ours."""
    return {
        "broker": "ALGOGENE", "buysell": 1, "channel": "api", "expiry": "", "holdtime": 0.0, "instrument": "BTCUSD",
        "market": "CRYPTO", "openclose": "open", "order_Ref": "s-1-1", "price": 30086.67, "product_type": "SPOT",
        "right": "", "stopLossLevel": 0.0, "strike": 0.0, "symbol": "BTCUSD", "takeProfitLevel": 0.0,
        "timestamp": "2026-01-05 14:30:53.787035", "trade_ID": "746805590705", "unrealizedPL": -36.56, "volume": 1.0,
        **more,
    }  # fmt: skip


def listed(*rows: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"count": len(rows), "res": list(rows)}


def query(**more: Any) -> dict[str, Any]:
    """Return an order as `query_order` tells it."""
    return {
        "status": "FILLED", "err_msg": "", "tradeID": "746805590705", "orderRef": "s-1-1", "buysell": 1,
        "price": 30086.67, "volume": 1.0, "timestamp": "2026-01-05 14:30:53", "instrument": "BTCUSD", **more,
    }  # fmt: skip


def deal(**more: Any) -> dict[str, Any]:
    """Return a transaction of the account's history."""
    return {
        "tradeID": "746805590705", "order_ref": "s-1-1", "instrument": "BTCUSD", "openclose": "open", "buysell": 1,
        "volume": 1.0, "price": 30086.67, "timestamp": "2026-01-05 14:30:53", **more,
    }  # fmt: skip
