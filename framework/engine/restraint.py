"""How a live session stands by its limits: what is open, what was sent lately, what the day has lost.

`framework.live.judging` decides; this knows the broker's orders and feeds. Owned by the engine's thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from framework.engine.live_data import last_time
from framework.engine.translate import order_request, symbol_of
from framework.live.day import Day, date_of
from framework.live.judging import NOISE, Open, Standing, change_refusal, reduces, refusal
from framework.live.limits import NO_LIMITS, Limits, amount
from framework.live.past import Past
from framework.live.records import DAY
from framework.live.versions import Versions
from framework.model import GroupKind, OrderRequest, OrderUpdate, Side

MINUTE = timedelta(seconds=60)


class Restraint:
    """What a `LiveBroker` asks before an order leaves, and tells of what left."""

    def __init__(self, broker: Any, limits: Limits = NO_LIMITS, zone: tzinfo = UTC) -> None:
        self.limits, self.day = limits, Day()
        self._broker, self._zone = broker, zone
        self._value: float | None = None
        self._is_begun = False
        self._unearned: dict[Any, float] = {}
        self._sent: deque[datetime] = deque()
        self._versions: dict[int, Versions] = {}
        self._groups: dict[int, tuple[GroupKind, Sequence[Any]]] = {}
        self._ending: set[int] = set()
        self._feeds: dict[str, list[Any]] = {}

    # -- what is asked

    def refusal(self, order: Any) -> str:
        """Return why an order may not leave, "" where it may; with the last of a bracket its entry is asked again."""
        why = self._refusal(order)
        if not why and order.parent is not None and order.transmit:
            why = self._refusal(order.parent, self._broker.barred(order.parent))
        return why

    def change_refusal(self, order: Any, request: OrderRequest, *, is_resized: bool) -> str:
        """Return why an open order may not be changed into `request`, "" where it may."""
        filled = abs(order.executed.size)
        now = self._standing(order, self._broker.barred(_sized(order, _left(request, filled))))
        if is_resized:
            gone = filled + sum(abs(each.executed.size) for each in self._paired(order) if each is not order)
            was = [_left(each, gone) for each in self._all(order)]
        else:
            was = [replace(each, quantity=request.quantity, notional=request.notional) for each in self._all(order)]
            was = [_left(each, filled) for each in was]
        why = change_refusal(self.limits, was, _left(request, filled), now)
        return why or (self._exits_refusal(order, request.quantity) if request.quantity is not None else "")

    def _exits_refusal(self, order: Any, size: float) -> str:
        """Return why an entry may not be made so small: the exits that wait for it would turn the position round."""
        only = Limits(position_value=self.limits.position_value)
        for each in self._waiting(order) if size < self._least(order) else ():
            now = replace(self._standing(each), waits_for=size, age=0.0, halted=None)
            if self._most(each) > size + NOISE and (why := refusal(only, self._request(each), now)):
                return why
        return ""

    def entries(self) -> list[Any]:
        """Return the open orders that may open a position or make one larger; their exits end with them."""
        return [each for each in self._broker.unfinished() if self._is_entry(each)]

    # -- what is told

    def note_sent(self, kind: GroupKind, orders: Sequence[Any]) -> None:
        """Count orders that have left together."""
        self.note_group(kind, orders)
        self._sent.extend([self._now()] * len(orders))

    def note_group(self, kind: GroupKind, orders: Sequence[Any]) -> None:
        """Remember how orders depend on one another; the first of a bracket is its entry."""
        if len(orders) > 1:
            self._groups.update((each.ref, (kind, orders)) for each in orders)

    def note_change(self, order: Any, request: OrderRequest) -> None:
        """Count a change that was asked for."""
        self._versions.setdefault(order.ref, Versions(self._request(order))).ask(request)
        self._sent.append(self._now())

    def last(self, order: Any) -> OrderRequest | None:
        """Return an order as it was asked to be changed last, None where it was not."""
        found = self._versions.get(order.ref)
        return None if found is None else found.last

    def note_update(self, order: Any, update: OrderUpdate) -> bool:
        """Take news of an order; return whether it was changed at the venue, and by nobody here."""
        if not update.status.is_final and update.fill is None and update.reason:
            self._ending.discard(order.ref)  # a cancel that was not carried out
        found = self._versions.get(order.ref)
        if found is None:
            return bool(update.replaces)
        return found.hear(update)

    def note_ending(self, order: Any) -> None:
        """Remember that an order's end was asked for."""
        self._ending.add(order.ref)

    def note_gone(self, order: Any) -> None:
        """Forget an order that is over, and its group with the last of it."""
        self._ending.discard(order.ref)
        self._versions.pop(order.ref, None)
        _, group = self._groups.get(order.ref, (None, ()))
        if not any(each.alive() for each in group):
            for each in group:
                self._groups.pop(each.ref, None)

    # -- the day

    def resume(self, past: Past) -> None:
        """Take up what earlier runs sent, and their day where it is still that."""
        self._sent.extend(past.sent)
        if past.day.date == date_of(self._now(), self._zone):
            is_over = self.limits.daily_loss is not None and past.day.lost >= self.limits.daily_loss
            self.day = past.day if is_over else replace(past.day, lost=0.0)

    def note_versions(self, order: Any, versions: Versions | None) -> None:
        """Take up the changes of an order of an earlier run."""
        if versions is not None:
            self._versions[order.ref] = versions

    def begin(self) -> None:
        """Begin, when the warm-up is over: its prices are no gain and no loss of a position that an earlier run left.

        The cancels that a run before this may not have come to are asked for.
        """
        self._is_begun = True
        if self.day.date and self._unearned:
            shift = sum(self._worth_of(data, size) for data, size in self._unearned.items() if len(data))
            self._keep(replace(self.day, opened=self.day.opened + shift))
        self.begin_day(self._now())
        if self.day.lost:
            self._cancel_entries()

    def begin_day(self, at: datetime) -> None:
        """Begin the trading day that an instant is in, where it is a later one, at what is known before it."""
        date = date_of(at, self._zone)
        if date > self.day.date:
            self._keep(Day(date, self._broker.worth() if self._value is None else self._value))

    @contextmanager
    def unearned(self) -> Iterator[None]:
        """Count what becomes of the session's positions in this block neither as a loss nor as a gain."""
        before = {data: each.size for data, each in self._broker.positions.items()}
        yield
        for data, each in self._broker.positions.items():
            if change := each.size - before.get(data, 0.0):
                self._shift(data, change)

    def _shift(self, data: Any, change: float) -> None:
        if not self._is_begun:
            self._unearned[data] = self._unearned.get(data, 0.0) + change
            return
        self._keep(replace(self.day, opened=self.day.opened + self._worth_of(data, change)))
        self._broker.revalue()
        self._value = self._broker.worth()

    def _worth_of(self, data: Any, size: float) -> float:
        return float(self._broker.getcommissioninfo(data).getvaluesize(size, data.close[0]))

    def watch(self) -> str:
        """Look at the session's value; return what is to be told where the day has lost too much, once a day."""
        if not self._is_begun:
            return ""
        if (most := self.limits.daily_loss) is None:
            self._value = None  # it is as it is when a day begins: a burst of fills does not work it out for each
            return ""
        self._value = value = self._broker.worth()
        if self.day.lost or self.day.loss(value) < most:
            return ""
        lost = self.day.loss(value)
        self._keep(replace(self.day, lost=lost))
        count = self._cancel_entries()
        return (
            f"limit daily_loss: {amount(round(lost, 2))} was lost today, {amount(most)} is allowed; no position is "
            f"opened before the next trading day, and of the open orders {count} that would are cancelled"
        )

    def _cancel_entries(self) -> int:
        entries = [each for each in self.entries() if each.ref not in self._ending]
        for each in entries:
            self._broker.cancel(each)
        return len(entries)

    def _keep(self, day: Day) -> None:
        self.day = day
        self._broker.journal(DAY, day.date, day.body())

    # -- how things stand

    def _refusal(self, order: Any, barred: str = "") -> str:
        return refusal(self.limits, self._request(order), self._standing(order, barred))

    def _standing(self, order: Any, barred: str = "") -> Standing:
        """Return how the session stands for an order; what no limit asks for is left out."""
        broker, limits, symbol = self._broker, self.limits, symbol_of(order.data)
        others = [each for each in broker.unfinished() if each.ref != order.ref] if self._counts(order) else []
        mates, entry = self._mates(order, {each.ref for each in others}), self._entry(order)
        waits = entry is not None and entry.alive() and entry.isbuy() != order.isbuy()
        return Standing(
            position=self.held(symbol),
            price=self._price(symbol, order.data),
            open=() if limits.position_value is None else tuple(self._working(symbol, others)),
            orders=len(others) + len(mates),
            sent=0 if limits.orders_per_minute is None else self._lately() + len(mates),
            loss=0.0 if limits.daily_loss is None else self.day.loss(broker.worth()),
            age=broker.age(order.data),
            halted=broker.halted.get(symbol),
            barred=barred,
            waits_for=self._least(entry) if waits else 0.0,
            entered=float(abs(entry.executed.size)) if waits else 0.0,
            pair=self._pair(order, entry),
        )

    def _counts(self, order: Any) -> bool:
        """Return whether it matters what else is open: a burst of orders would look at all of them for each."""
        return order.parent is not None or not (self.limits.position_value is self.limits.open_orders is None)

    def held(self, symbol: str) -> float:
        """Return what is held of a symbol, signed, whichever of its feeds it was traded on."""
        positions = self._broker.positions
        return float(sum(positions[data].size for data in self._of(symbol) if data in positions))

    def _price(self, symbol: str, data: Any) -> float:
        newest = max(self._of(symbol), key=last_time, default=data)
        return float(newest.close[0])

    def know_feeds(self) -> None:
        """Look at the feeds anew: there are more."""
        self._feeds.clear()

    def _of(self, symbol: str) -> list[Any]:
        if not self._feeds:
            for data in self._broker.cerebro.datas:
                self._feeds.setdefault(symbol_of(data), []).append(data)
        return self._feeds.get(symbol, [])

    def _mates(self, order: Any, known: Container[int]) -> list[Any]:
        """Return the orders of a bracket that wait with this one for its last."""
        gathered = () if order.parent is None else self._broker.gathering(order.parent)
        return [each for each in gathered if each.ref != order.ref and each.ref not in known]

    def _lately(self) -> int:
        """Return how many orders were sent within a minute, or are about to be."""
        now = self._now()
        while self._sent and now - self._sent[0] >= MINUTE:
            self._sent.popleft()
        # A sandbox that was started afresh is earlier than what a session sent in it before.
        return sum(at - now < MINUTE for at in self._sent) + len(self._broker.leaving())

    def _working(self, symbol: str, orders: Iterable[Any]) -> Iterator[Open]:
        """Yield what a symbol's open orders may still do."""
        feeds = {id(data) for data in self._of(symbol)}  # the names of ninety orders' symbols take longer than the rest
        for order in orders:
            if id(order.p.data) not in feeds:
                continue
            entry = self._entry(order)
            if (left := self._may_fill(order, entry)) > 0:
                filled, pair = abs(order.executed.size), self._pair(order, entry)
                is_changed = order.ref in self._versions
                yield Open(_side(order), left, filled, pair, self._is_ending(order), is_changed)

    def _may_fill(self, order: Any, entry: Any) -> float:
        """Return how many units of an order may fill yet; of an exit that waits, those beyond its entry's."""
        left = self._most(order) - float(abs(order.executed.size))
        if entry is None or entry.isbuy() == order.isbuy():
            return left
        if entry.alive():
            return left - max(self._least(entry) - float(abs(entry.executed.size)), 0.0)
        return left if entry.executed.size else 0.0

    def _entry(self, order: Any) -> Any:
        """Return the entry of a bracket whose exit an order is."""
        if order.parent is not None:
            return order.parent
        kind, group = self._groups.get(order.ref, (None, ()))
        is_exit = kind in (GroupKind.BRACKET, GroupKind.OTO) and order is not group[0]
        return group[0] if is_exit else None

    def _waiting(self, order: Any) -> list[Any]:
        """Return the exits that wait for an entry."""
        return [
            each for each in self._broker.unfinished() if self._entry(each) is order and each.isbuy() != order.isbuy()
        ]

    def _pair(self, order: Any, entry: Any) -> int:
        if entry is not None:
            return -int(entry.ref)
        kind, group = self._groups.get(order.ref, (None, ()))
        return int(group[0].ref) if kind is GroupKind.OCO else int(self._broker.pair(order))

    def _is_ending(self, order: Any) -> bool:
        """Return whether an order is about to end: that was asked for, or one that it is paired with is over."""
        return order.ref in self._ending or not all(each.alive() for each in self._paired(order))

    def _paired(self, order: Any) -> Sequence[Any]:
        """Return the orders that were sent together and of which only one fills, this one among them."""
        kind, group = self._groups.get(order.ref, (None, ()))
        if kind is GroupKind.OCO:
            return group
        return group[1:] if kind is not None and order is not group[0] else ()

    def _is_entry(self, order: Any) -> bool:
        entry, symbol = self._entry(order), symbol_of(order.data)
        if entry is not None and entry.alive():
            return False
        left = max(self._most(order) - abs(order.executed.size), 0.0)
        asked = replace(self._request(order), quantity=left, notional=None)
        return not reduces(asked, Standing(self.held(symbol), 1.0))

    def _request(self, order: Any) -> OrderRequest:
        return order_request(order, symbol_of(order.data), "")

    def _all(self, order: Any) -> Sequence[OrderRequest]:
        found = self._versions.get(order.ref)
        return (self._request(order),) if found is None else found.all

    def _most(self, order: Any) -> float:
        found = self._versions.get(order.ref)
        return float(abs(order.created.size)) if found is None else found.most

    def _least(self, order: Any) -> float:
        found = self._versions.get(order.ref)
        return float(abs(order.created.size)) if found is None else found.least

    def _now(self) -> datetime:
        now: datetime = self._broker.now()
        return now


def _side(order: Any) -> Side:
    return Side.BUY if order.isbuy() else Side.SELL


def _sized(order: Any, request: OrderRequest) -> Any:
    """Return an order as it would be for what is left of a request: whoever bars orders looks at its size."""
    sized = copy(order)  # not its `clone`: that counts its fills as told
    if request.quantity is not None:
        sized.size = request.quantity if order.isbuy() else -request.quantity
    return sized


def _left(request: OrderRequest, filled: float) -> OrderRequest:
    """Return an order as what is left of it."""
    if request.quantity is None:
        return request
    return replace(request, quantity=max(request.quantity - filled, 0.0))
