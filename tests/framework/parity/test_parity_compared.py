"""A session that is its backtest compares as such: `compare` finds nothing, whatever kinds of orders there are."""

from __future__ import annotations

import backtrader as bt
import parity_zoo as zoo
import pytest
from both_sides import Detail
from parity_cases import OPTIONS, BusyScalper
from parity_tapes import sample, with_holes

from brokers import AlpacaVenue
from feeds import AlpacaBars
from framework import Live, compare, run
from framework.app.sandbox import Sandbox

KINDS = (BusyScalper, zoo.Brackets, zoo.DayAndMinutes, zoo.FromOrders, zoo.Rotating, zoo.Sized, zoo.Timed)


@pytest.mark.parametrize("detail", [Detail.BAR, Detail.PATH])
@pytest.mark.parametrize("strategy", KINDS)
def test_a_faultless_session_has_no_difference(strategy: type[bt.Strategy], detail: Detail) -> None:
    """Played again from its journal alone, in whole bars and along their paths, over bars with holes."""
    source, options = with_holes(sample(minutes=20)), OPTIONS.get(strategy, {})
    with Sandbox(source, detail=detail) as sandbox:
        bars = AlpacaBars(source.symbols, hours=source.calendar.hours.value, cache=False, **sandbox.access)
        live = Live(session="s", durable="OFF")
        lived = run(strategy, source=bars, venue=AlpacaVenue(**sandbox.access), live=live, **options)
    found = compare("s", strategy, venue=AlpacaVenue())
    assert len(found.live.orders) > 0
    assert (found.total, found.differences, len(found.bars)) == (0.0, (), 0)
    assert found.live.pnl == pytest.approx(lived.equity.iloc[-1] - lived.cash)
