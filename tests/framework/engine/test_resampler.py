"""The column resampler against Backtrader's own, on bars that end anywhere."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import cases
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from framework.columns import Columns
from framework.engine import ahead

SECONDS = st.sampled_from([60, 60, 60, 60, 30, 17, 180, 600, 3_600, 40_000, 86_400, 86_340])

LONGER = [
    *((bt.TimeFrame.Minutes, c) for c in (1, 2, 5, 7, 15, 60, 240)),
    (bt.TimeFrame.Days, 1),
    (bt.TimeFrame.Days, 2),
]


@st.composite
def _columns(draw: st.DrawFn) -> Columns:
    steps = draw(st.lists(SECONDS, min_size=1, max_size=40))
    start = draw(st.sampled_from(["2024-03-01T14:31", "2024-03-01T23:55", "2024-03-01T00:00"]))
    end = np.datetime64(start, "us") + np.cumsum(steps) * np.timedelta64(1, "s")
    whole = cases.bars(len(steps), seed=len(steps))
    return Columns.of(end, whole.open, whole.high, whole.low, whole.close, whole.volume / 7)


def _made(columns: Columns, frame: int, compression: int, beside: bool, monkeypatch: Any, by_columns: bool) -> Any:
    """Return the steps and what the feeds deliver at them, by columns or by Backtrader's own filters."""
    cerebro = bt.Cerebro()
    data = cases.feed(columns)
    if beside:
        cerebro.adddata(data)
    cerebro.resampledata(data, timeframe=frame, compression=compression, name="longer")
    for each in cerebro.datas:
        each.reset()
        each._start()
    if not by_columns:
        monkeypatch.setattr(ahead, "_at_once", lambda datas: None)
    schedule, taken = ahead.taken_ahead(cerebro.datas)
    monkeypatch.undo()
    lines = [[each.places, each.ticks, each.loaded, [one.tolist() for one in each.columns]] for each in taken]
    return [schedule.times.tolist(), schedule.clock.tolist(), lines]


@settings(max_examples=400, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    columns=_columns(),
    longer=st.sampled_from(LONGER),
    beside=st.booleans(),
)  # fmt: skip
def test_columns_are_resampled_as_backtrader_does(columns: Columns, longer: tuple[int, int], beside: bool) -> None:
    """Windows, stamps, sums, ticks and steps agree, also overnight, off the minute and at midnight."""
    patch = pytest.MonkeyPatch()
    stock = _made(columns, *longer, beside, patch, by_columns=False)
    assert _made(columns, *longer, beside, patch, by_columns=True) == stock
