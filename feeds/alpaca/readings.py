"""What Alpaca's data streams tell, read into values: one message in, one value out. Pure.

The other way of `messages`, which writes them. Source: Alpaca's page "WebSocket Stream". A bar's `t`
is its START; our bars carry the END.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from feeds.alpaca.subscriptions import KINDS
from feeds.checks import ROUNDING
from feeds.gaps import Revised
from framework.model import Bar, Quote, Trade

MINUTE = timedelta(minutes=1)

_HALTED = frozenset({"2", "H", "P", "Q"})  # Q: quotes are taken again, and nothing trades yet
_TRADING = frozenset({"3", "T"})


@dataclass(frozen=True, slots=True)
class TradingStatus:
    """A halt, its end, or another state of a symbol, in the codes of its tape.

    `is_halted` is None for codes that say neither that trading stops nor that it goes on.
    """

    symbol: str
    at: datetime
    code: str
    text: str
    reason: str

    @property
    def is_halted(self) -> bool | None:
        if self.code in _HALTED:
            return True
        return False if self.code in _TRADING else None


Value = Bar | Revised | Quote | Trade | TradingStatus
"""What a stream tells us."""

_POINT = frozenset({"T", "S", "t"})
_BAR = _POINT | {"o", "h", "l", "c", "v", "n", "vw"}

FIELDS: Mapping[str, frozenset[str]] = {
    KINDS["bars"]: _BAR,
    KINDS["updatedBars"]: _BAR,
    KINDS["quotes"]: _POINT | {"bp", "bs", "bx", "ap", "as", "ax", "c", "z"},
    KINDS["trades"]: _POINT | {"p", "s", "x", "i", "c", "z", "tks"},
    KINDS["statuses"]: _POINT | {"sc", "sm", "rc", "rm", "z"},
}
"""The fields that each kind is known to have; more of them do no harm."""

KNOWN = frozenset(KINDS.values()) | {"i", "n"}
"""Every kind there is: those without a reading, such as corrections and news, are nothing that we hand on."""


def read(message: Mapping[str, Any]) -> Value | None:
    """Return what a message of a known kind tells, None where that is nothing that we hand on.

    Raise `ValueError`, which says what is wrong with it, where it cannot be read.
    """
    reader = _READERS.get(message["T"])
    if reader is None:
        return None
    try:
        return reader(message)
    except KeyError as missing:
        raise ValueError(f"no {missing.args[0]}") from None
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError(str(error)) from None


def _bar(message: Mapping[str, Any]) -> Bar:
    end = _at(message) + MINUTE
    if end.second or end.microsecond:
        raise ValueError(f"t {message['t']} is no whole minute")
    open_, high, low, close, volume = (_number(message, name) for name in "ohlcv")
    slack = ROUNDING * high
    if low <= 0 or not low - slack <= min(open_, close) <= max(open_, close) <= high + slack or high < low:
        raise ValueError(f"prices {open_}, {high}, {low}, {close} make no bar")
    return Bar(_symbol(message), end, open_, high, low, close, volume)


def _revised(message: Mapping[str, Any]) -> Revised:
    return Revised(_bar(message))


def _quote(message: Mapping[str, Any]) -> Quote:
    bid, bid_size, ask, ask_size = (_number(message, name) for name in ("bp", "bs", "ap", "as"))
    return Quote(_symbol(message), _at(message), bid, bid_size, ask, ask_size)


def _trade(message: Mapping[str, Any]) -> Trade:
    return Trade(_symbol(message), _at(message), _number(message, "p"), _number(message, "s"))


def _status(message: Mapping[str, Any]) -> TradingStatus:
    reason = " ".join(str(message[name]) for name in ("rc", "rm") if message.get(name))
    return TradingStatus(_symbol(message), _at(message), str(message["sc"]), str(message.get("sm", "")), reason)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Value]] = {
    KINDS["bars"]: _bar,
    KINDS["updatedBars"]: _revised,
    KINDS["quotes"]: _quote,
    KINDS["trades"]: _trade,
    KINDS["statuses"]: _status,
}


def _symbol(message: Mapping[str, Any]) -> str:
    symbol = message["S"]
    if not isinstance(symbol, str):
        raise ValueError(f"S {symbol!r} is no symbol")
    return symbol


def _number(message: Mapping[str, Any], name: str) -> float:
    value = message[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} {value!r} is no price and no size")
    return float(value)


def _at(message: Mapping[str, Any]) -> datetime:
    """Read a time: RFC 3339 text in JSON, a timestamp of its own in MessagePack (both to the nanosecond)."""
    value = message["t"]
    at = datetime.fromisoformat(value) if isinstance(value, str) else value.to_datetime()
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ValueError(f"t {value!r} is no time with a zone")
    return at.astimezone(UTC)
