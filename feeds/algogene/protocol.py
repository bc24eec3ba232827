"""ALGOGENE over HTTP: addresses, and the session that feeds and orders share. Pure.

Source: the docstrings of ALGOGENE's own package, its example of 2023. What of it is a guess stands in a function of its
own that says so. User, API key and token go with every request, in the query of a GET and the body of a
POST: whatever the other side says passes `Session.hidden` before it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from feeds.algogene.answers import decoded, failure, instant, odd, text
from feeds.algogene.naming import NAME, VARIABLES
from framework.config import Credentials
from framework.errors import AuthenticationError, ConnectionLost, ProtocolError
from framework.wire import Exchange, HttpRequest, HttpResponse, Priority

T = TypeVar("T")

BASE_URL = "https://algogene.com"
REST, WEBSOCKET = "/rest/v1", "/ws"

LIFE = 3600.0
"""Seconds that a token lives, by the documentation: it is never taken to live longer."""
EARLY = 300.0
"""Seconds before a token's end from which on it is not used: a request that waits for its turn arrives in time."""


def rest_url(base_url: str, path: str) -> str:
    """Return the address of an endpoint ("/session"); `base_url` is a host's, with or without /rest/v1."""
    return base_url.rstrip("/").removesuffix(REST) + REST + path


def socket_url(base_url: str) -> str:
    """Return the address of the price socket: ws:// or wss://. There is nothing secret in it."""
    return base_url.rstrip("/").removesuffix(REST).replace("http", "ws", 1) + WEBSOCKET


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What a session is known by, and until when it is used (I/O seconds)."""

    text: str
    until: float

    def __repr__(self) -> str:
        return "Token(...)"


@dataclass(slots=True)
class Session:
    """One login, kept fresh: `credentials` are user (their key) and API key (their secret). Owned by one thread.

    `monotonic` tells I/O seconds, and a token's end is counted in them from when it was asked for: this
    machine's date may be wrong, and may be set while a session runs.
    """

    credentials: Credentials
    monotonic: Callable[[], float]
    base_url: str = BASE_URL
    _token: Token | None = field(default=None, repr=False)
    _former: str = field(default="", repr=False)

    def open(self, refused: str = "") -> Exchange[str]:
        """Return a token that is fresh: the one we have, or a new one where that is old or was `refused`.

        Raise `AuthenticationError`, `RateLimited`, `ConnectionLost` or `ProtocolError`.
        """
        had = self._token
        if had is None or had.text == refused or self.monotonic() >= had.until:
            asked_at = self.monotonic()
            url = rest_url(self.base_url, "/session")
            # A cancel may be waiting for it: it goes before everything else.
            response = yield HttpRequest("GET", url, self._identity, priority=Priority.EXIT)
            self._former = had.text if had else ""
            self._token = self.read(lambda: _token(response, asked_at), "the login")
            return self._token.text
        return had.text

    def forget(self, token: str) -> None:
        """Note that a token was refused: the next request asks for another one."""
        if self._token is not None and self._token.text == token:
            self._former, self._token = token, None

    def get(self, path: str, params: Mapping[str, str], priority: Priority | None = None) -> Exchange[HttpResponse]:
        """Ask; where the token is refused, once more with a new one."""
        token = yield from self.open()
        response = yield self._asked(path, {**params, "token": token}, priority)
        if is_token_refused(response):
            token = yield from self.open(refused=token)
            response = yield self._asked(path, {**params, "token": token}, priority)
        return response

    def price(self, path: str, params: Mapping[str, str], priority: Priority | None = None) -> Exchange[HttpResponse]:
        """Ask for prices or instruments: user and API key are enough."""
        return (yield self._asked(path, params, priority))

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        priority: Priority | None = None,
        unless: Callable[[], bool] | None = None,
    ) -> Exchange[HttpResponse]:
        """Send once, whatever comes of it. A token that is refused is forgotten, and its answer returned."""
        token = yield from self.open()
        told = {**self._identity, **body, "token": token}
        url = rest_url(self.base_url, path)
        response = yield HttpRequest("POST", url, json=told, priority=priority, unless=unless)
        if is_token_refused(response):
            self.forget(token)
        return response

    def read(self, reading: Callable[[], T], what: str) -> T:
        """Return what an answer holds; what a `VenueError` quotes of it is without the secrets."""
        try:
            return reading()
        except ProtocolError as error:
            said = str(error).removeprefix(f"{NAME}: ")
            received = None if error.received is None else self.hidden(str(error.received))
            raise ProtocolError(NAME, self.hidden(f"{what}: {said}"), received) from None
        except AuthenticationError as error:
            said = str(error).removeprefix(f"{NAME}: ")
            raise AuthenticationError(NAME, self.hidden(f"{what}: {said}")) from None

    def answer(self, response: HttpResponse, what: str, *, is_report: bool = False) -> dict[str, Any]:
        """Return the JSON object of an answer that must be a success; raise what anything else means.

        A token that is refused though it is new (another program may have asked for one) is a `ConnectionLost`: nothing
        was done, and it may be tried again. `is_report` where it tells of an order, which may have failed itself.
        """
        if is_token_refused(response):
            why = f"{what}: a new token was refused; it is tried again with another"
            raise ConnectionLost(NAME, why, is_sent_unknown=False)
        return self.read(lambda: decoded(response, is_report=is_report), what)

    def hidden(self, text: str) -> str:
        """Return a text without user, API key and tokens, however a URL or JSON would write them."""
        token = self._token.text if self._token else ""
        words = {self.credentials.secret, self.credentials.key, token, self._former} - {""}
        spelled = {spell(word) for word in words for spell in (str, _quoted, quote_plus, _escaped)}
        for each in sorted(spelled, key=len, reverse=True):
            text = text.replace(each, "***")
        return text

    @property
    def _identity(self) -> dict[str, str]:
        return {"user": self.credentials.key, "api_key": self.credentials.secret}

    def _asked(self, path: str, params: Mapping[str, str], priority: Priority | None) -> HttpRequest:
        url = rest_url(self.base_url, path)
        return HttpRequest("GET", url, {**self._identity, **params}, priority=priority)


def is_token_refused(response: HttpResponse) -> bool:
    """GUESS: tell an answer that says that the token is over; what ALGOGENE says then is documented nowhere."""
    if response.status not in (200, 400, 401, 403):
        return False
    try:
        body = response.decode()
    except ValueError:
        return False
    return isinstance(body, dict) and "token" in (failure(body) or "").lower()


def _token(response: HttpResponse, asked_at: float) -> Token:
    """Read `{"res": {"token", "expired_utc"}}`. Its answer is never quoted: what is odd in it may be a token."""
    if response.status in (400, 401, 403):
        advice = f"check {VARIABLES[0]} and {VARIABLES[1]}"
        raise AuthenticationError(NAME, f"refused (HTTP {response.status}); {advice}")
    body = decoded(response, is_quoted=False)
    told = body.get("res")
    if not isinstance(told, dict):
        raise odd("an answer without a session; check the credentials and base_url")
    token = text(told, "token", is_quoted=False)
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise odd("a token that cannot be one")
    return Token(token, asked_at + max(_left(response, told) - EARLY, 0.0))


def _left(response: HttpResponse, told: Mapping[str, Any]) -> float:
    """Return the seconds that a token lives on, by the clock of who says so: the answer's own date."""
    until = instant({key: value for key, value in told.items() if key == "expired_utc"}, "expired_utc")
    now = _date(response)
    left = LIFE if now is None else min((until - now).total_seconds(), LIFE)
    if left <= 0:
        raise odd(f"a session that was over ({until:%Y-%m-%d %H:%M:%S} UTC) when it was given")
    return left


def _date(response: HttpResponse) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


def _quoted(word: str) -> str:
    return quote(word, safe="")


def _escaped(word: str) -> str:
    return json.dumps(word)[1:-1]
