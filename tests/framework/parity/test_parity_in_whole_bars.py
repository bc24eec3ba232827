"""Backtest and lock-step live, bar by bar: the same orders, fills and notifications, and the same view inside them."""

from __future__ import annotations

from pathlib import Path

import backtrader as bt
import parity_zoo as zoo
import pytest
from both_sides import both, difference
from parity_cases import AGREE, OPTIONS, SHIPPED, in_whole_bars
from parity_tapes import real, sample, with_holes


@pytest.fixture(autouse=True)
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


@pytest.mark.parametrize("strategy", SHIPPED)
def test_whole_bars_of_the_sample_give_the_same(strategy: type[bt.Strategy]) -> None:
    """Two symbols over the last minutes of two days, with history before."""
    tested, lived = both(strategy, sample(minutes=25), **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, in_whole_bars(strategy)) == ""


@pytest.mark.parametrize("strategy", [each for each in AGREE if each is not zoo.AtTheClose])
def test_whole_bars_with_holes_give_the_same(strategy: type[bt.Strategy]) -> None:
    """Each symbol lacks every third minute: what is sent, filled and ended keeps to the bars that there are."""
    tested, lived = both(strategy, with_holes(sample(minutes=25)), **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, in_whole_bars(strategy, has_holes=True)) == ""


@pytest.mark.parametrize("strategy", AGREE)
def test_whole_bars_of_real_minutes_give_the_same(strategy: type[bt.Strategy], real_bars_path: Path) -> None:
    """Three symbols over the last minutes of two days."""
    tested, lived = both(strategy, real(real_bars_path, 25), **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, in_whole_bars(strategy)) == ""
