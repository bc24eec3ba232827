"""Where an account is reached, and what every request to it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from feeds.alpaca import protocol, via
from feeds.alpaca.protocol import headers
from framework.config import Credentials
from framework.wire import HttpRequest, Priority

PAPER_URL = "https://paper-api.alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An account's address: Alpaca's paper or live host, or a sandbox's URL. Its repr shows no credentials.

    `priority` is that of every request to it; None is what the method suggests, and a look-up for a GET.
    `proxy` is what the stream of order updates comes through; requests go straight to the account.
    """

    base_url: str
    credentials: Credentials = field(repr=False)
    priority: Priority | None = None
    proxy: via.Via | None = None

    def at(self, priority: Priority) -> Endpoint:
        """Return the same address for requests that are as urgent as that."""
        return replace(self, priority=priority)

    def get(self, path: str, **params: str) -> HttpRequest:
        return self._request("GET", path, params)

    def post(self, path: str, body: Mapping[str, Any]) -> HttpRequest:
        return self._request("POST", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> HttpRequest:
        return self._request("PATCH", path, body=body)

    def delete(self, path: str) -> HttpRequest:
        return self._request("DELETE", path)

    def hidden(self, text: str) -> str:
        """Return a text of the other side's without the keys and the secrets."""
        return self.credentials.hidden(self.stream_credentials.hidden(text))

    @property
    def stream_url(self) -> str:
        """The address of the stream of order updates: ws:// or wss://."""
        base_url = self.base_url if self.proxy is None else self.proxy.url
        return f"ws{base_url.removeprefix('http')}/stream"

    @property
    def stream_credentials(self) -> Credentials:
        """What the stream lets us in by."""
        return self.credentials if self.proxy is None else self.proxy.credentials

    @property
    def stream_variables(self) -> tuple[str, str]:
        """Where the user may have set that."""
        return protocol.VARIABLES if self.proxy is None else via.VARIABLES

    def _request(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> HttpRequest:
        given = None if body is None else dict(body)
        urgency = Priority.LOOK_UP if self.priority is None and method == "GET" else self.priority
        url = f"{self.base_url}/v2{path}"
        return HttpRequest(method, url, params or {}, headers(self.credentials), given, urgency)


def part(name: str) -> str:
    """Return a name as one part of a path: the slash of BTC/USD is not a folder's."""
    return quote(name, safe="")
