"""What is known of each order that is followed, poll by poll. Pure.

ALGOGENE has no stream: what became of orders is polled. A poll is several requests, and things happen between them.
They are made in the order queries, pending, opened, deals, so that what leaves one list is in a later one. That
something is in no list proves nothing: the next poll asks for it (`advancing.questions`). Knowledge only grows.

An order of Backtrader's is several things here: trades to close, a trade to open. It is filled when all of them are.
A close is done when its trade is gone and the account's history tells at which price.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.algogene.reports import Deal, Pending, Query, Trade
from framework.model import OrderStatus, Side

ZERO = Decimal()


class Kind(enum.Enum):
    """What a part of an order does to a trade."""

    OPEN = "open"
    CLOSE = "close"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"


@dataclass(frozen=True, slots=True)
class Part:
    """One trade that an order opens or closes: `units` are positive, `level` is that of an exit.

    `side` is the trade's, `contract` the units of one lot. `trade_id` is "" for a trade that is still to be opened.
    """

    trade_id: str
    kind: Kind
    units: Decimal
    side: Side
    contract: Decimal = Decimal(1)
    level: float | None = None

    @property
    def sign(self) -> int:
        """What it does to the net position: +1 where that grows."""
        return self.side.sign if self.kind is Kind.OPEN else -self.side.sign


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a part: units filled and their value, and how it ended."""

    is_seen: bool = False
    filled: Decimal = ZERO
    value: Decimal = ZERO
    end: OrderStatus | None = None
    at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Following:
    """An order that is followed. `booked` are the units and the value of the fills that an earlier run was told of."""

    client_order_id: str
    parts: tuple[Part, ...]
    known: tuple[Known, ...] = ()
    expires_at: datetime | None = None
    booked: tuple[Decimal, Decimal] = (ZERO, ZERO)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError(f"order {self.client_order_id} without a part cannot be followed")
        if not self.known:
            object.__setattr__(self, "known", (Known(),) * len(self.parts))

    @property
    def is_seen(self) -> bool:
        """Whether the venue has shown it, or any of it."""
        return any(each.is_seen or each.end is not None for each in self.known)

    @property
    def filled(self) -> tuple[Decimal, Decimal]:
        """The units that are filled, and their value: never less than was booked.

        Where trades of both sides are parts of it, it is their net, known when all of them are over; the value is that
        of the parts on its own side, and what the others cost beyond it is `cost`.
        """
        if self.is_mixed and not self._is_over:
            return self.booked
        own, value = self._units(1), self._value(1)
        units = own - self._units(-1)
        if units <= max(self.booked[0], ZERO):  # as many may be others, at other prices
            return self.booked
        return (units, value) if units == own else (units, value * units / own)

    @property
    def cost(self) -> Decimal:
        """What closing trades against each other has cost, 0 until all is over: the spread, mostly."""
        if not (self.is_mixed and self._is_over) or self._units(1) <= self._units(-1):
            return ZERO
        paid = self._value(1) - self._value(-1)
        return (self.filled[1] - paid) * -self._sign

    @property
    def status(self) -> OrderStatus:
        """Where it stands."""
        ends = {each.end for each in self.known}
        if None in ends:
            return OrderStatus.PARTIALLY_FILLED if self.filled[0] else self._working
        if ends == {OrderStatus.FILLED}:
            return OrderStatus.FILLED
        ranked = (OrderStatus.EXPIRED, OrderStatus.CANCELED, OrderStatus.REJECTED)
        worst = next(each for each in ranked if each in ends)
        return OrderStatus.CANCELED if worst is OrderStatus.REJECTED and self.filled[0] else worst

    @property
    def at(self) -> datetime | None:
        """When something last happened to it, by the venue's clock."""
        return max((each.at for each in self.known if each.at is not None), default=None)

    @property
    def reason(self) -> str:
        """Why it ended, where that is told."""
        return "; ".join(dict.fromkeys(each.reason for each in self.known if each.reason))

    @property
    def _sign(self) -> int:
        """Its side: +1 where all of its parts together make the net position grow."""
        return 1 if sum((each.sign * each.units for each in self.parts), ZERO) > 0 else -1

    @property
    def is_mixed(self) -> bool:
        """Whether trades of both sides are parts of it: then it is told in one sum, when all of it is over."""
        return len({each.sign for each in self.parts}) > 1

    @property
    def _is_over(self) -> bool:
        return all(each.end is not None for each in self.known)

    def _units(self, way: int) -> Decimal:
        """Return what is filled of the parts of its own side (1) or of the other (-1)."""
        return sum((known.filled for known in self._ways(way)), ZERO)

    def _value(self, way: int) -> Decimal:
        return sum((known.value for known in self._ways(way)), ZERO)

    def _ways(self, way: int) -> list[Known]:
        sign = self._sign * way
        return [known for part, known in zip(self.parts, self.known, strict=True) if part.sign == sign]

    @property
    def _working(self) -> OrderStatus:
        return OrderStatus.NEW if self.is_seen else OrderStatus.PENDING_NEW

    def refused(self, trade_id: str, reason: str, at: datetime) -> Following:
        """Return it with the part of a trade refused by the venue, in an answer."""
        end = Known(end=OrderStatus.REJECTED, at=at, reason=reason)
        pairs = zip(self.parts, self.known, strict=True)
        known = tuple(end if part.trade_id == trade_id and each.end is None else each for part, each in pairs)
        return replace(self, known=known)


@dataclass(frozen=True, slots=True)
class Poll:
    """What was answered, asked for in this order. `deals` is None where the history was not asked for."""

    at: datetime
    queries: Mapping[str, Query]
    pending: Mapping[str, Pending]
    opened: Mapping[str, Trade]
    deals: tuple[Deal, ...] | None = None


@dataclass(frozen=True, slots=True)
class Questions:
    """What the next poll asks beside the two lists: orders by their ids, and the history."""

    queries: tuple[str, ...] = ()
    deals: bool = False


Followed = Mapping[str, Following]
"""The orders that are followed, by our ids."""
