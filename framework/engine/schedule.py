"""Which bars come when: the feeds' own instants merged into steps, before the run begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
"""For each step the index of a feed's current bar, -1 before its first."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """The steps of a run: at `times[step]`, the feeds of group `group_of[feed]` stand at `places[group][step]`.

    Where lines grow during the run, `own` says where the strategy's lines stand and `stamps` what its
    clock shows; elsewhere each step is a bar of the strategy's, and its clock shows the step's time.
    """

    times: NDArray[np.float64]
    places: tuple[Places, ...]
    group_of: tuple[int, ...]
    own: Places | None = None
    stamps: NDArray[np.float64] | None = None

    @property
    def clock(self) -> NDArray[np.float64]:
        """What the strategy's clock shows at each step."""
        return self.times if self.stamps is None else self.stamps

    def is_steady(self, group: int | None = None) -> bool:
        """Return whether a group (None: the strategy) moves at every step."""
        places = self.own if group is None else self.places[group]
        return places is None or bool((places == np.arange(len(self.times))).all())


def merged(feeds: list[NDArray[np.float64]]) -> Schedule:
    """Return the steps in which Backtrader delivers these feeds' bars, given each feed's date numbers."""
    groups: list[NDArray[np.float64]] = []
    group_of = []
    for times in feeds:
        known = next((n for n, each in enumerate(groups) if np.array_equal(each, times)), len(groups))
        if known == len(groups):
            groups.append(times)
        group_of.append(known)
    times, places = _steps(groups)
    return Schedule(times, places, tuple(group_of))


def _steps(groups: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], tuple[Places, ...]]:
    if len(groups) == 1:
        return groups[0], (np.arange(len(groups[0])),)
    if all((each[1:] > each[:-1]).all() for each in groups):
        times = np.unique(np.concatenate(groups))
        return times, tuple(np.searchsorted(each, times, side="right") - 1 for each in groups)
    return _one_by_one(groups)


def _one_by_one(groups: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], tuple[Places, ...]]:
    """Merge feeds whose instants repeat or go back: at each step all that is due moves by one bar."""
    waiting = [[*each.tolist(), float("inf")] for each in groups]
    at = [0] * len(groups)
    times, places = [], []
    while (now := min(each[place] for each, place in zip(waiting, at, strict=True))) != float("inf"):
        at = [place + (each[place] <= now) for each, place in zip(waiting, at, strict=True)]
        times.append(now)
        places.append([place - 1 for place in at])
    columns: Any = np.array(places, dtype=np.int64).reshape(-1, len(groups)).T
    return np.array(times, dtype=np.float64), tuple(np.ascontiguousarray(each) for each in columns)


def statuses(schedule: Schedule, minperiods: list[int]) -> Places:
    """Return for each step how many bars are missing before a strategy's `next` is called (below 0: none)."""
    missing = [
        minperiod - 1 - schedule.places[group] for minperiod, group in zip(minperiods, schedule.group_of, strict=True)
    ]
    found: Places = np.max(missing, axis=0)
    return found
