"""What an earlier run left open: which orders to ask for, and which duties go on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from brokers.alpaca.duties import Duties, Step, Tell, Withdraw
from brokers.alpaca.groups import CancelOthers, Duty, Expire, Hold, Plan, Post, SendAfter, SendAt, plan
from brokers.alpaca.hours import closes_at
from framework.errors import ConfigError, Unsupported
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderStatus, OrderUpdate
from framework.ports import Resumed


@dataclass(frozen=True, slots=True)
class Left:
    """`posts` are to be looked up; `duties` go on; `steps` follow when it is known what became of the orders.

    `holds` go on, each with the position that it was made for, when it is known which of their orders had been sent.
    """

    posts: tuple[Post, ...] = ()
    duties: tuple[Duty, ...] = ()
    steps: tuple[Step, ...] = ()
    holds: tuple[tuple[Hold, float], ...] = ()
    remarks: tuple[str, ...] = ()

    def __add__(self, other: Left) -> Left:
        return Left(
            self.posts + other.posts,
            self.duties + other.duties,
            self.steps + other.steps,
            self.holds + other.holds,
            self.remarks + other.remarks,
        )


def parts(group: OrderGroup) -> Iterator[OrderGroup]:
    """Yield what of a group stands for itself: a list is its orders one by one."""
    if group.kind is not GroupKind.LIST:
        yield group
        return
    for each in group.orders:
        yield replace(group, orders=(each,))


def planned(group: OrderGroup, at: datetime) -> Plan:
    """Return what is to be done for a group. Raise `Unsupported` or `ConfigError`."""
    return plan(group, at=at, closes_at=closes_at(group.orders[0].symbol, at), position=group.position)


def left(group: OrderGroup, was: Resumed, now: datetime) -> Left:
    """Return what is left of a group that stands for itself: it was planned before, and is planned alike again."""
    if not _open(group.orders, was):
        return Left()
    try:
        found = planned(group, was.at)
    except (ConfigError, Unsupported) as error:
        return Left(steps=tuple(_refused(each, was.at, str(error)) for each in _open(group.orders, was)))
    posts = tuple(each for each in found.posts if _open(each.orders, was))
    told = tuple(Tell(each) for each in found.decided if each.client_order_id not in was.ended)
    return sum((_duty(each, group, was, now) for each in found.duties), Left(posts, steps=told))


def _duty(duty: Duty, group: OrderGroup, was: Resumed, now: datetime) -> Left:
    match duty:
        case Expire(name):
            return Left() if name in was.ended else Left(duties=(duty,))
        case SendAt(request, at):
            if not _open((request,), was):
                return Left()
            if at <= now:  # the look-up tells whether it had been sent
                return Left((Post({}, (request,)),))
            name = request.client_order_id
            said = f"{request.symbol}: the order {name} of an earlier run is sent from here at {at:%Y-%m-%d %H:%M} UTC"
            return Left(duties=(duty,), remarks=(said,))
        case Hold():
            return Left(holds=((duty, group.position),))
        case CancelOthers(names) if was.ended & set(names):
            return Left(steps=tuple(Withdraw(each) for each in names if each not in was.ended))
        case SendAfter(name, exits) if name in was.ended:
            return _exits(duty, exits, group, was, now)
        case SendAfter(_, exits):
            return Left(duties=(duty,)) if _open(exits.orders, was) else Left()
        case _:
            return Left(duties=(duty,))


def _exits(duty: SendAfter, exits: OrderGroup, group: OrderGroup, was: Resumed, now: datetime) -> Left:
    """Return what is left of exits whose entry has ended: sent before, or to be sent now."""
    if not _open(exits.orders, was):
        return Left()
    entry = group.orders[0]
    filled = was.booked.get(entry.client_order_id, (0.0, 0.0))[0]
    if len(_open(exits.orders, was)) < len(exits.orders):
        return left(replace(exits, position=group.position + entry.side.sign * filled), was, now)
    duties = Duties()
    duties.add((duty,), group.position)
    is_whole = filled >= (entry.quantity or filled)
    return Left(steps=tuple(duties.entry_ended(entry.client_order_id, filled, was.at, is_whole=is_whole)))


def _refused(request: OrderRequest, at: datetime, why: str) -> Tell:
    return Tell(OrderUpdate(request.client_order_id, "", OrderStatus.REJECTED, at, reason=why))


def _open(orders: Sequence[OrderRequest], was: Resumed) -> tuple[OrderRequest, ...]:
    return tuple(each for each in orders if each.client_order_id not in was.ended)
