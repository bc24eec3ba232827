"""What is left for us of the orders: news, times and prices in, steps out; no sockets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from asked import NOW, bracket, order

from brokers.alpaca.duties import AGAIN, Duties, Send, Step, Tell, Withdraw
from brokers.alpaca.following import Inquiry
from brokers.alpaca.groups import CancelOthers, Duty, Expire, Hold, SendAfter, SendAt
from brokers.alpaca.hours import closes_at, may_have_news
from brokers.alpaca.resuming import left
from brokers.alpaca.staleness import Staleness
from framework.model import GroupKind, OrderGroup, OrderStatus, OrderType, OrderUpdate, TimeInForce, Trade
from framework.ports import Resumed

S = OrderStatus
ENTRY, STOP, LIMIT = "run-1-1", "run-1-2", "run-1-3"
EXITS = OrderGroup(bracket()[1:], GroupKind.OCO)


def holding(*duties: Duty, position: float = 0.0) -> Duties:
    held = Duties()
    held.add(duties, position)
    return held


def news(status: OrderStatus = S.FILLED, name: str = ENTRY, reason: str = "") -> OrderUpdate:
    return OrderUpdate(name, "A", status, NOW, reason=reason)


def told(steps: list[Step]) -> list[tuple[str, OrderStatus]]:
    return [(each.update.client_order_id, each.update.status) for each in steps if isinstance(each, Tell)]


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def test_nothing_is_done_before_its_time_and_each_thing_once() -> None:
    """An end and a late order, each at its own."""
    late = order("run-1-4")
    duties = holding(Expire(ENTRY, minutes(2)), SendAt(late, minutes(5)), position=10)
    assert (duties.due(minutes(1)), duties.next_at) == ([], minutes(2))
    assert (duties.due(minutes(2)), duties.next_at) == ([Withdraw(ENTRY)], minutes(5))
    assert duties.due(minutes(9)) == [Send(OrderGroup((late,), position=10))]
    assert (duties.due(minutes(9)), duties.next_at) == ([], None)


@pytest.mark.parametrize(
    ("is_asked", "status", "shown"),
    [(False, S.CANCELED, S.EXPIRED), (True, S.CANCELED, S.CANCELED), (False, S.FILLED, S.FILLED)],
)
def test_only_what_our_own_cancel_ended_has_expired(is_asked: bool, status: OrderStatus, shown: OrderStatus) -> None:
    """What its owner had cancelled before is cancelled, and what filled has filled."""
    duties = holding(Expire(ENTRY, NOW))
    if is_asked:
        assert duties.cancel(ENTRY, NOW) is None
    duties.due(NOW)
    assert duties.named(news(status)).status is shown


def test_an_end_that_alpaca_does_not_make_is_asked_for_again() -> None:
    """Its cancel was taken back: the order lives, and is over all the same."""
    duties = holding(Expire(ENTRY, NOW))
    duties.due(NOW)
    duties.heard(news(S.NEW, reason="order cancel rejected"), 0.0)
    assert duties.due(NOW) == []
    assert duties.due(NOW + AGAIN) == [Withdraw(ENTRY)]


def test_an_order_that_has_ended_needs_no_end() -> None:
    """Nothing is cancelled that is not there."""
    duties = holding(Expire(ENTRY, minutes(2)))
    duties.heard(news(), 10.0)
    assert duties.due(minutes(3)) == []


def test_exits_follow_their_entry_with_the_position_that_it_made() -> None:
    """So that Alpaca's own pair can carry them."""
    duties = holding(SendAfter(ENTRY, EXITS), position=2)
    assert duties.heard(news(S.PARTIALLY_FILLED), 4.0) == []
    assert duties.heard(news(), 10.0) == [Send(OrderGroup(EXITS.orders, GroupKind.OCO, 12.0))]
    assert duties.heard(news(), 10.0) == []


def test_exits_of_a_part_close_that_part() -> None:
    """More would turn the position."""
    (step,) = holding(SendAfter(ENTRY, EXITS)).heard(news(S.CANCELED), 4.0)
    assert isinstance(step, Send)
    assert ([each.quantity for each in step.group.orders], step.group.position) == ([4.0, 4.0], 4.0)


@pytest.mark.parametrize("status", [S.CANCELED, S.REJECTED, S.EXPIRED])
def test_exits_of_nothing_end_with_it(status: OrderStatus) -> None:
    """Whatever ended their entry."""
    steps = holding(SendAfter(ENTRY, EXITS)).heard(news(status), 0.0)
    assert told(steps) == [(STOP, S.CANCELED), (LIMIT, S.CANCELED)]


def test_one_of_a_pair_that_ends_takes_the_others_once() -> None:
    """A fill in part takes none."""
    duties = holding(CancelOthers((ENTRY, STOP, LIMIT)))
    assert duties.heard(news(S.PARTIALLY_FILLED), 4.0) == []
    assert duties.heard(news(), 10.0) == [Withdraw(STOP), Withdraw(LIMIT)]
    assert duties.heard(news(S.CANCELED, STOP), 0.0) == []


def trailing(**more: Any) -> Hold:
    given = {"order_type": OrderType.TRAILING_STOP_LIMIT, "trail_amount": 2.0, "limit_price": 97.5}
    ends = tuple(("run-1-4", each) for each in more.pop("ends", ()))
    return Hold((order("run-1-4", "sell", **given | more),), NOW, is_exit=False, ends=ends)


def priced(duties: Duties, price: float, symbol: str = "AAPL") -> list[Step]:
    return duties.price(Trade(symbol, NOW, price, 1.0), NOW)


def test_a_trail_begins_with_the_last_price_that_is_known() -> None:
    """One symbol's prices are nothing to another's."""
    duties, trail = Duties(), trailing()
    priced(duties, 100.0)
    duties.add([trail], 10)
    assert told(duties.begin([trail], NOW)) == [("run-1-4", S.HELD)]
    priced(duties, 1.0, "SPY")
    (step,) = priced(duties, 97.9)
    assert isinstance(step, Send)
    (limit,) = step.group.orders
    assert (limit.order_type, limit.limit_price, step.group.is_exit) == (OrderType.LIMIT, 97.5, True)
    assert priced(duties, 90.0) == []


def test_a_trail_that_ends_is_followed_no_more() -> None:
    """It has expired, and was never sent."""
    duties = holding(trailing(ends=[minutes(1)]))
    priced(duties, 100.0)
    assert told(duties.due(minutes(1))) == [("run-1-4", S.EXPIRED)]
    assert priced(duties, 50.0) == []


def test_a_silent_order_is_looked_up_more_and_more_seldom() -> None:
    """Until something is heard of it."""
    quiet, one = Staleness(timedelta(seconds=15), timedelta(seconds=60)), Inquiry("A")
    looked = [second for second in range(0, 200, 5) if quiet.due([one], NOW + timedelta(seconds=second))]
    assert looked == [0, 15, 45, 105, 165]
    quiet.heard("A")
    assert quiet.due([one], NOW + timedelta(seconds=170)) == [one]


@pytest.mark.parametrize(
    ("symbol", "at", "close"),
    [
        ("AAPL", "2026-10-05T15:00+00:00", "2026-10-05T20:00+00:00"),
        ("AAPL", "2026-10-05T20:00+00:00", "2026-10-06T20:00+00:00"),
        ("AAPL", "2026-11-26T18:00+00:00", "2026-11-27T18:00+00:00"),
        ("BTC/USD", "2026-10-05T23:59+00:00", "2026-10-06T00:00+00:00"),
        ("BTC/USD", "2026-10-06T00:00+00:00", "2026-10-07T00:00+00:00"),
    ],
)
def test_the_session_that_a_time_is_in_or_before(symbol: str, at: str, close: str) -> None:
    """Early closes are the exchange's; an order at the close belongs to the next."""
    assert closes_at(symbol, datetime.fromisoformat(at)) == datetime.fromisoformat(close)


@pytest.mark.parametrize(
    ("at", "more", "is_so"),
    [
        ("15:00", {}, True), ("20:09", {}, True), ("20:11", {}, False), ("12:00", {}, False), ("04:00", {}, False),
        ("12:00", {"extended_hours": True}, True), ("04:00", {"symbol": "BTC/USD"}, True),
    ],
)  # fmt: skip
def test_a_market_that_is_closed_has_no_news(at: str, more: Any, is_so: bool) -> None:
    """Nothing is asked for at night; what ended with the close is, for a while."""
    assert may_have_news(order(**more), datetime.fromisoformat(f"2026-10-05T{at}+00:00")) is is_so


def was(group: OrderGroup, ended: tuple[str, ...] = (), **booked: Any) -> Resumed:
    return Resumed(group, NOW, {name.replace("_", "-"): each for name, each in booked.items()}, frozenset(ended))


def test_what_has_ended_whole_leaves_nothing() -> None:
    """Neither a look-up nor a duty."""
    group = OrderGroup(bracket(time_in_force=TimeInForce.DAY), GroupKind.BRACKET)
    found = left(group, was(group, (ENTRY, STOP, LIMIT)), NOW)
    assert (found.posts, found.duties, found.steps) == ((), (), ())


def test_exits_of_an_entry_that_ended_unfilled_before_the_crash_end_too() -> None:
    """Its end was in the journal, theirs was not."""
    entry, *exits = bracket()
    group = OrderGroup((order(ENTRY, stop_price=101.0), *exits), GroupKind.BRACKET)
    assert entry.client_order_id == ENTRY
    assert told(list(left(group, was(group, (ENTRY,)), NOW).steps)) == [(STOP, S.CANCELED), (LIMIT, S.CANCELED)]
