"""AlphaHub over HTTP in the sandbox: logging in, renewing, logging out, and the history of an algorithm's signals.

Known from clients: the login, and what history is asked for and answers. Renewing and logging out, with the body of a
401, are what the library says whose words AlphaHub's tokens have (Pow); that AlphaHub serves them is a guess. So is
that `after` includes its own day, and what is said of a day that is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any

from aiohttp import web

from feeds.alphahub.sandbox_sessions import Session, Sessions
from feeds.alphahub.sandbox_signals import Publication, day
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market

REQUESTS = "alphahub_api"
"""The name of these requests, for faults (as a stream) and in the count; logins are counted as LOGINS too."""

LOGINS = "alphahub_logins"

FAULTS = {
    "wrong_password": "answer a login with 401",
    "renewal_refused": "answer a renewal with 401 (status: or another, such as 404)",
    "empty_history": "answer a request for signals with none",
    "server_error": "answer with 500, nothing being carried out (status)",
    "slow_answer": "answer late (seconds, 5)",
    "bad_gateway": "502 with a page of HTML; the request was not carried out",
    "stall": "no answer, after the request was carried out (seconds, 600)",
    "cut_answer": "the connection is cut before the answer, after the request was carried out",
}

_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

Commit = Callable[[Mapping[str, Any]], Session | None]
"""Carries a command of a session out and writes it down, in one breath."""


class Rest:
    """The answers to requests. Owned by the thread that serves the market."""

    def __init__(self, market: Market, sessions: Sessions, published: Sequence[Publication], commit: Commit) -> None:
        self.market, self.sessions, self._published = market, sessions, published
        self._commit = commit
        market.faults.know(FAULTS)

    def routes(self) -> list[web.RouteDef]:
        """Return the venue's own paths."""
        return [
            web.post("/api/v1/session", self._served(self._login)),
            web.post("/api/v1/session/renew", self._served(self._renew)),
            web.delete("/api/v1/session", self._served(self._logout)),
            web.get("/api/v1/algorithms/{id}/signals", self._served(self._signals), allow_head=False),
        ]

    async def _login(self, request: web.Request) -> web.Response:
        self.market.requests[LOGINS] += 1
        form = await request.post()
        email, password = form.get("user[email]"), form.get("user[password]")
        if not (email and password) or self._take("wrong_password", request):
            return refused(401, "Invalid email or password")
        return self._opened({"do": "login"})

    async def _renew(self, request: web.Request) -> web.Response:
        if fault := self._take("renewal_refused", request):
            return refused(int(fault.options.get("status", 401)), "Invalid token")
        session = self.sessions.of_renewal(_token(request), self._now())
        return self._opened({"do": "renew", "session": session.number}) if session else refused(401, "Invalid token")

    async def _logout(self, request: web.Request) -> web.Response:
        session = self.sessions.of_token(_token(request), self._now())
        if session is not None:
            self._commit({"do": "logout", "session": session.number})
        return web.json_response({"data": {}})

    async def _signals(self, request: web.Request) -> web.Response:
        session = self.sessions.of_token(_token(request), self._now())
        if session is None or self._take("expired_token", request):
            return refused(401, "Invalid token")
        number, after = request.match_info["id"], request.query.get("after", "0001-01-01")
        if not number.isdecimal():
            return refused(404, "Not Found")
        if not _is_day(after):
            return refused(400, "Invalid date")
        rows = [] if self._take("empty_history", request) else self._rows(int(number), after)
        return web.json_response({"data": {"signals": rows}})

    def _rows(self, algorithm: int, after: str) -> list[dict[str, Any]]:
        """Return an algorithm's items from a day on, the newest first."""
        newest = (each for each in reversed(self._published) if each.algorithm == algorithm)
        return [row for each in newest for row in each.rows() if day(row, each.at) >= after]

    def _opened(self, command: Mapping[str, Any]) -> web.Response:
        session = self._commit({**command, "since": self._now()})
        assert session is not None
        return web.json_response(session.shown())

    def _now(self) -> float:
        return self.market.clock.wall()

    def _served(
        self, answer: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            self.market.requests[REQUESTS] += 1
            if wrong := self._wrong(request):
                return wrong
            answered = await answer(request)
            await self.market.synced()
            return await self._late(request, answered)

        return serve

    def _wrong(self, request: web.Request) -> web.Response | None:
        """Return what a fault answers in place of the venue, where there is one."""
        if self._take("bad_gateway", request):
            return web.Response(status=502, text=_GATEWAY, content_type="text/html")
        if fault := self._take("server_error", request):
            status = int(fault.options.get("status", 500))
            return web.json_response({"errors": {"detail": "Internal Server Error"}}, status=status)
        return None

    async def _late(self, request: web.Request, answered: web.Response) -> web.Response:
        """Hold an answer back, or lose it on the way, where a fault says so."""
        if fault := self._take("slow_answer", request):
            await asyncio.sleep(fault.seconds(5))
        if fault := self._take("stall", request):
            await asyncio.sleep(fault.seconds(600))
            _cut(request)
        if self._take("cut_answer", request):
            _cut(request)
        return answered

    def _take(self, name: str, request: web.Request) -> Fault | None:
        return self.market.faults.take(name, REQUESTS, method=request.method, path=request.path)


def refused(status: int, text: str) -> web.Response:
    """Return an error as Pow's guide words it."""
    return web.json_response({"error": {"message": text, "status": status}}, status=status)


def _token(request: web.Request) -> str:
    """Return the token of a request: raw, with no "Bearer" before it."""
    return request.headers.get("Authorization", "")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
