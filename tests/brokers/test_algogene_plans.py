"""Plans: what an order closes and opens adds up to it, whatever is there; and a plan is read as it was written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.algogene.following import Kind
from brokers.algogene.instruments import Instrument
from brokers.algogene.netting import Lot, Way
from brokers.algogene.plans import Plan, exit_following, following, planned, read
from framework.errors import ConfigError, Unsupported
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderType, Side, TimeInForce

COIN = Instrument("BTCUSD", Decimal(1), Decimal("0.01"))


def order(size: float = 1.0, side: Side = Side.BUY, kind: OrderType = OrderType.MARKET, **more: object) -> OrderRequest:
    name = str(more.pop("name", "s-1-1"))
    return OrderRequest(name, "BTCUSD", side, kind, size, time_in_force=TimeInForce.GTC, **more)  # type: ignore[arg-type]


def alone(request: OrderRequest) -> OrderGroup:
    return OrderGroup((request,))


def bracket(**changes: object) -> OrderGroup:
    exit_ = {"size": 1.0, "side": Side.SELL, **changes}
    profit = order(kind=OrderType.LIMIT, limit_price=110.0, name="s-1-2", **exit_)  # type: ignore[arg-type]
    loss = order(1.0, Side.SELL, OrderType.STOP, stop_price=90.0, name="s-1-3")
    return OrderGroup((order(), profit, loss), GroupKind.BRACKET)


SIZES = st.integers(-9, 9).filter(bool)


@given(st.lists(SIZES, max_size=6), SIZES, st.sampled_from(Way), st.sets(st.integers(0, 5)))
def test_what_is_closed_and_opened_adds_up_to_the_order(
    held: list[int], size: int, way: Way, levelled: set[int]
) -> None:
    """To the last unit; and no trade that its levels may close stands against another one in it."""
    trades = [Lot(str(at), Decimal(each)) for at, each in enumerate(held)]
    side = Side.BUY if size > 0 else Side.SELL
    names = {str(each) for each in levelled}
    plan = planned(alone(order(float(abs(size)), side)), trades, COIN, way, names)
    assert plan.opens - sum(each.units for each in plan.closes) == size
    changes = [-each.units for each in plan.closes] + ([plan.opens] if plan.opens else [])
    if any(each * size < 0 for each in changes):
        assert names.isdisjoint(each.trade_id for each in plan.closes)
        assert not plan.opens or plan.after


def test_what_waits_opens_a_trade_of_its_own() -> None:
    """What will be there when it fills is not known."""
    plan = planned(
        alone(order(1.0, Side.SELL, OrderType.LIMIT, limit_price=110.0)), [Lot("1", Decimal(1))], COIN, Way.OPPOSITE
    )
    assert (plan.closes, plan.opens) == ((), -1)


def test_a_bracket_is_a_trade_with_levels() -> None:
    """Its exits are followed as parts of that trade."""
    plan = planned(bracket(), [Lot("1", Decimal(-1))], COIN, Way.OPPOSITE)
    assert (plan.closes, plan.level(Kind.TAKE_PROFIT), plan.level(Kind.STOP_LOSS)) == ((), 110.0, 90.0)
    parts = [exit_following(plan, each, "7").parts[0] for each in plan.exits]
    assert [(each.kind, each.trade_id, each.level) for each in parts] == [
        (Kind.TAKE_PROFIT, "7", 110.0), (Kind.STOP_LOSS, "7", 90.0),
    ]  # fmt: skip


@pytest.mark.parametrize("changes", [{"size": 2.0}, {"side": Side.BUY}])
def test_exits_that_are_no_levels_are_refused(changes: dict[str, object]) -> None:
    """A level closes all of its trade."""
    with pytest.raises(Unsupported, match="close all of it"):
        planned(bracket(**changes), (), COIN, Way.OPPOSITE)


def test_below_a_step_nothing_is_planned() -> None:
    """A hundredth of a lot is the smallest."""
    with pytest.raises(ConfigError, match="below the smallest"):
        planned(alone(order(0.004)), (), COIN, Way.OPPOSITE)


def test_a_plan_is_read_as_it_was_written() -> None:
    """With its sizes to the last digit."""
    group = bracket()
    for plan in (
        planned(group, (), COIN, Way.OPPOSITE),
        Plan(group.orders[0], Decimal("0.1"), (Lot("1", Decimal("-0.30")),), Decimal("0.70"), ("1",), group.orders[1:]),
    ):
        again = read(plan.body(), group)
        assert again == plan
        assert following(again, "9").parts[-1].trade_id == "9"
