"""The trailing stop with a limit: it moves as Backtrader's own does."""

from __future__ import annotations

import backtrader as bt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.live.trailing import Trailing, check_trail, on_tick
from framework.model import OrderRequest, OrderType, Side

PRICES = st.lists(st.integers(100, 100_000).map(lambda cents: cents / 100), min_size=1, max_size=30)
TRAILS = st.one_of(
    st.tuples(st.integers(1, 500).map(lambda cents: cents / 100), st.none()),
    st.tuples(st.none(), st.integers(1, 2_000).map(lambda points: points / 10_000)),
)


def request(side: Side, amount: float | None = None, percent: float | None = None, **more: float) -> OrderRequest:
    kind = OrderType.TRAILING_STOP_LIMIT
    return OrderRequest("id", "SPY", side, kind, quantity=1, trail_amount=amount, trail_percent=percent, **more)


class _Line:
    """As much of a data feed as an order looks at."""

    def __init__(self) -> None:
        self.datetime, self.p = [1.0], type("P", (), {"sessionend": None})()
        self.close = [1.0]

    def __len__(self) -> int:
        return 1

    def date2num(self, at: float) -> float:
        return at


@given(st.sampled_from(Side), PRICES, TRAILS, st.integers(-200, 200))
def test_it_moves_as_backtraders_own(
    side: Side, prices: list[float], trail: tuple[float | None, float | None], off: int
) -> None:
    """Over any prices, for either side, by an amount or by a share of the price: the same stop, the same limit."""
    amount, percent = trail
    kind = bt.order.BuyOrder if side is Side.BUY else bt.order.SellOrder
    stock = kind(data=_Line(), size=1, price=prices[0], pricelimit=prices[0] + off / 100, simulated=True,
                 exectype=bt.Order.StopTrailLimit, trailamount=amount, trailpercent=percent)  # fmt: skip
    ours = Trailing.start(request(side, amount, percent, limit_price=stock.created.pricelimit), prices[0])
    for price in prices:
        stock.trailadjust(price)
        ours = ours.moved(price)
        assert ours.stop == pytest.approx(stock.created.price, abs=1e-9)
        assert ours.limit == pytest.approx(stock.created.pricelimit, abs=1e-9)


@given(st.sampled_from(Side), PRICES, TRAILS)
def test_it_never_goes_back(side: Side, prices: list[float], trail: tuple[float | None, float | None]) -> None:
    """A sale's stop only rises, a purchase's only falls."""
    now = Trailing.start(request(side, *trail), prices[0])
    for price in prices:
        before, now = now, now.moved(price)
        assert (now.stop - before.stop) * side.sign <= 0


@pytest.mark.parametrize(
    ("side", "reached", "not_yet"), [(Side.SELL, (98.0, 97.0), 98.01), (Side.BUY, (102.0, 103.0), 101.99)]
)
def test_it_is_reached_at_the_stop_and_beyond(side: Side, reached: tuple[float, ...], not_yet: float) -> None:
    """A sale's by a fall, a purchase's by a rise."""
    stop = Trailing.start(request(side, 2.0), 100.0)
    assert [stop.is_reached(each) for each in reached] == [True, True]
    assert not stop.is_reached(not_yet)


def test_a_stop_that_is_given_is_where_it_begins() -> None:
    """The limit keeps its distance from it."""
    begun = Trailing.start(request(Side.SELL, 2.0, stop_price=97.0, limit_price=96.5), 100.0)
    assert (begun.stop, begun.limit, begun.moved(101.0).limit) == (97.0, 96.5, 98.5)


def test_a_trail_is_needed() -> None:
    """One without would trigger at once."""
    with pytest.raises(ConfigError, match="give trailamount or trailpercent"):
        check_trail(request(Side.SELL))


@given(st.floats(1.0, 10_000.0), st.sampled_from(Side))
def test_a_limit_on_the_grid_is_never_beyond_what_was_asked(price: float, side: Side) -> None:
    """A purchase's is not above it, a sale's not below, and neither is a whole step away."""
    found = on_tick(price, 0.01, side)
    assert (found - price) * side.sign <= 1e-9
    assert abs(found - price) < 0.01 + 1e-9
    assert on_tick(found, 0.01, side) == found
