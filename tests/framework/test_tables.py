"""The tables of a run add up."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tape import OPEN, Tape

from framework import run
from framework.columns import instant
from framework.engine.dates import date2num
from framework.result import Result
from framework.tables import instants, times

KINDS = (bt.Order.Market, bt.Order.Limit, bt.Order.Stop)


class Program(bt.Strategy):
    """Sends the orders of a program: bar, size (negative sells), kind, distance of its price in per cent."""

    params = (("program", ()),)

    def next(self) -> None:
        for at, size, kind, distance in self.p.program:
            if at == len(self):
                side = self.buy if size > 0 else self.sell
                side(size=abs(size), exectype=KINDS[kind], price=self.data.close[0] * (1 + distance / 100))


orders = st.tuples(
    st.integers(1, 30), st.integers(-20, 20).filter(bool), st.integers(0, 2), st.floats(-2, 2, allow_nan=False)
)
prices = st.lists(st.floats(50, 150).map(lambda price: round(price, 2)), min_size=5, max_size=40)


def played(closes: list[float], program: list[tuple[Any, ...]]) -> Result:
    bars = [(before, max(before, after), min(before, after), after) for before, after in pairwise(closes)]
    return run(Program, source=Tape({"XYZ": bars}), commission=0.001, program=tuple(program))


@settings(max_examples=60, deadline=None)
@given(prices, st.lists(orders, max_size=12))
def test_fills_and_positions_explain_the_account(closes: list[float], program: list[tuple[Any, ...]]) -> None:
    """The account at the end is the cash, what fills made, less commissions, and what is still open."""
    result = played(closes, program)
    made = result.fills["pnl"].sum() - result.fills["commission"].sum() + result.positions["pnl"].sum()
    assert result.equity.iloc[-1] == pytest.approx(result.cash + made)
    held = result.fills["position"].iloc[-1] if len(result.fills) else 0
    assert result.positions["size"].sum() == held


@settings(max_examples=60, deadline=None)
@given(prices, st.lists(orders, max_size=12))
def test_each_trade_explains_itself(closes: list[float], program: list[tuple[Any, ...]]) -> None:
    """A closed trade's profit is its size times the way from entry to exit, less its commission."""
    trades = played(closes, program).trades
    sign = np.where(trades["direction"] == "long", 1, -1)
    way = sign * trades["size"] * (trades["exit_price"] - trades["entry_price"])
    assert np.allclose(trades["pnl"], way - trades["commission"])
    assert (trades["exit_time"] >= trades["entry_time"]).all()


@given(st.lists(st.integers(0, 4_000_000), min_size=1, max_size=20))
def test_the_ends_of_bars_come_back_as_they_were(minutes: list[int]) -> None:
    """A date number of a whole second is that second again, whether one by one or as an array."""
    ends = instant(OPEN) + np.array(sorted(minutes)).astype("timedelta64[s]")
    numbers = date2num(ends)
    expected = pd.DatetimeIndex(ends, tz="UTC")
    assert instants(numbers).equals(expected)
    assert times(numbers).round("ms").equals(expected)


def test_an_empty_run_has_tables_with_their_columns() -> None:
    """Without an order there are no rows, but there are names and types to work with."""
    result = played([100.0] * 6, [])
    assert result.orders.empty
    assert str(result.fills["time"].dtype).startswith("datetime64")
    assert list(result.trades.columns)[:3] == ["symbol", "direction", "size"]
