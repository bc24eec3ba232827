"""An order in the book, and what happens to it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

from framework.model import Bar, OrderType, Quote, Side

TRAILING = (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT)
STOP_LIMITS = (OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_LIMIT)


class State(enum.Enum):
    """Where an order stands in the book; MARGIN is Backtrader's word for "not enough cash"."""

    SUBMITTED = "submitted"
    RESTING = "resting"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    MARGIN = "margin"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        return self not in (State.SUBMITTED, State.RESTING)


class Happened(enum.Enum):
    """What an event is about."""

    ACCEPTED = "accepted"
    ACTIVATED = "activated"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    MARGIN = "margin"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an order at an instant. A fill is an increment: `quantity` is positive."""

    kind: Happened
    order: str
    at: datetime
    quantity: float = 0.0
    price: float = 0.0


@dataclass(frozen=True, slots=True)
class Range:
    """What traded of one symbol up to an instant, as a buyer and as a seller could trade it.

    `is_regular` tells whether it lies in the exchange's regular session, `is_opening` whether it is
    the first of one. `is_straight` tells that the price went straight from the open to the close: a
    stretch of a path. `began` is when a whole bar did.
    """

    buys: Bar
    sells: Bar
    is_regular: bool = True
    is_opening: bool = False
    is_straight: bool = False
    began: datetime | None = None

    @classmethod
    def of(
        cls,
        bar: Bar,
        *,
        spread: float = 0.0,
        is_regular: bool = True,
        is_opening: bool = False,
        is_straight: bool = False,
    ) -> Range:
        """Make one of a bar: a buyer pays half the spread (a fraction of the price) more, a seller gets less."""
        half = spread / 2
        sides = (bar, bar) if not spread else (_moved(bar, 1 + half), _moved(bar, 1 - half))
        length = None if is_straight else bar.timeframe.length
        return cls(*sides, is_regular, is_opening, is_straight, None if length is None else bar.end - length)

    @classmethod
    def of_quote(cls, quote: Quote, *, is_regular: bool = True, is_opening: bool = False) -> Range:
        """Make one of a quote: buyers trade at the ask, sellers at the bid, no more than the size shown."""
        ask, bid = quote.ask, quote.bid
        return cls(
            Bar(quote.symbol, quote.at, ask, ask, ask, ask, quote.ask_size),
            Bar(quote.symbol, quote.at, bid, bid, bid, bid, quote.bid_size),
            is_regular,
            is_opening,
        )

    def seen_by(self, side: Side) -> Bar:
        """Return the bar as that side could trade it."""
        return self.buys if side is Side.BUY else self.sells

    def left_from(self, price: float, side: Side) -> Range:
        """Return what is left of a stretch when that side could trade at a price of it."""
        own = self.seen_by(side)
        buys, sells = (
            _begun(bar, price if bar is own else price / own.open * bar.open) for bar in (self.buys, self.sells)
        )
        return Range(buys, sells, self.is_regular, self.is_opening, self.is_straight)


def _moved(bar: Bar, factor: float) -> Bar:
    prices = (each * factor for each in (bar.open, bar.high, bar.low, bar.close))
    open_, high, low, close = prices
    return Bar(bar.symbol, bar.end, open_, high, low, close, bar.volume, bar.timeframe)


def _begun(bar: Bar, price: float) -> Bar:
    high, low = max(price, bar.close), min(price, bar.close)
    return Bar(bar.symbol, bar.end, price, high, low, bar.close, bar.volume, bar.timeframe)


@dataclass(slots=True, eq=False)
class Order:
    """An order in the book; the book alone changes what is below `state`.

    `price` is the limit of a limit order, the trigger of a stop, the first reference of a trailing
    stop, else a reference (the last close) that cash is checked with. `limit` is a stop-limit's limit,
    or that of an order at the close. `created_at` is when the order reached the venue: it is never tried
    on what ended by then. `expires_at` is the last instant at which it may fill. `parent` must fill
    before it wakes; `oco` is the first order of its one-cancels-the-other group. Where `notional` is set,
    the quantity is as much as that buys at the price of the first fill.
    """

    id: str
    symbol: str
    side: Side
    kind: OrderType
    quantity: float
    price: float
    created_at: datetime
    limit: float | None = None
    trail_amount: float | None = None
    trail_percent: float | None = None
    expires_at: datetime | None = None
    closes_at: datetime | None = None
    parent: str | None = None
    oco: str | None = None
    is_immediate: bool = False
    is_whole: bool = False
    is_opening: bool = False
    in_extended_hours: bool = True
    notional: float | None = None

    state: State = field(default=State.SUBMITTED, init=False)
    filled: float = field(default=0.0, init=False)
    is_active: bool = field(default=True, init=False)
    is_triggered: bool = field(default=False, init=False)
    best: float = field(default=0.0, init=False)
    """The high-water mark of a trailing sell, the low-water mark of a trailing buy."""
    noted: float | None = field(default=None, init=False)
    """The last close before the session's end, for an order at the close."""
    offset: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.is_active = self.parent is None
        if self.kind in TRAILING:
            start, self.best = self.price, self.price
            self.offset = start - (self.limit or 0.0)
            self.price = float("inf") * self.side.sign
            self.trail(start)

    @property
    def remaining(self) -> float:
        """What is not filled yet, positive."""
        return self.quantity - self.filled

    def trail(self, close: float) -> None:
        """Move a trailing stop after the market, never back (Backtrader moves it on closes)."""
        amount = self.trail_amount or (close * self.trail_percent if self.trail_percent else 0.0)
        moved = close + amount * self.side.sign
        if (moved - self.price) * self.side.sign < 0:
            self.price, self.best = moved, close
            if self.kind is OrderType.TRAILING_STOP_LIMIT:
                self.limit = moved - self.offset
