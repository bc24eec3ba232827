"""Backtest and lock-step live with `intrabar=True`: fills are heard of within the bars, and answered there."""

from __future__ import annotations

from pathlib import Path

import backtrader as bt
import pytest
from both_sides import both, difference
from parity_cases import HOLES_WITHIN, OPTIONS, WITHIN, along_paths
from parity_tapes import real, sample, with_holes


@pytest.fixture(autouse=True)
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


@pytest.mark.parametrize("strategy", WITHIN)
def test_paths_of_the_sample_give_the_same(strategy: type[bt.Strategy]) -> None:
    """Two symbols over the last minutes of two days, with history before."""
    tested, lived = both(strategy, sample(minutes=20), intrabar=True, **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, along_paths(strategy)) == ""


@pytest.mark.parametrize("strategy", HOLES_WITHIN)
def test_paths_with_holes_give_the_same(strategy: type[bt.Strategy]) -> None:
    """Each symbol lacks every third minute: what is sent, filled and ended keeps to the bars that there are."""
    tested, lived = both(strategy, with_holes(sample(minutes=20)), intrabar=True, **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, along_paths(strategy, has_holes=True)) == ""


@pytest.mark.parametrize("strategy", WITHIN)
def test_paths_of_real_minutes_give_the_same(strategy: type[bt.Strategy], real_bars_path: Path) -> None:
    """Three symbols over the last minutes of two days."""
    tested, lived = both(strategy, real(real_bars_path, 20), intrabar=True, **OPTIONS.get(strategy, {}))
    assert difference(tested, lived, along_paths(strategy)) == ""
