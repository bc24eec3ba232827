"""The proxy as a program reaches it: where it is, the local key and secret, and that it has what is wanted of it.

`switchback proxy` is the other end. A program goes through it where it is told so, by `proxy=` or by SWITCHBACK_PROXY.
What the program asks for stays what it was (Alpaca's data, or a sandbox's): only the way there is another one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from feeds.address import address
from feeds.alpaca.protocol import headers
from feeds.alpaca.subscriptions import Endpoint
from framework.config import Credentials, require_credentials
from framework.errors import ConfigError, ConnectionLost, Unsupported
from framework.wire import Exchange, HttpRequest

VARIABLE = "SWITCHBACK_PROXY"
SERVICE = "proxy"
VARIABLES = ("SWITCHBACK_PROXY_KEY", "SWITCHBACK_PROXY_SECRET")

DATA = "/_proxy/data"
"""Where a proxy tells whose data it has."""


class Running(Protocol):
    """A proxy that runs, such as `framework.app.proxy.Proxy`."""

    url: str
    key: str
    secret: str


Given = str | bool | Running | None
"""`proxy=`: an address, or a proxy that runs; None is what SWITCHBACK_PROXY says, False is none."""


@dataclass(frozen=True, slots=True)
class Via:
    """A proxy's address, and what it knows its programs by. Its repr shows no credentials."""

    url: str
    credentials: Credentials = field(repr=False)

    def get(self, path: str) -> HttpRequest:
        """Return a question to the proxy itself."""
        return HttpRequest("GET", self.url + path, {}, headers(self.credentials))


def check(given: Given) -> None:
    """Raise `ConfigError` for what can be no proxy; keys are not looked for yet."""
    if isinstance(given, str):
        address(given, "", "proxy")
    elif given is True:
        raise ConfigError('proxy=True does not say which; give its address, such as proxy="http://127.0.0.1:8765"')


def is_named(given: Given, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether there is one; keys are not looked for."""
    return bool(environ.get(VARIABLE)) if given is None else given is not False


def via(given: Given, environ: Mapping[str, str] = os.environ) -> Via | None:
    """Return the proxy to go through, None where there is none; raise `ConfigError` where its keys are missing."""
    check(given)
    if not is_named(given, environ):
        return None
    if given is None:
        given = environ[VARIABLE]
    if isinstance(given, str):
        return Via(address(given, "", VARIABLE), require_credentials(SERVICE, VARIABLES, environ=environ))
    assert not isinstance(given, bool)
    return Via(given.url, Credentials(given.key, given.secret))


def check_clock(*, is_told: bool) -> None:
    """Raise `Unsupported` for a clock that moves when it is told: lock-step is between a sandbox and one program."""
    if is_told:
        raise Unsupported(
            "a sandbox in lock-step waits for what each program has read, and a proxy reads for many; "
            "start it with --speed, or leave the proxy out (proxy=False)"
        )


def told(via: Via, path: str) -> Exchange[Mapping[str, Any]]:
    """Ask a proxy about itself; raise `ConfigError` where none is there, or where it does not know us."""
    try:
        answer = yield via.get(path)
    except ConnectionLost as lost:
        raise ConfigError(f"no proxy answers at {via.url}; start it: switchback proxy, or unset {VARIABLE}") from lost
    if answer.status == 401:
        raise ConfigError(
            f"the proxy at {via.url} does not know this key and secret; "
            f"set {VARIABLES[0]} and {VARIABLES[1]} to those of its first line"
        )
    if answer.status >= 500:
        raise ConnectionLost("proxy", f"{via.url} answers HTTP {answer.status}: its own line may be down; try again")
    try:
        body = answer.decode() if answer.status == 200 else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ConfigError(f"{via.url} is no proxy that can be used for this (HTTP {answer.status}); check {VARIABLE}")
    return body


def data_checked(via: Via, base_url: str) -> Exchange[Mapping[str, Any]]:
    """Ask whose data a proxy has; raise `ConfigError` where it is another server's."""
    found = yield from told(via, DATA)
    if found.get("url") != base_url:
        raise ConfigError(
            f"the proxy at {via.url} has the data of {found.get('url')}, not of {base_url}; "
            "give base_url= and --upstream the same address, or go without the proxy"
        )
    return found


def stream_checked(via: Via, base_url: str, endpoint: Endpoint) -> Exchange[None]:
    """Ask whether a proxy has this very stream; raise `ConfigError` where it has not."""
    found = yield from data_checked(via, base_url)
    has, feed = found.get("feed"), endpoint.feed
    if endpoint.stream == "data" and has != feed:  # the others come whatever its feed is
        raise ConfigError(
            f"the proxy at {via.url} has the stream of {has}, not of {feed}; "
            f'start it with --feed {feed}, or ask for feed="{has}"'
        )
