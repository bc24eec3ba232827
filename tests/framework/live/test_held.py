"""Exits that are held here: prices and news in, steps out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework.live.held import Clear, Held, HeldStep, Release, Seen, Turn
from framework.model import Bar, OrderRequest, OrderStatus, OrderType, Side, TimeInForce, Trade

S = OrderStatus
T0 = datetime(2026, 10, 5, 13, 31, tzinfo=UTC)
LATE = {"time_in_force": TimeInForce.DAY}


def leg(name: str = "stop", side: Side = Side.SELL, **more: Any) -> OrderRequest:
    given = {"order_type": OrderType.STOP, "stop_price": 95.0, "quantity": 10.0}
    return OrderRequest(name, "SPY", side, **{**given, **more})


def trail(name: str = "trail", **more: Any) -> OrderRequest:
    return leg(name, **{"order_type": OrderType.TRAILING_STOP, "stop_price": None, "trail_amount": 5.0, **more})


def held(*orders: OrderRequest, resting: str = "limit", position: float = 10.0, **more: Any) -> Held:
    return Held(orders or (leg(),), resting=resting, position=position, at=T0, **more)


def trade(price: float, seconds: float = 0.0) -> Seen:
    return Seen.of(Trade("SPY", T0 + timedelta(seconds=seconds), price, 1.0))


def bar(low: float, high: float, close: float, minute: int = 1) -> Seen:
    return Seen.of(Bar("SPY", T0 + timedelta(minutes=minute), close, high, low, close, 100.0))


def sent(steps: list[HeldStep]) -> list[tuple[str, OrderType, float | None, float | None]]:
    orders = [each.request for each in steps if isinstance(each, Release)]
    return [(each.client_order_id, each.order_type, each.quantity, each.limit_price) for each in orders]


MARKET = OrderType.MARKET


def test_what_rests_is_cancelled_and_when_it_has_ended_the_stop_goes() -> None:
    """Not before: the venue would refuse it."""
    pair = held()
    assert pair.price(trade(95.5)) == []
    assert pair.price(trade(95.0)) == [Clear("limit")]
    assert pair.price(trade(90.0)) == []
    assert sent(pair.ended("limit")) == [("stop", MARKET, 10.0, None)]
    assert pair.is_done


def test_what_has_filled_meanwhile_is_not_sold_again() -> None:
    """Between the cancel and its end."""
    pair = held()
    pair.price(trade(95.0))
    assert pair.traded("limit", Side.SELL, 4.0) == []
    (step,) = pair.ended("limit")
    assert isinstance(step, Release)
    assert (step.request.quantity, step.position) == (6.0, 6.0)


def test_a_limit_that_fills_whole_ends_the_stop_even_when_it_was_reached() -> None:
    """Nothing is left for it."""
    pair = held()
    pair.price(trade(95.0))
    assert pair.traded("limit", Side.SELL, 10.0) == [Turn("stop", S.CANCELED, "the other exit has filled")]
    assert (pair.ended("limit"), pair.is_done) == ([], True)


def test_the_end_of_what_rests_ends_the_others() -> None:
    """Whatever ended it."""
    pair = held(leg(), trail())
    assert [each.client_order_id for each in pair.ended("limit") if isinstance(each, Turn)] == ["stop", "trail"]


@pytest.mark.parametrize(("name", "cleared"), [("stop", [Clear("limit")]), ("limit", [Clear("limit")])])
def test_a_cancel_of_either_ends_both(name: str, cleared: list[HeldStep]) -> None:
    """The one at the venue by a cancel, the one here at once."""
    pair = held()
    assert pair.cancel(name) == [Turn("stop", S.CANCELED), *cleared]
    assert pair.is_done


def test_a_cancel_after_the_stop_was_reached_asks_for_no_second_cancel() -> None:
    """What rests is on its way out already."""
    pair = held()
    pair.price(trade(95.0))
    assert pair.cancel("stop") == [Turn("stop", S.CANCELED)]
    assert pair.ended("limit") == []


def test_one_that_expires_takes_the_others() -> None:
    """Each is told its own end."""
    pair = held(leg(), trail())
    assert pair.expired("stop") == [
        Turn("stop", S.EXPIRED, "its end has come"), Turn("trail", S.CANCELED, "the other exit has expired"),
        Clear("limit"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (leg(), (MARKET, None)),
        (leg(order_type=OrderType.STOP_LIMIT, limit_price=94.0), (OrderType.LIMIT, 94.0)),
        (trail(), (MARKET, None)),
        (trail(order_type=OrderType.TRAILING_STOP_LIMIT, stop_price=95.0, limit_price=94.0), (OrderType.LIMIT, 94.0)),
        (leg(extended_hours=True), (MARKET, None)),
    ],
)
def test_what_is_sent_is_what_the_stop_has_become(order: OrderRequest, told: Any) -> None:
    """A market order, or a limit order where it had a limit; a market order trades in the session only."""
    alone = held(order, resting="")
    alone.price(trade(100.0))
    (step,) = alone.price(trade(94.5))
    assert isinstance(step, Release)
    request = step.request
    assert (request.order_type, request.limit_price) == told
    assert (request.stop_price, request.trail_amount, request.extended_hours) == (None, None, False)


def test_a_bar_reaches_a_stop_by_its_extremes() -> None:
    """Its low a sale's, its high a purchase's."""
    assert held().price(bar(94.9, 100.0, 99.0)) == [Clear("limit")]
    short = held(leg(side=Side.BUY, stop_price=105.0), position=-10.0)
    assert short.price(bar(94.9, 104.9, 99.0)) == []
    assert short.price(bar(99.0, 105.1, 99.0, 2)) == [Clear("limit")]


def test_a_bar_that_began_before_counts_by_its_close() -> None:
    """Its low may be older than the stop."""
    assert held().price(bar(90.0, 100.0, 99.0, minute=0)) == []
    assert held().price(bar(90.0, 100.0, 94.0, minute=0)) == [Clear("limit")]


def test_a_price_of_before_counts_for_nothing() -> None:
    """What is backfilled is not now."""
    assert held().price(trade(90.0, seconds=-60)) == []


def test_a_trail_moves_with_the_last_price_and_never_back() -> None:
    """As Backtrader's does: with the close, not the high."""
    pair = held(trail())
    for seen in (trade(100.0), bar(99.0, 120.0, 106.0), bar(102.0, 104.0, 103.0, 2)):
        assert pair.price(seen) == []
    assert pair.price(bar(101.0, 103.0, 102.0, 3)) == [Clear("limit")]


def test_of_two_that_are_reached_one_is_sent() -> None:
    """The other would sell the same again."""
    pair = held(leg(), trail(stop_price=96.0), resting="")
    steps = pair.price(trade(90.0))
    assert (sent(steps), steps[0]) == (
        [("stop", MARKET, 10.0, None)], Turn("trail", S.CANCELED, "another exit has been reached"),
    )  # fmt: skip


def test_one_that_goes_by_the_clock() -> None:
    """For the close: what rests is cancelled then."""
    at = T0 + timedelta(minutes=5)
    pair = held(leg("close", order_type=MARKET, stop_price=None, **LATE), times={"close": at})
    assert (pair.next_at, pair.due(T0), pair.price(trade(1.0))) == (at, [], [])
    assert (pair.due(at), pair.next_at) == ([Clear("limit")], None)
    assert sent(pair.ended("limit")) == [("close", MARKET, 10.0, None)]


@pytest.mark.parametrize(("sold", "left"), [(4.0, 6.0), (0.0, 10.0)])
def test_no_more_is_sold_than_the_session_holds(sold: float, left: float) -> None:
    """Another order of the session may have closed a part."""
    pair = held(resting="")
    pair.traded("other", Side.SELL, sold)
    assert sent(pair.price(trade(90.0))) == [("stop", MARKET, left, None)]


def test_a_stop_of_nothing_ends() -> None:
    """The position was closed otherwise."""
    pair = held(resting="")
    pair.traded("other", Side.SELL, 10.0)
    assert pair.price(trade(90.0)) == [Turn("stop", S.CANCELED, "nothing is left of the position")]


def test_an_order_that_is_no_exit_is_sent_whole() -> None:
    """An entry that follows the price has no position to keep to."""
    entry = held(trail(stop_price=95.0, limit_price=94.0), resting="", position=0.0, is_exit=False)
    entry.price(trade(100.0))
    assert sent(entry.price(trade(90.0))) == [("trail", MARKET, 10.0, None)]


def test_a_change_gives_other_levels_and_keeps_what_has_filled() -> None:
    """Ten made twelve, of which the limit has filled four."""
    pair = held()
    pair.traded("limit", Side.SELL, 4.0)
    assert pair.replace("stop", leg("stop.1", stop_price=97.0, quantity=12.0)) == ""
    pair.price(trade(97.0))
    assert sent(pair.ended("limit")) == [("stop", MARKET, 6.0, None)]


@pytest.mark.parametrize(("price", "size", "why"), [(95.0, 12.0, "reached it"), (99.0, 4.0, "filled already")])
def test_a_change_that_comes_too_late_is_refused(price: float, size: float, why: str) -> None:
    """The reason says why."""
    pair = held()
    pair.traded("limit", Side.SELL, 4.0)
    pair.price(trade(price))
    assert why in pair.replace("stop", leg("stop.1", quantity=size))
