"""What is left for us of the orders that Alpaca does not carry alone: news, times and prices in, steps out. Pure.

Ends that come sooner than Alpaca's, orders that are held back, our own brackets and OCOs, and exits that follow
the price here. All of it lasts as long as our process does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from brokers.alpaca.groups import CancelOthers, Duty, Expire, Hold, SendAfter, SendAt
from brokers.alpaca.protocol import AlpacaRules
from framework.live.held import Clear, Held, HeldStep, Release, Seen, Turn
from framework.live.trailing import on_tick
from framework.model import Bar, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, Trade

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


Step = Send | Withdraw | Clear | Tell


class Duties:
    """The duties of a session. Owned by the I/O thread; time is an argument (venue time, aware UTC)."""

    def __init__(self) -> None:
        self._ends: dict[str, datetime] = {}
        self._late: dict[str, tuple[SendAt, float]] = {}
        self._held: list[Held] = []
        self._after: dict[str, tuple[OrderGroup, float]] = {}
        self._others: list[tuple[str, ...]] = []
        self._prices: dict[str, Seen] = {}
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
                case Hold():
                    self._hold(each, position)
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
        held = (each.next_at for each in self._held)
        late = (each.at for each, _ in self._late.values())
        return min((*self._ends.values(), *late, *filter(None, held)), default=None)

    def due(self, now: datetime) -> list[Step]:
        """Return what is to be done by now."""
        over = [name for name, at in self._ends.items() if at <= now]
        late = [name for name, (each, _) in self._late.items() if each.at <= now and name not in over]
        ends = [step for name in over for step in self._ended(name, now)]
        timed = [step for each in list(self._held) for step in self._done(each, each.due(now), now)]
        return [*ends, *timed, *(self._sent(*self._late.pop(name)) for name in late)]

    def price(self, news: Bar | Trade, now: datetime) -> list[Step]:
        """Follow a price: what is held here and reached by it goes."""
        seen = Seen.of(news)
        before = self._prices.get(seen.symbol)
        if before is None or before.at <= seen.at:
            self._prices[seen.symbol] = seen
        return [step for each in list(self._held) for step in self._done(each, each.price(seen), now)]

    def traded(self, request: OrderRequest, update: OrderUpdate) -> list[Step]:
        """Take in a fill: there is less, or more, of the position that exits are held for."""
        if update.fill is None:
            return []
        name, quantity = update.client_order_id, update.fill.quantity
        mine = [each for each in self._held if each.symbol == request.symbol]
        turns = ((each, each.traded(name, request.side, quantity)) for each in mine)
        return [step for each, found in turns for step in self._done(each, found, update.at)]

    def is_held(self, client_order_id: str) -> bool:
        """Return whether an order waits here for a price."""
        return self._holder(client_order_id) is not None

    def split(self, symbol: str) -> list[str]:
        """Forget a symbol's prices: its shares were split; return an order of each that is held at prices of before."""
        self._prices.pop(symbol, None)
        return [each.names[0] for each in self._held if each.symbol == symbol]

    def replace(self, client_order_id: str, request: OrderRequest, now: datetime) -> tuple[str, list[Step]]:
        """Change an order that is held here; return why it stays as it is, or "", and what follows."""
        held = self._holder(client_order_id)
        if held is None:
            return "it is not held here", []
        if why := held.replace(client_order_id, request):
            return why, []
        return "", self._done(held, self._at_once(held), now)

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
        after = self.entry_ended(name, filled, update.at, is_whole=is_whole)
        turns = ((each, each.ended(name)) for each in list(self._held))
        freed = [step for each, found in turns for step in self._done(each, found, update.at)]
        return [*freed, *after, *self._one_ended(name)]

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
        if name in self._late:
            self._drop(name)
            return [Tell(_decided(name, OrderStatus.CANCELED, now))]
        held = self._holder(name) or next((each for each in self._held if each.resting == name), None)
        if held is not None:
            if name == held.resting and name not in self._ending:
                self._asked.add(name)
            return self._done(held, held.cancel(name), now)
        entry = next((key for key, (group, _) in self._after.items() if name in _ids(group)), None)
        if entry is not None:  # Backtrader cancels a bracket whole, whichever of its orders it is asked for
            group, _ = self._after.pop(entry)
            return [*(Tell(_decided(each, OrderStatus.CANCELED, now)) for each in _ids(group)), Withdraw(entry)]
        if name not in self._ending:
            self._asked.add(name)
        return None

    # Inside

    def _hold(self, duty: Hold, position: float) -> None:
        held = Held(
            duty.orders,
            resting=duty.resting,
            position=position,
            is_exit=duty.is_exit,
            at=duty.at,
            times=dict(duty.times),
        )
        self._held.append(held)
        self._ends.update(duty.ends)

    def begin(self, duties: Iterable[Duty], now: datetime) -> list[Step]:
        """Return what follows at once of the orders that are held: the last price may be at one of them already."""
        names = {each.client_order_id for duty in duties if isinstance(duty, Hold) for each in duty.orders}
        begun = [each for each in self._held if names.intersection(each.names)]
        held = (name for each in begun for name in each.names)
        told = [Tell(_decided(name, OrderStatus.HELD, now)) for name in held]
        return [*told, *(step for each in begun for step in self._done(each, self._at_once(each), now))]

    def _at_once(self, held: Held) -> list[HeldStep]:
        seen = self._prices.get(held.symbol)
        return [] if seen is None else held.price(replace(seen, low=seen.last, high=seen.last))

    def _holder(self, name: str) -> Held | None:
        return next((each for each in self._held if name in each.names), None)

    def _done(self, held: Held, found: Sequence[HeldStep], now: datetime) -> list[Step]:
        """Return what is to be done of what follows of orders that are held; forget them when none is left."""
        if held.is_done and held in self._held:
            self._held.remove(held)
        return [self._step(each, now) for each in found]

    def _step(self, step: HeldStep, now: datetime) -> Step:
        match step:
            case Turn(name, status, reason):
                self._ends.pop(name, None)
                return Tell(_decided(name, status, now, reason))
            case Release(request, position):
                self._ends.pop(request.client_order_id, None)
                return Send(OrderGroup((_on_tick(request),), position=position))
            case _:
                return step

    def _ended(self, name: str, now: datetime) -> list[Step]:
        if self._ends.pop(name, None) is None:
            return []
        if name in self._late:
            self._drop(name)
            return [Tell(_decided(name, OrderStatus.EXPIRED, now, "its end has come"))]
        if (held := self._holder(name)) is not None:
            return self._done(held, held.expired(name), now)
        if name not in self._asked:
            self._ending.add(name)
        return [Withdraw(name)]

    def _sent(self, late: SendAt, position: float) -> Send:
        return Send(OrderGroup((late.request,), position=position))

    def _drop(self, name: str) -> None:
        self._late.pop(name, None)
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


def _on_tick(request: OrderRequest) -> OrderRequest:
    if request.order_type is not OrderType.LIMIT or request.limit_price is None:
        return request
    tick = AlpacaRules().tick(request.symbol, request.limit_price)
    return replace(request, limit_price=on_tick(request.limit_price, tick, request.side))


def _at_most(request: OrderRequest, filled: float) -> OrderRequest:
    """Return an exit that closes no more than its entry has opened: more would turn the position."""
    return replace(request, quantity=min(request.quantity or filled, filled), notional=None)


def _ids(group: OrderGroup) -> tuple[str, ...]:
    return tuple(each.client_order_id for each in group.orders)


def _decided(name: str, status: OrderStatus, at: datetime, reason: str = "") -> OrderUpdate:
    return OrderUpdate(name, "", status, at, reason=reason)
