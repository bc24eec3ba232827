"""What is left for us of the orders that Alpaca does not carry alone: news, times and prices in, steps out. Pure.

Ends that come sooner than Alpaca's, orders that are held back, our own brackets and OCOs, and the trailing
stop with a limit. All of it lasts as long as our process does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from brokers.alpaca.groups import CancelOthers, Duty, Expire, SendAfter, SendAt, Trail
from brokers.alpaca.protocol import AlpacaRules
from framework.live.trailing import Trailing, on_tick
from framework.model import OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate

AGAIN = timedelta(seconds=5)
"""How long after Alpaca did not carry out the cancel of an order that is over we ask for it again."""

NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Send:
    """Plan and send the group now."""

    group: OrderGroup


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel the order, wherever it is."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Something that is decided here, of an order that the venue has never had."""

    update: OrderUpdate


Step = Send | Withdraw | Tell


@dataclass(frozen=True, slots=True)
class _Followed:
    """A trailing order that is kept here; `trailing` is None before the first price."""

    request: OrderRequest
    position: float
    trailing: Trailing | None


class Duties:
    """The duties of a session. Owned by the I/O thread; time is an argument (venue time, aware UTC)."""

    def __init__(self) -> None:
        self._ends: dict[str, datetime] = {}
        self._late: dict[str, tuple[SendAt, float]] = {}
        self._trails: dict[str, _Followed] = {}
        self._after: dict[str, tuple[OrderGroup, float]] = {}
        self._others: list[tuple[str, ...]] = []
        self._prices: dict[str, float] = {}
        self._ending: set[str] = set()
        self._asked: set[str] = set()

    def add(self, duties: Iterable[Duty], position: float = 0.0) -> None:
        """Take over what a plan leaves to us; `position` is what the session held when it was made."""
        for each in duties:
            match each:
                case Expire(name, at):
                    self._ends[name] = at
                case SendAt(request, _):
                    self._late[request.client_order_id] = each, position
                case Trail(request):
                    self._trails[request.client_order_id] = self._followed(request, position)
                case SendAfter(name, group):
                    self._after[name] = group, position
                case CancelOthers(names):
                    self._others.append(names)

    def ends_at(self, client_order_id: str, at: datetime | None) -> None:
        """Change when an order is to be ended from here; None is never."""
        self._ends.pop(client_order_id, None)
        if at is not None:
            self._ends[client_order_id] = at

    @property
    def next_at(self) -> datetime | None:
        """When something is due, None where nothing waits for a time."""
        return min((*self._ends.values(), *(each.at for each, _ in self._late.values())), default=None)

    def due(self, now: datetime) -> list[Step]:
        """Return what is to be done by now."""
        over = [name for name, at in self._ends.items() if at <= now]
        late = [name for name, (each, _) in self._late.items() if each.at <= now and name not in over]
        ends = [self._ended(name, now) for name in over]
        return [*ends, *(self._sent(*self._late.pop(name)) for name in late)]

    def price(self, symbol: str, price: float) -> list[Step]:
        """Follow a price: a trailing stop that it reaches becomes a limit order, the others move."""
        self._prices[symbol] = price
        followed = {name: each for name, each in self._trails.items() if each.request.symbol == symbol}
        steps: list[Step] = []
        for name, each in followed.items():
            if each.trailing is not None and each.trailing.is_reached(price):
                del self._trails[name]
                steps.append(Send(OrderGroup((_limit(each.request, each.trailing),), position=each.position)))
            else:
                trailing = each.trailing.moved(price) if each.trailing else Trailing.start(each.request, price)
                self._trails[name] = replace(each, trailing=trailing)
        return steps

    def named(self, update: OrderUpdate) -> OrderUpdate:
        """Return an order's news as its owner is to hear it: what we cancelled at its end has expired."""
        is_ours = update.status is OrderStatus.CANCELED and update.client_order_id in self._ending
        return replace(update, status=OrderStatus.EXPIRED, reason="its end has come") if is_ours else update

    def heard(self, update: OrderUpdate, filled: float) -> list[Step]:
        """Return what follows of an order's news; `filled` is all that it has filled."""
        name = update.client_order_id
        if not update.status.is_final:
            self._try_again(update)
            return []
        self._ends.pop(name, None)
        self._ending.discard(name)
        self._asked.discard(name)
        is_whole = update.status is OrderStatus.FILLED
        return [*self.entry_ended(name, filled, update.at, is_whole=is_whole), *self._one_ended(name)]

    def entry_ended(self, name: str, filled: float, at: datetime, *, is_whole: bool) -> Iterator[Step]:
        """Yield the exits of an entry, for as much as it has filled; they end with one that has filled nothing."""
        if name not in self._after:
            return
        group, position = self._after.pop(name)
        if filled <= NOISE:
            why = "its entry has ended unfilled"
            yield from (Tell(_decided(each, OrderStatus.CANCELED, at, why)) for each in _ids(group))
            return
        exits = group.orders if is_whole else tuple(_at_most(each, filled) for each in group.orders)
        yield Send(replace(group, orders=exits, position=position - exits[0].side.sign * filled))

    def cancel(self, client_order_id: str, now: datetime) -> list[Step] | None:
        """Return what becomes of an order that is held here when it is cancelled; None where it is not."""
        name = client_order_id
        if name in self._late or name in self._trails:
            self._drop(name)
            return [Tell(_decided(name, OrderStatus.CANCELED, now))]
        entry = next((key for key, (group, _) in self._after.items() if name in _ids(group)), None)
        if entry is not None:  # Backtrader cancels a bracket whole, whichever of its orders it is asked for
            group, _ = self._after.pop(entry)
            return [*(Tell(_decided(each, OrderStatus.CANCELED, now)) for each in _ids(group)), Withdraw(entry)]
        if name not in self._ending:
            self._asked.add(name)
        return None

    # Inside

    def _followed(self, request: OrderRequest, position: float) -> _Followed:
        price = self._prices.get(request.symbol)
        return _Followed(request, position, None if price is None else Trailing.start(request, price))

    def _ended(self, name: str, now: datetime) -> Step:
        del self._ends[name]
        if name in self._late or name in self._trails:
            self._drop(name)
            return Tell(_decided(name, OrderStatus.EXPIRED, now, "its end has come"))
        if name not in self._asked:
            self._ending.add(name)
        return Withdraw(name)

    def _sent(self, late: SendAt, position: float) -> Send:
        return Send(OrderGroup((late.request,), position=position))

    def _drop(self, name: str) -> None:
        self._late.pop(name, None)
        self._trails.pop(name, None)
        self._ends.pop(name, None)

    def _try_again(self, update: OrderUpdate) -> None:
        """Ask again later for an end that Alpaca did not make (order_cancel_rejected)."""
        if update.client_order_id in self._ending and update.reason:
            self._ending.discard(update.client_order_id)
            self._ends[update.client_order_id] = update.at + AGAIN

    def _one_ended(self, name: str) -> Iterator[Step]:
        """Yield the cancels of the others, where one of an OCO of ours has ended."""
        for names in [each for each in self._others if name in each]:
            self._others.remove(names)
            yield from (Withdraw(each) for each in names if each != name)


def _limit(request: OrderRequest, trailing: Trailing) -> OrderRequest:
    tick = AlpacaRules().tick(request.symbol, trailing.limit)
    limit = on_tick(trailing.limit, tick, request.side)
    return replace(request, order_type=OrderType.LIMIT, limit_price=limit, trail_amount=None, trail_percent=None)


def _at_most(request: OrderRequest, filled: float) -> OrderRequest:
    """Return an exit that closes no more than its entry has opened: more would turn the position."""
    return replace(request, quantity=min(request.quantity or filled, filled), notional=None)


def _ids(group: OrderGroup) -> tuple[str, ...]:
    return tuple(each.client_order_id for each in group.orders)


def _decided(name: str, status: OrderStatus, at: datetime, reason: str = "") -> OrderUpdate:
    return OrderUpdate(name, "", status, at, reason=reason)
