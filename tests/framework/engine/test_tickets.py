"""Orders as the journal keeps them, and how orders that leave together are grouped."""

from __future__ import annotations

import json
from typing import Any

import backtrader as bt
import cases
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.engine.tickets import Ticket, grouped, kind
from framework.model import GroupKind


class Nothing(bt.Strategy):
    """Has a feed with a bar, for orders to be made on."""


@pytest.fixture(scope="module")
def data() -> Any:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(cases.feed(cases.bars(3)), name="ABC")
    cerebro.addstrategy(Nothing)
    cerebro.run()
    return cerebro.datas[0]


def order(data: Any, parent: Any = None, *, buys: bool = True, **options: Any) -> Any:
    return (bt.BuyOrder if buys else bt.SellOrder)(owner=None, data=data, **{"size": 10, "parent": parent, **options})


SHAPES = [
    {},
    {"exectype": bt.Order.Limit, "price": 99.5},
    {"exectype": bt.Order.StopLimit, "price": 101.0, "pricelimit": 101.5, "buys": False},
    {"exectype": bt.Order.StopTrail, "trailpercent": 0.02, "buys": False, "size": 2.5},
    {"exectype": bt.Order.StopTrailLimit, "price": 100.0, "pricelimit": 99.0, "trailamount": 1.5},
    {"exectype": bt.Order.Close, "tradeid": 3, "valid": 739_000.5},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_order_is_made_again_from_the_journal(data: Any, shape: dict[str, Any]) -> None:
    """What is asked for comes back as it was, through JSON; the order has a ref of its own."""
    one = order(data, **shape)
    body = json.loads(json.dumps(Ticket.of(one, {one.ref: "s-1-7"}).body()))
    again = Ticket(**body).order(data, None)
    names = ("size", "price", "pricelimit", "trailamount", "trailpercent")
    assert [getattr(again.created, name) for name in names] == [getattr(one.created, name) for name in names]
    assert (again.exectype, again.isbuy(), again.valid, again.tradeid) == (
        one.exectype, one.isbuy(), one.valid, one.tradeid,
    )  # fmt: skip
    assert again.ref != one.ref


def test_orders_alone_are_groups_of_their_own(data: Any) -> None:
    """Two that have nothing to do with one another leave apart, in their order."""
    first, second = order(data), order(data)
    assert grouped([first, second], {}) == [[first], [second]]
    assert kind([first]) is GroupKind.LIST


def test_a_parent_leaves_with_its_children(data: Any) -> None:
    """An entry and one exit, or two."""
    entry = order(data)
    stop, profit = (order(data, entry, buys=False) for _ in range(2))
    assert grouped([entry, stop, profit], {}) == [[entry, stop, profit]]
    assert kind([entry, stop]) is GroupKind.OTO
    assert kind([entry, stop, profit]) is GroupKind.BRACKET


def test_a_pair_leaves_together_and_what_is_in_a_bracket_stays_there(data: Any) -> None:
    """`oco=` names a leader; a bracket is stronger."""
    first, second, entry = (order(data) for _ in range(3))
    leg = order(data, entry, buys=False)
    ocos = {first.ref: first.ref, second.ref: first.ref, leg.ref: first.ref}
    assert grouped([first, second, entry, leg], ocos) == [[first, second], [entry, leg]]
    assert kind([first, second]) is GroupKind.OCO


@given(st.lists(st.integers(0, 5), max_size=12))
def test_grouping_loses_nothing_and_keeps_the_order(data: Any, leaders: list[int]) -> None:
    """However orders hang together, each leaves once, and within its group in the order in which it was made."""
    orders = [order(data) for _ in leaders]
    ocos = {each.ref: orders[min(leaders[at], at)].ref for at, each in enumerate(orders)}
    groups = grouped(orders, ocos)
    assert sorted(each.ref for group in groups for each in group) == [each.ref for each in orders]
    assert all([each.ref for each in group] == sorted(each.ref for each in group) for group in groups)
