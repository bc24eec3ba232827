"""What always holds in the matching core, whatever the tape, the orders and the terms."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import OPEN, Played, Program, programs

from brokers.sim.matching import Terms
from brokers.sim.orders import Event, Happened, Order, Range, State
from brokers.sim.prices import Slippage, limit, price_on, stop
from framework.model import Bar, OrderType, Side

ENDS = {Happened.CANCELED, Happened.EXPIRED, Happened.MARGIN, Happened.REJECTED, Happened.REPLACED}
FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

terms = st.builds(
    Terms,
    slippage=st.sampled_from([Slippage(), Slippage(fraction=0.01), Slippage(fixed=0.5)]),
    check_cash=st.booleans(),
    participation=st.sampled_from([None, 0.5, 1.0]),
    partial=st.sampled_from([0.0, 0.5]),
    shrinks=st.booleans(),
    seed=st.integers(0, 3),
)


def fills(played: Played) -> list[tuple[Order, Event]]:
    return [(played.core.orders[each.order], each) for each in played.events if each.kind is Happened.FILLED]


@FEW
@given(programs(), terms)
def test_cash_and_positions_add_up(program: Program, terms: Terms) -> None:
    """What was paid and received is the cash; what was bought and sold is held."""
    played = Played(program, terms).run()
    cash, held = program.cash, defaultdict(float)
    for order, fill in fills(played):
        cash -= order.side.sign * fill.quantity * fill.price + program.commission * fill.quantity * fill.price
        held[order.symbol] += order.side.sign * fill.quantity
    assert math.isclose(played.core.account.cash, cash, abs_tol=1e-6)
    assert all(played.core.account.holding(name).size == pytest.approx(held[name]) for name in program.bars)


@FEW
@given(programs(), terms)
def test_no_fill_is_beyond_its_limit(program: Program, terms: Terms) -> None:
    """A buyer never pays more than the limit, a seller never gets less, slippage or not."""
    played = Played(program, terms).run()
    for order, fill in fills(played):
        bound = {OrderType.LIMIT: order.price, OrderType.STOP_LIMIT: order.limit}.get(order.kind)
        assert bound is None or (fill.price - bound) * order.side.sign <= 0


@FEW
@given(programs(), terms)
def test_no_fill_is_outside_its_bar(program: Program, terms: Terms) -> None:
    """Each fill is at a price that traded in its bar (an order at the close may fill at the close before)."""
    played = Played(program, terms).run()
    for order, fill in fills(played):
        bar = played.seen[fill.at][order.symbol]
        before = played.seen.get(fill.at - timedelta(minutes=1))
        at_close = order.kind is OrderType.MARKET_ON_CLOSE and before and fill.price == before[order.symbol].close
        assert at_close or bar.low <= fill.price <= bar.high


@FEW
@given(programs(), terms)
def test_an_order_ends_once_and_never_overfills(program: Program, terms: Terms) -> None:
    """No order has two ends, fills after its end, or fills more than was asked."""
    played = Played(program, terms).run()
    ended: Counter[str] = Counter()
    for event in played.events:
        assert not ended[event.order]
        order = played.core.orders[event.order]
        ended[event.order] += event.kind in ENDS
    for order in played.core.orders.values():
        done = sum(fill.quantity for each, fill in fills(played) if each is order)
        assert done == pytest.approx(order.filled)
        assert done <= order.quantity
        assert (order.state is State.FILLED) == (done == order.quantity and not ended[order.id])


@FEW
@given(programs(), terms)
def test_same_tape_and_orders_give_the_same_fills(program: Program, terms: Terms) -> None:
    """Nothing is left to chance but by the seed."""
    assert Played(program, terms).run().events == Played(program, terms).run().events


def bar(symbol: str, minute: int, *prices: float) -> Bar:
    return Bar(symbol, OPEN + timedelta(minutes=minute), *prices, 1_000.0)


def test_no_order_is_tried_on_a_bar_that_ended_before_it_arrived() -> None:
    """When only another symbol has a bar, Backtrader tries the last bar of the order's own symbol; a venue cannot."""
    played = Played(Program({"AAA": (), "BBB": ()}, (), 1_000, 0, 0))
    first, second = bar("AAA", 1, 100, 105, 95, 100), bar("BBB", 2, 50, 50, 50, 50)
    played.core.play(first.end, {"AAA": Range.of(first)})
    played.core.submit([Order("a", "AAA", Side.BUY, OrderType.LIMIT, 1, 96.0, first.end)], first.end)
    events = played.core.play(second.end, {"BBB": Range.of(second)})
    assert [each.kind for each in events] == [Happened.ACCEPTED]


def test_each_bar_is_tried_once() -> None:
    """A trailing stop that its own bar's close has moved up is not filled on that bar at the next instant."""
    played = Played(Program({"AAA": (), "BBB": ()}, (), 1_000, 0, 0), Terms(check_cash=False))
    order = Order("a", "AAA", Side.SELL, OrderType.TRAILING_STOP, 1, 100.0, OPEN, trail_amount=2.0)
    played.core.submit([order], OPEN)
    rises, other = bar("AAA", 1, 100, 110, 99, 110), bar("BBB", 2, 50, 50, 50, 50)
    played.core.play(rises.end, {"AAA": Range.of(rises)})
    assert order.price == 108.0
    assert played.core.play(other.end, {"BBB": Range.of(other)}) == []


BAR = Bar("AAA", OPEN, 100.0, 104.0, 96.0, 98.0, 0.0)


@pytest.mark.parametrize(
    ("side", "price", "filled"),
    [
        (Side.BUY, 101, 100), (Side.BUY, 99, 99), (Side.BUY, 96, 96), (Side.BUY, 95.9, None),
        (Side.SELL, 99, 100), (Side.SELL, 103, 103), (Side.SELL, 104, 104), (Side.SELL, 104.1, None),
    ],
)  # fmt: skip
def test_limits_fill_at_the_open_or_at_their_price(side: Side, price: float, filled: float | None) -> None:
    """A limit that the open beats gets the open; one that the bar reaches gets its price."""
    assert limit(side, BAR, price, Slippage()) == filled


@pytest.mark.parametrize(
    ("side", "trigger", "filled"),
    [
        (Side.BUY, 99, 100), (Side.BUY, 103, 103), (Side.BUY, 104, 104), (Side.BUY, 104.1, None),
        (Side.SELL, 101, 100), (Side.SELL, 97, 97), (Side.SELL, 96, 96), (Side.SELL, 95.9, None),
    ],
)  # fmt: skip
def test_stops_fill_at_the_open_or_at_their_trigger(side: Side, trigger: float, filled: float | None) -> None:
    """A stop that the open has passed gets the open; one that the bar reaches gets its trigger."""
    assert stop(side, BAR, trigger, Slippage()) == filled


@pytest.mark.parametrize(
    ("side", "trigger", "bound", "filled"),
    [
        (Side.BUY, 103, 103, 103), (Side.BUY, 103, 98, 98), (Side.BUY, 103, 97.9, None), (Side.BUY, 99, 100, 100),
        (Side.SELL, 97, 97, 97), (Side.SELL, 97, 98, None), (Side.SELL, 101, 100, 100),
    ],
)  # fmt: skip
def test_stop_limits_fill_inside_their_bar_where_its_order_is_certain(
    side: Side, trigger: float, bound: float, filled: float | None
) -> None:
    """After the trigger, the limit is reached where the close lies beyond it on a falling bar."""
    order = Order("a", "AAA", side, OrderType.STOP_LIMIT, 1, trigger, OPEN, limit=bound)
    assert price_on(order, BAR, Slippage()) == filled


def opening(order: Order) -> list[Happened]:
    played = Played(Program({"AAA": ()}, (), 1_000, 0, 0), Terms(check_cash=False))
    played.core.submit([order], OPEN)
    first = bar("AAA", 1, 100, 105, 95, 101)
    return [each.kind for each in played.core.play(first.end, {"AAA": Range.of(first, is_opening=True)})]


def test_an_order_for_the_opening_sees_the_opening_price_alone() -> None:
    """A limit that the open does not meet is cancelled, even though the bar would reach it."""
    near = Order("a", "AAA", Side.BUY, OrderType.LIMIT, 1, 100.0, OPEN, is_opening=True)
    far = Order("b", "AAA", Side.BUY, OrderType.LIMIT, 1, 99.0, OPEN, is_opening=True)
    assert (opening(near), opening(far)) == ([Happened.FILLED], [Happened.CANCELED])


def test_fill_or_kill_takes_all_or_nothing() -> None:
    """An order for more than the bar has is cancelled whole; immediate-or-cancel keeps what it got."""
    for is_whole, expected in ((True, [Happened.CANCELED]), (False, [Happened.FILLED, Happened.CANCELED])):
        played = Played(Program({"AAA": ()}, (), 1_000, 0, 0), Terms(check_cash=False, participation=1.0))
        order = Order("a", "AAA", Side.BUY, OrderType.MARKET, 20, 100.0, OPEN, is_immediate=True, is_whole=is_whole)
        played.core.submit([order], OPEN)
        first = bar("AAA", 1, 100, 105, 95, 101)
        assert [each.kind for each in played.core.play(first.end, {"AAA": Range.of(first)})] == expected
