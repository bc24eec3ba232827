"""Exits that are held here, because the venue keeps only one for the shares that they close. Pure.

A venue sets a position's shares aside for the first order that sells them, and refuses the second. So one exit
rests there and the others wait here: when the price reaches one of them, what rests is cancelled, and
when it has ended the one that was reached is sent, for what is left of the position. Also a single order that
follows the price where the venue has no such order. Prices and news in, steps out; venues differ in nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from framework.live.trailing import Trailing
from framework.model import Bar, OrderRequest, OrderStatus, OrderType, Side, Trade

SLACK = timedelta(seconds=5)
"""By how much a price may be older than an order that it counts for: clocks differ, and bars take their time."""

NOISE = 1e-9
LONG_AGO = datetime.min.replace(tzinfo=UTC) + SLACK
DAY = timedelta(days=1)

_BARE: Mapping[str, Any] = {"stop_price": None, "trail_amount": None, "trail_percent": None}
_WITH_A_LIMIT = (OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_LIMIT)
_FIXED = (OrderType.STOP, OrderType.STOP_LIMIT)
_TRAILING = (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT)


@dataclass(frozen=True, slots=True)
class Seen:
    """The prices of a symbol from `since` to `at`: a bar's, or one trade's."""

    symbol: str
    low: float
    high: float
    last: float
    since: datetime
    at: datetime

    @classmethod
    def of(cls, news: Bar | Trade) -> Seen:
        """Return the prices that a bar or a trade tells."""
        if isinstance(news, Trade):
            return cls(news.symbol, news.price, news.price, news.price, news.at, news.at)
        return cls(news.symbol, news.low, news.high, news.close, news.end - (news.timeframe.length or DAY), news.end)


@dataclass(frozen=True, slots=True)
class Clear:
    """Cancel the order at the venue, until it has ended: another one waits for what it holds."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class Release:
    """Send the order now; `position` is what it closes, signed."""

    request: OrderRequest
    position: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What has become of an order that the venue does not have."""

    client_order_id: str
    status: OrderStatus
    reason: str = ""


HeldStep = Clear | Release | Turn


@dataclass(frozen=True, slots=True)
class _Leg:
    """An order that is held. `stop` is None before its first price; `at` is when it is sent by the clock."""

    request: OrderRequest
    left: float
    stop: Trailing | None = None
    at: datetime | None = None

    @classmethod
    def of(cls, request: OrderRequest, at: datetime | None) -> _Leg:
        stop = _fixed(request) if request.order_type in _FIXED else None
        return cls(request, math.inf if request.quantity is None else request.quantity, stop, at)

    def is_reached(self, seen: Seen, *, is_whole: bool) -> bool:
        extreme = seen.low if self.request.side is Side.SELL else seen.high
        return self.stop is not None and self.stop.is_reached(extreme if is_whole else seen.last)

    def moved(self, price: float) -> _Leg:
        if self.request.order_type not in _TRAILING:
            return self
        return replace(self, stop=self.stop.moved(price) if self.stop else Trailing.start(self.request, price))

    def sent(self, size: float) -> OrderRequest:
        """Return the order that the venue gets: a stop that is reached is a market order, or a limit order."""
        request = self.request if math.isinf(size) else replace(self.request, quantity=size, notional=None)
        if request.order_type in _WITH_A_LIMIT and self.stop is not None:
            return replace(request, order_type=OrderType.LIMIT, limit_price=self.stop.limit, **_BARE)
        return replace(request, order_type=OrderType.MARKET, limit_price=None, extended_hours=False, **_BARE)


def _fixed(request: OrderRequest) -> Trailing:
    stop = request.stop_price or 0.0
    limit = stop if request.limit_price is None else request.limit_price
    return Trailing(request.side, stop, stop - limit)


class Held:
    """Orders of one symbol and one side that are held here, at most one of which is ever sent.

    `resting` is the exit that the venue has, "" where there is none. `position` is what the session holds,
    signed: where they are exits, no more than that is closed. `at` is since when prices count. `times`
    are those that go by the clock. Owned by one thread; nothing is asked of it after `is_done`.
    """

    def __init__(
        self,
        orders: tuple[OrderRequest, ...],
        *,
        resting: str = "",
        position: float = 0.0,
        is_exit: bool = True,
        at: datetime = LONG_AGO,
        times: Mapping[str, datetime] | None = None,
    ) -> None:
        self.symbol, self.side = orders[0].symbol, orders[0].side
        self.resting, self._position, self._is_exit, self._since = resting, position, is_exit, at - SLACK
        at_times = times or {}
        self._legs = {each.client_order_id: _Leg.of(each, at_times.get(each.client_order_id)) for each in orders}
        self.chosen = ""

    # What is known

    @property
    def names(self) -> tuple[str, ...]:
        """The orders that are held still."""
        return tuple(self._legs)

    @property
    def is_done(self) -> bool:
        """Whether nothing is held any more."""
        return not self._legs

    @property
    def next_at(self) -> datetime | None:
        """When the clock sends one, None where it sends none."""
        times = (each.at for each in self._legs.values() if each.at is not None)
        return None if self.chosen else min(times, default=None)

    # What happens

    def price(self, seen: Seen) -> list[HeldStep]:
        """Follow the price: the first order that it reaches is chosen, the others move after its last."""
        if self.chosen or seen.symbol != self.symbol or seen.at < self._since:
            return []
        is_whole = seen.since >= self._since
        reached = [name for name, leg in self._legs.items() if leg.is_reached(seen, is_whole=is_whole)]
        if reached:
            return self._choose(reached[0])
        self._legs = {name: leg.moved(seen.last) for name, leg in self._legs.items()}
        return []

    def due(self, now: datetime) -> list[HeldStep]:
        """Choose the order whose time has come."""
        late = [] if self.chosen else [name for name, leg in self._legs.items() if leg.at and leg.at <= now]
        return self._choose(late[0]) if late else []

    def traded(self, name: str, side: Side, quantity: float) -> list[HeldStep]:
        """Take in a fill of any order of the session in this symbol."""
        self._position += side.sign * quantity
        if name != self.resting:
            return []
        legs = {key: replace(leg, left=round(leg.left - quantity, 9)) for key, leg in self._legs.items()}
        self._legs = {key: leg for key, leg in legs.items() if leg.left > NOISE}
        return [_canceled(key, "the other exit has filled") for key in legs if key not in self._legs]

    def ended(self, name: str) -> list[HeldStep]:
        """Take in the end of what rests, whatever it was: the order that was chosen goes, or the others end."""
        if name != self.resting:
            return []
        self.resting = ""
        return self._released() if self.chosen else list(self._all("the other exit has ended"))

    def cancel(self, name: str) -> list[HeldStep]:
        """Cancel one, held or resting: it takes the others, as Backtrader's do."""
        return [*self._all(), *self._cleared()]

    def expired(self, name: str) -> list[HeldStep]:
        """End one whose time is over; it takes the others."""
        self._legs.pop(name)
        why = "the other exit has expired"
        return [Turn(name, OrderStatus.EXPIRED, "its end has come"), *self._all(why), *self._cleared()]

    def replace(self, name: str, request: OrderRequest) -> str:
        """Give one that is held other levels or another size; return why it stays as it is, or an empty string."""
        if self.chosen:
            return "the price has reached it, and it is being sent"
        leg = self._legs[name]
        changed = replace(request, client_order_id=name, order_type=leg.request.order_type)
        new = _Leg.of(changed, leg.at)
        left = round(new.left - ((leg.request.quantity or 0.0) - leg.left), 9)
        if left <= NOISE:
            return "as much as that has filled already"
        self._legs[name] = replace(new, left=left)
        return ""

    # Inside

    def _choose(self, name: str) -> list[HeldStep]:
        self.chosen = name
        return [Clear(self.resting)] if self.resting else self._released()

    def _released(self) -> list[HeldStep]:
        leg = self._legs.pop(self.chosen, None)
        others = self._all("another exit has been reached")
        if leg is None:
            return list(others)
        size = min(leg.left, self._room)
        if size <= NOISE:
            return [_canceled(self.chosen, "nothing is left of the position"), *others]
        return [*others, Release(leg.sent(size), self._position)]

    @property
    def _room(self) -> float:
        """How much may be closed."""
        return max(0.0, round(-self._position * self.side.sign, 9)) if self._is_exit else math.inf

    def _cleared(self) -> list[HeldStep]:
        """Cancel what rests, where that has not been asked for yet."""
        return [Clear(self.resting)] if self.resting and not self.chosen else []

    def _all(self, why: str = "") -> Iterator[Turn]:
        legs, self._legs = self._legs, {}
        return (_canceled(each, why) for each in legs)


def _canceled(name: str, why: str) -> Turn:
    return Turn(name, OrderStatus.CANCELED, why)
