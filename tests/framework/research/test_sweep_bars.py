"""Bars and signals that all runs share: loaded once, and answered for as their source does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swept import Dip
from tape import OPEN, Tape

from feeds import SampleBars, SampleSignals
from framework import run, sweep
from framework.columns import Columns
from framework.errors import ConfigError
from framework.ports import Warmup
from framework.research.held import LoadedBars
from framework.research.rows import row, row_of
from strategies.signal_follower import SignalFollower

START = OPEN + timedelta(minutes=30)
HOLES = [None if at % 7 == 3 else 100.0 + at for at in range(60)]
WARMUPS = st.integers(0, 40) | st.integers(0, 40).map(lambda each: timedelta(minutes=each))


def tape(**how: Any) -> Tape:
    return Tape({"A": [100.0 + each for each in range(60)], "B": HOLES}, start=START, **how)


def alike(one: dict[str, Columns], other: dict[str, Columns]) -> bool:
    names = ("end", "open", "high", "low", "close", "volume")
    return list(one) == list(other) and all(
        np.array_equal(getattr(one[each], name), getattr(other[each], name)) for each in one for name in names
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(WARMUPS, min_size=1, max_size=4))
def test_what_is_held_answers_as_its_source_does(asked: list[Warmup]) -> None:
    """Whatever was asked for before."""
    loaded = LoadedBars(tape())
    assert all(alike(loaded.history(each), tape().history(each)) for each in asked)


def test_more_than_was_loaded_is_refused() -> None:
    """A worker has no source to ask: less than what `run` alone sees is not handed out."""
    loaded = LoadedBars(tape())
    loaded.history(5)
    with pytest.raises(ConfigError, match="a warm-up of 6 was asked for, and 5 was loaded"):
        loaded.held.history(6)


def test_a_source_is_asked_once_for_the_longest_warm_up() -> None:
    """Not once a run."""
    source = tape()
    sweep(Dip, source=source, grid={"period": [3, 20, 8]}, workers=1)
    assert source.asked == [19]


def test_a_source_without_a_start_is_asked_once() -> None:
    """There is no warm-up to find out about."""
    source = Tape({"A": range(100, 140)})
    sweep(Dip, source=source, grid={"period": [3, 20, 8]}, workers=1)
    assert source.asked == [0]


def test_an_end_that_is_not_over_stays_when_the_bars_were_loaded() -> None:
    """Else a longer bar that was half done then would be complete for a later run."""
    end = datetime.now(OPEN.tzinfo)
    assert end <= LoadedBars(tape(end=end + timedelta(days=1))).end <= datetime.now(OPEN.tzinfo)
    assert LoadedBars(tape(end=START + timedelta(hours=1))).end == START + timedelta(hours=1)


@pytest.mark.parametrize("resample", [[], ["5Min"], ["5Min", "15Min"]])
def test_symbols_with_holes_see_what_they_see_alone(resample: list[str]) -> None:
    """Each run's own warm-up is cut from what is shared, each symbol's for itself."""
    grid = {"period": [1, 4, 9]}
    found = sweep(Dip, source=tape(), grid=grid, resample=resample, workers=1)
    alone = [run(Dip, source=tape(), period=each, resample=resample) for each in grid["period"]]
    assert [each.same() for each in found.rows] == [row(row_of(each, 0)).same() for each in alone]


def test_signals_are_shared_as_bars_are() -> None:
    """An algorithm's signals are loaded once and heard by every run."""
    bars = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-05")
    signals = SampleSignals(bars)
    found = sweep(SignalFollower, source=[bars, signals], grid={"capital": [1_000, 50_000]}, workers=2)
    alone = [run(SignalFollower, source=[bars, signals], capital=each) for each in (1_000, 50_000)]
    assert [each.same() for each in found.rows] == [row(row_of(each, 0)).same() for each in alone]
    assert found.table["fills"].max() > 0
