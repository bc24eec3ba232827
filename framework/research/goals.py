"""What a search is for: figures that are to be great or small, and conditions. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from framework.errors import ConfigError, nearest
from framework.research.grid import Parameters
from framework.research.outcome import objective_of
from framework.research.rows import Row, one_line

Objective = str | Sequence[str] | Mapping[str, str]
"""A figure, several, or each with its direction: {"sharpe": "greatest", "turnover": "smallest"}."""

GREATEST, SMALLEST = "greatest", "smallest"

Condition = Callable[[Mapping[str, Any]], bool]
"""True for parameters, or for a run's parameters and figures, that will do."""


def goals_of(objective: Objective) -> dict[str, bool]:
    """Return whether the smallest is best, by figure; raise `ConfigError` where there is none, or no such figure."""
    named = [objective] if isinstance(objective, str) else objective
    goals = dict(named) if isinstance(named, Mapping) else dict.fromkeys(named, GREATEST)
    if not goals:
        raise ConfigError('objective names no figure; try objective="sharpe"')
    for name, direction in goals.items():
        objective_of(name)
        if direction not in (GREATEST, SMALLEST):
            hint = nearest(str(direction), (GREATEST, SMALLEST))
            raise ConfigError(f"objective {name} is to be {direction!r}{hint}; say greatest or smallest")
    return {name: direction == SMALLEST for name, direction in goals.items()}


def conditions_of(constraints: Condition | Iterable[Condition]) -> list[Condition]:
    """Return the conditions; raise `ConfigError` where one cannot be called."""
    given = [constraints] if callable(constraints) else list(constraints)
    for each in given:
        if not callable(each):
            raise ConfigError(f'constraints has {each!r}; try lambda run: run["max_drawdown"] > -0.2')
    return given


def values_of(row: Row, goals: Iterable[str]) -> list[float] | None:
    """Return a run's objectives as numbers (a length of time in seconds); None where it failed, or lacks one."""
    if row.error:
        return None
    figures = row.values() | {"fills": row.fills}
    found = [_number(figures[name]) for name in goals]
    return None if any(map(math.isnan, found)) else found


def met(conditions: Iterable[Condition], given: Mapping[str, Any], what: str) -> list[bool]:
    """Return which conditions hold; raise `ConfigError`, naming `what` they are, where one cannot be told."""
    try:
        return [bool(each(given)) for each in conditions]
    except Exception as error:
        raise ConfigError(f"{what} failed on {_told(given)}: {one_line(error)}") from error


def run_of(params: Parameters, row: Row) -> dict[str, Any]:
    """Return what a constraint is asked about: a run's figures, and its parameters (where no figure has their name)."""
    return dict(params) | row.values() | {"fills": row.fills}


def _number(value: Any) -> float:
    if isinstance(value, pd.Timedelta):
        return float(value.total_seconds())
    return math.nan if pd.isna(value) else float(value)


def _told(given: Mapping[str, Any], most: int = 4) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in list(given.items())[:most])
