"""AlphaHub over HTTP, without a socket: addresses, a session and its renewal, the history of signals. Pure.

Sources: the README of the example client (session, socket), a public client's query for the history, and
Pow's guide to API tokens, whose old names the session's answer bears. What of it is a guess says so.
Two secrets besides the password are in play: a token of 30 minutes, which is part of the socket's URL, and one
that renews it, once. None of them is in a repr, an error or a log.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeGuard
from urllib.parse import quote

from feeds.alphahub.phoenix import VERSION, shown
from framework.config import Credentials
from framework.errors import AuthenticationError, ConfigError, ConnectionLost, ProtocolError, RateLimited, VenueError
from framework.wire import HttpRequest, HttpResponse

NAME = "AlphaHub"
SERVICE = "alphahub"
VARIABLES = ("ALPHAHUB_EMAIL", "ALPHAHUB_PASSWORD")
BASE_URL = "https://alphahub.us"

SESSION = "/api/v1/session"
RENEWAL = "/api/v1/session/renew"  # a guess, by Pow's guide: no public client asks for it
WEBSOCKET = "/socket/websocket"
LIFE = 1800.0
"""Seconds for which a token opens a socket. One that is open stays so."""
FRESH = 1500.0
"""Seconds for which we use it: a request that waits for its turn arrives in time, too."""

_ADVICE = f"check {VARIABLES[0]} and {VARIABLES[1]}"
_REFUSED = (400, 401, 403, 422)  # 401 by Pow's guide; the others are a guess


def check_algorithms(algorithms: Sequence[int | str]) -> tuple[str, ...]:
    """Return the ids as texts, each once; raise `ConfigError` where one is no number of 1 or more, or none is given."""
    if isinstance(algorithms, str | int):
        raise ConfigError(f"algorithms={algorithms!r} is no list; give one of ids, such as [14, 16]")
    ids = tuple(dict.fromkeys(str(each).strip() for each in algorithms))
    if not ids:
        raise ConfigError("algorithms is empty; give the ids of those to follow, such as [14, 16]")
    for each in ids:
        if not (each.isascii() and each.isdecimal() and each == str(int(each)) and int(each)):
            raise ConfigError(
                f"algorithm {each!r} is no id; it is the number at the end of its page's address, such as 16"
            )
    return ids


def socket_url(base_url: str, token: str | None = None) -> str:
    """Return the socket's address; the one with a token is for the connection only, not to be shown."""
    url = f"{base_url.rstrip('/').replace('http', 'ws', 1)}{WEBSOCKET}?vsn={VERSION}"
    return url if token is None else f"{url}&api_token={quote(token, safe='')}"


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """A session: what opens a socket until 30 minutes after `since` (I/O seconds), and what renews it, once."""

    token: str
    renewal: str | None
    since: float

    def __repr__(self) -> str:
        return "Tokens(...)"

    def is_fresh(self, now: float) -> bool:
        """Return whether the token may still be used."""
        return 0 <= now - self.since < FRESH


@dataclass(slots=True)
class Session:
    """One login, kept fresh. Each connection has its own. Owned by one thread.

    `open` asks for the token when it is needed, not by a timer: an open socket outlives it.
    """

    credentials: Credentials
    base_url: str = BASE_URL
    _tokens: Tokens | None = field(default=None, repr=False)
    _was_in: bool = False
    _is_locked_out: bool = False

    def open(self, now: float, *, is_refused: bool = False) -> Generator[HttpRequest, HttpResponse, str]:
        """Return a token that is fresh at `now` (I/O seconds): the one we have, one renewed, or that of a login.

        With `is_refused` the one we have was turned away, and the password is asked instead. Raise
        `AuthenticationError` for a wrong password, which is sent once only; `RateLimited`, `ConnectionLost`,
        `ConfigError` (no such address) or `ProtocolError`.
        """
        had, self._tokens = self._tokens, None
        if had is not None and had.is_fresh(now) and not is_refused:
            self._tokens = had
        elif had is not None and had.renewal is not None and not is_refused:
            self._tokens = yield from self._renewed(had.renewal, now)
        if self._tokens is None:
            self._tokens = yield from self._logged_in(now)
        return self._tokens.token

    def hidden(self, text: str) -> str:
        """Return `text` without what is secret: for what the other side says, which may quote it."""
        words = [self._tokens.token, self._tokens.renewal] if self._tokens else []
        for word in words:
            text = text.replace(word, "***") if word else text
        return self.credentials.hidden(text)

    def _renewed(self, renewal: str, now: float) -> Generator[HttpRequest, HttpResponse, Tokens | None]:
        """Return new tokens, None where there are none to be had that way: the password remains."""
        try:
            response = yield HttpRequest("POST", self._base + RENEWAL, headers={"Authorization": renewal})
        except ConnectionLost:
            return None
        return _tokens(response, now) if response.status == 200 else None

    def _logged_in(self, now: float) -> Generator[HttpRequest, HttpResponse, Tokens]:
        if self._is_locked_out:
            raise AuthenticationError(NAME, f"the login was refused before; {_ADVICE}")
        form = {"user[email]": self.credentials.key, "user[password]": self.credentials.secret}
        response = yield HttpRequest("POST", self._base + SESSION, form=form)
        # Who was let in once today is not locked out by one gateway's 403.
        if response.status == 401 or (response.status in _REFUSED and not self._was_in):
            self._is_locked_out = True
            raise AuthenticationError(NAME, f"the login was refused (HTTP {response.status}); {_ADVICE}")
        if response.status != 200:
            raise _failure(response, "the login")
        tokens = _tokens(response, now)
        if tokens is None:
            # The answer is not shown, and not kept in the error: what else is in it may be a token.
            raise ProtocolError(NAME, f"a login answered without a token ({len(response.body)} bytes); check base_url")
        self._was_in = True
        return tokens

    @property
    def _base(self) -> str:
        return self.base_url.rstrip("/")


def _tokens(response: HttpResponse, now: float) -> Tokens | None:
    """Read a session's answer; None where it holds no token. Pow's newer names are read as well."""
    data = _data(response)
    token = data.get("token") or data.get("access_token")
    renewal = data.get("renew_token") or data.get("renewal_token")
    return Tokens(token, renewal if _is_token(renewal) else None, now) if _is_token(token) else None


def _is_token(value: object) -> TypeGuard[str]:
    """Return whether it can stand in a header: the transport's own error for what cannot would show it."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value and value != ""


def _data(response: HttpResponse) -> dict[str, Any]:
    try:
        body = response.decode()
    except (ValueError, RecursionError):
        return {}
    data = body.get("data") if isinstance(body, dict) else None
    return data if isinstance(data, dict) else {}


def history_exchange(
    session: Session, algorithm: str, after: date, now: float
) -> Generator[HttpRequest, HttpResponse, str]:
    """Ask for what an algorithm published since the day `after`; return the answer as it came.

    What is in it, and whether it can be read at all, is for `history.read_history`; so the text can be journalled
    first. Whether the day itself is part of it is not known: ask for the day before. A token that is turned away
    is replaced once. Raise as `Session.open` does, and `ConfigError` for an algorithm that is not there.
    """
    response = yield _question(session, algorithm, after, (yield from session.open(now)))
    if response.status in (401, 403):
        token = yield from session.open(now, is_refused=True)
        response = yield _question(session, algorithm, after, token)
    if response.status in (401, 403):
        raise AuthenticationError(
            NAME, f"algorithm {algorithm}: its history is refused (HTTP {response.status}); is it subscribed to?"
        )
    if response.status != 200:
        raise _failure(response, f"the history of algorithm {algorithm}", session)
    return response.body.decode("utf-8", "backslashreplace")


def _question(session: Session, algorithm: str, after: date, token: str) -> HttpRequest:
    url = f"{session.base_url.rstrip('/')}/api/v1/algorithms/{algorithm}/signals"
    # The bare token, as the public client sends it: no "Bearer".
    return HttpRequest("GET", url, {"after": after.isoformat()}, {"Authorization": token})


def _failure(response: HttpResponse, what: str, session: Session | None = None) -> VenueError | ConfigError:
    """Return what a status means that is neither success nor a refusal."""
    status = response.status
    if status == 404:
        return ConfigError(f"{NAME}: {what} is not there (HTTP 404); check base_url and the algorithm's id")
    if status == 429:
        told = response.headers.get("retry-after", "")
        wait = float(told) if told.isascii() and told.isdecimal() else 60.0
        return RateLimited(NAME, f"{what} was asked for too often (HTTP 429); try again in {wait:.0f} s", wait)
    if status >= 500:
        return ConnectionLost(NAME, f"{what} failed (HTTP {status}); try again later")
    said = shown(session.hidden(response.body.decode("utf-8", "replace"))) if session else ""
    return ProtocolError(NAME, f"{what} was answered with HTTP {status}, which was not expected; check base_url", said)
