"""A walk-forward as a picture: the joined account over its windows, and what each promised and kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from framework import axis
from framework.errors import ConfigError
from framework.panels import EQUITY, GREY, INK, style
from framework.picture import Picture
from framework.research.pictures import LABELS
from framework.research.walked import WalkForward, figure_of
from framework.stats import stamps_of

_TRAIN, _TEST, _BAND = "#aab3bd", "#2a7f9e", "#f3f5f8"


def picture(walk: WalkForward) -> Picture:
    """Draw a walk-forward; see `WalkForward.plot`."""
    drawn = Picture(figsize=(9, 6), facecolor="white", dpi=100, layout="constrained")
    above, below = drawn.subplots(2, 1, height_ratios=(3, 2))
    for ax in (above, below):
        style(ax)
    title = f"{walk.steps[0].train.job.strategy.__name__}: equity of {len(walk)} test parts, joined"
    above.set_title(title, loc="left", color=INK, fontsize=11, parse_math=False)
    _equity(above, walk)
    below.set_title(f"{LABELS[walk.objective]} by window", loc="left", color=INK, fontsize=11, parse_math=False)
    _objective(below, walk)
    return drawn


def _equity(ax: Any, walk: WalkForward) -> None:
    days = walk.equity.index
    for step in walk.steps[::2]:
        first, after = days.searchsorted(pd.Timestamp(step.window.test.first)), _after(days, step.window.test.last)
        ax.axvspan(first - 0.5, after - 0.5, color=_BAND, zorder=0)
    ax.axhline(walk.cash, color="#aab3bd", linewidth=0.8, linestyle=(0, (4, 3)))
    ax.plot(range(len(days)), walk.equity.to_numpy(), color=EQUITY, linewidth=1.3)
    places, labels = axis.ticks(stamps_of(days) + np.timedelta64(12, "h"), "UTC")
    ax.set_xticks(places, labels)
    ax.set_xlim(-0.5, len(days) - 0.5)


def _after(days: pd.DatetimeIndex, last: Any) -> int:
    return int(days.searchsorted(pd.Timestamp(last), side="right"))


def _objective(ax: Any, walk: WalkForward) -> None:
    places = np.arange(len(walk))
    trained = [_number(None if s.chosen is None else s.train.rows[s.chosen], walk.objective) for s in walk.steps]
    tested = [_number(each.tested, walk.objective) for each in walk.steps]
    ax.bar(places - 0.2, trained, width=0.38, color=_TRAIN, label="train, the best of its runs")
    ax.bar(places + 0.2, tested, width=0.38, color=_TEST, label="test")
    ax.axhline(0, color="#aab3bd", linewidth=0.8)
    step = -(-len(walk) // 12)
    ax.set_xticks(places[::step], [f"{each.window.test.first:%d %b}" for each in walk.steps[::step]])
    ax.legend(frameon=False, fontsize=9, labelcolor=GREY, ncols=2, loc="lower left", bbox_to_anchor=(0.5, 1.0))


def _number(found: Any, name: str) -> float:
    value = figure_of(found, name)
    if isinstance(value, pd.Timedelta):
        raise ConfigError(f"{name} is a length of time; a picture is of a figure such as sharpe or total_return")
    return float(value) if np.isfinite(value) else np.nan
