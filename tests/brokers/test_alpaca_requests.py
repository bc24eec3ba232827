"""One order as Alpaca's JSON: types, prices, sizes, and how long it lives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from asked import CLOSE, NOW, order, planned, posted
from hypothesis import given
from hypothesis import strategies as st

from brokers.alpaca.amounts import money_text, price_text, quantity_text
from brokers.alpaca.groups import Expire, Hold, SendAt
from brokers.alpaca.orders import changes
from framework.errors import ConfigError, Unsupported
from framework.model import OrderStatus, OrderType, TimeInForce


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, {"type": "market"}),
        ({"limit_price": 101.5}, {"type": "limit", "limit_price": "101.5"}),
        ({"stop_price": 99.0}, {"type": "stop", "stop_price": "99"}),
        (
            {"stop_price": 105.0, "limit_price": 106.0},
            {"type": "stop_limit", "stop_price": "105", "limit_price": "106"},
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "trail_amount": 2.5},
            {"type": "trailing_stop", "trail_price": "2.5"},
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "trail_percent": 0.07},
            {"type": "trailing_stop", "trail_percent": "7"},
        ),
    ],
)
def test_every_type_has_its_own_prices_and_no_others(more: dict[str, Any], shown: dict[str, str]) -> None:
    """Each of Backtrader's types that Alpaca has, as its reference asks for it."""
    common = {"symbol": "AAPL", "qty": "10", "side": "buy", "time_in_force": "gtc", "client_order_id": "run-1-1"}
    assert posted(order(**more)).body == common | shown


def test_an_order_for_the_close_is_a_market_order_in_the_auction() -> None:
    """Backtrader's Close, hours before it."""
    body = posted(order(order_type=OrderType.MARKET_ON_CLOSE)).body
    assert (body["type"], body["time_in_force"]) == ("market", "cls")


@pytest.mark.parametrize("at", [CLOSE - timedelta(minutes=5), CLOSE - timedelta(seconds=1)])
def test_after_its_deadline_an_order_for_the_close_is_held_and_said(at: Any) -> None:
    """Alpaca takes none from 15:50 on: a market order goes shortly before the close, at once where it is later."""
    found = planned(order(order_type=OrderType.MARKET_ON_CLOSE), at=at)
    (duty,) = found.duties
    assert isinstance(duty, SendAt)
    assert (duty.request.order_type, duty.at) == (OrderType.MARKET, max(at, CLOSE - timedelta(seconds=10)))
    assert (found.posts, "last ten minutes" in found.remarks[0]) == ((), True)


def test_between_the_close_and_the_evening_an_order_for_the_close_waits() -> None:
    """At 16:30 in New York the next close is tomorrow's, and Alpaca takes orders for it from 19:00 on."""
    request = order(order_type=OrderType.MARKET_ON_CLOSE)
    found = planned(request, at=CLOSE - timedelta(days=1) + timedelta(minutes=30))
    assert found.duties == (SendAt(request, CLOSE - timedelta(days=1) + timedelta(hours=3)),)
    assert "19:00" in found.remarks[0]


def test_crypto_has_no_close() -> None:
    """It says so before anything is sent."""
    with pytest.raises(Unsupported, match="no close"):
        planned(order(symbol="BTC/USD", order_type=OrderType.MARKET_ON_CLOSE))


def test_a_trailing_stop_with_a_limit_is_ours_and_says_so() -> None:
    """Nothing is sent, the price is followed, and the user knows that it ends with the process."""
    request = order(order_type=OrderType.TRAILING_STOP_LIMIT, trail_amount=1.0, limit_price=99.0)
    found = planned(request)
    assert (found.posts, found.duties) == ((), (Hold((request,), NOW, is_exit=False),))
    assert "ends with this process" in found.remarks[0]


GTD = TimeInForce.GTD


@pytest.mark.parametrize(
    ("more", "told", "ends_at"),
    [
        ({"time_in_force": TimeInForce.DAY}, "day", None),
        ({"time_in_force": TimeInForce.GTC}, "gtc", None),
        ({"time_in_force": TimeInForce.IOC}, "ioc", None),
        ({"time_in_force": GTD, "expires_at": CLOSE}, "day", None),
        ({"time_in_force": GTD, "expires_at": NOW + timedelta(hours=1)}, "day", NOW + timedelta(hours=1)),
        ({"time_in_force": GTD, "expires_at": NOW + timedelta(days=3)}, "gtc", NOW + timedelta(days=3)),
        ({"symbol": "BTC/USD"}, "gtc", None),
        ({"symbol": "BTC/USD", "time_in_force": TimeInForce.IOC}, "ioc", None),
        ({"symbol": "BTC/USD", "time_in_force": TimeInForce.DAY}, "gtc", CLOSE),
        ({"symbol": "BTC/USD", "time_in_force": GTD, "expires_at": NOW + timedelta(1)}, "gtc", NOW + timedelta(1)),
        ({"symbol": "BTC/USD", "quantity": 0.5}, "gtc", None),
        ({"quantity": 0.5, "time_in_force": TimeInForce.DAY}, "day", None),
        ({"quantity": 3.0000000000000004}, "gtc", None),
        (
            {"quantity": 0.5, "time_in_force": GTD, "expires_at": NOW + timedelta(hours=1)},
            "day",
            NOW + timedelta(hours=1),
        ),
    ],
)
def test_the_shortest_time_in_force_that_covers_it(more: dict[str, Any], told: str, ends_at: Any) -> None:
    """What lasts too long at the venue is ended by us; it is said where the order would outlive us."""
    found = planned(order(**{"limit_price": 100.0, **more}))
    assert found.posts[0].body["time_in_force"] == told
    assert found.duties == (() if ends_at is None else (Expire("run-1-1", ends_at),))
    assert len(found.remarks) == (told == "gtc" and ends_at is not None)


@pytest.mark.parametrize(
    "more",
    [
        {"quantity": 2.5},
        {"quantity": None, "notional": 100.0},
        {"quantity": 2.5, "time_in_force": GTD, "expires_at": NOW + timedelta(days=3)},
        {"limit_price": 9.0, "extended_hours": True},
    ],
)
def test_what_alpaca_takes_for_the_day_only_goes_as_day_and_says_so(more: dict[str, Any]) -> None:
    """Fractions, amounts of money and extended hours, where they were to last longer."""
    found = planned(order(**more))
    assert found.posts[0].body["time_in_force"] == "day"
    assert "for the day only" in found.remarks[0]


def test_extended_hours_and_amounts_are_passed_on() -> None:
    """The flag where it is asked for, and money in cents instead of a size."""
    body = posted(order(limit_price=9.0, extended_hours=True, time_in_force=TimeInForce.DAY)).body
    assert body["extended_hours"] is True
    money = posted(order(quantity=None, notional=100.129, time_in_force=TimeInForce.DAY)).body
    assert (money["notional"], "qty" in money) == ("100.12", False)


def test_crypto_has_neither_fok_nor_auctions() -> None:
    """Nothing that Alpaca has comes near it."""
    with pytest.raises(Unsupported, match="gtc or ioc"):
        planned(order(symbol="BTC/USD", time_in_force=TimeInForce.FOK))


def test_an_order_whose_end_has_come_is_not_sent() -> None:
    """A good-till-date of a second ago is expired, by a value."""
    found = planned(order(time_in_force=GTD, expires_at=NOW))
    assert (found.posts, [each.status for each in found.decided]) == ((), [OrderStatus.EXPIRED])


def test_numbers_are_decimal_strings_without_the_noise_of_floats() -> None:
    """Sums and products of floats, large sizes, and numpy's own floats."""
    assert [price_text(each) for each in (100.1 * 3, 0.1 + 0.2, 1e6, np.float64(1.5))] == [
        "300.3",
        "0.3",
        "1000000",
        "1.5",
    ]
    assert [quantity_text(each) for each in (0.7 - 0.4, 2.5, 1 / 3, 100)] == ["0.3", "2.5", "0.333333333", "100"]
    assert money_text(19.999) == "19.99"


@given(st.integers(1, 10**9), st.sampled_from([2, 4]))
def test_a_price_on_the_grid_is_written_as_it_is(steps: int, decimals: int) -> None:
    """No exponent, no tail, and the same number when it is read."""
    text = price_text(steps / 10**decimals)
    assert round(float(text) * 10**decimals) == steps
    assert len(text.partition(".")[2]) <= decimals
    assert "e" not in text.lower()


@given(st.floats(1e-6, 1e6))
def test_a_size_is_never_more_than_was_asked(size: float) -> None:
    """What is cut off is less than the smallest step."""
    assert -1e-12 * size - 1e-12 <= size - float(quantity_text(size)) <= 1e-9 + 1e-12 * size


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e-12])
def test_numbers_that_are_none_are_refused_before_they_are_sent(value: float) -> None:
    """One line, and no request."""
    with pytest.raises(ConfigError):
        posted(order(quantity=value))


def test_a_missing_price_is_told_by_its_name() -> None:
    """A stop-limit without its limit, a trailing stop without its trail."""
    with pytest.raises(ConfigError, match="without its limit_price"):
        posted(order(order_type=OrderType.STOP_LIMIT, stop_price=1.0))
    with pytest.raises(ConfigError, match="trailamount or trailpercent"):
        posted(order(order_type=OrderType.TRAILING_STOP))


def test_a_replacement_tells_what_changes_under_an_id_of_its_own() -> None:
    """The size, the prices of its type, the trail in Alpaca's one word for both."""
    told = changes(order("run-1-1.1", quantity=5, limit_price=99.5))
    assert told == {"qty": "5", "limit_price": "99.5", "client_order_id": "run-1-1.1"}
    trailing = order("run-1-1.1", order_type=OrderType.TRAILING_STOP, trail_percent=0.02)
    assert changes(trailing, TimeInForce.DAY)["trail"] == "2"
    with pytest.raises(Unsupported, match="amount of money"):
        changes(order(quantity=None, notional=5.0))
