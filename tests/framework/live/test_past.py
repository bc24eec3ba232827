"""The fold of a journal: what an earlier run left."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from framework.live.day import Day
from framework.live.journal import Entry
from framework.live.past import Past
from framework.live.records import BARS, DAY, INTENT, POSITION, REPLACE, START, UPDATE
from framework.model import Fill, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, Side

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)

Made = tuple[str, str, Mapping[str, Any]]


def past(*records: Made) -> Past:
    return Past.of(Entry(i, AT + timedelta(minutes=i), *each) for i, each in enumerate(records, 1))


def start(run: int, account: str = "PA1") -> Made:
    return START, "s", {"run": run, "account": account, "cash": 1_000.0}


def intent(*names: str) -> Made:
    orders = tuple(OrderRequest(name, "SPY", Side.BUY, OrderType.MARKET, quantity=10) for name in names)
    return INTENT, names[0], {"group": OrderGroup(orders), "tickets": [{"client_order_id": name} for name in names]}


def update(name: str, status: OrderStatus, quantity: float = 0.0, price: float = 5.0) -> Made:
    fill = Fill(f"x-{name}-{quantity}", quantity, price, AT) if quantity else None
    return UPDATE, name, {"update": OrderUpdate(name, "v", status, AT, fill)}


def test_runs_are_counted_and_the_first_start_counts() -> None:
    """The cash and the account of a session are those that it began with."""
    found = past(start(1), start(2, "PA2"), start(3))
    assert (found.run, found.start["account"]) == (3, "PA1")
    assert (Past().run, past().run) == (0, 0)


def test_an_order_that_was_sent_and_not_heard_of_is_resumed() -> None:
    """With the time of its intent, for it may have arrived."""
    (group,) = past(start(1), intent("s-1-1")).resumed()
    assert group.at == AT + timedelta(minutes=2)
    assert (dict(group.booked), group.ended) == ({}, frozenset())


def test_a_group_is_resumed_until_all_of_its_orders_are_over() -> None:
    """One leg that lives keeps it, and those that ended are named."""
    records = [start(1), intent("s-1-1", "s-1-2"), update("s-1-1", OrderStatus.FILLED, 10)]
    (group,) = past(*records).resumed()
    assert group.ended == {"s-1-1"}
    assert group.booked == {"s-1-1": (10.0, 50.0)}
    assert past(*records, update("s-1-2", OrderStatus.CANCELED)).resumed() == []


def test_what_was_taken_over_stands_between_the_fills() -> None:
    """The ledger is made again in the order in which it came about; bars change nothing."""
    records = [intent("s-1-1"), update("s-1-1", OrderStatus.FILLED, 10)]
    found = past(start(1), *records, (BARS, "x", {}), (POSITION, "SPY", {"quantity": 4, "price": 5.0}))
    assert [each.update is None for each in found.steps] == [False, True]
    assert found.steps[-1].quantity == 4


def test_what_the_limits_count_is_in_the_journal() -> None:
    """When each order and change was sent, as what a changed order may stand, and the last day."""
    larger = OrderRequest("s-1-1.1", "SPY", Side.BUY, OrderType.MARKET, quantity=30)
    day = {"value": 1_000.0, "lost": 0.0}
    found = past(start(1), intent("s-1-1", "s-1-2"), (REPLACE, "s-1-1", {"request": larger}), (DAY, "2026-10-05", day))
    assert found.sent == [AT + timedelta(minutes=each) for each in (2, 2, 3)]
    assert [each.quantity for each in found.versions["s-1-1"].all] == [10, 30]
    assert found.day == Day("2026-10-05", 1_000.0)


@given(st.lists(st.tuples(st.sampled_from(["s-1-1", "s-1-2"]), st.integers(1, 9), st.integers(1, 99))))
def test_booked_is_the_sum_of_the_fills(fills: list[tuple[str, int, int]]) -> None:
    """Size and value of each order, whatever the order of the news."""
    found = past(*(update(name, OrderStatus.PARTIALLY_FILLED, size, price) for name, size, price in fills)).booked()
    for name in ("s-1-1", "s-1-2"):
        mine = [(size, price) for each, size, price in fills if each == name]
        assert found.get(name, (0, 0)) == (sum(s for s, _ in mine), sum(s * p for s, p in mine))
