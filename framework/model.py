"""The vocabulary: small frozen values in FIX words that pass between venues and Backtrader.

Times are aware UTC datetimes. Prices are floats, in the currency of the instrument. Quantities are
positive floats, in units of the instrument; a position's quantity is signed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from framework.errors import ConfigError


def nothing() -> Mapping[str, Any]:
    """Return an empty mapping that cannot be changed: the default of a frozen value's field."""
    return MappingProxyType({})


class Unit(enum.Enum):
    """What a bar's length is counted in; the value is Alpaca's spelling, which we use for all.

    Seconds are for quotes that are looked at so often; no source has bars of them.
    """

    SECOND = "Sec"
    MINUTE = "Min"
    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


_SPELLINGS = {
    "min": Unit.MINUTE, "t": Unit.MINUTE, "minute": Unit.MINUTE, "m": Unit.MINUTE,
    "hour": Unit.HOUR, "h": Unit.HOUR,
    "day": Unit.DAY, "d": Unit.DAY,
    "week": Unit.WEEK, "w": Unit.WEEK,
    "month": Unit.MONTH,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timeframe:
    """The length of a bar, such as 5 minutes or 1 day."""

    amount: int
    unit: Unit

    def __post_init__(self) -> None:
        if self.amount < 1:
            raise ConfigError(f"timeframe {self}: the amount must be 1 or more")

    @classmethod
    def parse(cls, text: str | Timeframe) -> Timeframe:
        """Read "1Min", "5Min", "15T", "1Hour", "1Day", "1Week" or "1Month" (any case)."""
        if isinstance(text, Timeframe):
            return text
        match = re.fullmatch(r"\s*(\d*)\s*([A-Za-z]+?)s?\s*", text)
        unit = _SPELLINGS.get(match[2].lower()) if match else None
        if match is None or unit is None:
            raise ConfigError(f"timeframe {text!r} is not understood; try 1Min, 5Min, 1Hour, 1Day, 1Week or 1Month")
        return cls(int(match[1] or 1), unit)

    @property
    def length(self) -> timedelta | None:
        """The bar's length where it is the same for every bar (up to hours), else None."""
        seconds = {Unit.SECOND: 1, Unit.MINUTE: 60, Unit.HOUR: 3600}.get(self.unit)
        return timedelta(seconds=seconds * self.amount) if seconds else None

    def __str__(self) -> str:
        return f"{self.amount}{self.unit.value}"


MINUTE = Timeframe(1, Unit.MINUTE)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `end` is the first instant at which it could be known (not the start of its minute)."""

    symbol: str
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    timeframe: Timeframe = MINUTE


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask at an instant."""

    symbol: str
    at: datetime
    bid: float
    bid_size: float
    ask: float
    ask_size: float


@dataclass(frozen=True, slots=True)
class QuoteBar:
    """What was quoted of a symbol between two instants, `end` the later: each side's first, highest, lowest and last.

    Where nothing was quoted in between, all are the quote that stands. `quoted` is when the last one came.
    """

    symbol: str
    end: datetime
    quoted: datetime
    bid_open: float
    bid_high: float
    bid_low: float
    bid: float
    ask_open: float
    ask_high: float
    ask_low: float
    ask: float


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade as the tape tells it, whoever made it; our own executions are `Fill`s."""

    symbol: str
    at: datetime
    price: float
    size: float


class Side(enum.StrEnum):
    """FIX 54. It is its own word: `side == "buy"`."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


@dataclass(frozen=True, slots=True)
class Revision:
    """A bar as it is now; `was` is how it was told before, None where it was not and its time has gone."""

    bar: Bar
    was: Bar | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One of an adapter's streams came up, what was missed included, or went down; `at` is venue time.

    `brings_prices` is False for a stream of orders: without prices no position is opened.
    """

    stream: str
    is_up: bool
    at: datetime
    reason: str = ""
    brings_prices: bool = True


@dataclass(frozen=True, slots=True)
class Halt:
    """Trading in a symbol was halted at its exchange, or goes on again (FIX 326)."""

    symbol: str
    at: datetime
    is_halted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """A split of a symbol's shares: `ratio` are the shares now for each one before (2.0; 0.1 for a reverse split).

    `at` is the instant from which on a share is one of the new. `name` is what a venue's split is known by, the
    same each time that it is told: it is applied once.
    """

    symbol: str
    at: datetime
    ratio: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the user should know, in a sentence; `subject` is a symbol or a client order id."""

    text: str
    subject: str = ""


class SignalAction(enum.StrEnum):
    """Whether a signal opens a position or closes one. It is its own word: `action == "open"`."""

    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Signal:
    """What an algorithm published for one symbol. `side` is None where it says to hold.

    `weight` is the share of the capital, 0 to 1. `at` is when it was received, the first instant at
    which anything may act on it; `published` is the time that the publisher wrote on it, None where there is
    none: it tells signals apart, and nothing goes by it. `extra` keeps the fields that we do not know. `key` is
    what it is known by, however often it is told: letters and digits, fit for an order's name.
    """

    algorithm: str
    symbol: str
    at: datetime
    action: SignalAction
    side: Side | None
    weight: float
    price: float | None = None
    extra: Mapping[str, Any] = field(default_factory=nothing)
    published: datetime | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of one algorithm that came together, in their order, one at least: what a strategy is woken for.

    `name` is what they are known by in a journal. All have the same `at`.
    """

    name: str
    signals: tuple[Signal, ...]

    @property
    def algorithm(self) -> str:
        """Whose they are."""
        return self.signals[0].algorithm

    @property
    def at(self) -> datetime:
        """When they were received, aware UTC."""
        return self.signals[0].at


class OrderType(enum.Enum):
    """FIX 40, and the two trailing types that FIX writes as pegged orders."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"
    TRAILING_STOP_LIMIT = "trailing_stop_limit"
    MARKET_ON_CLOSE = "market_on_close"


class TimeInForce(enum.Enum):
    """FIX 59."""

    DAY = "day"
    GTC = "gtc"
    AT_THE_OPENING = "opg"
    AT_THE_CLOSE = "cls"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class OrderStatus(enum.Enum):
    """FIX 39, and HELD for a leg that waits at the venue for its parent or its sibling."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    HELD = "held"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    DONE_FOR_DAY = "done_for_day"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """True where nothing more can happen to the order."""
        return self in _FINAL


_FINAL = frozenset({
    OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REPLACED, OrderStatus.REJECTED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as it is asked of a venue (FIX NewOrderSingle).

    `client_order_id` is ours, unique for ever, and journalled before the request is sent.
    Either `quantity` (units) or `notional` (currency) is set. `trail_amount` is in currency,
    `trail_percent` is a fraction (0.01 is one per cent), as in Backtrader.
    """

    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: float | None = None
    notional: float | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    trail_amount: float | None = None
    trail_percent: float | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    expires_at: datetime | None = None
    extended_hours: bool = False

    def __post_init__(self) -> None:
        if (self.quantity is None) == (self.notional is None):
            raise ConfigError(f"order {self.client_order_id}: give a quantity or a notional value, not both or neither")


class GroupKind(enum.Enum):
    """How the orders of a group depend on one another (FIX 1385 ContingencyType)."""

    LIST = "list"
    BRACKET = "bracket"
    OCO = "oco"
    OTO = "oto"


@dataclass(frozen=True, slots=True)
class OrderGroup:
    """Orders that are sent together: one order, a list, or orders that depend on one another.

    A bracket is entry, take-profit, stop-loss; an OTO is entry and one exit; an OCO is two exits.
    `position` is what the session holds of the symbol when the group is made, signed.
    """

    orders: tuple[OrderRequest, ...]
    kind: GroupKind = GroupKind.LIST
    position: float = 0.0

    @property
    def is_exit(self) -> bool:
        """Whether it can only make the position smaller: such a group goes first, and passes every limit."""
        sides = all(each.side.sign * self.position < 0 for each in self.orders)
        asked = [each.quantity or float("inf") for each in self.orders]
        most = max(asked) if self.kind is GroupKind.OCO else sum(asked)
        return sides and most <= abs(self.position)


@dataclass(frozen=True, slots=True)
class Fill:
    """An execution, always an increment (FIX LastQty and LastPx)."""

    execution_id: str
    quantity: float
    price: float
    at: datetime
    commission: float = 0.0


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """What a venue says about an order (FIX ExecutionReport).

    `venue_order_id` is the venue's name for it; `replaces` is the one it carries on from, where a
    replace gave it a new name. `reason` is the venue's own text for a rejection or a cancel.
    `is_margin` tells a rejection for want of money from the others, as Backtrader's Margin does.
    """

    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    at: datetime
    fill: Fill | None = None
    reason: str = ""
    replaces: str | None = None
    is_margin: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of one symbol; a short position's quantity is negative."""

    symbol: str
    quantity: float
    average_price: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An account at an instant: `equity` is cash and positions at the venue's prices."""

    at: datetime
    account: str
    currency: str
    cash: float
    equity: float
    buying_power: float
    positions: tuple[Position, ...]
    open_orders: tuple[OrderUpdate, ...]
