"""Whether an order may leave: every limit with what just passes it, what just does not, and the exit that does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from framework.live.judging import Open, Standing, change_refusal, farthest, refusal
from framework.live.limits import Limits
from framework.model import OrderRequest, OrderType, Side

BUY, SELL = Side.BUY, Side.SELL


def order(
    side: Side, quantity: float | None, limit: float | None = None, stop: float | None = None, **more: Any
) -> Any:
    kinds = {(False, False): "market", (True, False): "limit", (False, True): "stop", (True, True): "stop_limit"}
    kind = OrderType(kinds[limit is not None, stop is not None])
    return OrderRequest("", "SPY", side, kind, quantity, limit_price=limit, stop_price=stop, **more)


FLAT, HELD = Standing(0.0, 100.0), Standing(10.0, 100.0)
EXIT = order(SELL, 10)

TABLE = [
    (Limits(order_value=1_000), FLAT, order(BUY, 10), order(BUY, 10.01), EXIT,
     "limit order_value: this order is worth 1,001, 1,000 is allowed"),
    (Limits(order_value=1_000), FLAT, order(BUY, 9, 110), order(BUY, 9.1, 110), EXIT,
     "limit order_value: this order is worth 1,001, 1,000 is allowed"),
    (Limits(order_value=1_000), FLAT, order(SELL, 12, stop=80), order(SELL, 13, stop=80), EXIT,
     "limit order_value: this order is worth 1,040, 1,000 is allowed"),
    (Limits(order_value=999), FLAT, order(BUY, None, notional=999), order(BUY, None, notional=1_000), EXIT,
     "limit order_value: this order is worth 1,000, 999 is allowed"),
    (Limits(position_value=1_000), FLAT, order(SELL, 10), order(SELL, 11), EXIT,
     "limit position_value: with this and what is open the position in SPY may be worth 1,100, 1,000 is allowed"),
    (Limits(position_value=2_000), replace(HELD, open=(Open(BUY, 5),)), order(BUY, 5), order(BUY, 6), EXIT,
     "limit position_value: with this and what is open the position in SPY may be worth 2,100, 2,000 is allowed"),
    (Limits(position_value=1_000), HELD, order(SELL, 20), order(SELL, 21), EXIT,
     "limit position_value: with this and what is open the position in SPY may be worth 1,100, 1,000 is allowed"),
    (Limits(position_value=1_200), FLAT, order(BUY, 10, stop=120), order(BUY, 11, stop=120), EXIT,
     "limit position_value: with this and what is open the position in SPY may be worth 1,320, 1,200 is allowed"),
    (Limits(collar=0.05), FLAT, order(BUY, 1, 105), order(BUY, 1, 105.01), order(SELL, 10, 95),
     "limit collar: buy at 105.01, 105 at most is allowed (5 % from 100)"),
    (Limits(collar=0.05), FLAT, order(SELL, 1, 95), order(SELL, 1, 94.99), order(SELL, 10, 200),
     "limit collar: sell at 94.99, 95 at least is allowed (5 % from 100)"),
    (Limits(collar=0.05), FLAT, order(BUY, 1, 126, stop=120), order(BUY, 1, 126.1, stop=120),
     order(SELL, 9, 76, stop=80), "limit collar: buy at 126.1, 126 at most is allowed (5 % from 120)"),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "now", "passes", "fails", "leaves", "why"), TABLE)
def test_an_order_by_what_it_asks_for(
    limits: Limits, now: Standing, passes: Any, fails: Any, leaves: Any, why: str
) -> None:
    """At the limit it passes, a little beyond it does not, and an exit passes."""
    assert refusal(limits, passes, now) == ""
    assert refusal(limits, fails, now) == why
    assert refusal(limits, leaves, HELD) == ""


STANDINGS = [
    (Limits(open_orders=2), {"orders": 1}, {"orders": 2}, "limit open_orders: 3 orders would be open, 2 are allowed"),
    (Limits(orders_per_minute=2), {"sent": 1}, {"sent": 2},
     "limit orders_per_minute: 3 orders would be sent within 60 s, 2 are allowed"),
    (Limits(daily_loss=500), {"loss": 499.99}, {"loss": 500.0},
     "limit daily_loss: 500 was lost today, 500 is allowed; no position is opened before the next trading day"),
    (Limits(symbols=("SPY", "IBM")), {}, None, "limit symbols: SPX was asked for, only SPY, IBM may be traded"),
    (Limits(), {"age": 0.0}, {"age": 31.0},
     "limit stale: the prices are 31 s old, no position is opened on stale data"),
    (Limits(), {"halted": None}, {"halted": "news"}, "SPY is halted at its exchange (news); exits and cancels pass"),
    (Limits(), {"halted": None}, {"halted": ""}, "SPY is halted at its exchange (); exits and cancels pass"),
    (Limits(), {"barred": ""}, {"barred": "halted by hand"}, "halted by hand"),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "passes", "fails", "why"), STANDINGS)
def test_an_entry_by_how_the_session_stands(limits: Limits, passes: Any, fails: Any, why: str) -> None:
    """The same order passes just before, and does not just after; an exit passes then too."""
    entry = order(BUY, 1) if fails is not None else replace(order(BUY, 1), symbol="SPX")
    leaves = EXIT if fails is not None else replace(EXIT, symbol="SPX")
    assert refusal(limits, order(BUY, 1), replace(HELD, **passes)) == ""
    assert refusal(limits, entry, replace(HELD, **(fails or {}))) == why
    assert refusal(limits, leaves, replace(HELD, **(fails or {}))) == ""


@pytest.mark.parametrize("held", [10.0, -10.0])
def test_an_exit_beyond_the_collar_is_a_typing_error_too(held: float) -> None:
    """The one limit that an exit meets."""
    side, price = (SELL, 94.0) if held > 0 else (BUY, 106.0)
    assert "limit collar" in refusal(Limits(collar=0.05), order(side, 10, price), Standing(held, 100.0))


def test_a_stop_and_a_close_pass_together_however_much_is_held() -> None:
    """A position that has grown beyond the limit can be left, its stop in place."""
    held = Standing(10.0, 500.0, open=(Open(SELL, 10),))
    assert refusal(Limits(position_value=1_000), EXIT, held) == ""


def test_many_exits_do_not_turn_the_position_round() -> None:
    """A third one that could open more than is held, and more than is allowed, stays; it passes within the limit."""
    held = Standing(10.0, 100.0, open=(Open(SELL, 10), Open(SELL, 10)))
    why = "limit position_value: with the exits that are open the position in SPY may turn to -20, worth 2,000, 1,900"
    assert refusal(Limits(position_value=1_900), EXIT, held).startswith(why)
    assert refusal(Limits(position_value=2_000), EXIT, held) == ""


def test_exits_that_are_ending_or_are_a_pair_leave_room_for_another() -> None:
    """What is being cancelled counts no more; a pair has left what neither has filled."""
    ending = Standing(10.0, 500.0, open=(Open(SELL, 10, is_ending=True), Open(SELL, 10)))
    pair = Standing(6.0, 500.0, open=(Open(SELL, 6, 4, pair=7), Open(SELL, 10, 0, pair=7)))
    assert refusal(Limits(position_value=1_000), EXIT, ending) == ""
    assert refusal(Limits(position_value=1_000), order(SELL, 6), pair) == ""


def test_a_pair_counts_once() -> None:
    """The larger of both, also where the other one is the order that is asked about."""
    pair = (Open(BUY, 3, pair=7), Open(BUY, 5, pair=7), Open(BUY, 2), Open(SELL, 9))
    assert farthest(BUY, 1.0, pair) == 8.0
    now = Standing(0.0, 100.0, open=(Open(BUY, 10, pair=7),), pair=7)
    assert refusal(Limits(position_value=1_000), order(BUY, 10), now) == ""


def test_a_pair_counts_twice_once_one_of_it_was_changed() -> None:
    """A venue that had shrunk it for what the other one filled may fill both now."""
    changed = Standing(0.0, 100.0, open=(Open(BUY, 6, pair=7, is_changed=True), Open(BUY, 6, pair=7)))
    assert refusal(Limits(position_value=1_300), order(BUY, 1), changed) == ""
    assert "worth 1,300, 1,200" in refusal(Limits(position_value=1_200), order(BUY, 1), changed)


def test_an_exit_that_waits_is_judged_by_its_entry() -> None:
    """Only how many orders there are, and its price, are its own; what is larger than the entry is an entry itself."""
    now = Standing(0.0, 100.0, orders=1, age=99.0, waits_for=10)
    assert refusal(Limits(open_orders=2, order_value=1), order(SELL, 10), now) == ""
    assert "limit open_orders" in refusal(Limits(open_orders=1), order(SELL, 10), now)
    assert "limit stale" in refusal(Limits(), order(SELL, 11), now)
    fresh = replace(now, position=4.0, entered=4, age=0.0)
    assert refusal(Limits(position_value=100), order(SELL, 11), fresh) == ""
    assert "worth 200, 199" in refusal(Limits(position_value=199), order(SELL, 12), fresh)


@pytest.mark.parametrize(
    ("was", "asked", "is_refused"),
    [
        (order(BUY, 10, 100), order(BUY, 10, 99), False),
        (order(BUY, 10, 100), order(BUY, 9, 100), False),
        (order(BUY, 10, 100), order(BUY, 11, 100), True),
        (order(BUY, 10, 100), order(BUY, 10, 101), True),
        (order(SELL, 10, 100), order(SELL, 10, 99), True),
        (order(BUY, 10, stop=110), order(BUY, 10, stop=105), True),
    ],
)
def test_a_change_for_more_or_dearer_is_judged_as_an_order(was: Any, asked: Any, is_refused: bool) -> None:
    """What makes an entry smaller or cheaper passes, whatever the limits are."""
    why = change_refusal(Limits(), [was], asked, replace(FLAT, barred="no"))
    assert why == ("no" if is_refused else "")


def test_a_change_of_an_exit_meets_the_collar_only() -> None:
    """Its stop is moved and its size is raised to what is held, on a day on which nothing may be opened."""
    limits, now = Limits(collar=0.05, order_value=1, daily_loss=1), replace(HELD, loss=9.0, age=99.0)
    assert change_refusal(limits, [order(SELL, 5, stop=90)], order(SELL, 10, stop=95), now) == ""
    assert "limit collar" in change_refusal(limits, [order(SELL, 5, 110)], order(SELL, 5, 90), now)


def test_a_price_that_is_no_number_opens_nothing() -> None:
    """Where nothing can be said of a value, it is beyond."""
    for limits in (Limits(order_value=1e9), Limits(position_value=1e9)):
        assert refusal(limits, order(BUY, 1), Standing(0.0, float("nan")))
