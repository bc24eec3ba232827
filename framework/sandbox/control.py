"""The control side, `/_sandbox/...`: state, clock, steps and faults. It needs no credentials: it is on loopback.

GET    /_sandbox/state    what was asked for, sent and played; the faults armed and known
GET    /_sandbox/clock    {"now", "mode": "lockstep" | "real" | "accelerated", "speed", "monotonic", "next", "detail"}
POST   /_sandbox/step     play one instant (or `count`); answers when all is written:
                          {"at", "next", "done", "sent": {stream: messages so far}, "lost": {stream:
                          messages that went down with a dropped line}}; `next` is the instant
                          that is played next, null at the end of the tape
POST   /_sandbox/faults   {"fault": "drop", "stream": "trade_updates", "count": 1, ...}, or by a seed:
                          {"seed": 7, "rate": 0.05, "faults": ["drop", "duplicate"]}
POST   /_sandbox/halts    {"symbol": "IBM", "minutes": 5}: it does not trade from now on; answers {"since", "until"}
GET    /_sandbox/faults   the faults armed, known and made
DELETE /_sandbox/faults   disarm all of them
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from framework.errors import ConfigError
from framework.sandbox.market import Market

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(market: Market) -> list[web.RouteDef]:
    """Return the routes of the control side."""

    async def state(_: web.Request) -> web.Response:
        return web.json_response(shown(market))

    async def clock(_: web.Request) -> web.Response:
        return web.json_response(clock_shown(market))

    async def step(request: web.Request) -> web.Response:
        body = await body_of(request)
        return web.json_response(await stepped(market, int(body.get("count", request.query.get("count", 1)))))

    async def arm(request: web.Request) -> web.Response:
        armed(market, await body_of(request))
        return web.json_response(faults_shown(market))

    async def halt(request: web.Request) -> web.Response:
        return web.json_response(await halted(market, await body_of(request)))

    async def faults(_: web.Request) -> web.Response:
        return web.json_response(faults_shown(market))

    async def clear(_: web.Request) -> web.Response:
        market.faults.clear()
        return web.json_response(faults_shown(market))

    return [
        web.get("/_sandbox/state", kindly(state)),
        web.get("/_sandbox/clock", kindly(clock)),
        web.post("/_sandbox/step", kindly(step)),
        web.post("/_sandbox/faults", kindly(arm)),
        web.post("/_sandbox/halts", kindly(halt)),
        web.get("/_sandbox/faults", kindly(faults)),
        web.delete("/_sandbox/faults", kindly(clear)),
    ]


def shown(market: Market) -> dict[str, Any]:
    """Return the state of the market as JSON."""
    return {
        **clock_shown(market),
        "symbols": list(market.tape.symbols),
        "played_at": market.played_at.isoformat(),
        "done": market.is_over,
        "requests": dict(market.requests),
        "sent": dict(market.sent),
        "lost": dict(market.lost),
        "listening": {stream: len(audience) for stream, audience in market.audiences.items()},
        "faults": faults_shown(market),
    }


def clock_shown(market: Market) -> dict[str, Any]:
    """Return the clock as JSON: `monotonic` is the I/O time that belongs to `now`, `next` the next instant's.

    `detail` tells whether bars are played at their end ("bar") or along their path ("path").
    """
    clock = market.clock
    return {
        "now": market.now().isoformat(),
        "mode": clock.mode,
        "speed": clock.speed,
        "monotonic": clock.monotonic(),
        "next": _next(market),
        "detail": market.tape.detail.value,
    }


def faults_shown(market: Market) -> dict[str, Any]:
    """Return the faults as JSON."""
    faults = market.faults
    waiting = [{"fault": each.name, "stream": each.stream, "count": each.count} for each in faults.armed]
    return {"armed": waiting, "made": dict(faults.made), "known": faults.known}


async def stepped(market: Market, count: int = 1) -> dict[str, Any]:
    """Play instants, and return where the tape is and how many messages were sent so far on each stream."""
    for _ in range(max(count, 1)):
        if await market.step() is None:
            break
    counts = {"sent": dict(market.sent), "lost": dict(market.lost)}
    return {"at": market.played_at.isoformat(), "next": _next(market), "done": market.is_over, **counts}


def _next(market: Market) -> str | None:
    due = market.tape.next_at(market.played_at)
    return None if due is None else due.isoformat()


def armed(market: Market, body: dict[str, Any]) -> None:
    """Arm the fault that a request describes; raise `ConfigError`."""
    if "rate" in body:
        market.faults.at_random(int(body.get("seed", 0)), float(body["rate"]), tuple(body.get("faults", ())))
        return
    options = dict(body)
    market.faults.arm(str(options.pop("fault", "")), **options)


async def halted(market: Market, body: dict[str, Any]) -> dict[str, Any]:
    """Halt the symbol that a request names, for `minutes` (5); raise `ConfigError`."""
    made = await market.halt(str(body.get("symbol", "")), timedelta(minutes=float(body.get("minutes", 5))))
    return {"symbol": made.symbol, "since": made.since.isoformat(), "until": made.until.isoformat()}


def kindly(handler: Handler) -> Handler:
    """Return a handler that answers what the caller can put right with 422 and one line."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ConfigError, ValueError, TypeError) as error:
            return web.json_response({"message": str(error)}, status=422)

    return serve


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request, {} where there is none; raise `ConfigError` or `ValueError`."""
    text = await request.text()
    body = json.loads(text) if text else {}
    if not isinstance(body, dict):
        raise ConfigError("the body is not a JSON object")
    return body
