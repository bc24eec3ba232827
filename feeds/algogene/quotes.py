"""Quotes: what the price socket and `realtime_price` tell, by broker and symbol. Pure.

Source: frames of the socket as they were seen in July 2025. Where no broker is named, those of several come mixed, far
apart in price, and now and then with times that go back. So a quote is known by its broker and symbol, one that is
older than the one before it is dropped, and none is used that is older than it may be: the quotes of a test account
have been seen to stand still for minutes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feeds.algogene.answers import instant, number, odd, table
from feeds.algogene.protocol import Session
from framework.config import Credentials
from framework.model import Quote
from framework.wire import Exchange

SUBSCRIBE, PING = 13, 0
"""The `msg_id` of a subscription to prices, and of the server's ping."""

PONG = json.dumps({"msg_id": PING, "status": True, "msg": "client pong"})

Key = tuple[str, str]
"""Broker and symbol."""


@dataclass(frozen=True, slots=True)
class BrokerQuote:
    """What one broker bids and asks; the broker is "" where none is told."""

    broker: str
    quote: Quote

    @property
    def key(self) -> Key:
        return self.broker, self.quote.symbol

    @property
    def price(self) -> float:
        """The middle of bid and ask."""
        return (self.quote.bid + self.quote.ask) / 2


@dataclass(frozen=True, slots=True)
class Ping:
    """The server asks whether we live."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message with an id that is no price: a confirmation or a refusal (a guess: none was ever seen)."""

    is_ok: bool
    text: str


def subscription(credentials: Credentials, symbols: Sequence[str], broker: str = "") -> str:
    """Return the frame that asks for prices. It holds the API key. Another one replaces it (a guess)."""
    asked = {"user": credentials.key, "api_key": credentials.secret, "symbols": list(symbols), "broker": broker}
    return json.dumps({"msg_id": SUBSCRIBE, **asked})


def read_frame(frame: str | bytes) -> BrokerQuote | Ping | Said:
    """Read a frame of the price socket; raise `ProtocolError` for what is none."""
    try:
        body = json.loads(frame)
    except (ValueError, RecursionError):
        raise odd("a frame that is no JSON", frame) from None
    if not isinstance(body, dict):
        raise odd("a frame that is no object", frame)
    if "msg_id" not in body:
        return read_quote(body)
    if body["msg_id"] == PING and "ping" in str(body.get("msg", "")).lower():
        return Ping()
    return Said(body.get("status") is not False, str(body.get("msg") or ""))


def read_quote(body: Mapping[str, Any], symbol: str | None = None) -> BrokerQuote:
    """Read a quote; `symbol` is its name where it stands outside of it. Raise `ProtocolError` for what is none."""
    name = symbol or body.get("symbol")
    if not isinstance(name, str) or not name:
        raise odd("a quote without its symbol", body)
    bid, ask = number(body, "bidPrice"), number(body, "askPrice")
    sizes = [number(body, key) if body.get(key) is not None else 0.0 for key in ("bidSize", "askSize")]
    if not 0 < bid <= ask:
        raise odd(f"{name}: a quote of {bid} to {ask}", body)
    at = instant(body, "timestamp")
    return BrokerQuote(str(body.get("broker") or ""), Quote(name, at, bid, sizes[0], ask, sizes[1]))


def realtime_price(session: Session, symbols: Sequence[str], broker: str = "") -> Exchange[dict[str, BrokerQuote]]:
    """Return what is quoted now, by symbol. Raise `ProtocolError` where one is missing, `VenueError`.

    The quotes bear the broker that was asked for, where the answer names none.
    """
    query = {"symbols": ",".join(symbols), "broker": broker}
    body = session.answer((yield from session.price("/realtime_price", query)), "prices")
    return session.read(lambda: _read(body, symbols, broker), "prices")


def _read(body: Mapping[str, Any], symbols: Sequence[str], broker: str) -> dict[str, BrokerQuote]:
    told = table(body)
    missing = [each for each in symbols if each not in told]
    if missing:
        raise odd(f"no price of {', '.join(missing)}", body)
    return {each: read_quote({"broker": broker, **told[each]}, each) for each in symbols}


class Quotes:
    """The last quote of each broker and symbol. Owned by one thread."""

    def __init__(self) -> None:
        self._last: dict[Key, BrokerQuote] = {}
        self.dropped: Counter[Key] = Counter()
        """How many were older than the one before them, by broker and symbol."""

    def take(self, quote: BrokerQuote) -> bool:
        """Keep a quote; return False, and drop it, where one of the same broker and symbol is younger.

        One of the same time is kept: it is a change within that time.
        """
        last = self._last.get(quote.key)
        if last is not None and quote.quote.at < last.quote.at:
            self.dropped[quote.key] += 1
            return False
        self._last[quote.key] = quote
        return True

    def of(self, broker: str, symbol: str) -> BrokerQuote | None:
        """Return the last quote, None before the first."""
        return self._last.get((broker, symbol))

    def fresh(self, broker: str, symbol: str, now: datetime, age: timedelta) -> BrokerQuote | None:
        """Return the last quote if it may still be used: not older than `age` by its own time."""
        last = self.of(broker, symbol)
        return last if last is not None and now - last.quote.at <= age else None
