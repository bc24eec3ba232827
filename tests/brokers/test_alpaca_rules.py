"""Alpaca's order rules, and the venue that carries them."""

from __future__ import annotations

import pytest

import brokers
from brokers import AlpacaVenue
from framework.model import OrderRequest, OrderType, Side
from framework.ports import Resting, Venue

RULES = AlpacaVenue().rules


def request(side: Side, quantity: float, symbol: str = "SPY", kind: OrderType = OrderType.MARKET) -> OrderRequest:
    return OrderRequest("id", symbol, side, kind, quantity=quantity)


def refusal(asked: OrderRequest, position: float = 0, price: float = 100.0, grouped: bool = False) -> str:
    return RULES.refusal(asked, position=position, price=price, grouped=grouped)


def test_a_venue_needs_no_keys_for_its_rules() -> None:
    """Paper is the default."""
    assert isinstance(AlpacaVenue(), Venue)
    assert repr(AlpacaVenue()) == "AlpacaVenue(paper=True)"
    assert brokers.__all__ == ["AlgogeneStore", "AlgogeneVenue", "AlpacaStore", "AlpacaVenue"]


def test_ticks_depend_on_the_price() -> None:
    """A cent from a dollar up, a hundredth of it below, nine decimals for crypto."""
    assert [RULES.tick("SPY", 1.0), RULES.tick("SPY", 0.9999), RULES.tick("BTC/USD", 60_000.0)] == [0.01, 0.0001, 1e-9]


@pytest.mark.parametrize(
    ("asked", "position"),
    [
        (request(Side.BUY, 0.5), 0),
        (request(Side.SELL, 0.5), 0.5),
        (request(Side.SELL, 10), 0),
        (request(Side.BUY, 10), -10),
        (request(Side.BUY, 0.1, "BTC/USD"), 0),
        (request(Side.SELL, 0.1, "BTC/USD", OrderType.STOP_LIMIT), 0.1),
    ],
)
def test_these_pass(asked: OrderRequest, position: float) -> None:
    """Fractions long, whole shares short, and what closes a position."""
    assert refusal(asked, position) == ""


@pytest.mark.parametrize(
    ("asked", "position", "reason"),
    [
        (request(Side.SELL, 11), 10, "requested: 11, available: 10"),
        (request(Side.BUY, 11), -10, "requested: 11, available: 10"),
        (request(Side.SELL, 0.5), 0, "cannot be sold short"),
        (request(Side.SELL, 0.2, "BTC/USD"), 0.1, "insufficient balance for BTC/USD"),
        (request(Side.BUY, 1, "BTC/USD", OrderType.TRAILING_STOP), 0, "invalid order type for crypto"),
    ],
)
def test_these_are_refused(asked: OrderRequest, position: float, reason: str) -> None:
    """A position is never turned in one order, and a fraction or a coin is never sold short."""
    assert reason in refusal(asked, position)


def test_an_order_that_opens_is_worth_a_dollar() -> None:
    """One that closes may be worth less."""
    assert "minimal amount" in refusal(request(Side.BUY, 0.005))
    assert refusal(request(Side.SELL, 0.005), position=0.005) == ""


@pytest.mark.parametrize(
    "exit_",
    [request(Side.SELL, 1.5), request(Side.SELL, 0.1, "BTC/USD"), request(Side.SELL, 1, "BTC/USD", OrderType.STOP)],
)
def test_an_exit_that_waits_for_its_entry_is_not_refused(exit_: OrderRequest) -> None:
    """What it closes is not there yet, and what Alpaca does not take as a bracket is sent piece by piece."""
    assert refusal(exit_) != ""
    assert refusal(exit_, grouped=True) == ""


def resting(side: Side, kind: OrderType, price: float | None = None, grouped: bool = False) -> Resting:
    limit, stop = (price, None) if kind is OrderType.LIMIT else (None, price)
    return Resting(OrderRequest("other", "SPY", side, kind, quantity=10, limit_price=limit, stop_price=stop), grouped)


def objection(asked: OrderRequest, *others: Resting, position: float = 0, grouped: bool = False) -> str:
    return RULES.objection(asked, position=position, price=100.0, grouped=grouped, resting=others)


@pytest.mark.parametrize(("side", "price", "passes"), [
    (Side.BUY, 100.01, True), (Side.BUY, 100.0, False), (Side.BUY, 99.0, False),
    (Side.SELL, 99.99, True), (Side.SELL, 100.0, False), (Side.SELL, 101.0, False),
])  # fmt: skip
def test_a_stop_must_lie_beyond_the_market(side: Side, price: float, passes: bool) -> None:
    """Backtrader fills it at once; Alpaca refuses it, also where it enters a bracket: such an entry goes alone."""
    stop = OrderRequest("id", "SPY", side, OrderType.STOP, quantity=1, stop_price=price)
    assert (objection(stop) == "") is passes


def test_shares_that_an_open_order_sells_are_not_sold_again() -> None:
    """Of fifteen, ten are spoken for."""
    rests = resting(Side.SELL, OrderType.LIMIT, 110.0)
    assert objection(request(Side.SELL, 5), rests, position=15) == ""
    assert "requested: 6, available: 5" in objection(request(Side.SELL, 6), rests, position=15)


@pytest.mark.parametrize(("other", "reason"), [
    (resting(Side.SELL, OrderType.LIMIT, 99.0), "opposite side limit order exists"),
    (resting(Side.SELL, OrderType.STOP, 95.0), "opposite side stop order exists"),
    (resting(Side.SELL, OrderType.MARKET), "opposite side market order exists"),
    (resting(Side.SELL, OrderType.LIMIT, 99.01), ""),
    (resting(Side.SELL, OrderType.STOP, 95.0, grouped=True), ""),
    (resting(Side.BUY, OrderType.LIMIT, 99.0), ""),
])  # fmt: skip
def test_an_order_that_could_trade_with_ones_own_is_refused(other: Resting, reason: str) -> None:
    """Two limits that do not cross pass, and so do the exits of a group."""
    bid = OrderRequest("id", "SPY", Side.BUY, OrderType.LIMIT, quantity=1, limit_price=99.0)
    assert reason in objection(bid, other)
    assert bool(objection(bid, other)) is bool(reason)


def test_fractions_and_extended_hours_are_for_the_day() -> None:
    """Crypto has no such days."""
    late = OrderRequest("id", "SPY", Side.BUY, OrderType.LIMIT, quantity=1, limit_price=99.0, extended_hours=True)
    asked = [request(Side.BUY, 0.5), late, request(Side.BUY, 1), request(Side.BUY, 0.5, "BTC/USD")]
    assert [RULES.is_for_the_day(each) for each in asked] == [True, True, False, False]
