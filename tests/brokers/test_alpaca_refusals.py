"""What Alpaca's sandbox refuses: the status, the code and the words of its reference."""

from __future__ import annotations

from typing import Any

import pytest
from venue import Venue, bracket, limits

from brokers.alpaca.refusals import Refusal
from brokers.alpaca.settings import Settings

WRONG: list[tuple[dict[str, Any], int, int, str]] = [
    ({"notional": "100"}, 400, 40010001, "exactly one of qty or notional"),
    ({"qty": None}, 400, 40010001, "exactly one of qty or notional"),
    ({"qty": "ten"}, 400, 40010001, "qty is not a number"),
    ({"qty": "0"}, 422, 42210000, "qty must be > 0"),
    ({"symbol": "NOPE"}, 422, 42210000, 'asset "NOPE" not found'),
    ({"side": "long"}, 422, 42210000, "invalid side: long"),
    ({"type": "iceberg"}, 422, 42210000, "invalid type: iceberg"),
    ({"time_in_force": "gtd"}, 422, 42210000, "invalid time in force: gtd"),
    ({"client_order_id": "x" * 129}, 422, 42210000, "no more than 128"),
    ({"type": "limit"}, 422, 42210000, "limit orders require limit price"),
    (limits(100.001), 422, 42210000, "sub-penny increment"),
    (limits(0.12345, qty=1000), 422, 42210000, "sub-penny increment"),
    ({"extended_hours": True}, 422, 42210000, "extended hours order must be DAY limit orders"),
    ({"qty": "1.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be simple DAY orders"),
    ({"qty": "1.5", **bracket(105, 95)}, 422, 42210000, "fractional orders must be simple DAY orders"),
    ({"type": "stop", "stop_price": "99"}, 422, 42210000, "stop price must be greater than current price"),
    ({"type": "trailing_stop"}, 422, 42210000, "exactly one of trail_price or trail_percent"),
    ({"type": "trailing_stop", "trail_price": "1", "time_in_force": "ioc"}, 422, 42210000, "simple DAY or GTC"),
    ({"order_class": "bracket", "take_profit": {"limit_price": "105"}}, 422, 42210000, "stop_loss.stop_price"),
    ({"order_class": "oto", **bracket(105, 95, "oto")}, 422, 42210000, "oto orders require exactly one"),
    (bracket(105, 95, time_in_force="ioc"), 422, 42210000, "bracket orders must be DAY or GTC"),
    (bracket(105, 100), 422, 42210000, "stop_loss.stop_price must be <= base_price - 0.01"),
    (bracket(100, 95), 422, 42210000, "take_profit.limit_price must be >= base_price + 0.01"),
    ({"take_profit": {"limit_price": "105"}}, 422, 42210000, "need an order_class"),
    ({"time_in_force": "opg"}, 422, 42210000, "opg orders must be sent before 09:28"),
    ({"side": "sell", "qty": "1.5"}, 422, 42210000, "fractional orders cannot be sold short"),
    ({"qty": "0.001"}, 403, 40310000, "cost basis must be >= minimal amount of order 1"),
]


@pytest.mark.parametrize(("order", "status", "code", "words"), WRONG)
def test_a_wrong_order_is_refused_in_alpacas_words(order: dict[str, Any], status: int, code: int, words: str) -> None:
    """Each rule answers with its HTTP status and code, and leaves no order behind."""
    venue = Venue()
    refusal = venue.refused(**order)
    assert (refusal.status, refusal.body["code"]) == (status, code)
    assert words in refusal.body["message"]
    assert not venue.book.entries


def test_insufficient_buying_power_tells_what_there_is() -> None:
    """The body's extras are strings; open orders have taken their part."""
    venue = Venue(settings=Settings(cash=1_000))
    venue.send(qty=10, **limits(99))
    refusal = venue.refused(qty=11, **limits(100))
    assert (refusal.status, refusal.body["message"]) == (403, "insufficient buying power")
    assert {key: refusal.body[key] for key in ("buying_power", "cost_basis", "symbol")} == {
        "buying_power": "1010", "cost_basis": "1100", "symbol": "XYZ",
    }  # fmt: skip


def test_insufficient_quantity_names_the_orders_that_hold_it() -> None:
    """Shares that an open sell order holds cannot be sold twice."""
    venue = Venue()
    venue.send(qty=10)
    venue.play()
    resting = venue.send("sell", qty=8, **limits(120))
    refusal = venue.refused("sell", qty=3)
    assert refusal.body["message"] == "insufficient qty available for order (requested: 3, available: 2)"
    assert (refusal.body["held_for_orders"], refusal.body["related_orders"]) == ("8", [resting["id"]])


def test_a_position_is_not_turned_in_one_order() -> None:
    """Selling more than is held is refused: Alpaca closes first."""
    venue = Venue()
    venue.send(qty=10)
    venue.play()
    assert "requested: 11, available: 10" in venue.refused("sell", qty=11).body["message"]


@pytest.mark.parametrize(
    ("resting", "then"),
    [(limits(95), {}), (limits(95), limits(94)), ({"type": "stop", "stop_price": "105"}, limits(90))],
)
def test_a_potential_wash_trade_is_refused(resting: dict[str, Any], then: dict[str, Any]) -> None:
    """An order that could meet one's own resting order of the other side is refused, with that order's id."""
    venue = Venue()
    venue.send("sell", qty=5)
    venue.play()
    own = venue.send(qty=5, **resting)
    refusal = venue.refused("sell", qty=5, **then)
    assert refusal.body["message"] == "potential wash trade detected. use complex orders"
    assert (refusal.status, refusal.body["existing_order_id"]) == (403, own["id"])


def test_limits_that_cannot_meet_are_no_wash_trade() -> None:
    """A sell limit above one's own buy limit is taken."""
    venue = Venue()
    venue.send("sell", qty=5)
    venue.play()
    venue.send(qty=5, **limits(95))
    assert venue.send("sell", qty=5, **limits(105))["status"] == "pending_new"


def test_client_order_ids_are_unique_for_ever() -> None:
    """A cancelled order's id cannot be used again."""
    venue = Venue()
    order = venue.send(client_order_id="mine", **limits(90))
    venue.book.cancel(order["id"], venue.now)
    refusal = venue.refused(client_order_id="mine")
    assert (refusal.status, refusal.body) == (422, {"code": 40010001, "message": "client_order_id must be unique"})


def test_what_has_ended_cannot_be_cancelled_or_replaced() -> None:
    """422, in words that name the status."""
    venue = Venue()
    order = venue.send()
    venue.play()
    for again in (venue.book.cancel, lambda each, at: venue.book.replace(each, {"qty": "5"}, at)):
        with pytest.raises(Refusal, match='"filled" state'):
            again(order["id"], venue.now)


@pytest.mark.parametrize(
    ("settings", "symbol_is"),
    [
        (Settings(hard_to_borrow=frozenset({"XYZ"})), 'asset "XYZ" cannot be sold short'),
        (Settings(multiplier=1), "account is not allowed to short"),
    ],
)
def test_short_sales_need_a_lender_and_an_account_for_it(settings: Settings, symbol_is: str) -> None:
    """What cannot be borrowed cannot be sold short; a cash account sells none."""
    assert Venue(settings=settings).refused("sell").body["message"] == symbol_is


def test_whole_shares_only_where_the_asset_says_so() -> None:
    """An asset that is not fractionable takes whole quantities."""
    venue = Venue(settings=Settings(whole_only=frozenset({"XYZ"})))
    assert venue.refused(qty="1.5").body["message"] == 'asset "XYZ" is not fractionable'
