"""What is sent for a group of orders, and what is left for us to do: nothing is emulated without being said.

Alpaca's own groups are a bracket (whole shares, an entry at market or limit, a limit and a stop as exits),
an OTO (one exit of these) and an OCO (two of these, which close a position). Everything else that
Backtrader can ask for comes out as a `Plan` with duties, which last as long as our process does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from brokers.alpaca.amounts import price_text
from brokers.alpaca.closing import closing
from brokers.alpaca.exits import STOPS, at_its_time, check_held, ends, is_closing, never_rests, resting, said
from brokers.alpaca.orders import body
from brokers.alpaca.protocol import is_crypto, is_fractional
from brokers.alpaca.validity import Validity, end_of, validity
from framework.live.trailing import check_trail
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, Side, TimeInForce

ENTRIES = (OrderType.MARKET, OrderType.LIMIT)


@dataclass(frozen=True, slots=True)
class Post:
    """One POST. `orders` are what it carries: one order, or a group's entry (an OCO's take-profit) and its exits."""

    body: Mapping[str, Any]
    orders: tuple[OrderRequest, ...]
    kind: GroupKind = GroupKind.LIST

    @property
    def client_order_id(self) -> str:
        """The id that Alpaca knows; it gives the exits ids of its own."""
        return self.orders[0].client_order_id

    @property
    def has_entry(self) -> bool:
        """Whether the first order is an entry, and the others wait for it."""
        return self.kind in (GroupKind.BRACKET, GroupKind.OTO)


@dataclass(frozen=True, slots=True)
class Expire:
    """Cancel the order at that time, where it is still open: Alpaca keeps it longer."""

    client_order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SendAt:
    """Hold the order back, and send it then."""

    request: OrderRequest
    at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold the orders back until the price reaches one, or its time comes (`framework.live.held`).

    `resting` is the exit that Alpaca has, "" where there is none. `ends` are the ends of those that are
    held, `times` when one goes by the clock. `at` is since when prices count.
    """

    orders: tuple[OrderRequest, ...]
    at: datetime
    resting: str = ""
    is_exit: bool = True
    ends: tuple[tuple[str, datetime], ...] = ()
    times: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class SendAfter:
    """Plan and send the group when the order has filled."""

    client_order_id: str
    group: OrderGroup


@dataclass(frozen=True, slots=True)
class CancelOthers:
    """When one of these orders has filled or ended, cancel the others."""

    client_order_ids: tuple[str, ...]


Duty = Expire | SendAt | Hold | SendAfter | CancelOthers


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send now, what to do later, what to tell the user, and what is decided without sending."""

    posts: tuple[Post, ...] = ()
    duties: tuple[Duty, ...] = ()
    remarks: tuple[str, ...] = ()
    decided: tuple[OrderUpdate, ...] = field(default=())

    def __add__(self, other: Plan) -> Plan:
        return Plan(
            self.posts + other.posts,
            self.duties + other.duties,
            self.remarks + other.remarks,
            self.decided + other.decided,
        )


def plan(group: OrderGroup, *, at: datetime, closes_at: datetime, position: float = 0.0) -> Plan:
    """Return what is to be done for a group of orders.

    `at` is now, `closes_at` the end of the session that it is in or before, `position` what the account
    holds of the symbol (signed). Raise `Unsupported` where Alpaca has nothing near it and we neither,
    `ConfigError` for a price or a size that is none.
    """
    orders = group.orders
    if _is_over(orders[0], at):
        return Plan(decided=tuple(_expired(each, at) for each in orders))
    match group.kind:
        case GroupKind.OCO:
            why = _not_oco(orders, position)
            if not why:
                return _native(_oco(orders), closes_at, GroupKind.OCO)
            if is_closing(orders, position):
                return _own_exits(orders, at, closes_at, why)
            return _own_oco(orders, at, closes_at, why)
        case GroupKind.BRACKET | GroupKind.OTO if len(orders) > 1:
            why = _not_bracket(orders)
            if why:
                return _own_bracket(orders, at, closes_at, why)
            return _native(_entry_first(orders), closes_at, GroupKind.OTO if len(orders) == 2 else GroupKind.BRACKET)
        case _:
            return sum((alone(each, at=at, closes_at=closes_at) for each in orders), Plan())


def alone(request: OrderRequest, *, at: datetime, closes_at: datetime) -> Plan:
    """Return what is to be done for one order that depends on no other."""
    if _is_over(request, at):
        return Plan(decided=(_expired(request, at),))
    if request.order_type is OrderType.TRAILING_STOP_LIMIT:
        return _trailed(request, at, closes_at)
    if request.order_type is OrderType.MARKET_ON_CLOSE:
        return _at_close(request, at, closes_at)
    life = validity(request, closes_at)
    post = Post(body(request, life.time_in_force), (request,))
    return Plan((post,), _expiries(request, life.ends_at), _remarks(request, life))


def _is_over(request: OrderRequest, at: datetime) -> bool:
    return request.expires_at is not None and request.expires_at <= at


def _expired(request: OrderRequest, at: datetime) -> OrderUpdate:
    why = "its end had come before it was sent"
    return OrderUpdate(request.client_order_id, "", OrderStatus.EXPIRED, at, reason=why)


def _remarks(request: OrderRequest, life: Validity) -> tuple[str, ...]:
    return (life.remark,) if life.remark else _lasts_longer(request, life)


def _lasts_longer(request: OrderRequest, life: Validity) -> tuple[str, ...]:
    """Say that Alpaca would keep an order that is to end: it lives on where we do not."""
    if life.ends_at is None or life.time_in_force is not TimeInForce.GTC:
        return ()
    return (
        f"{request.symbol}: this order rests at Alpaca until it is cancelled, which is done from here at "
        f"{life.ends_at:%Y-%m-%d %H:%M} UTC; where this process has ended before, it goes on",
    )


def _expiries(request: OrderRequest, ends_at: datetime | None) -> tuple[Duty, ...]:
    return () if ends_at is None else (Expire(request.client_order_id, ends_at),)


def _trailed(request: OrderRequest, at: datetime, closes_at: datetime) -> Plan:
    check_trail(request)
    remark = (
        f"{request.symbol}: Alpaca has no trailing stop with a limit; the price is followed here, "
        "and the order ends with this process"
    )
    held = Hold((request,), at, is_exit=False, ends=ends((request,), closes_at))
    return Plan(duties=(held,), remarks=(remark,))


def _at_close(request: OrderRequest, at: datetime, closes_at: datetime) -> Plan:
    found = closing(request, at, closes_at)
    if found.at is None:
        return Plan((Post(body(request, TimeInForce.AT_THE_CLOSE), (request,)),))
    return Plan(duties=(SendAt(found.request, found.at),), remarks=(found.remark,))


# Alpaca's own groups


def _native(orders: tuple[OrderRequest, ...], closes_at: datetime, kind: GroupKind) -> Plan:
    """One POST; its exits take over its time in force, so that it is the longest, and we end what is to end sooner."""
    entry, *exits = orders
    lives = [validity(each, closes_at) for each in orders]
    in_force = max((each.time_in_force for each in lives), key=lambda each: each is TimeInForce.GTC)
    shown = {**body(entry, in_force), "order_class": kind.value}
    for each in orders if kind is GroupKind.OCO else exits:
        shown |= _exit(each)
    if kind is GroupKind.OCO:
        shown.pop("limit_price")  # the take-profit's, which has a place of its own
    ends = [_own_end(each, life, in_force, closes_at) for each, life in zip(orders, lives, strict=True)]
    duties = tuple(Expire(each.client_order_id, end) for each, end in zip(orders, ends, strict=True) if end)
    return Plan((Post(shown, orders, kind),), duties, _shorter(entry, kind, duties))


def _own_end(request: OrderRequest, life: Validity, in_force: TimeInForce, closes_at: datetime) -> datetime | None:
    return end_of(request, closes_at) if life.time_in_force is not in_force else life.ends_at


def _shorter(entry: OrderRequest, kind: GroupKind, duties: tuple[Duty, ...]) -> tuple[str, ...]:
    if not duties:
        return ()
    return (
        f"{entry.symbol}: Alpaca keeps every order of a {_NAMES[kind]} equally long; "
        "those that are to end sooner are cancelled from here",
    )


_NAMES = {GroupKind.BRACKET: "bracket", GroupKind.OTO: "pair of entry and exit", GroupKind.OCO: "pair of exits"}


def _exit(request: OrderRequest) -> dict[str, Any]:
    if request.order_type is OrderType.LIMIT:
        return {"take_profit": {"limit_price": price_text(request.limit_price or 0.0)}}
    stop = {"stop_price": price_text(request.stop_price or 0.0)}
    if request.order_type is OrderType.STOP_LIMIT:
        stop["limit_price"] = price_text(request.limit_price or 0.0)
    return {"stop_loss": stop}


def _entry_first(orders: tuple[OrderRequest, ...]) -> tuple[OrderRequest, ...]:
    """Return entry, take-profit, stop-loss: Backtrader's own brackets have the stop before the limit."""
    return (orders[0], *_oco(orders[1:]))


def _oco(orders: tuple[OrderRequest, ...]) -> tuple[OrderRequest, ...]:
    return tuple(sorted(orders, key=lambda each: each.order_type is not OrderType.LIMIT))


def _not_bracket(orders: tuple[OrderRequest, ...]) -> str:
    """Return why Alpaca does not take these as a bracket or an OTO, or an empty string."""
    entry, *exits = orders
    if why := _not_a_group(orders):
        return why
    if entry.order_type not in ENTRIES:
        return f"its entry is a {entry.order_type.value} order"
    if any(each.side is entry.side for each in exits):
        return "an exit is on the side of its entry"
    if len(exits) > 2 or (len(exits) == 2 and _not_a_pair(exits)):
        return "its exits are not one limit and one stop"
    return "" if _is_exit(exits[0]) else f"its exit is a {exits[0].order_type.value} order"


def _not_oco(orders: tuple[OrderRequest, ...], position: float) -> str:
    """Return why Alpaca does not take these as an OCO, or an empty string."""
    if why := _not_a_group(orders):
        return why
    if len(orders) != 2 or _not_a_pair(list(orders)):
        return "it takes one limit and one stop"
    if orders[0].side is not orders[1].side:
        return "it takes two orders of one side"
    sign = 1 if orders[0].side is Side.SELL else -1
    return "" if position * sign >= (orders[0].quantity or 0.0) else "it takes orders that close a position only"


def _not_a_group(orders: tuple[OrderRequest, ...]) -> str:
    first = orders[0]
    if is_crypto(first.symbol):
        return "it takes none for crypto"
    if any(is_fractional(each) for each in orders):
        return "it takes whole shares only"
    if any(each.extended_hours for each in orders):
        return "it takes none in extended hours"
    if any((each.symbol, each.quantity) != (first.symbol, first.quantity) for each in orders):
        return "it takes one size of one symbol"
    lasting = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD)
    return "" if all(each.time_in_force in lasting for each in orders) else "it takes orders for the day or gtc only"


def _is_exit(request: OrderRequest) -> bool:
    return request.order_type is OrderType.LIMIT or request.order_type in STOPS


def _not_a_pair(exits: list[OrderRequest]) -> bool:
    return sorted(each.order_type in STOPS for each in exits) != [False, True] or not all(map(_is_exit, exits))


# Ours


def _own_oco(orders: tuple[OrderRequest, ...], at: datetime, closes_at: datetime, why: str) -> Plan:
    """Send each on its own, and cancel the others when one has filled."""
    each_alone = sum((alone(each, at=at, closes_at=closes_at) for each in orders), Plan())
    ours = CancelOthers(tuple(each.client_order_id for each in orders))
    return each_alone + Plan(duties=(ours,), remarks=(_said(orders[0], "OCO", why),))


def _own_exits(orders: tuple[OrderRequest, ...], at: datetime, closes_at: datetime, why: str) -> Plan:
    """Let one rest at Alpaca, and hold the others until the price reaches them."""
    for each in orders:
        check_held(each)
    rests = resting(orders)
    held = tuple(each for each in orders if each is not rests)
    legs = [at_its_time(each, at, closes_at) for each in held]
    hold = Hold(
        tuple(each for each, _ in legs),
        at,
        resting=rests.client_order_id if rests else "",
        ends=ends(held, closes_at),
        times=tuple(pair for _, pairs in legs for pair in pairs),
    )
    remarks = (f"{orders[0].symbol}: Alpaca does not take this OCO ({why}); it is kept here", said(held, rests))
    sent = alone(rests, at=at, closes_at=closes_at) if rests else Plan()
    return sent + Plan(duties=(hold,), remarks=remarks)


def _own_bracket(orders: tuple[OrderRequest, ...], at: datetime, closes_at: datetime, why: str) -> Plan:
    """Send the entry on its own, and the exits when it has filled."""
    entry, *exits = orders
    for each in exits if len(exits) > 1 else ():
        check_held(each)
    kind = GroupKind.OCO if len(exits) > 1 or never_rests(exits[0]) else GroupKind.LIST
    after = SendAfter(entry.client_order_id, OrderGroup(tuple(exits), kind))
    ours = Plan(duties=(after,), remarks=(_said(entry, "bracket", why),))
    return alone(entry, at=at, closes_at=closes_at) + ours


def _said(first: OrderRequest, name: str, why: str) -> str:
    return f"{first.symbol}: Alpaca does not take this {name} ({why}); it is kept here, and ends with this process"
