"""A sweep as a picture: a line over one parameter, a heat map over two. Matplotlib without pyplot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from framework.errors import ConfigError
from framework.figures import FIGURES
from framework.panels import GREY, INK, style
from framework.picture import Picture
from framework.research.outcome import Sweep, figure

LABELS = {key: label for group in FIGURES.values() for key, label, _ in group} | {"fills": "Fills"}
_COLOURS = matplotlib.colormaps["viridis"]
_LINE = "#2a7f9e"
_MOST_TICKS = 12
_MOST_NUMBERS = 200


def picture(sweep: Sweep, by: str, over: str | Sequence[str] | None) -> Picture:
    """Draw a sweep; see `Sweep.plot`."""
    names = _names(sweep, over)
    values = _values(sweep.table, figure(by), [sweep.column(each) for each in names])
    drawn = Picture(figsize=(8, 4.5 if len(names) == 1 else 6), facecolor="white", dpi=100, layout="constrained")
    ax = drawn.add_subplot()
    style(ax)
    (_line if len(names) == 1 else _map)(drawn, ax, values)
    ax.set_xlabel(names[-1], color=GREY, parse_math=False)
    rest = len(sweep.parameters) - len(names)
    median = f", median over {', '.join(each for each in sweep.parameters if each not in names)}" if rest else ""
    ax.set_title(
        f"{sweep.job.strategy.__name__}: {LABELS[by]}{median}", loc="left", color=INK, fontsize=11, parse_math=False
    )
    if len(names) == 2:
        ax.set_ylabel(names[0], color=GREY, parse_math=False)
    return drawn


def _names(sweep: Sweep, over: str | Sequence[str] | None) -> list[str]:
    """Return the parameters to draw over: those asked for, or those with more than one value."""
    if over is not None:
        names = [over] if isinstance(over, str) else list(over)
    else:
        varying = [each for each in sweep.parameters if _count(sweep, each) > 1]
        names = varying or list(sweep.parameters[:1])
    if len(names) not in (1, 2) or len(set(names)) < len(names):
        known = ", ".join(sweep.parameters)
        raise ConfigError(
            f'a picture is over one parameter or two, not {len(names)}; say over=(...), of {known}, or kind="parallel"'
        )
    return names


def _count(sweep: Sweep, name: str) -> int:
    return len({repr(each[name]) for each in sweep.job.sets})


def _values(table: pd.DataFrame, by: str, columns: list[str]) -> pd.Series:
    """Return the figure by parameter values, in the grid's order; NaN where no run has it."""
    numbers = table[by]
    if not pd.api.types.is_numeric_dtype(numbers):
        raise ConfigError(f"by={by!r} is a time, not a number; try sharpe, total_return or final_equity")
    shown = numbers.astype(float).where(np.isfinite(numbers.astype(float)))
    keys = [pd.Categorical(map(label, table[each]), list(dict.fromkeys(map(label, table[each])))) for each in columns]
    return shown.groupby(keys, observed=False).median()


def label(value: Any) -> str:
    """Return a parameter's value as a picture shows it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _line(_: Picture, ax: Any, values: pd.Series) -> None:
    ax.plot(range(len(values)), values.to_numpy(), color=_LINE, linewidth=1.6, marker="o", markersize=3)
    _ticks(ax.set_xticks, list(values.index))
    ax.tick_params(axis="x", labelcolor=GREY, length=0)


def _map(whole: Picture, ax: Any, values: pd.Series) -> None:
    cells = values.unstack()
    drawn = ax.imshow(cells.to_numpy(), cmap=_COLOURS, aspect="auto", origin="lower", interpolation="nearest")
    ax.grid(False)
    ax.yaxis.tick_left()
    _ticks(ax.set_xticks, list(cells.columns))
    _ticks(ax.set_yticks, list(cells.index))
    ax.tick_params(labelcolor=GREY, length=0)
    whole.colorbar(drawn, ax=ax, pad=0.02).ax.tick_params(labelsize=9, labelcolor=GREY, length=0)
    if cells.size <= _MOST_NUMBERS:
        _numbers(ax, cells.to_numpy(), drawn)


def _numbers(ax: Any, cells: np.ndarray[Any, np.dtype[np.float64]], drawn: Any) -> None:
    places = decimals(cells)
    for (row, column), value in np.ndenumerate(cells):
        if np.isfinite(value):
            ink = "black" if drawn.norm(value) > 0.6 else "white"
            text = f"{value:,.{places}f}".replace("-", "−")
            ax.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)


def decimals(cells: np.ndarray[Any, np.dtype[np.float64]]) -> int:
    """Return how many decimals show three digits of the greatest."""
    greatest = float(np.nanmax(np.abs(cells), initial=0.0))
    return min(max(2 - math.floor(math.log10(greatest)), 0), 9) if greatest else 2


def _ticks(put: Any, labels: list[str]) -> None:
    step = -(-len(labels) // _MOST_TICKS)
    put(range(0, len(labels), step), labels[::step])
