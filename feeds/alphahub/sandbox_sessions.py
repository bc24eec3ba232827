"""Who is logged in to the sandbox's AlphaHub: access tokens for half an hour, renewal tokens for once. Pure.

Tokens live by I/O time, never accelerated, as heartbeats and back-off do: a client renews by its own clock,
and at a minute a second it would do nothing else if it were venue time. So that they outlive a restart,
times are Unix seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds of I/O time: an access token, a renewal token, a socket on which the client says nothing."""

    token: float = 30 * 60
    renewal: float = 30 * 24 * 3600
    idle: float = 60.0


LIFETIMES = Lifetimes()


@dataclass(frozen=True, slots=True)
class Session:
    """One login or renewal, begun at `since`."""

    number: int
    since: float
    token: str
    renewal: str

    def shown(self) -> dict[str, Any]:
        """Return it as the venue tells it."""
        return {"data": {"renew_token": self.renewal, "token": self.token}}


class Sessions:
    """Those that are open. Owned by the thread that serves the market.

    `secret` makes the tokens, so that a state file need not hold them and a restart makes the same again.
    """

    def __init__(self, secret: str, lifetimes: Lifetimes = LIFETIMES) -> None:
        self.lifetimes = lifetimes
        self._secret = secret
        self._opened = 0
        self._open: dict[int, Session] = {}

    def do(self, body: Mapping[str, Any]) -> Session | None:
        """Carry out `{"do": "login", "since": seconds}`, "renew" or "logout" of a session; return the one it opens.

        A renewal ends the session that it renews, access token included: a guess, the stricter of two.
        """
        self._open.pop(body.get("session", 0), None)
        return None if body["do"] == "logout" else self._begin(body["since"])

    def of_token(self, token: str, now: float) -> Session | None:
        """Return the session of an access token that has not expired."""
        found = (each for each in self._open.values() if each.token == token)
        return next((each for each in found if now < each.since + self.lifetimes.token), None)

    def of_renewal(self, renewal: str, now: float) -> Session | None:
        """Return the session of a renewal token that has neither expired nor been used."""
        found = (each for each in self._open.values() if each.renewal == renewal)
        return next((each for each in found if now < each.since + self.lifetimes.renewal), None)

    def _begin(self, since: float) -> Session:
        self._opened += 1
        session = Session(self._opened, since, self._made("token"), self._made("renewal"))
        self._open[session.number] = session
        return session

    def _made(self, kind: str) -> str:
        return hashlib.sha256(f"{self._secret}/{kind}/{self._opened}".encode()).hexdigest()
