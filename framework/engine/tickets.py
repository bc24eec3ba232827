"""An order of Backtrader's as the journal keeps it, so that a later run can make it again; and how orders group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from framework.engine.holding import seconds_of
from framework.model import GroupKind


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an order was made of. `data` is its feed's name; `created` and `valid` are date numbers."""

    client_order_id: str
    data: str
    created: float
    is_buy: bool
    size: float
    price: float | None
    plimit: float | None
    exectype: int
    valid: float | None
    tradeid: int
    trailamount: float | None
    trailpercent: float | None
    holdtime: float | None = None

    @classmethod
    def of(cls, order: Any, ids: Mapping[int, str]) -> Ticket:
        """Return an order's ticket; `ids` are the client order ids by ref."""
        return cls(
            client_order_id=ids[order.ref],
            data=order.data._name,
            created=order.created.dt,
            is_buy=order.isbuy(),
            size=abs(order.created.size),
            price=order.created.price,
            plimit=order.created.pricelimit,
            exectype=order.exectype,
            valid=order.valid,
            tradeid=order.tradeid,
            trailamount=order.trailamount,
            trailpercent=order.trailpercent,
            holdtime=seconds_of(order.info.holdtime) if order.info.get("holdtime") else None,
        )

    def body(self) -> dict[str, Any]:
        """Return the ticket as the journal keeps it."""
        return {name: getattr(self, name) for name in self.__slots__}

    def order(self, data: Any, owner: Any) -> Any:
        """Make the order again, also before its feed has a bar; it has a new ref."""
        made = (bt.BuyOrder if self.is_buy else bt.SellOrder)(
            owner=owner, data=data, size=self.size, price=self.price or 0.0, pricelimit=self.plimit or 0.0,
            exectype=self.exectype, tradeid=self.tradeid, trailamount=self.trailamount,
            trailpercent=self.trailpercent, simulated=True,
        )  # fmt: skip
        made.created.dt, made.valid = self.created, self.valid
        made.created.price, made.created.pricelimit = self.price, self.plimit
        made.p.simulated = False  # it is heard of as any other
        return made


def kind(orders: Sequence[Any]) -> GroupKind:
    """Return how the orders of a group depend on one another."""
    if len(orders) == 1:
        return GroupKind.LIST
    if any(each.parent is not None for each in orders):
        return GroupKind.OTO if len(orders) == 2 else GroupKind.BRACKET
    return GroupKind.OCO


def grouped(orders: Sequence[Any], ocos: Mapping[int, int]) -> list[list[Any]]:
    """Return orders as groups: a parent and its children, the members of one OCO, or one alone.

    `ocos` has the leader of each order's OCO by its ref. What is both in a bracket and in an OCO stays with
    its bracket.
    """
    parents = {each.parent.ref for each in orders if each.parent is not None}
    groups: dict[int, list[Any]] = {}
    for order in orders:
        if order.parent is not None:
            key = order.parent.ref
        elif order.ref in parents or ocos.get(order.ref) in parents:
            key = order.ref
        else:
            key = ocos.get(order.ref, order.ref)
        groups.setdefault(key, []).append(order)
    return list(groups.values())
