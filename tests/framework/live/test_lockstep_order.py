"""In what order a session in lock-step hears of its orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from framework.live.lockstep import in_turn
from framework.model import OrderStatus, OrderUpdate

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
BEFORE = AT - timedelta(minutes=1)


def update(order: int, at: datetime, status: OrderStatus = OrderStatus.NEW) -> OrderUpdate:
    return OrderUpdate(f"s-1-{order}", f"v-{order}", status, at)


TURNS = {f"s-1-{order}": order for order in range(1, 11)}


def test_news_from_before_an_instant_go_by_when_the_orders_were_asked_for() -> None:
    """Whether an answer or the stream was read first is chance."""
    first, second, tenth = (update(order, BEFORE) for order in (1, 2, 10))
    told = in_turn([tenth, second, first], AT, TURNS)
    assert told == in_turn([second, first, tenth], AT, TURNS) == (first, second, tenth)


def test_cancels_are_told_in_the_order_of_asking() -> None:
    """The younger order was cancelled first."""
    old, young = (update(order, BEFORE, OrderStatus.CANCELED) for order in (1, 2))
    assert in_turn([old, young], AT, {"s-1-1": 4, "s-1-2": 3}) == (young, old)


def test_news_of_an_instant_keep_the_venues_order() -> None:
    """What the price touched first was filled first."""
    late, early = update(2, AT, OrderStatus.FILLED), update(1, AT, OrderStatus.FILLED)
    assert in_turn([update(3, BEFORE), late, early], AT, TURNS)[1:] == (late, early)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(-3, 0)), max_size=12))
def test_nothing_is_lost_and_each_orders_news_stay_in_their_order(news: list[tuple[int, int]]) -> None:
    """Also where the venue's times go back."""
    told = [update(order, AT + timedelta(seconds=seconds)) for order, seconds in news]
    found = in_turn(told, AT, TURNS)
    for order in range(1, 5):
        name = f"s-1-{order}"
        assert [each for each in found if each.client_order_id == name] == [
            each for each in told if each.client_order_id == name
        ]
