"""The simulated broker under a venue's rules."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Literal

import backtrader as bt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape import Tape

from brokers import AlpacaVenue
from feeds import SampleBars
from framework import run
from framework.engine.ruled import round_price, round_size
from framework.result import Result
from strategies.scalper import SmaCrossScalper

prices = st.floats(0.0002, 100_000)
ticks = st.sampled_from([0.01, 0.0001, 0.05, 0.25, 1.0])


@given(prices, ticks, st.booleans())
def test_a_rounded_price_is_on_the_grid_and_never_beyond_what_was_asked(price: float, tick: float, down: bool) -> None:
    """A price moves by less than a tick, and only the safe way."""
    rounded = round_price(price, tick, down=down)
    assert math.isclose(rounded / tick, round(rounded / tick), abs_tol=1e-6)
    assert abs(rounded - price) < tick
    slack = 2e-6 * tick
    assert rounded <= price + slack if down else rounded >= price - slack


@given(prices, ticks, st.booleans())
def test_a_price_on_the_grid_stays(price: float, tick: float, down: bool) -> None:
    """Rounding again changes nothing: what a float cannot hold exactly is no reason to move a tick."""
    once = round_price(price, tick, down=down)
    assert round_price(once, tick, down=down) == once == round_price(once, tick, down=not down)


@given(st.floats(0, 1e6), st.sampled_from([1, 0.1, 1e-9, 100]))
def test_a_size_is_rounded_down(size: float, lot: float) -> None:
    """Never more is sent than was asked for, nor a whole step less."""
    rounded = round_size(size, lot)
    assert 0 <= rounded <= size * (1 + 1e-9) + 1e-9
    assert size - rounded < lot * 1.01 + 1e-9


@given(st.integers(1, 10**7))
def test_whole_shares_are_on_a_grid_of_billionths(shares: int) -> None:
    """496 shares stay 496, though 496 / 1e-9 is no whole number in floating point."""
    assert round_size(shares, 1e-9) == shares


def test_a_whole_size_stays_an_integer() -> None:
    """Ten shares are 10, not 10.0; a short side keeps its sign."""
    assert repr(round_size(10, 1e-9)) == "10"
    assert round_size(-2.5, 1) == -2


class Sends(bt.Strategy):
    """Calls each of `orders` (method, keywords) in turn, one a bar."""

    params = (("orders", ()),)

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def next(self) -> None:
        if len(self) <= len(self.p.orders):
            method, keywords = self.p.orders[len(self) - 1]
            getattr(self, method)(**keywords)

    def notify_order(self, order: Any) -> None:
        if order.status == order.Rejected:
            self.reasons.append(order.info.reason)


def sent(*orders: tuple[str, dict[str, Any]], venue: Any = None, price: float = 100.0) -> Result:
    tape = Tape({"XYZ": [price] * 6})
    return run(Sends, source=tape, venue=venue or AlpacaVenue(), orders=orders)


LIMIT, STOP, STOP_LIMIT = bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit


def test_a_limit_is_rounded_away_from_the_market() -> None:
    """A buy's limit goes down to the cent, a sell's up."""
    result = sent(
        ("buy", {"exectype": LIMIT, "price": 98.129, "size": 1}),
        ("sell", {"exectype": LIMIT, "price": 102.121, "size": 1}),
    )
    assert result.orders["price"].tolist() == [98.12, 102.13]


def test_a_stop_is_rounded_so_that_it_triggers_no_earlier() -> None:
    """A buy's stop goes up, a sell's down, and their limits away from the market."""
    result = sent(
        ("buy", {"exectype": STOP_LIMIT, "price": 102.121, "plimit": 103.009, "size": 1}),
        ("sell", {"exectype": STOP, "price": 98.129, "size": 1}),
    )
    assert result.orders["price"].tolist() == [102.13, 98.12]
    assert result.orders["limit_price"].tolist()[0] == 103.0


def test_below_a_dollar_the_tick_is_a_hundredth_of_a_cent() -> None:
    """Alpaca takes four decimals there."""
    result = sent(("buy", {"exectype": LIMIT, "price": 0.98127, "size": 10}), price=0.99)
    assert result.orders["price"].tolist() == [0.9812]


@pytest.mark.parametrize(
    ("orders", "reason"),
    [
        ([("buy", {"size": 1}), ("sell", {"size": 2})], "insufficient qty available"),
        ([("sell", {"size": 0.5})], "cannot be sold short"),
        ([("buy", {"size": 0.001})], "cost basis must be >= minimal amount of order 1"),
        ([("buy", {"size": 1e-10})], "the size is below the smallest step"),
    ],
)
def test_what_the_venue_would_refuse_is_rejected_with_its_reason(
    orders: list[tuple[str, dict[str, Any]]], reason: str
) -> None:
    """The strategy hears Rejected, and why."""
    result = sent(*orders)
    assert reason in result.strategy.reasons[0]
    assert reason in result.orders["reason"].iloc[-1]
    assert len(result.fills) == len(orders) - 1


def test_without_a_venue_nothing_is_rounded_or_refused() -> None:
    """`venue=None` is stock Backtrader."""
    tape = Tape({"XYZ": [100.0] * 6})
    result = run(Sends, source=tape, orders=[("sell", {"size": 0.5}), ("buy", {"size": 3, "price": 98.129})])
    assert result.orders["status"].tolist() == ["Completed", "Completed"]


def test_a_refused_entry_takes_its_whole_bracket_with_it() -> None:
    """Half a share is not sold short: no exit is left behind at the broker."""
    result = sent(("sell_bracket", {"size": 0.5, "price": 101.0, "stopprice": 105.0, "limitprice": 95.0}))
    assert result.orders["status"].tolist() == ["Rejected"] * 3
    assert result.strategy.broker.get_orders_open() == []


def test_a_bracket_of_a_fraction_is_taken() -> None:
    """Live it is sent piece by piece."""
    result = sent(("buy_bracket", {"size": 0.5, "price": 101.0, "stopprice": 95.0, "limitprice": 105.0}))
    assert "Rejected" not in result.orders["status"].tolist()


def test_crypto_has_rules_of_its_own() -> None:
    """No short sales and no trailing stops; a fraction of a coin is fine."""
    tape = Tape({"BTC/USD": [100.0] * 6}, calendar="24/7")
    orders = [
        ("sell", {"size": 1}),
        ("buy", {"size": 0.25}),
        ("sell", {"size": 0.25, "exectype": bt.Order.StopTrail, "trailamount": 1}),
    ]
    result = run(Sends, source=tape, venue=AlpacaVenue(), orders=orders)
    assert result.orders["status"].tolist() == ["Rejected", "Completed", "Rejected"]
    assert "insufficient balance" in result.strategy.reasons[0]
    assert "invalid order type" in result.strategy.reasons[1]


def test_a_good_till_date_order_keeps_its_date() -> None:
    """`valid` survives the rules: the order expires as in stock."""
    result = sent(("buy", {"exectype": LIMIT, "price": 50.0, "size": 1, "valid": timedelta(minutes=2)}))
    assert result.orders["status"].tolist() == ["Expired"]


@pytest.mark.parametrize(
    ("orders", "reason"),
    [
        ([("buy", {"exectype": STOP, "price": 99.0, "size": 1})], "stop price must be greater"),
        ([("buy", {"size": 1}), ("sell", {"exectype": LIMIT, "price": 120.0}), ("close", {})], "available: 0"),
        ([("buy", {"exectype": LIMIT, "price": 90.0}), ("sell", {"exectype": STOP, "price": 80.0})], "wash trade"),
    ],
)
def test_what_the_venue_would_refuse_as_things_stand_is_rejected(
    orders: list[tuple[str, dict[str, Any]]], reason: str
) -> None:
    """By the market, the shares that are spoken for, and the orders that rest."""
    result = sent(*orders)
    assert reason in result.strategy.reasons[0]
    assert result.orders["status"].tolist()[-1] == "Rejected"


def test_exits_that_cancel_each_other_do_not_stand_in_each_others_way() -> None:
    """Each closes the position, and so does the bracket's pair."""
    exits = {"size": 1, "price": 100.0, "stopprice": 95.0, "limitprice": 105.0}
    result = sent(("buy_bracket", {**exits, "exectype": bt.Order.Market}))
    assert result.orders["status"].tolist() == ["Completed", "Accepted", "Accepted"]


OVER_NIGHT = [100.0] * 2 + [None] * (390 - 2 - 2) + [100.0] * 2 + [None] * (24 * 60 - 390) + [50.0] * 3


@pytest.mark.parametrize("engine", ["lean", "stock"])
@pytest.mark.parametrize("valid", [0, bt.Order.DAY])
def test_an_order_for_the_day_ends_with_the_session(valid: Any, engine: Literal["lean", "stock"]) -> None:
    """Told with the bar at the close, not with the next day's first: in both loops, and by both of its names."""
    tape, bid = Tape({"XYZ": OVER_NIGHT}), {"exectype": LIMIT, "price": 60.0, "size": 1, "valid": valid}
    result = run(Sends, source=tape, venue=AlpacaVenue(), orders=[("buy", bid)], engine=engine)
    assert result.orders["status"].tolist() == ["Expired"]
    assert result.orders["finished"].iloc[0] == result.orders["valid"].iloc[0]
    assert f"{result.orders['finished'].iloc[0]:%H:%M}" == "21:00"


def test_a_fraction_of_a_share_ends_with_the_session() -> None:
    """Alpaca takes it for the day, though it was to last."""
    tape, bid = Tape({"XYZ": OVER_NIGHT}), {"exectype": LIMIT, "price": 60.0, "size": 0.5}
    result = run(Sends, source=tape, venue=AlpacaVenue(), orders=[("buy", bid)])
    assert result.orders["status"].tolist() == ["Expired"]


def test_an_order_ends_in_time_though_its_symbol_has_no_bar() -> None:
    """Another symbol's bar tells that its time is over: it is not there any more when its own comes."""
    prices = {"XYZ": [100.0, 100.0, None, None, 100.0], "ABC": [100.0] * 5}
    bid = {"exectype": LIMIT, "price": 90.0, "size": 1, "valid": timedelta(seconds=90)}
    result = run(Sends, source=Tape(prices), venue=AlpacaVenue(), orders=[("buy", bid)], analyzers=[Heard])
    assert result.strategy.analyzers.heard.rows == [("Submitted", 2), ("Accepted", 2), ("Expired", 3)]


class Heard(bt.Analyzer):
    """What is told of orders, and at how many bars."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []

    def notify_order(self, order: Any) -> None:
        self.rows.append((order.getstatusname(), len(self.strategy.datas[1])))


def test_an_exit_is_not_tried_on_the_bar_that_filled_its_entry() -> None:
    """Not even when another symbol has the next bar: the high of 110 came before anything was bought."""
    prices = {"XYZ": [100.0, (100.0, 110.0, 100.0, 100.0), None, 100.0], "ABC": [100.0] * 4}
    bracket = {"size": 1, "exectype": bt.Order.Market, "stopprice": 95.0, "limitprice": 105.0}
    result = run(Sends, source=Tape(prices), venue=AlpacaVenue(), orders=[("buy_bracket", bracket)])
    assert result.orders["status"].tolist() == ["Completed", "Accepted", "Accepted"]


def test_rules_are_the_same_on_both_engines() -> None:
    """The lean engine keeps to a venue's rules as stock's loop does, over two symbols with holes."""
    source = SampleBars(["ACME", "GLOBEX"], "2026-09-01", "2026-09-02")
    ours, stock = (run(SmaCrossScalper, source=source, venue=AlpacaVenue(), engine=engine) for engine in ENGINES)
    assert (ours.engine, stock.engine) == ("lean", "stock: asked for")
    assert ours.fills.drop(columns="ref").equals(stock.fills.drop(columns="ref"))
    assert ours.equity.equals(stock.equity)
    assert len(ours.fills) > 20


ENGINES = ("lean", "stock")
