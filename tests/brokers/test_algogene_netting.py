"""A net position on separate trades: whatever is ordered, the net is exact, and nothing is closed in part."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.algogene.netting import Action, Close, Lot, Open, Way, actions, net

WAYS = st.sampled_from(Way)
SIZES = st.integers(-50, 50).map(lambda count: Decimal(count) / 100)


def lots(*units: float) -> list[Lot]:
    return [Lot(f"t{place}", Decimal(str(each))) for place, each in enumerate(units)]


def done(trades: list[Lot], order: float, way: Way = Way.OPPOSITE) -> list[str]:
    """Return what is done, in short: which trades are closed, what is opened after which."""
    found = actions(trades, Decimal(str(order)), way)
    return [f"close {each.trade_id}" if isinstance(each, Close) else f"open {each.units}" for each in found]


@pytest.mark.parametrize(
    ("trades", "order", "opposite", "reopen"),
    [
        ([], 1, ["open 1"], ["open 1"]),
        ([1], 2, ["open 2"], ["open 2"]),
        ([1], -1, ["close t0"], ["close t0"]),
        ([1, 2, 3], -3, ["close t0", "close t1"], ["close t0", "close t1"]),
        ([3], -1, ["open -1"], ["close t0", "open 2"]),
        ([1, 3], -2, ["close t0", "open -1"], ["close t0", "close t1", "open 2"]),
        ([2], -5, ["close t0", "open -3"], ["close t0", "open -3"]),
        ([-2, -1], 5, ["close t0", "close t1", "open 2"], ["close t0", "close t1", "open 2"]),
        ([3, -1], -2, ["close t0", "close t1"], ["close t0", "close t1"]),
        ([3, -1, 4], -2, ["close t0", "close t1"], ["close t0", "close t1"]),
        ([3, -1], 1, ["close t1"], ["close t1"]),
        ([3, -1], -1, ["open -1"], ["close t0", "open 2"]),
        ([2, -2], 0, [], []),
    ],
)
def test_whole_trades_are_closed_the_oldest_first(
    trades: list[float], order: float, opposite: list[str], reopen: list[str]
) -> None:
    """A part of one is taken back by the opposite trade, or by closing it and opening what remains."""
    assert done(lots(*trades), order) == opposite
    assert done(lots(*trades), order, Way.REOPEN) == reopen


def test_what_remains_is_opened_when_its_trade_is_gone() -> None:
    """Before that the position would be larger than wished; a reversal waits for nothing."""
    assert actions(lots(3), Decimal(-1), Way.REOPEN)[-1] == Open(Decimal(2), ("t0",))
    assert actions(lots(2), Decimal(-5), Way.REOPEN)[-1] == Open(Decimal(-3))


@given(st.lists(SIZES.filter(bool), max_size=8), SIZES, WAYS)
def test_the_net_position_is_exact(units: list[Decimal], order: Decimal, way: Way) -> None:
    """From any trades whatsoever: changes add up to the order, each trade is closed once and whole."""
    trades = [Lot(f"t{place}", each) for place, each in enumerate(units)]
    found = actions(trades, order, way)
    assert sum((each.change for each in found), Decimal()) == order
    closes = [each for each in found if isinstance(each, Close)]
    assert len({each.trade_id for each in closes}) == len(closes)
    assert all(Lot(each.trade_id, each.units) in trades for each in closes)
    assert sum(isinstance(each, Open) for each in found) <= 1
    assert all(isinstance(each, Close) for each in found[:-1])


@given(st.lists(SIZES.filter(bool), max_size=8), SIZES.filter(bool), WAYS)
def test_trades_on_one_side_are_closed_first_in_first_out(units: list[Decimal], order: Decimal, way: Way) -> None:
    """What is closed is the beginning of those against the order."""
    trades = [Lot(f"t{place}", abs(each) if order < 0 else -abs(each)) for place, each in enumerate(units)]
    closed = [each.trade_id for each in actions(trades, order, way) if isinstance(each, Close)]
    assert closed == [each.trade_id for each in trades][: len(closed)]


class Account:
    """Trades that are opened and closed as actions say."""

    def __init__(self) -> None:
        self.trades: list[Lot] = []
        self._names = itertools.count()

    def carry_out(self, found: tuple[Action, ...]) -> None:
        for each in found:
            if isinstance(each, Close):
                self.trades.remove(Lot(each.trade_id, each.units))
            else:
                assert not {trade.trade_id for trade in self.trades} & set(each.after)
                self.trades.append(Lot(f"n{next(self._names)}", each.units))


@given(st.lists(SIZES, max_size=30), WAYS)
def test_whatever_was_ordered_before(orders: list[Decimal], way: Way) -> None:
    """The net is the sum of all orders; a flat position has no trades; closing and reopening never hedges."""
    account = Account()
    for place, order in enumerate(orders, 1):
        account.carry_out(actions(account.trades, order, way))
        assert net(account.trades) == sum(orders[:place], Decimal())
        assert net(account.trades) or not account.trades
        assert all(each.units for each in account.trades)
        if way is Way.REOPEN:
            assert len({each.units > 0 for each in account.trades}) <= 1


@given(st.lists(SIZES, max_size=20))
def test_the_opposite_trade_is_never_more_than_the_order(orders: list[Decimal]) -> None:
    """So that no moment is more exposed than before and after: what is opened goes the way of the order."""
    account = Account()
    for order in orders:
        found = actions(account.trades, order)
        opened = [each.units for each in found if isinstance(each, Open)]
        assert all(abs(each) <= abs(order) and (each > 0) == (order > 0) for each in opened)
        account.carry_out(found)
