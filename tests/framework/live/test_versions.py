"""What is known of an order while changes of it are under way, of a trading day, and of what was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from framework.live.day import Day, date_of
from framework.live.missed import Missed
from framework.live.versions import CHANGED, Versions
from framework.model import OrderRequest, OrderStatus, OrderType, OrderUpdate, Side

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def request(size: float) -> OrderRequest:
    return OrderRequest("s-1-1", "SPY", Side.BUY, OrderType.MARKET, quantity=size)


def news(status: OrderStatus = OrderStatus.NEW, *, replaces: str | None = None, reason: str = "") -> OrderUpdate:
    return OrderUpdate("s-1-1", "v", status, AT, replaces=replaces, reason=reason)


def test_an_order_is_as_it_was_or_as_it_was_asked_to_be_until_the_venue_says() -> None:
    """One that is refused is never told of: what comes first is no longer what it was."""
    order = Versions(request(10))
    order.ask(request(4))
    order.ask(request(20))
    assert (order.most, order.least, order.last.quantity) == (20, 4, 20)
    assert not order.hear(news(replaces="v0"))
    assert not order.hear(news(replaces="v1"))
    assert (order.most, order.least) == (20, 20)


def test_a_change_that_nobody_here_asked_for_is_told() -> None:
    """Only news that tell of a change are any."""
    order = Versions(request(10))
    assert order.hear(news(replaces="v0"))
    assert not order.hear(news())


def test_a_change_of_an_order_that_is_held_here_is_made_at_once() -> None:
    """It has no other name at the venue, which does not know it."""
    order = Versions(request(10))
    order.ask(request(4))
    order.hear(news(OrderStatus.HELD, reason=CHANGED))
    assert order.most == 4


def test_the_loss_is_from_the_days_beginning_and_stays_where_it_was_too_much() -> None:
    """Before there is a day nothing is lost."""
    day = Day("2026-10-05", 1_000.0)
    assert (day.loss(900.0), day.loss(1_100.0)) == (100.0, 0.0)
    assert Day("2026-10-05", 1_000.0, lost=300.0).loss(1_100.0) == 300.0
    assert Day().loss(-5.0) == 0.0


def test_a_bar_that_ends_at_midnight_is_the_old_days() -> None:
    """In the exchange's zone."""
    midnight = datetime(2026, 10, 6, 4, 0, tzinfo=UTC)
    assert date_of(midnight, NEW_YORK) == "2026-10-05"
    assert date_of(midnight + timedelta(minutes=1), NEW_YORK) == "2026-10-06"
    assert date_of(midnight, UTC) == "2026-10-06"


def test_what_was_missed_is_told_in_the_exchanges_time() -> None:
    """How many instants, from when to when, and of what."""
    missed = Missed().with_instant(AT, ["SPY"])
    assert missed.told(NEW_YORK) == (
        "1 instant was played late, at 2026-10-05 10:00: SPY; entries were refused on them"
    )
    missed = missed.with_instant(AT + timedelta(minutes=1), ["IBM", "SPY"])
    assert missed.told(NEW_YORK) == (
        "2 instants were played late, from 2026-10-05 10:00 to 10:01: SPY, IBM; entries were refused on them"
    )
    missed = missed.with_instant(AT + timedelta(days=1), ["SPY"])
    assert "to 2026-10-06 10:00" in missed.told(NEW_YORK)
