"""Many parameters in one picture: an axis each, side by side, and a line a run in the colour of its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from framework.columns import Floats
from framework.errors import ConfigError
from framework.panels import GREY, INK
from framework.picture import Picture
from framework.research.outcome import Sweep, figure
from framework.research.pictures import LABELS, label

_COLOURS = matplotlib.colormaps["viridis"]
_MOST_TICKS = 8
_LEAST_ALPHA = 0.15


def parallel(sweep: Sweep, by: str, over: str | Sequence[str] | None) -> Picture:
    """Draw runs over their parameters; those with the greatest figure lie on top. See `Sweep.plot`."""
    table = _known(sweep, figure(by))
    names = [over] if isinstance(over, str) else list(over or sweep.parameters)
    scales = [_scale(name, table[sweep.column(name)]) for name in names]
    scales.append(_scale(LABELS[by], table[by]))
    drawn = Picture(figsize=(max(7.0, 1.9 * len(scales)), 5), facecolor="white", dpi=100, layout="constrained")
    ax = drawn.add_subplot()
    _lines(ax, np.column_stack([each.places for each in scales]))
    for at, each in enumerate(scales):
        _axis(ax, at, each)
    ax.set_xticks(range(len(scales)), [each.name for each in scales], color=INK, parse_math=False)
    ax.set_yticks([])
    ax.set_xlim(-0.35, len(scales) - 0.65)
    ax.set_ylim(-0.04, 1.04)
    ax.tick_params(length=0, labelsize=10)
    for spine in ax.spines.values():
        spine.set_visible(False)
    title = f"{sweep.job.strategy.__name__}: {LABELS[by]} of {len(table):,} runs"
    ax.set_title(title, loc="left", color=INK, fontsize=11, parse_math=False)
    return drawn


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """An axis from 0 to 1: where each run is on it, and what is written where."""

    name: str
    places: Floats
    ticks: Sequence[tuple[float, str]]


def _known(sweep: Sweep, by: str) -> pd.DataFrame:
    """Return the runs that have the figure, the smallest first."""
    found = sweep.table[sweep.table["error"] == ""]
    if not pd.api.types.is_numeric_dtype(found[by]):
        raise ConfigError(f"by={by!r} is a time, not a number; try sharpe, total_return or final_equity")
    found = found[np.isfinite(found[by].astype(float))]
    if found.empty:
        raise ConfigError(f"there is nothing to draw: no run has {by}")
    return found.sort_values(by, kind="stable")


def _scale(name: str, values: pd.Series) -> _Scale:
    """Return an axis: by size where all are numbers that can be many, else each value in its own place, in order."""
    kinds = list(dict.fromkeys(values))
    if all(isinstance(each, int | float | np.number) and not isinstance(each, bool) for each in kinds):
        return _by_size(name, values.to_numpy(dtype=float), sorted(kinds))
    texts = sorted({label(each) for each in kinds})
    step = 1 / max(1, len(texts) - 1)
    place = {text: at * step if len(texts) > 1 else 0.5 for at, text in enumerate(texts)}
    return _Scale(name, np.array([place[label(each)] for each in values]), [(at, text) for text, at in place.items()])


def _by_size(name: str, values: Floats, kinds: Sequence[Any]) -> _Scale:
    low, high = values.min(), values.max()
    span = high - low
    round_ones = [each for each in MaxNLocator(5).tick_values(low, high) if low <= each <= high]
    written = kinds if len(kinds) <= _MOST_TICKS else round_ones
    ticks = [((float(each) - low) / span if span else 0.5, f"{each:,.5g}".replace("-", "−")) for each in written]
    return _Scale(name, (values - low) / span if span else np.full(len(values), 0.5), ticks)


def _lines(ax: Any, places: Floats) -> None:
    """Draw a line a run, rounded a little between the axes; its colour is its place on the last one."""
    between = np.linspace(0, 1, 21)
    smooth = between * between * (3 - 2 * between)
    count = places.shape[1] - 1
    x = np.concatenate([at + between for at in range(count)])
    y = [np.concatenate([one[at] + (one[at + 1] - one[at]) * smooth for at in range(count)]) for one in places]
    strength = _LEAST_ALPHA + (1 - _LEAST_ALPHA) * places[:, -1] ** 2
    colours = _COLOURS(places[:, -1] * 0.95)
    colours[:, 3] = strength
    ax.add_collection(LineCollection([np.column_stack([x, each]) for each in y], colors=colours, linewidths=1.3))


def _axis(ax: Any, at: int, scale: _Scale) -> None:
    ax.plot([at, at], [0, 1], color="#c3cad2", linewidth=1.2, zorder=3)
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
    for place, text in scale.ticks:
        ax.plot([at - 0.02, at + 0.02], [place, place], color="#8a949e", linewidth=1, zorder=4)
        ax.text(at + 0.04, place, text, va="center", fontsize=8, color=GREY, bbox=box, zorder=5, parse_math=False)
