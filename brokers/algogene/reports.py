"""What ALGOGENE tells of trades, orders and accounts: JSON in, frozen values out. Pure.

One thing has many names there: an id is a number in one answer and a text in another, our reference is `orderRef`,
`order_Ref` or `order_ref`, a side is BUY or SELL when it is asked for and 1 or -1 when it is told. Volumes are in lots.
What is missing or odd is a `ProtocolError`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feeds.algogene.answers import identity, instant, level, number, odd, text
from framework.model import Side

REFERENCES = ("order_Ref", "orderRef", "order_ref")


@dataclass(frozen=True, slots=True)
class Trade:
    """One open trade: `lots` are positive. `order_ref` is ours, "" for another's."""

    trade_id: str
    order_ref: str
    instrument: str
    side: Side
    lots: float
    price: float
    at: datetime
    take_profit: float | None
    stop_loss: float | None
    holdtime: float | None
    unrealized: float

    @property
    def signed(self) -> float:
        """The lots with the side's sign."""
        return self.lots * self.side.sign


@dataclass(frozen=True, slots=True)
class Pending:
    """One order that waits: `price` is its limit or trigger, `lasts` the seconds that it does (None: for ever)."""

    trade_id: str
    order_ref: str
    instrument: str
    side: Side
    lots: float
    price: float
    at: datetime
    take_profit: float | None
    stop_loss: float | None
    lasts: float | None


class Word(enum.Enum):
    """Where an order stands."""

    PENDING = "pending"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Query:
    """One order, however it stands; `word` is None for a status that is not known, `said` as it came."""

    trade_id: str
    order_ref: str
    word: Word | None
    said: str
    lots: float
    price: float
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Deal:
    """One transaction of the account's history: a trade that was opened or closed, or a part of it."""

    trade_id: str
    order_ref: str
    is_close: bool
    side: Side
    lots: float
    price: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """One of the user's accounts, in its base currency."""

    accountid: str
    runmode: str
    is_trading: bool
    money: Money


@dataclass(frozen=True, slots=True)
class Money:
    """What an account is worth: `nav` is cash and trades at the venue's prices. `currency` may be ""."""

    nav: float
    available: float
    margin: float
    realized: float
    unrealized: float
    at: datetime
    currency: str


@dataclass(frozen=True, slots=True)
class Held:
    """What is held of a symbol, net and signed: in units and in lots."""

    symbol: str
    units: float
    lots: float
    value: float


def read_trade(body: Mapping[str, Any]) -> Trade:
    """Read one of `opened_trades`."""
    return Trade(
        trade_id=_trade_id(body),
        order_ref=_reference(body),
        instrument=text(body, "instrument"),
        side=_side(body),
        lots=_positive(body, "volume"),
        price=_positive(body, "price"),
        at=instant(body, "timestamp"),
        take_profit=level(body, "takeProfitLevel"),
        stop_loss=level(body, "stopLossLevel"),
        holdtime=level(body, "holdtime"),
        unrealized=number(body, "unrealizedPL"),
    )


def read_pending(body: Mapping[str, Any]) -> Pending:
    """Read one of `pending_trades`. A market order that has not filled yet has no price: 0."""
    return Pending(
        trade_id=_trade_id(body),
        order_ref=_reference(body),
        instrument=text(body, "instrument"),
        side=_side(body),
        lots=_positive(body, "volume"),
        price=number(body, "price"),
        at=instant(body, "timestamp"),
        take_profit=level(body, "takeProfitLevel"),
        stop_loss=level(body, "stopLossLevel"),
        lasts=level(body, "timeinforce"),
    )


def read_query(body: Mapping[str, Any]) -> Query:
    """Read the answer of `query_order`."""
    said = text(body, "status")
    return Query(
        trade_id=_trade_id(body),
        order_ref=_reference(body),
        word=word(said),
        said=said,
        lots=_positive(body, "volume"),
        price=number(body, "price"),
        at=instant(body, "timestamp"),
        reason=str(body.get("err_msg") or ""),
    )


def word(status: str) -> Word | None:
    """GUESS but for PENDING, FILLED and PARTIAL_FILLED: no other status is documented. None for one we do not know."""
    return _WORDS.get(status.strip().upper().replace(" ", "_"))


_WORDS: Mapping[str, Word] = {
    "PENDING": Word.PENDING,
    "PENDING_TO_FILL": Word.PENDING,
    "PARTIAL_FILLED": Word.PARTIAL,
    "FILLED": Word.FILLED,
    "CANCELLED": Word.CANCELLED,
    "CANCELED": Word.CANCELLED,
    "EXPIRED": Word.EXPIRED,
    "REJECTED": Word.REJECTED,
    "FAILED": Word.REJECTED,
}


def read_deal(body: Mapping[str, Any]) -> Deal:
    """GUESS: read a transaction of `strategy_trade`, of which `order_ref` alone is known by its name."""
    kind = text(body, "openclose")
    if kind not in ("open", "close"):
        raise odd(f"openclose is {kind!r}", body)
    return Deal(
        trade_id=_trade_id(body),
        order_ref=_reference(body),
        is_close=kind == "close",
        side=_side(body),
        lots=_positive(body, "volume"),
        price=_positive(body, "price"),
        at=instant(body, "timestamp"),
    )


def read_account(body: Mapping[str, Any]) -> Account:
    """Read one of `accounts`."""
    is_trading = bool(body.get("isTrading", True))
    return Account(identity(body, "accountid"), text(body, "runmode"), is_trading, read_money(body))


def read_money(body: Mapping[str, Any]) -> Money:
    """Read `balance`, or the same figures of `accounts`, where they are spelled otherwise."""
    return Money(
        nav=number(body, "NAV"),
        available=number(body, "available_Balance", "availableBalance"),
        margin=number(body, "margin_Used", "marginUsed"),
        realized=number(body, "realized_PL", "realizedPL"),
        unrealized=number(body, "unrealized_PL", "unrealizedPL"),
        at=instant(body, "timestamp", "lastUpdatedTime"),
        currency=str(body.get("BaseCurrency") or ""),
    )


def read_held(symbol: str, body: Mapping[str, Any]) -> Held:
    """Read one of `positions`. GUESS: both sizes are signed, as the net of hedged trades."""
    return Held(symbol, number(body, "Position"), number(body, "netVolume"), number(body, "MarketValue"))


def _trade_id(body: Mapping[str, Any]) -> str:
    return identity(body, "trade_ID", "tradeID")


def _reference(body: Mapping[str, Any]) -> str:
    """Return our reference. That it is told at all is what orders are found by: without it nothing is certain."""
    for key in REFERENCES:
        if key in body:
            return str(body[key] or "")
    raise odd("an order or a trade without its reference", body)


def _side(body: Mapping[str, Any]) -> Side:
    value = body.get("buysell")
    if isinstance(value, bool) or value not in (1, -1):
        raise odd(f"buysell is {value!r}, not 1 or -1", body)
    return Side.BUY if value == 1 else Side.SELL


def _positive(body: Mapping[str, Any], key: str) -> float:
    found = number(body, key)
    if found <= 0:
        raise odd(f"{key} is {found:g}", body)
    return found
