"""How long a file's bars are, where nobody says: read off the steps between their stamps. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from feeds.stamps import Stamps
from framework.errors import ConfigError
from framework.model import Timeframe, Unit

_HOUR, _MINUTE = 3600, 60
_US = 1_000_000


def inferred(symbols: Iterable[Stamps], where: str) -> Timeframe:
    """Return the length of the bars: the smallest step between two of a symbol's, if it is the commonest too.

    Raise `ConfigError` where the steps do not say.
    """
    steps = np.concatenate([np.diff(np.sort(each.times)).astype(np.int64) for each in symbols])
    steps = steps[steps > 0]  # a time that is there twice is for the checks to refuse
    found = _step(steps // _US) if len(steps) else None
    if found is None:
        seen = ", ".join(f"{each // _US} s" for each in np.unique(steps)[:3]) or "none, for there is one bar only"
        example = "1Day" if len(steps) and steps.min() // _US > 20 * _HOUR else "1Min"
        raise ConfigError(
            f'{where}: the steps between times ({seen}) do not say how long a bar is; try timeframe="{example}"'
        )
    return found


def _step(seconds: NDArray[np.int64]) -> Timeframe | None:
    days = np.rint(seconds / (24 * _HOUR)).astype(np.int64)  # an hour off where summer time begins or ends
    if days.min() > 0 and (np.abs(seconds - days * 24 * _HOUR) <= _HOUR).all():
        return _step_of_days(days)
    smallest = int(seconds.min())
    if smallest != _commonest(seconds) or (seconds % smallest).any() or smallest % _MINUTE:
        return None
    whole_hours = not smallest % _HOUR
    return Timeframe(smallest // (_HOUR if whole_hours else _MINUTE), Unit.HOUR if whole_hours else Unit.MINUTE)


def _step_of_days(days: NDArray[np.int64]) -> Timeframe | None:
    if days.min() >= 28:
        return Timeframe(1, Unit.MONTH) if _commonest(days) <= 31 else None
    return {1: Timeframe(1, Unit.DAY), 7: Timeframe(1, Unit.WEEK)}.get(_commonest(days))


def _commonest(steps: NDArray[np.int64]) -> int:
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])
