"""Conformance: every case that is run on Alpaca's venue is run on ALGOGENE's. What it cannot do is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import backtrader as bt
import parity_zoo as zoo
import pytest
from algogene_sides import both
from both_sides import EXACT, Grain, difference
from parity_cases import OPTIONS, SHIPPED, SMALL, in_whole_bars
from parity_tapes import sample, with_holes

PAIRS = (zoo.ExitPairs, zoo.EntryPairs)
"""Orders that cancel each other: a backtest's rules are not told of them, so that these are refused live alone."""

CASES = tuple(each for each in (*SHIPPED, *SMALL) if each not in (*PAIRS, zoo.CancelsAndCloses))

REFUSED = {
    zoo.StopLimits: "stop limit",
    zoo.Trailing: "trailing stop",
    zoo.TrailingPercent: "trailing stop",
    zoo.TrailingShort: "trailing stop",
    zoo.TrailingLimit: "trailing stop limit",
    zoo.AtTheClose: "market on close",
    zoo.LateForTheClose: "market on close",
    zoo.HandMade: "stop limit",
    zoo.TimedBrackets: "levels have no end",
    zoo.ForTheDay: "day orders",
}
"""What a case asks for that ALGOGENE has not, and how it says so: on both sides alike."""


@pytest.fixture(autouse=True)
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


def grain(strategy: type[bt.Strategy]) -> Grain:
    # Live, what goes with a refused entry is told why it was not sent.
    return replace(EXACT, names=("fills", "trades", "equity")) if strategy is zoo.HandMade else in_whole_bars(strategy)


@pytest.mark.parametrize("strategy", CASES)
def test_whole_bars_give_the_same(strategy: type[bt.Strategy]) -> None:
    """The same fills, orders and notifications as in the backtest, in the same order."""
    tested, lived = both(strategy, sample(minutes=25), **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, grain(strategy)) == ""


@pytest.mark.parametrize("strategy", [zoo.Rotating, zoo.Brackets, zoo.Timed, zoo.FromOrders, *SHIPPED])
def test_whole_bars_with_holes_give_the_same(strategy: type[bt.Strategy]) -> None:
    """Each symbol lacks every third minute."""
    tested, lived = both(strategy, with_holes(sample(minutes=25)), **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, in_whole_bars(strategy, has_holes=True)) == ""


@pytest.mark.parametrize("strategy", REFUSED)
def test_what_it_has_not_is_refused_with_a_sentence(strategy: type[bt.Strategy]) -> None:
    """In a backtest and live: the reason is the order's own."""
    for side in both(strategy, sample(minutes=25), **OPTIONS.get(strategy, {})):
        reasons = [row[4] for row in side.log if row[0] == "order" and row[2] == "Rejected"]
        assert any(REFUSED[strategy] in each for each in reasons)


@pytest.mark.parametrize("strategy", PAIRS)
def test_a_pair_is_refused_live(strategy: type[bt.Strategy]) -> None:
    """What it has instead are a bracket's exits."""
    _, lived = both(strategy, sample(minutes=25))
    assert any("no pair of orders that cancel each other" in row[4] for row in lived.log if row[0] == "order")
