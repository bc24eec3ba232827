"""A grid of parameters as the list of its parameter sets, in order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from framework.errors import ConfigError

Grid = Mapping[str, Iterable[Any]]
"""The values to try of each parameter, such as {"period": range(5, 105)}."""

Parameters = Mapping[str, Any]
"""One parameter set: a value by name."""

MOST = 10_000_000
"""Parameter sets; a grid of more is taken for a slip."""


def sets_of(grid: Grid) -> list[Parameters]:
    """Return every combination of the grid's values, the last parameter changing fastest.

    Raise `ConfigError` where there is none, or a value is not among others to try.
    """
    if not isinstance(grid, Mapping) or not grid:
        raise ConfigError(f'grid={grid!r} names no parameter; try grid={{"period": range(5, 105)}}')
    values = {name: _values(name, each) for name, each in grid.items()}
    count = math.prod(len(each) for each in values.values())
    if count > MOST:
        raise ConfigError(f"the grid has {count:,} parameter sets; take fewer values, a step of 5 instead of 1, say")
    return [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]


def _values(name: str, given: Any) -> Sequence[Any]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"grid[{name!r}] is {given!r}; give the values to try in a list, such as [{given!r}]")
    values = [plain(each) for each in given]
    if not values:
        raise ConfigError(f"grid[{name!r}] is empty; give the values to try, such as range(5, 105)")
    return values


def plain(value: Any) -> Any:
    """Return a NumPy number as Python's own: `np.arange(5, 105)` is to mean what `range(5, 105)` does."""
    is_numpy = type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0
    return value.item() if is_numpy else value
