"""Groups of orders: what Alpaca takes as one, and what is kept here, never without a word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asked import CLOSE, NOW, bracket, order, planned, posted

from brokers.alpaca.groups import CancelOthers, Expire, Hold, SendAfter
from framework.errors import ConfigError, Unsupported
from framework.model import GroupKind, OrderGroup, OrderRequest, OrderStatus, OrderType, TimeInForce

BRACKET, OTO, OCO = GroupKind.BRACKET, GroupKind.OTO, GroupKind.OCO


def test_a_bracket_is_one_post_whatever_the_order_of_its_exits() -> None:
    """Backtrader's own has the stop first; the POST knows them as entry, take-profit, stop-loss."""
    post = posted(*bracket(), kind=BRACKET)
    assert post.body["order_class"] == "bracket"
    assert (post.body["take_profit"], post.body["stop_loss"]) == ({"limit_price": "110"}, {"stop_price": "95"})
    assert (post.body["limit_price"], post.client_order_id) == ("100", "run-1-1")
    assert [each.client_order_id for each in post.orders] == ["run-1-1", "run-1-3", "run-1-2"]


def test_a_stop_with_a_limit_keeps_it_in_a_bracket() -> None:
    """Both of its prices are in the stop-loss."""
    entry, _, profit = bracket()
    stop = order("run-1-2", "sell", stop_price=95.0, limit_price=94.0)
    body = posted(entry, stop, profit, kind=BRACKET).body
    assert body["stop_loss"] == {"stop_price": "95", "limit_price": "94"}


@pytest.mark.parametrize("kind", [BRACKET, OTO])
@pytest.mark.parametrize(("leg", "key"), [(1, "stop_loss"), (2, "take_profit")])
def test_one_exit_makes_an_oto(kind: GroupKind, leg: int, key: str) -> None:
    """A bracket with a single leg is refused (422); Alpaca's word for it is another."""
    body = posted(bracket()[0], bracket()[leg], kind=kind).body
    assert (body["order_class"], key in body, "take_profit" in body and "stop_loss" in body) == ("oto", True, False)


def test_two_exits_of_a_position_are_an_oco() -> None:
    """Its parent is the take-profit, and the limit has its place there only."""
    _, stop, profit = bracket()
    post = posted(stop, profit, kind=OCO, position=10)
    assert (post.body["order_class"], post.body["type"], post.body["side"]) == ("oco", "limit", "sell")
    assert (post.body["take_profit"], "limit_price" in post.body) == ({"limit_price": "110"}, False)
    assert post.client_order_id == "run-1-3"


@pytest.mark.parametrize("position", [0.0, -10.0])
def test_an_oco_of_free_orders_is_kept_here_and_says_so(position: float) -> None:
    """Alpaca's closes a position; another is two orders, and a duty to cancel one."""
    _, stop, profit = bracket()
    found = planned(stop, profit, kind=OCO, position=position)
    assert [each.body.get("order_class") for each in found.posts] == [None, None]
    assert found.duties == (CancelOthers(("run-1-2", "run-1-3")),)
    assert "close a position only" in found.remarks[0]


def held(*orders: OrderRequest, position: float = 10.0) -> tuple[list[str], list[str]]:
    """Return the client ids of what rests and of what is held."""
    found = planned(*orders, kind=OCO, position=position)
    (hold,) = (each for each in found.duties if isinstance(each, Hold))
    assert hold.resting in ("", *(each.client_order_id for each in found.posts))
    return [each.client_order_id for each in found.posts], [each.client_order_id for each in hold.orders]


def sale(name: str, **more: Any) -> OrderRequest:
    return order(name, "sell", **{"quantity": 2.5, **more})


TRAIL = {"order_type": OrderType.TRAILING_STOP, "trail_amount": 2.0}


@pytest.mark.parametrize(
    ("orders", "rests"),
    [
        ((sale("s", stop_price=95.0), sale("l", limit_price=110.0)), "l"),
        ((sale("s", stop_price=95.0), sale("f", limit_price=112.0), sale("n", limit_price=110.0)), "n"),
        ((sale("t", **TRAIL), sale("s", stop_price=95.0)), "s"),
        ((sale("c", order_type=OrderType.MARKET_ON_CLOSE), sale("l", limit_price=110.0)), "l"),
        ((sale("t", symbol="BTC/USD", **TRAIL), sale("s", symbol="BTC/USD", stop_price=95.0)), ""),
    ],
)
def test_one_exit_of_a_position_rests_and_the_others_are_held(orders: Any, rests: str) -> None:
    """Alpaca refuses a second: the limit that is reached first rests, or a stop where there is no limit."""
    others = [each.client_order_id for each in orders if each.client_order_id != rests]
    assert held(*orders) == ([rests] if rests else [], others)


def test_the_nearer_limit_of_what_is_bought_back_is_the_higher() -> None:
    """The price comes down to it first."""
    orders = order("a", limit_price=90.0, quantity=2.5), order("b", limit_price=92.0, quantity=2.5)
    assert held(*orders, position=-2.5) == (["b"], ["a"])


def test_which_exits_are_held_is_said() -> None:
    """And that they end with the process."""
    found = planned(sale("s", stop_price=95.0), sale("l", limit_price=110.0), kind=OCO, position=2.5)
    assert any("the stop (s) is followed here and ends with this process" in each for each in found.remarks)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"quantity": None, "notional": 500.0, "stop_price": 95.0}, "not for an amount of money"),
        ({"order_type": OrderType.STOP}, "without its stop_price"),
        ({"order_type": OrderType.STOP_LIMIT, "stop_price": 95.0}, "without its limit_price"),
        ({"order_type": OrderType.TRAILING_STOP}, "without a trail"),
    ],
)
def test_what_cannot_be_held_is_refused_at_once(more: Any, why: str) -> None:
    """Not when the price has come to it."""
    with pytest.raises((Unsupported, ConfigError), match=why):
        planned(sale("s", **more), sale("l", limit_price=110.0), kind=OCO, position=2.5)


def test_an_exit_that_cannot_be_held_is_refused_before_the_entry_is_sent() -> None:
    """Afterwards it would leave a position without an exit."""
    coin = {"symbol": "BTC/USD"}
    exits = sale("s", order_type=OrderType.MARKET_ON_CLOSE, **coin), sale("l", limit_price=110.0, **coin)
    with pytest.raises(Unsupported, match="crypto has no close"):
        planned(order(symbol="BTC/USD"), *exits, kind=BRACKET)


def test_an_order_that_alpaca_keeps_beyond_its_end_is_said() -> None:
    """A crypto order for the day rests until it is cancelled: it lives on where we do not."""
    found = planned(order(symbol="BTC/USD", limit_price=90.0, time_in_force=TimeInForce.DAY))
    assert found.duties == (Expire("run-1-1", CLOSE),)
    assert "where this process has ended before, it goes on" in found.remarks[0]


def entry(**more: Any) -> tuple[Any, ...]:
    return (replace(bracket()[0], **more), *bracket()[1:])


@pytest.mark.parametrize(
    ("orders", "why"),
    [
        (bracket(quantity=2.5), "whole shares only"),
        (bracket(symbol="BTC/USD"), "none for crypto"),
        (entry(order_type=OrderType.STOP, stop_price=100.0), "its entry is a stop order"),
        (entry(quantity=20.0), "one size of one symbol"),
        (entry(time_in_force=TimeInForce.IOC), "for the day or gtc only"),
        (entry(extended_hours=True, time_in_force=TimeInForce.DAY), "none in extended hours"),
        ((*bracket()[:2], order("run-1-3", "sell", stop_price=90.0)), "not one limit and one stop"),
        ((*bracket()[:2], order("run-1-3", limit_price=90.0)), "on the side of its entry"),
        ((*bracket(), order("run-1-4", "sell", limit_price=120.0)), "not one limit and one stop"),
    ],
)
def test_a_bracket_that_alpaca_has_not_is_kept_here_and_says_so(orders: Any, why: str) -> None:
    """The entry goes alone, its exits when it has filled."""
    found = planned(*orders, kind=BRACKET)
    assert [each.client_order_id for each in found.posts] == ["run-1-1"]
    assert SendAfter("run-1-1", OrderGroup(tuple(orders[1:]), OCO)) in found.duties
    assert any(why in each and "ends with this process" in each for each in found.remarks)


def test_an_entry_with_an_exit_that_trails_sends_it_afterwards() -> None:
    """Alpaca's trailing stop is a simple order."""
    trailing = order("run-1-2", "sell", order_type=OrderType.TRAILING_STOP, trail_percent=0.05)
    found = planned(bracket()[0], trailing, kind=OTO)
    assert found.duties == (SendAfter("run-1-1", OrderGroup((trailing,), GroupKind.LIST)),)


def test_a_group_lasts_as_long_as_its_longest_order_and_we_end_the_others() -> None:
    """An entry for the day with exits until cancelled: the exits must not die with the day."""
    first, *exits = bracket()
    found = planned(replace(first, time_in_force=TimeInForce.DAY), *exits, kind=BRACKET)
    assert found.posts[0].body["time_in_force"] == "gtc"
    assert found.duties == (Expire("run-1-1", CLOSE),)
    assert "equally long" in found.remarks[0]


def test_a_group_for_the_day_is_for_the_day() -> None:
    """Nothing is left for us, and nothing needs saying."""
    found = planned(*bracket(time_in_force=TimeInForce.DAY), kind=BRACKET)
    assert (found.posts[0].body["time_in_force"], found.duties, found.remarks) == ("day", (), ())


def test_a_bracket_whose_entry_is_over_is_over_whole() -> None:
    """No exit without its entry."""
    found = planned(*bracket(time_in_force=TimeInForce.GTD, expires_at=NOW - timedelta(1)), kind=BRACKET)
    assert [each.status for each in found.decided] == [OrderStatus.EXPIRED] * 3
    assert found.posts == ()


def test_a_list_is_its_orders_one_by_one() -> None:
    """Each has a POST of its own, in their order."""
    found = planned(order("run-1-1"), order("run-1-2", "sell", stop_price=90.0))
    assert [each.client_order_id for each in found.posts] == ["run-1-1", "run-1-2"]
