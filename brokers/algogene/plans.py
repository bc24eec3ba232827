"""By what an order is carried out: whole trades that are closed, one that is opened, and its exits. Pure.

A plan is made once, from the trades that are there then, and written down before anything is sent: after a restart the
same trades are meant.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from brokers.algogene.following import Following, Kind, Part
from brokers.algogene.instruments import Instrument
from brokers.algogene.lots import exact, lots_of, units_of
from brokers.algogene.netting import Action, Close, Lot, Open, Way, actions
from brokers.algogene.rules import unsupported, unsupported_exit
from feeds.algogene.naming import NAME
from framework.errors import Unsupported
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderType, Side

EXITS = {OrderType.LIMIT: Kind.TAKE_PROFIT, OrderType.STOP: Kind.STOP_LOSS}


@dataclass(frozen=True, slots=True)
class Plan:
    """One order: `closes` are whole trades, `opens` the signed units of a trade to open (0: none), when the trades
    `after` are gone. `exits` are the orders that its levels stand for.
    """

    request: OrderRequest
    contract: Decimal
    closes: tuple[Lot, ...] = ()
    opens: Decimal = Decimal()
    after: tuple[str, ...] = ()
    exits: tuple[OrderRequest, ...] = ()

    @property
    def name(self) -> str:
        """The order's id; the trade that it opens bears it as its reference."""
        return self.request.client_order_id

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of the order and its exits."""
        return (self.name, *(each.client_order_id for each in self.exits))

    @property
    def opening(self) -> OrderRequest:
        """The order for the trade that is opened."""
        side = Side.BUY if self.opens > 0 else Side.SELL
        return replace(self.request, side=side, quantity=float(abs(self.opens)))

    def level(self, kind: Kind) -> float | None:
        """Return the price of an exit, None where there is none."""
        return next((price_of(each) for each in self.exits if EXITS[each.order_type] is kind), None)

    def body(self) -> dict[str, Any]:
        """Return it as it is written down; the orders themselves stand in the session's own record."""
        return {
            "closes": [[each.trade_id, str(each.units)] for each in self.closes],
            "opens": str(self.opens),
            "after": list(self.after),
            "contract": str(self.contract),
        }


def parts(group: OrderGroup) -> Iterator[OrderGroup]:
    """Yield what of a group stands for itself: a list is its orders one by one."""
    if group.kind is not GroupKind.LIST:
        yield group
        return
    for each in group.orders:
        yield replace(group, orders=(each,))


def check(group: OrderGroup) -> None:
    """Raise `Unsupported` for what ALGOGENE does not carry."""
    entry, *exits = group.orders
    if group.kind is GroupKind.OCO:
        raise Unsupported(f"{entry.symbol}: {NAME} has no pair of orders that cancel each other; use a bracket's exits")
    for each in group.orders:
        if why := unsupported(each):
            raise Unsupported(why)
    for each in exits:
        _check_exit(each, entry)
    if len({each.order_type for each in exits}) < len(exits):
        raise Unsupported(f"{entry.symbol}: a trade has one take-profit and one stop-loss level; give one of each")


def _check_exit(exit_: OrderRequest, entry: OrderRequest) -> None:
    if why := unsupported_exit(exit_):
        raise Unsupported(why)
    if exit_.quantity != entry.quantity or exit_.side is entry.side:
        raise Unsupported(f"{entry.symbol}: a trade's levels close all of it; give the exits the entry's size")


def planned(
    group: OrderGroup, trades: Sequence[Lot], instrument: Instrument, way: Way, levelled: Container[str] = ()
) -> Plan:
    """Return the plan of a group that stands for itself, over the session's open trades, the oldest first.

    Only what trades at once is netted: what waits opens a trade of its own, and so does what has exits. A trade of
    `levelled` may be closed by its levels at any time, so that nothing else is done on the strength of closing it.
    Raise `Unsupported`, and `ConfigError` for a size below one step.
    """
    check(group)
    request, *exits = group.orders
    units = request.side.sign * units_of(lots_of(request.quantity or 0.0, instrument), instrument)
    if exits or request.order_type is not OrderType.MARKET:
        return Plan(request, instrument.contract, opens=units, exits=tuple(exits))
    found = actions(trades, units, way)
    if _is_mixed(found, units):
        found = actions([each for each in trades if each.trade_id not in levelled], units, way)
    closing = [each for each in found if isinstance(each, Close)]
    if len({each.units > 0 for each in closing}) > 1 and len(closing) < len(found):
        # A pair would be closed for nothing, should what is opened beside it not be taken.
        found = _plain(trades, units)
    closes = tuple(Lot(each.trade_id, each.units) for each in found if isinstance(each, Close))
    opened = next((each for each in found if isinstance(each, Open)), Open(Decimal()))
    return Plan(request, instrument.contract, closes, opened.units, opened.after)


def _is_mixed(found: Sequence[Action], units: Decimal) -> bool:
    return any(each.change * units < 0 for each in found)


def _plain(trades: Sequence[Lot], units: Decimal) -> tuple[Action, ...]:
    """Return what carries out an order by closing what stands against it, the oldest first, and opening the rest."""
    found: list[Action] = []
    rest = units
    for each in trades:
        if each.units * units < 0 and abs(each.units) <= abs(rest):
            found.append(Close(each.trade_id, each.units))
            rest += each.units
    return (*found, Open(rest)) if rest else tuple(found)


def read(body: Mapping[str, Any], group: OrderGroup) -> Plan:
    """Return a plan that was written down; `group` is the orders that it is of."""
    request, *exits = group.orders
    closes = tuple(Lot(str(trade_id), Decimal(units)) for trade_id, units in body["closes"])
    opens, contract = Decimal(body["opens"]), Decimal(body["contract"])
    return Plan(request, contract, closes, opens, tuple(body["after"]), tuple(exits))


def following(plan: Plan, trade_id: str = "", booked: tuple[float, float] = (0.0, 0.0)) -> Following:
    """Return what is followed of a plan's order; `trade_id` is what it opened, "" where that is not known yet."""
    found = [Part(each.trade_id, Kind.CLOSE, abs(each.units), _side(each.units), plan.contract) for each in plan.closes]
    if plan.opens:
        found.append(Part(trade_id, Kind.OPEN, abs(plan.opens), _side(plan.opens), plan.contract))
    size, value = booked
    return Following(plan.name, tuple(found), expires_at=plan.request.expires_at, booked=(exact(size), exact(value)))


def exit_following(
    plan: Plan, exit_: OrderRequest, trade_id: str, booked: tuple[float, float] = (0.0, 0.0)
) -> Following:
    """Return what is followed of one of a plan's exits."""
    kind, size, value = EXITS[exit_.order_type], *booked
    part = Part(trade_id, kind, abs(plan.opens), _side(plan.opens), plan.contract, price_of(exit_))
    return Following(exit_.client_order_id, (part,), booked=(exact(size), exact(value)))


def price_of(exit_: OrderRequest) -> float | None:
    """Return the level that an exit stands for."""
    return exit_.limit_price if exit_.order_type is OrderType.LIMIT else exit_.stop_price


def _side(units: Decimal) -> Side:
    return Side.BUY if units > 0 else Side.SELL
