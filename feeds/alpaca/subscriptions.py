"""One client's conversation with a data stream: who it is, what it asked for, what it is told back. Pure.

Errors are told in a message and leave everything as it was. Source: Alpaca's page "WebSocket Stream",
and its Go client, which on 406 keeps the socket and asks again.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from feeds.alpaca import protocol
from feeds.alpaca.messages import Row
from feeds.alpaca.plans import Plan
from framework.errors import ConfigError

ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    408: "v2 not enabled",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    500: "internal error",
}

CONNECTED: Row = {"T": "success", "msg": "connected"}
AUTHENTICATED: Row = {"T": "success", "msg": "authenticated"}

STOCK_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
CRYPTO_CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
TEST_CHANNELS = ("trades", "quotes", "bars")
WITH_TRADES = ("corrections", "cancelErrors")
"""What comes with a subscription to stocks' trades, and cannot be asked for."""

_ELSEWHERE = frozenset({*STOCK_CHANNELS, *CRYPTO_CHANNELS, "news", "imbalances"})

KINDS = {
    "trades": "t",
    "quotes": "q",
    "bars": "b",
    "updatedBars": "u",
    "dailyBars": "d",
    "statuses": "s",
    "lulds": "l",
    "corrections": "c",
    "cancelErrors": "x",
    "orderbooks": "o",
}
"""The message type of each channel."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A stream's address. `stream` is its name in the market's counts and faults: see `ENDPOINTS`."""

    path: str
    stream: str
    channels: tuple[str, ...]

    @property
    def feed(self) -> str:
        """The last part of the address."""
        return self.path.rpartition("/")[2]

    @property
    def is_crypto(self) -> bool:
        """Whether it carries pairs."""
        return self.channels is CRYPTO_CHANNELS

    def carries(self, symbol: str) -> bool:
        """Return whether a symbol is of its kind."""
        return ("/" in symbol) is self.is_crypto


ENDPOINTS = (
    Endpoint("/v2/iex", "data", STOCK_CHANNELS),
    Endpoint("/v2/sip", "data", STOCK_CHANNELS),
    Endpoint("/v2/test", "test", TEST_CHANNELS),
    Endpoint("/v1beta3/crypto/us", "crypto", CRYPTO_CHANNELS),
)
"""Both streams of stocks count as "data"; crypto and the test stream count by themselves."""


@dataclass(frozen=True, slots=True)
class Told:
    """One message of a channel, before it is known to whom it goes and in which encoding."""

    channel: str
    symbol: str
    row: Mapping[str, Any]

    def message(self) -> Row:
        """Return it as it is sent."""
        return {"T": KINDS[self.channel], "S": self.symbol, **self.row}


class Wrong(Exception):
    """A client is told this error."""

    def __init__(self, code: int) -> None:
        super().__init__(ERRORS[code])
        self.code = code


def error(code: int) -> Row:
    """Return an error as a message."""
    return {"T": "error", "code": code, "msg": ERRORS[code]}


@dataclass(slots=True)
class Conversation:
    """What one client has said. `claim` takes the endpoint's slot, and says whether there was one.

    Owned by the socket's task. `is_settled` is True once the client's keys were right, slot or no slot.
    `has_room` says whether a list is short enough, where that is not for `plan` to say.
    """

    endpoint: Endpoint
    plan: Plan
    credentials: tuple[str, str]
    claim: Callable[[], bool]
    is_settled: bool = False
    is_authenticated: bool = False
    has_room: Callable[[Mapping[str, AbstractSet[str]]], bool] | None = None
    _sets: dict[str, set[str]] = field(default_factory=dict)

    def receive(self, message: Any) -> Row:
        """Return the answer to a message."""
        try:
            if not isinstance(message, Mapping):
                raise Wrong(400)
            match message.get("action"):
                case "auth":
                    return self.authenticate(message.get("key"), message.get("secret"))
                case "subscribe" | "unsubscribe" as action:
                    return self._change(message, is_more=action == "subscribe")
            raise Wrong(400)
        except Wrong as wrong:
            return error(wrong.code)

    def authenticate(self, key: Any, secret: Any) -> Row:
        """Return the answer to a client that shows its keys, in a message or in the handshake."""
        if self.is_authenticated:
            return error(403)
        if not all(map(_is_same, (key, secret), self.credentials)):
            return error(402)
        if self.endpoint.feed == "sip" and not self.plan.has_sip:
            return error(409)
        self.is_settled = True
        if not self.claim():
            return error(406)
        self.is_authenticated = True
        return AUTHENTICATED

    @property
    def is_listening(self) -> bool:
        """Whether there is anything that the client wants."""
        return any(self._sets.values())

    @property
    def wanted(self) -> Mapping[str, frozenset[str]]:
        """The client's own list, without channels that are empty."""
        return {name: frozenset(symbols) for name, symbols in self._sets.items() if symbols}

    def lose(self, channels: Mapping[str, AbstractSet[str]]) -> None:
        """Take these out of the client's list: they are not to be had."""
        self._sets = {name: symbols - channels.get(name, set()) for name, symbols in self._sets.items()}

    def wants(self, channel: str, symbol: str) -> bool:
        """Return whether a message of that channel and symbol goes to this client."""
        asked = self._sets.get("trades" if channel in WITH_TRADES else channel, ())
        return symbol in asked or ("*" in asked and self.endpoint.carries(symbol))

    def _change(self, message: Mapping[str, Any], *, is_more: bool) -> Row:
        if not self.is_authenticated:
            raise Wrong(401)
        asked = {name: self._symbols(name, value) for name, value in message.items() if name != "action"}
        sets = {name: set(symbols) for name, symbols in self._sets.items()}
        for name, symbols in asked.items():
            had = sets.get(name, set())
            sets[name] = had | symbols if is_more else had - symbols
        if is_more and not (self.has_room or self._is_within_plan)(sets):
            raise Wrong(405)
        self._sets = sets
        return current(self.endpoint, sets)

    def _symbols(self, channel: str, value: Any) -> set[str]:
        """Return a channel's symbols; raise `Wrong` where there is no such channel, or no such symbol."""
        if value in ([], ()) and channel in _ELSEWHERE:  # as clients say that name every channel they know
            return set()
        if channel not in self.endpoint.channels:
            raise Wrong(410 if channel in _ELSEWHERE else 400)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise Wrong(400)
        if not all(each == "*" or self._is_symbol(each) for each in value):
            raise Wrong(400)
        return set(value)

    def _is_symbol(self, text: str) -> bool:
        try:
            return protocol.is_crypto([text]) is self.endpoint.is_crypto
        except ConfigError:
            return False

    def _is_within_plan(self, sets: Mapping[str, AbstractSet[str]]) -> bool:
        counted = [symbol for name in ("trades", "quotes") for symbol in sets.get(name, ())]
        limit = 0 if self.endpoint.is_crypto else self.plan.channels
        return not limit or (len(counted) <= limit and "*" not in counted)


def current(endpoint: Endpoint, sets: Mapping[str, Iterable[str]]) -> Row:
    """Return the answer to a subscription: the whole of what is subscribed to, never the difference."""
    told: Row = {"T": "subscription"}
    told |= {name: sorted(sets.get(name, ())) for name in endpoint.channels}
    if endpoint.channels is STOCK_CHANNELS:
        told |= dict.fromkeys(WITH_TRADES, told["trades"])
    return told


def _is_same(shown: Any, known: str) -> bool:
    """Return whether what a client shows is what is known, in a time that does not tell how much of it is right."""
    return isinstance(shown, str) and hmac.compare_digest(shown.encode(), known.encode())
