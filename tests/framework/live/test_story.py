"""A session's records as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework.live.records import BARS, INTENT, LINK, POSITION, REMARK, REVISION, START, STOP, UPDATE
from framework.live.story import Story, dated
from framework.live.wording import asked, money
from framework.model import (
    Bar,
    Fill,
    GroupKind,
    OrderGroup,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    Side,
    TimeInForce,
)

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
BEGIN = {
    "run": 2, "strategy": "Dip", "symbols": ["SPY", "IBM"], "account": "PA123456789", "currency": "USD",
    "cash": 100_000, "money": "paper", "zone": "America/New_York",
}  # fmt: skip


def request(name: str = "dip-2-7", **more: Any) -> OrderRequest:
    return OrderRequest(name, "SPY", Side.BUY, **{"order_type": OrderType.LIMIT, "quantity": 10, **more})


def news(status: OrderStatus, quantity: float = 0.0, reason: str = "") -> Mapping[str, Any]:
    fill = Fill("x", quantity, 5.25, AT) if quantity else None
    return {"update": OrderUpdate("dip-2-7", "v", status, AT, fill, reason)}


def begun() -> Story:
    story = Story()
    story.take(AT, START, "dip", BEGIN)
    story.take(AT, INTENT, "dip-2-7", {"group": OrderGroup((request(limit_price=5.3),))})
    return story


def lines(story: Story, kind: str, key: str, body: Mapping[str, Any], at: datetime = AT) -> list[str]:
    return [str(line) for line in story.take(at, kind, key, body)]


def test_a_start_tells_who_trades_what_and_where() -> None:
    """In the exchange's time, with the last digits of the account only."""
    assert lines(Story(), START, "dip", BEGIN) == [
        "10:00:00  session  dip, run 2",
        "10:00:00  session  Dip on SPY, IBM",
        "10:00:00  session  paper account that ends in 6789, 100,000.00 USD to trade with",
    ]


def test_a_start_tells_which_limits_hold() -> None:
    """Also that there are none."""
    assert lines(Story(), START, "dip", {**BEGIN, "limits": {"open_orders": 3, "stale": 30}})[-1] == (
        "10:00:00  session  limits: open_orders 3, stale 30"
    )
    assert lines(Story(), START, "dip", {**BEGIN, "limits": {"stale": 30}})[-1].endswith("see docs/live.md#limits")


def test_an_orders_life_is_told_with_its_symbol() -> None:
    """News of an order name its id only; the story knows what it was."""
    story = begun()
    assert lines(story, UPDATE, "dip-2-7", news(OrderStatus.NEW)) == ["10:00:00  SPY      #2-7 accepted"]
    (partly,) = lines(story, UPDATE, "dip-2-7", news(OrderStatus.PARTIALLY_FILLED, 4))
    assert partly.endswith("#2-7 filled 4 of 10 at 5.25")
    (whole,) = lines(story, UPDATE, "dip-2-7", news(OrderStatus.FILLED, 6))
    assert whole.endswith("#2-7 filled 6 at 5.25")
    assert story.open == {}


def test_the_same_status_twice_is_told_once() -> None:
    """A venue that repeats itself does not make the reader read it again."""
    story = begun()
    story.take(AT, UPDATE, "dip-2-7", news(OrderStatus.NEW))
    assert lines(story, UPDATE, "dip-2-7", news(OrderStatus.NEW)) == []


def test_a_rejection_is_a_warning_with_the_venues_reason() -> None:
    """It is what the user must not miss."""
    (line,) = begun().take(AT, UPDATE, "dip-2-7", news(OrderStatus.REJECTED, reason="no shares to short"))
    assert (line.is_warning, line.text) == (True, "#2-7 rejected: no shares to short")


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ([], "#2-7 buy 10 limit 5.30: open"),
        ([(OrderStatus.PARTIALLY_FILLED, 4)], "#2-7 buy 10 limit 5.30: 4 filled at 5.25, open"),
        ([(OrderStatus.FILLED, 10)], "#2-7 buy 10 limit 5.30: filled at 5.25, 10:00"),
        ([(OrderStatus.CANCELED, 0)], "#2-7 buy 10 limit 5.30: canceled 10:00"),
    ],
)
def test_a_life_is_one_line(end: list[tuple[OrderStatus, float]], shown: str) -> None:
    """What was asked, what was filled, how it ended."""
    story = begun()
    for status, quantity in end:
        story.take(AT, UPDATE, "dip-2-7", news(status, quantity))
    (line,) = story.told()
    assert line.text == shown


@pytest.mark.parametrize(
    ("kind", "key", "body", "shown"),
    [
        (LINK, "data", {"is_up": True, "reason": ""}, "bars     up"),
        (LINK, "trade_updates", {"is_up": False, "reason": "cut"}, "orders   down: cut"),
        (REMARK, "dip-2-7", {"text": "it is ours"}, "SPY      it is ours"),
        (POSITION, "IBM", {"quantity": 4, "price": 101.5}, "IBM      position taken over: 4 at 101.50"),
        (STOP, "dip", {"why": "ended"}, "session  over"),
        (STOP, "dip", {"why": "ValueError"}, "session  cut short: ValueError"),
        (REVISION, "SPY", {"bar": Bar("SPY", AT, 5, 5, 5, 5.5, 1), "was": None}, "SPY      the bar of 10:00"),
    ],
)  # fmt: skip
def test_other_records_are_a_line_each(kind: str, key: str, body: Mapping[str, Any], shown: str) -> None:
    """Streams by what they bring, orders by their symbol."""
    (line,) = lines(begun(), kind, key, body)
    assert line.startswith(f"10:00:00  {shown}")


def test_what_a_later_version_writes_is_passed_over() -> None:
    """A kind that is not known makes no line and no harm."""
    assert lines(begun(), "weather", "x", {"rain": True}) == []


def test_bars_are_told_of_only_where_nothing_else_is() -> None:
    """A quarter of an hour without a line, and the reader hears that it lives."""
    story = begun()
    told = [lines(story, BARS, "x", {"symbols": ["SPY"]}, AT + timedelta(minutes=i)) for i in range(1, 31)]
    assert [i for i, each in enumerate(told, 1) if each] == [15, 30]
    assert told[14] == ["10:15:00  bars     15 instants since 10:00, 1 open"]


def test_a_day_begins_with_its_name() -> None:
    """Lines have no date of their own."""
    story = begun()
    found = [line for day in (0, 0, 1) for line in story.take(AT + timedelta(days=day), LINK, "data", {"is_up": True})]
    shown = list(dated(found))
    assert [each for each in shown if "times of" in each] == [
        "Monday, 2026-10-05, times of America/New_York",
        "Tuesday, 2026-10-06, times of America/New_York",
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"order_type": OrderType.MARKET}, "buy 10 at the market"),
        ({"limit_price": 5.25, "time_in_force": TimeInForce.GTC}, "buy 10 limit 5.25 until canceled"),
        ({"stop_price": 5.0, "limit_price": 5.1}, "buy 10 stop 5.00 limit 5.10"),
        ({"order_type": OrderType.TRAILING_STOP, "trail_percent": 0.015}, "buy 10 trailing stop trail 1.5 %"),
        ({"order_type": OrderType.MARKET, "quantity": None, "notional": 1_500.0}, "buy 1,500.00 worth at the market"),
        (
            {"limit_price": 1.0, "time_in_force": TimeInForce.GTD, "expires_at": AT + timedelta(minutes=5)},
            "buy 10 limit 1.00 until 14:05",
        ),
        (
            {"limit_price": 1.0, "time_in_force": TimeInForce.GTD, "expires_at": AT + timedelta(days=2)},
            "buy 10 limit 1.00 until 2026-10-07 14:00",
        ),
    ],
)
def test_an_order_in_words(more: dict[str, Any], words: str) -> None:
    """As a trader would say it."""
    assert asked(request(**more), AT) == words


@pytest.mark.parametrize(("price", "text"), [(5, "5.00"), (5.1, "5.10"), (0.1234, "0.1234"), (1e-8, "0.00000001")])
def test_prices_have_two_decimals_or_as_many_as_they_need(price: float, text: str) -> None:
    """Cents, sub-penny prices and crypto alike."""
    assert money(price) == text


def test_a_group_says_what_it_is() -> None:
    """The orders of a bracket are marked."""
    group = OrderGroup((request(), request("dip-2-8"), request("dip-2-9")), GroupKind.BRACKET)
    assert all(line.endswith("(bracket)") for line in lines(begun(), INTENT, "dip-2-7", {"group": group}))


@pytest.mark.parametrize(("keeps", "known"), [(None, ["dip-2-7", "dip-2-8"]), (timedelta(days=3), ["dip-2-8"])])
def test_who_tells_of_a_session_forgets_what_was_over_long_ago(keeps: timedelta | None, known: list[str]) -> None:
    """A session has no end; who reads a journal wants all of it."""
    story = begun()
    story.keeps = keeps
    story.take(AT, UPDATE, "dip-2-7", news(OrderStatus.CANCELED))
    later = AT + timedelta(days=4)
    story.take(later, INTENT, "dip-2-8", {"group": OrderGroup((request("dip-2-8", limit_price=5.3),))})
    assert list(story.lives) == known
