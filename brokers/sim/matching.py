"""The matching core: a book of orders that is played bar by bar, as Backtrader's `BackBroker` does it.

What is the same: orders are taken up at the next instant, checked for cash in their order, tried in
the order in which they came; a market order fills at the open, the rest by `brokers.sim.prices`; a
trailing stop moves on the close; the exits of a bracket wake at the instant after their entry has
filled; one of an OCO group that fills cancels the others; an order expires when time has passed its
`expires_at`.

On a stretch of a path, where the price goes straight, more is known: orders are tried in the order in which
it touches them, and exits wake where their entry was filled and work the rest of the stretch. That is the
backtest with `intrabar=True`, fill by fill.

What is not: `BackBroker` tries an order on its symbol's last bar again when only another symbol has a
bar. Here each bar is tried once, and never by an order that reached the venue after the bar's end.

Pure: no clock, no sockets, no chance but by `Terms.seed`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from brokers.sim.account import Account, Holding
from brokers.sim.orders import TRAILING, Event, Happened, Order, Range, State
from brokers.sim.prices import Slippage, price_on, touched_on
from framework.model import OrderType


@dataclass(frozen=True, slots=True)
class Terms:
    """How the book fills.

    `check_cash` refuses what the cash does not pay for, when an order is taken up and when it fills.
    `participation` is the percentage of a bar's volume that one order may take (None: no limit).
    `partial` is the chance that a fill takes half of the order, by `seed`. With `shrinks`, a partial
    fill of an exit makes its sibling smaller, as venues do; Backtrader cancels the others of an OCO.
    `reach` is how long after a bar's first price an order may come and still have it; what comes later is tried from
    the next bar on, for of a whole bar it is not known what was when. None is for ever.
    """

    slippage: Slippage = field(default_factory=Slippage)
    check_cash: bool = True
    participation: float | None = None
    partial: float = 0.0
    shrinks: bool = False
    seed: int = 0
    reach: timedelta | None = None


class Matching:
    """The book. Every call returns what it made happen, in order."""

    def __init__(self, account: Account, terms: Terms | None = None) -> None:
        self.account, self.terms = account, terms or Terms()
        self.orders: dict[str, Order] = {}
        self._submitted: deque[Order] = deque()
        self._resting: dict[str, Order] = {}
        self._waking: list[str] = []
        self._brackets: dict[str, deque[str]] = {}
        self._leaders: dict[str, str] = {}
        self._groups: dict[str, list[str]] = {}
        self._events: list[Event] = []

    @property
    def resting(self) -> Iterable[Order]:
        """The orders that are in the book, those that wait for their parent among them."""
        return self._resting.values()

    def submit(self, orders: Sequence[Order], at: datetime) -> list[Event]:
        """Take one order, or a parent and the orders that wait for it."""
        for order in orders:
            self.orders[order.id] = order
            leader = self._leaders.get(order.oco, order.oco) if order.oco else order.id
            self._leaders[order.id] = leader
            self._groups.setdefault(leader, []).append(order.id)
            self._brackets.setdefault(order.parent or order.id, deque()).append(order.id)
        if self.terms.check_cash:
            self._submitted.extend(orders)
        else:
            for order in orders:
                self._accept(order, at)
        return self._taken()

    def cancel(self, order_id: str, at: datetime, state: State = State.CANCELED) -> list[Event]:
        """Take an order and what depends on it out of the book; nothing happens where it is not there."""
        self._remove(order_id, at, state)
        return self._taken()

    def withdraw(self, order_id: str, at: datetime, state: State = State.EXPIRED) -> list[Event]:
        """Take one order out of the book and leave those that depend on it."""
        order = self._resting.pop(order_id, None)
        if order is not None:
            self._end(order, state, at)
        return self._taken()

    def replace(self, order_id: str, order: Order, at: datetime) -> list[Event]:
        """Put an order in the place of another, in the queue and in its group; it keeps the fills of the other."""
        old = self._resting[order_id]
        order.filled, order.is_active, order.state = old.filled, old.is_active, State.RESTING
        self._resting = {
            (order.id if key == order_id else key): (order if key == order_id else each)
            for key, each in self._resting.items()
        }
        self.orders[order.id] = order
        self._rename(order_id, order.id)
        self._end(old, State.REPLACED, at)
        return self._taken()

    def play(self, at: datetime, ranges: Mapping[str, Range]) -> list[Event]:
        """Play an instant: what of each symbol traded up to it."""
        self._wake(self._waking, at)
        self._waking.clear()
        self._check_submitted(at)
        if any(range.is_straight for range in ranges.values()):
            self._play_straight(at, ranges)
        else:
            self._play_bars(at, ranges)
        return self._taken()

    def _play_bars(self, at: datetime, ranges: Mapping[str, Range]) -> None:
        for order in list(self._resting.values()):
            if order.id not in self._resting:
                continue  # one before it, at this same instant, took it out
            del self._resting[order.id]
            if not self._expired(order, at):
                self._turn(order, at, ranges.get(order.symbol))
            if not order.state.is_final:
                self._resting[order.id] = order

    def _play_straight(self, at: datetime, ranges: Mapping[str, Range]) -> None:
        for order in list(self._resting.values()):
            if order.id in self._resting:
                self._expired(order, at)
        for symbol, range in ranges.items():
            self._walk(symbol, range, at)
        for order in [each for each in self._resting.values() if not _is_lasting(each)]:
            if order.id in self._resting:
                self._in_turn(order, at, ranges.get(order.symbol))

    def _walk(self, symbol: str, range: Range, at: datetime) -> None:
        """Go straight from open to close: each order is tried once, in the order in which they are touched.

        An order is tried against all of the stretch that it was there for.
        """
        since = {order.id: range for order in self._working(symbol, range)}
        while (touched := self._next(symbol, range, since)) is not None:
            price, order = touched
            self._in_turn(order, at, since.pop(order.id))
            here = [each for each in self._waking if self.orders[each].symbol == symbol]
            self._waking = [each for each in self._waking if each not in here]
            left = range.left_from(price, order.side)
            since |= {woken.id: left for woken in self._wake(here, at)}
        for order in self._working(symbol, range):
            if order.id in since and order.kind in TRAILING and not order.is_triggered and _is_lasting(order):
                order.trail(range.seen_by(order.side).close)

    def _next(self, symbol: str, range: Range, since: Mapping[str, Range]) -> tuple[float, Order] | None:
        """Return where the price touches an order first, and the order; among equals the oldest."""
        working = [order for order in self._working(symbol, range) if order.id in since and not order.is_opening]
        levels = ((touched_on(each, since[each.id].seen_by(each.side)), each) for each in working)
        touched = ((price, order) for price, order in levels if price is not None)
        return min(touched, key=lambda each: abs(each[0] - range.seen_by(each[1].side).open), default=None)

    def _working(self, symbol: str, range: Range) -> Iterator[Order]:
        resting = self._resting.values()
        return (each for each in resting if each.symbol == symbol and each.is_active and self._may_try(each, range))

    def _in_turn(self, order: Order, at: datetime, range: Range | None) -> None:
        """Try an order while it is out of the book (its own fill must not cancel it); put it back in its place."""
        book = list(self._resting)
        del self._resting[order.id]
        self._turn(order, at, range)
        if not order.state.is_final:
            self._resting[order.id] = order
            self._resting = {key: self._resting[key] for key in book if key in self._resting}

    def _wake(self, orders: Iterable[str], at: datetime) -> list[Order]:
        """Let exits work whose entry has filled; return them."""
        woken = [self._resting[each] for each in orders if each in self._resting]
        for order in woken:
            order.is_active = True
            self._note(Happened.ACTIVATED, order, at)
        return woken

    def end_session(self, at: datetime, halted: Set[str] = frozenset()) -> list[Event]:
        """Fill the orders at the close that had no bar at the close itself, at the last price before it.

        Of symbols that are halted then there is no close.
        """
        for order in list(self._resting.values()):
            if order.symbol in halted:
                continue
            if order.closes_at is not None and order.closes_at <= at and order.noted is not None:
                del self._resting[order.id]
                self._fill(order, order.noted, order.remaining, at)
                if not order.state.is_final:
                    self._resting[order.id] = order
        return self._taken()

    def _turn(self, order: Order, at: datetime, range: Range | None) -> None:
        if order.is_active and range is not None and self._may_try(order, range):
            self._try(order, range, at)
            if order.state is State.FILLED:
                self._bracket_filled(order, at)

    def _expired(self, order: Order, at: datetime) -> bool:
        """End an order whose time is over; return whether it was."""
        if order.expires_at is None or at <= order.expires_at or order.kind is OrderType.MARKET:
            return False
        self._resting.pop(order.id, None)
        self._end(order, State.EXPIRED, at)
        self._cancel_group(order, at)
        self._cancel_bracket(order, at)
        return True

    def _may_try(self, order: Order, range: Range) -> bool:
        if range.buys.end <= order.created_at or self._is_too_late(order, range):
            return False
        return (range.is_regular or order.in_extended_hours) and (range.is_opening or not order.is_opening)

    def _is_too_late(self, order: Order, range: Range) -> bool:
        """Return whether a bar began too long before an order came; one at the close waits for another price."""
        if self.terms.reach is None or range.began is None or order.kind is OrderType.MARKET_ON_CLOSE:
            return False
        return order.created_at - range.began > self.terms.reach

    def _try(self, order: Order, range: Range, at: datetime) -> None:
        bar = range.seen_by(order.side)
        if order.kind is OrderType.MARKET_ON_CLOSE:
            self._try_at_close(order, at, bar.close)
            return
        trails = order.kind in TRAILING and not order.is_triggered
        price = self._opening_price(order, range) if order.is_opening else price_on(order, bar, self.terms.slippage)
        if price is not None:
            if order.notional is not None and not order.filled:
                order.quantity = math.floor(order.notional / price * 1e9) / 1e9
            size = self._fillable(order, bar.volume)
            if size and (not order.is_whole or size == order.remaining):
                self._fill(order, price, size, at)
        if trails and not order.state.is_final:
            order.trail(bar.close)
        if (order.is_immediate or order.is_opening) and not order.state.is_final:
            self._end(order, State.CANCELED, at)
            self._cancel_bracket(order, at)

    def _opening_price(self, order: Order, range: Range) -> float | None:
        """Fill at the opening price alone: an order for the opening does not see the rest of the bar."""
        price = range.seen_by(order.side).open
        if order.kind is OrderType.LIMIT and (price - order.price) * order.side.sign > 0:
            return None
        return price

    def _try_at_close(self, order: Order, at: datetime, close: float) -> None:
        assert order.closes_at is not None
        if at >= order.closes_at:
            late = order.noted is not None and at > order.closes_at
            price = order.noted if late and order.noted is not None else close
            if order.limit is None or (price - order.limit) * order.side.sign <= 0:
                self._fill(order, price, order.remaining, at)
            else:
                self._end(order, State.CANCELED, at)
            return
        order.noted = close

    def _fillable(self, order: Order, volume: float) -> float:
        """Return how much of an order fills now, positive."""
        size = order.remaining
        if self.terms.participation is not None:
            size = min((volume * self.terms.participation) // 100, size)
        if self.terms.partial and self._chance(order) < self.terms.partial:
            size = min(size, max(math.floor(order.remaining / 2), 0)) or size
        return size

    def _chance(self, order: Order) -> float:
        """Draw for one order and how far it is, so that other orders do not move it."""
        return Random(f"{self.terms.seed}/{order.id}/{order.filled}").random()

    def _fill(self, order: Order, price: float, size: float, at: datetime) -> None:
        signed = size * order.side.sign
        done, is_enough = self.account.trade(order.symbol, signed, price, check_cash=self.terms.check_cash)
        if done:
            order.filled = order.quantity if is_enough and size == order.remaining else order.filled + abs(done)
            if order.filled == order.quantity:
                order.state = State.FILLED
            self._events.append(Event(Happened.FILLED, order.id, at, abs(done), price))
            self._siblings_after_fill(order, abs(done), at)
        if not is_enough:
            self._end(order, State.MARGIN, at)
            self._cancel_group(order, at)
            self._cancel_bracket(order, at)

    def _siblings_after_fill(self, order: Order, quantity: float, at: datetime) -> None:
        if not self.terms.shrinks or order.state is State.FILLED:
            self._cancel_group(order, at)
            return
        group = self._groups.get(self._leaders[order.id], ())
        exits = self._brackets.get(order.parent, ()) if order.parent else ()
        for other in (*group, *exits):
            if other != order.id and other in self._resting:
                self._shrink(self._resting[other], quantity, at)

    def _shrink(self, order: Order, quantity: float, at: datetime) -> None:
        if order.remaining > quantity:
            order.quantity -= quantity
        else:
            del self._resting[order.id]
            self._end(order, State.CANCELED, at)

    def _check_submitted(self, at: datetime) -> None:
        """Take up what was submitted, in order, as long as the cash would pay for it."""
        cash, holdings = self.account.cash, dict[str, Holding]()
        while self._submitted:
            order = self._submitted.popleft()
            if order.parent is not None and order.parent not in self._brackets:
                self._end(order, State.REJECTED, at)
                continue
            held = self.account.holding(order.symbol)
            holding = holdings.setdefault(order.symbol, Holding(held.size, held.price))
            cash = self.account.supposed(cash, holding, order.remaining * order.side.sign, order.price)
            if cash >= 0.0:
                self._accept(order, at)
                continue
            self._end(order, State.MARGIN, at)
            self._cancel_group(order, at)
            self._cancel_bracket(order, at)

    def _accept(self, order: Order, at: datetime) -> None:
        order.state = State.RESTING
        self._resting[order.id] = order
        self._note(Happened.ACCEPTED, order, at)

    def _remove(self, order_id: str, at: datetime, state: State, *, alone: bool = False) -> None:
        order = self._resting.pop(order_id, None)
        if order is None:
            return
        self._end(order, state, at)
        self._cancel_group(order, at)
        if not alone:
            self._cancel_bracket(order, at)

    def _bracket_filled(self, order: Order, at: datetime) -> None:
        """Wake the exits of an entry that filled, at the next instant; cancel what an exit leaves."""
        if order.parent is not None:
            self._cancel_bracket(order, at)
            return
        bracket = self._brackets.get(order.id)
        if bracket:
            bracket.popleft()
            self._waking.extend(bracket)

    def _cancel_bracket(self, order: Order, at: datetime) -> None:
        for each in self._brackets.pop(order.parent or order.id, ()):
            self._remove(each, at, State.CANCELED, alone=True)

    def _cancel_group(self, order: Order, at: datetime) -> None:
        for each in self._groups.pop(self._leaders[order.id], ()):
            if (other := self._resting.pop(each, None)) is not None:
                self._end(other, State.CANCELED, at)

    def _rename(self, old: str, new: str) -> None:
        leader = self._leaders.pop(old)
        self._leaders[new] = leader
        for members in (self._waking, *self._groups.values(), *self._brackets.values()):
            if old in members:
                members[members.index(old)] = new
        if old in self._brackets:
            self._brackets[new] = self._brackets.pop(old)
            for each in self._brackets[new]:
                if self.orders[each].parent == old:
                    self.orders[each].parent = new

    def _end(self, order: Order, state: State, at: datetime) -> None:
        order.state = state
        self._note(Happened(state.value), order, at)

    def _note(self, kind: Happened, order: Order, at: datetime) -> None:
        self._events.append(Event(kind, order.id, at))

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _is_lasting(order: Order) -> bool:
    """Return whether an order waits for its price alone, as long as it takes."""
    return not (order.kind is OrderType.MARKET_ON_CLOSE or order.is_immediate or order.is_opening)
