"""The desk over real sockets: brackets and OCOs, Alpaca's own and ours; cancels and replacements."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from desk_session import Trader
from desk_tape import bracket, spy, trading
from tape import OPEN

from framework.model import GroupKind, OrderStatus, OrderType, TimeInForce

S = OrderStatus
BRACKET, OTO, OCO = GroupKind.BRACKET, GroupKind.OTO, GroupKind.OCO
ENTRY, STOP, LIMIT = "run-1-1", "run-1-2", "run-1-3"


def ends(trader: Trader, *names: str) -> list[OrderStatus]:
    """Return the last status of each order."""
    return [trader.last(each).status for each in names or (ENTRY, STOP, LIMIT)]


def bought(trader: Trader, quantity: float = 10) -> None:
    trader.submit(spy("run-1-9", quantity=quantity))
    trader.play()


@pytest.mark.parametrize(
    ("price", "told"), [(111.0, [S.FILLED, S.CANCELED, S.FILLED]), (94.0, [S.FILLED, S.FILLED, S.CANCELED])]
)
def test_a_bracket_of_alpacas_own(price: float, told: list[OrderStatus]) -> None:
    """One POST; the exit that the price reaches fills, the other is cancelled."""
    with trading(100.0, 100.0, 100.0, price) as trader:
        trader.submit(*bracket(), kind=BRACKET)
        trader.play(3)
        assert (ends(trader), trader.made) == (told, 1)
        trader.check()


@pytest.mark.parametrize("price", [111.0, 94.0])
def test_a_bracket_of_ours(price: float) -> None:
    """A stop entry is none of Alpaca's brackets: it goes alone, and when it has filled its exits go as an OCO."""
    with trading(100.0, 100.0, 103.0, 103.0, price, price) as trader:
        trader.submit(*bracket(stop_price=102.0), kind=BRACKET)
        trader.play()
        assert (trader.made, trader.statuses(STOP)) == (1, [])
        trader.play(4)
        assert ends(trader) == ([S.FILLED, S.CANCELED, S.FILLED] if price > 110 else [S.FILLED, S.FILLED, S.CANCELED])
        assert (trader.made, trader.rest.get("/v2/positions")) == (2, [])
        assert any("kept here" in each for each in trader.remarks)
        trader.check()


def test_the_exits_of_our_bracket_are_for_what_its_entry_has_filled() -> None:
    """An entry that fills in part and is then cancelled has exits that close just that."""
    with trading(*[100.0] * 8, 111.0, partial=1.0) as trader:
        entry, *exits = bracket(stop_price=99.5, limit_price=200.0, quantity=16, time_in_force=TimeInForce.DAY)
        trader.submit(entry, *exits, kind=BRACKET)
        while not trader.filled():
            trader.play()
        filled = trader.filled()
        trader.cancel(ENTRY)
        assert 0 < filled < 16
        assert float(trader.shown(LIMIT)["qty"]) == min(filled, 10)


def test_the_exits_of_our_bracket_end_with_an_entry_that_fills_nothing() -> None:
    """Cancelled: nothing of them was sent."""
    with trading(100.0, 100.0) as trader:
        trader.submit(*bracket(stop_price=102.0), kind=BRACKET)
        trader.cancel(ENTRY)
        assert (ends(trader), trader.made) == ([S.CANCELED] * 3, 1)
        assert trader.last(STOP).reason == "its entry has ended unfilled"


def test_an_exit_of_our_bracket_that_is_cancelled_takes_all_of_it() -> None:
    """As Backtrader's broker does, whichever of its orders is asked for."""
    with trading(100.0, 100.0) as trader:
        trader.submit(*bracket(stop_price=102.0), kind=BRACKET)
        trader.cancel(LIMIT)
        assert (ends(trader), trader.made) == ([S.CANCELED] * 3, 1)


@pytest.mark.parametrize("name", [ENTRY, STOP, LIMIT])
def test_a_bracket_of_alpacas_is_cancelled_whole(name: str) -> None:
    """The venue's own news tell of the others."""
    with trading(100.0, 100.0) as trader:
        trader.submit(*bracket(limit_price=90.0, loss=80.0), kind=BRACKET)
        trader.cancel(name)
        trader.play()
        assert trader.last(name).status is S.CANCELED
        trader.check()


def test_an_entry_with_one_exit_is_one_post() -> None:
    """An OTO."""
    with trading(100.0, 100.0, 100.0, 94.0) as trader:
        trader.submit(*bracket()[:2], kind=OTO)
        trader.play(3)
        assert (ends(trader, ENTRY, STOP), trader.made) == ([S.FILLED, S.FILLED], 1)


def test_an_exit_that_trails_is_sent_when_its_entry_has_filled() -> None:
    """Alpaca's trailing stop is a simple order."""
    trailing = spy(STOP, "sell", order_type=OrderType.TRAILING_STOP, trail_amount=2.0)
    with trading(100.0, 100.0, 104.0, 101.0) as trader:
        trader.submit(bracket()[0], trailing, kind=OTO)
        trader.play(3)
        assert (ends(trader, ENTRY, STOP), trader.made) == ([S.FILLED, S.FILLED], 2)


@pytest.mark.parametrize("price", [111.0, 94.0])
def test_two_exits_of_a_position_are_alpacas_own_pair(price: float) -> None:
    """One POST; one fills, the other is cancelled."""
    with trading(100.0, 100.0, price) as trader:
        bought(trader)
        trader.submit(*bracket()[1:], kind=OCO, position=10)
        trader.play()
        assert sorted(each.value for each in ends(trader, STOP, LIMIT)) == ["canceled", "filled"]
        assert trader.made == 2
        trader.check()


def test_two_orders_that_open_are_a_pair_of_ours() -> None:
    """Two POSTs; when one has filled the other is cancelled from here."""
    with trading(100.0, 100.0, 103.0, 103.0) as trader:
        trader.submit(spy(STOP, stop_price=102.0), spy(LIMIT, limit_price=95.0), kind=OCO)
        trader.play(2)
        assert (ends(trader, STOP, LIMIT), trader.made) == ([S.FILLED, S.CANCELED], 2)
        assert "it is kept here" in trader.remarks[0]
        trader.check()


def test_one_of_our_pair_that_is_cancelled_takes_the_other() -> None:
    """As Backtrader's broker does."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy(STOP, stop_price=102.0), spy(LIMIT, limit_price=95.0), kind=OCO)
        trader.cancel(STOP)
        assert ends(trader, STOP, LIMIT) == [S.CANCELED, S.CANCELED]


def test_one_of_our_pair_that_is_refused_takes_the_other() -> None:
    """What cannot be protected is not left half done."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy(STOP, stop_price=99.0), spy(LIMIT, limit_price=95.0), kind=OCO)
        assert ends(trader, STOP, LIMIT) == [S.REJECTED, S.CANCELED]
        trader.check()


def test_an_entry_that_is_to_end_sooner_than_its_exits_is_ended_by_us() -> None:
    """Alpaca keeps all of a bracket equally long."""
    entry, stop, profit = bracket(limit_price=90.0, loss=80.0, time_in_force=TimeInForce.GTD,
                                  expires_at=OPEN + timedelta(minutes=3))  # fmt: skip
    with trading(*[100.0] * 6) as trader:
        trader.submit(entry, stop, profit, kind=BRACKET)
        assert any("equally long" in each for each in trader.remarks)
        trader.play(4)
        assert trader.last(ENTRY).status is S.EXPIRED
        assert ends(trader, STOP, LIMIT) == [S.CANCELED, S.CANCELED]


def test_a_cancel_while_the_post_is_on_its_way_is_done_when_it_has_arrived() -> None:
    """Its id at the venue is not known before."""
    with trading(100.0, 100.0) as trader:
        sending = trader.begin(spy(limit_price=90.0))
        trader.cancel("run-1-1")
        trader.end(sending)
        assert (trader.last().status, trader.shown("run-1-1")["status"]) == (S.CANCELED, "canceled")
        assert trader.made == 1


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    """It has filled: the answer says so, and nothing is told twice."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy())
        trader.play()
        before = list(trader.told)
        trader.cancel("run-1-1")
        assert trader.told == before


def test_an_order_in_the_place_of_another_stays_the_same_for_its_owner() -> None:
    """Its id at the venue is another; its news say which it replaces."""
    with trading(100.0, 100.0, 98.0) as trader:
        trader.submit(spy(limit_price=90.0))
        first = trader.last().venue_order_id
        trader.replace("run-1-1", spy("run-1-1.1", limit_price=99.0, quantity=12))
        assert (trader.last().status, trader.last().replaces) == (S.NEW, first)
        trader.play(2)
        assert (trader.last().status, trader.filled()) == (S.FILLED, 12)
        trader.check()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"limit_price": 99.999}, "sub-penny"),
        ({"quantity": None, "notional": 500.0}, "amount of money"),
        ({"limit_price": -1.0}, "above zero"),
    ],
)
def test_a_change_that_cannot_be_leaves_the_order_as_it_is(change: Any, why: str) -> None:
    """A remark says why."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy(limit_price=90.0))
        trader.replace("run-1-1", spy("run-1-1.1", **{"limit_price": 95.0, **change}))
        assert why in trader.remarks[-1]
        assert trader.shown("run-1-1")["limit_price"] == "90"
        assert trader.statuses() == [S.NEW]


@pytest.mark.parametrize("plays", [0, 1])
def test_what_is_not_there_or_over_is_not_replaced(plays: int) -> None:
    """Nothing is sent."""
    with trading(100.0, 100.0) as trader:
        if plays:
            trader.submit(spy())
            trader.play()
        trader.replace("run-1-1", spy("run-1-1.1"))
        assert ("it is filled" if plays else "does not have it yet") in trader.remarks[-1]


def test_an_order_cancelled_by_hand_at_the_broker_is_told() -> None:
    """It is news of an order like any other."""
    with trading(100.0, 100.0) as trader:
        trader.submit(spy(limit_price=90.0))
        trader.rest.ask("DELETE", f"/v2/orders/{trader.last().venue_order_id}")
        trader.settle()
        assert trader.statuses() == [S.NEW, S.CANCELED]
