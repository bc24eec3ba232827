"""The desk over real sockets: every type of order, from its submit to its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asked import fills
from desk_session import Trader
from desk_tape import CLOSE, market, spy, trading
from tape import OPEN

from framework.errors import AuthenticationError, ConfigError
from framework.model import Link, OrderStatus, OrderType, OrderUpdate, TimeInForce
from framework.ports import Desk

S = OrderStatus
DONE = [S.NEW, S.FILLED]


def test_it_is_a_desk_and_says_that_it_is_up() -> None:
    """What it does is what the port asks for; the first thing that it tells is its stream."""
    with trading(100.0) as trader:
        desk: Desk = trader.desk
        assert desk.snapshot
        assert trader.told == [Link("trade_updates", True, trader.clock.now())]


@pytest.mark.parametrize(
    ("asked", "prices", "at"),
    [
        ({}, (100.0, 101.0), 101.0),
        ({"limit_price": 99.0}, (100.0, 100.0, 98.5), 98.5),
        ({"stop_price": 102.0}, (100.0, 101.0, 103.0), 103.0),
        ({"stop_price": 102.0, "limit_price": 104.0}, (100.0, 101.0, 103.0), 103.0),
        ({"order_type": OrderType.TRAILING_STOP, "trail_amount": 2.0}, (100.0, 99.0, 102.0), 102.0),
        ({"order_type": OrderType.TRAILING_STOP, "trail_percent": 0.02}, (100.0, 99.0, 102.0), 102.0),
        ({"time_in_force": TimeInForce.IOC}, (100.0, 101.0), 101.0),
        ({"quantity": 2.5, "time_in_force": TimeInForce.DAY}, (100.0, 101.0), 101.0),
        ({"quantity": None, "notional": 500.0}, (100.0, 100.0), 100.0),
    ],
)
def test_an_order_of_each_type_from_its_post_to_its_fill(asked: Any, prices: Any, at: float) -> None:
    """New, filled: each once, with one fill at the price of the tape."""
    with trading(*prices) as trader:
        trader.submit(spy(**asked))
        trader.play(len(prices) - 1)
        assert (trader.statuses(), trader.last().fill.price) == (DONE, at)  # type: ignore[union-attr]
        assert trader.made == 1
        trader.check()


def test_a_crypto_order_for_the_day_is_ended_by_us_at_midnight() -> None:
    """Alpaca's is good till cancelled; what we cancel at its end has expired for its owner."""
    opens = OPEN.replace(hour=23, minute=58)
    with trading(100.0, 100.0, 100.0, symbol="BTC/USD", opens=opens) as trader:
        day = spy(symbol="BTC/USD", quantity=0.5, limit_price=90.0, time_in_force=TimeInForce.DAY)
        trader.submit(day)
        trader.pass_until(opens + timedelta(minutes=2, seconds=-1))
        assert trader.statuses() == [S.NEW]
        trader.pass_until(opens + timedelta(minutes=2))
        assert (trader.statuses(), trader.last().reason) == ([S.NEW, S.EXPIRED], "its end has come")


def test_several_fills_of_one_order_come_one_by_one() -> None:
    """Half, then half of it: increments, and one end."""
    with trading(*[100.0] * 12, partial=0.9) as trader:
        trader.submit(spy(quantity=16))
        trader.play(11)
        assert trader.filled() == 16
        assert len(fills(trader.updates)) > 1
        assert trader.statuses().count(S.FILLED) == 1
        trader.check()


def test_a_fraction_without_an_end_is_for_the_day_and_says_so() -> None:
    """Alpaca takes fractions for the day only."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy(quantity=0.5))
        assert "for the day only" in trader.remarks[0]


def test_the_orders_of_a_list_are_sent_at_once_and_each_on_its_own() -> None:
    """One that Alpaca refuses leaves the others as they are."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy(), spy("run-1-2", quantity=1e6), spy("run-1-3"))
        trader.play()
        assert [trader.statuses(f"run-1-{each}") for each in (1, 2, 3)] == [DONE, [S.REJECTED], DONE]
        assert trader.last("run-1-2").is_margin


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"order_type": OrderType.TRAILING_STOP}, "give trailamount"),
        ({"order_type": OrderType.TRAILING_STOP_LIMIT, "limit_price": 99.0}, "give trailamount"),
        ({"limit_price": -1.0}, "above zero"),
        ({"symbol": "BTC/USD", "time_in_force": TimeInForce.FOK}, "gtc or ioc"),
        ({"symbol": "BTC/USD", "order_type": OrderType.MARKET_ON_CLOSE}, "no close to trade at"),
    ],
)
def test_what_alpaca_has_not_is_rejected_with_what_to_try(asked: Any, why: str) -> None:
    """Nothing is sent."""
    with trading(100.0) as trader:
        trader.submit(spy(**asked))
        assert (trader.statuses(), trader.made) == ([S.REJECTED], 0)
        assert why in trader.last().reason


def test_an_order_whose_end_had_come_expires_unsent() -> None:
    """It is decided here."""
    with trading(100.0) as trader:
        trader.submit(spy(time_in_force=TimeInForce.GTD, expires_at=OPEN))
        assert (trader.statuses(), trader.made) == ([S.EXPIRED], 0)


def test_a_good_till_date_is_kept_by_us_within_the_day() -> None:
    """It is an order for the day at Alpaca; at its time it is cancelled, and has expired for its owner."""
    with trading(*[100.0] * 6) as trader:
        until = OPEN + timedelta(minutes=3)
        trader.submit(spy(limit_price=90.0, time_in_force=TimeInForce.GTD, expires_at=until))
        trader.play(1)
        assert trader.statuses() == [S.NEW]
        trader.play()
        assert trader.statuses() == [S.NEW, S.EXPIRED]
        assert (trader.shown("run-1-1")["status"], trader.shown("run-1-1")["time_in_force"]) == ("canceled", "day")


def test_an_order_for_the_close_that_comes_late_is_sent_just_before_it() -> None:
    """In the last ten minutes Alpaca takes none; a market order stands for it."""
    with trading(*[100.0] * 6, opens=CLOSE - timedelta(minutes=6)) as trader:
        trader.submit(spy(order_type=OrderType.MARKET_ON_CLOSE))
        trader.play(4)
        assert (trader.statuses(), trader.made) == ([], 0)
        assert "10 s before it" in trader.remarks[0]
        trader.play()
        assert (trader.statuses(), trader.made) == (DONE, 1)


def test_an_order_for_the_close_is_alpacas_own_where_it_comes_in_time() -> None:
    """It rests, and fills with the day's last price."""
    with trading(*[100.0] * 19, 101.0, opens=CLOSE - timedelta(minutes=20)) as trader:
        trader.submit(spy(order_type=OrderType.MARKET_ON_CLOSE))
        assert trader.shown("run-1-1")["time_in_force"] == "cls"
        trader.play(19)
        assert (trader.statuses(), trader.filled()) == (DONE, 10)


def test_a_trailing_stop_with_a_limit_is_followed_here() -> None:
    """The stop follows the price up, and what it triggers is a limit order at its distance below."""
    trail = {"order_type": OrderType.TRAILING_STOP_LIMIT, "trail_amount": 2.0, "limit_price": 97.5}
    with trading(*[100.0] * 2, 104.0, 101.9, 101.9) as trader:
        trader.submit(spy("run-1-2"))
        trader.play()
        trader.price("SPY", 100.0)
        trader.submit(spy("run-1-1", "sell", **trail), position=10)
        trader.play()
        trader.price("SPY", 104.0)
        assert (trader.made, trader.statuses()) == (1, [S.HELD])
        trader.play()
        trader.price("SPY", 101.9)
        assert trader.shown("run-1-1")["limit_price"] == "101.5"
        trader.play()
        assert (trader.statuses(), trader.made) == ([S.HELD, *DONE], 2)
        assert any("ends with this process" in each for each in trader.remarks)


@pytest.mark.parametrize("kind", [OrderType.TRAILING_STOP_LIMIT, OrderType.MARKET_ON_CLOSE])
def test_what_is_not_sent_yet_is_cancelled_here(kind: OrderType) -> None:
    """Nothing ever reaches the venue, and no price or time brings it back."""
    with trading(*[100.0] * 6, opens=CLOSE - timedelta(minutes=6)) as trader:
        trader.submit(spy(order_type=kind, trail_amount=1.0))
        trader.cancel("run-1-1")
        trader.price("SPY", 500.0)
        trader.play(5)
        assert (trader.statuses()[-1], trader.made) == (S.CANCELED, 0)


def test_the_account_as_it_is() -> None:
    """Cash, positions and open orders, at the venue's prices."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy())
        trader.play()
        trader.submit(spy("run-1-2", limit_price=90.0))
        found = trader.snapshot()
        assert (found.cash, found.equity, found.positions[0].quantity) == (99_000.0, 100_000.0, 10.0)
        assert [each.client_order_id for each in found.open_orders] == ["run-1-2"]


def test_an_account_that_cannot_trade_says_what_to_do() -> None:
    """Found before anything runs."""
    with trading(100.0) as trader:
        trader.rest.ask("PATCH", "/v2/account/configurations", json={"suspend_trade": True})
        with pytest.raises(ConfigError, match=r"cannot trade .trade suspended by user.; log in"):
            trader.snapshot()


def test_keys_that_are_not_accepted_end_the_session() -> None:
    """In one line, without them."""
    with market(100.0) as sandbox, Trader(sandbox, secret="WRONG") as trader:
        with pytest.raises(AuthenticationError, match="check APCA_API_KEY_ID") as caught:
            trader.listen()
        assert "WRONG" not in str(caught.value)


def test_a_strangers_order_changes_nothing() -> None:
    """Its news are counted, and nobody is told of them."""
    with trading(100.0, 100.0) as trader:
        trader.rest.ask("POST", "/v2/orders", json={
            "symbol": "SPY", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"})  # fmt: skip
        trader.play()
        assert not [each for each in trader.told if isinstance(each, OrderUpdate)]
        assert trader.heard.count == 2
