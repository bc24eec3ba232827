"""The time axis of the pictures: instants side by side without overnight holes, and what is drawn of them.

Pure NumPy. A place on the axis is the index of its instant, so nights and holidays take no room.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framework.calendar import Days, utc_to_wall
from framework.columns import Floats, Instants

Places = NDArray[np.int64]


def joined_stamps(each: Iterable[Instants]) -> Instants:
    """Return all instants of several series, each once, in order."""
    found = [np.empty(0, dtype="datetime64[us]"), *each]
    return np.unique(np.concatenate(found))


_MINUTES = (1, 5, 10, 15, 30, 60, 120, 180, 360)
_MONTHS = (1, 3, 6, 12, 24, 60, 120)


def ticks(stamps: Instants, zone: str, most: int = 12) -> tuple[Places, list[str]]:
    """Return where to put at most `most` labels, at the first bar of a period, and their texts.

    The period is the shortest that fits: minutes, hours, days, weeks, months, years of the
    exchange's zone. A label's second line is the day (or the year) where that is new.
    """
    if not len(stamps):
        return np.empty(0, dtype=np.int64), []
    walls = utc_to_wall(stamps - np.timedelta64(1, "us"), zone)
    for unit in _periods(walls):
        fine, context, keys = unit
        first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        if len(first) <= most + 1 and (len(first) > 2 or fine == "%H:%M"):
            break
    places = _apart(first, walls, context, len(stamps) / (most * 1.4))
    return places, _labels(walls[places], fine, context)


def _periods(walls: Instants) -> Iterable[tuple[str, str, NDArray[Any]]]:
    days: Days = walls.astype("datetime64[D]")
    minutes = walls.astype("datetime64[m]").astype(np.int64)
    for each in _MINUTES:
        yield "%H:%M", "%d %b %Y", minutes // each
    yield "%d %b", "%Y", days
    yield "%d %b", "%Y", (days.astype(np.int64) + 3) // 7
    months = days.astype("datetime64[M]").astype(np.int64)
    for each in _MONTHS:
        yield ("%b", "%Y", months // each) if each < 12 else ("%Y", "", months // each)


def _apart(places: Places, walls: Instants, context: str, least: float) -> Places:
    """Drop places too close to the one before, unless they begin a new day (or year): then drop that one."""
    kept: list[int] = []
    for place in places.tolist():
        is_close = bool(kept) and place - kept[-1] < least
        if is_close and walls[place].item().strftime(context) == walls[kept[-1]].item().strftime(context):
            continue
        kept[-1:] = [place] if is_close else [*kept[-1:], place]
    return np.array(kept, dtype=np.int64)


def _labels(walls: Instants, fine: str, context: str) -> list[str]:
    texts, before = [], ""
    for wall in walls.tolist():
        above = wall.strftime(context)
        texts.append(wall.strftime(fine) + (f"\n{above}" if above != before else ""))
        before = above
    return texts


def thinned(values: Floats, buckets: int) -> Places:
    """Return the places to draw so that a line looks the same at `buckets` pixels: each one's lowest and highest."""
    size = len(values) // max(buckets, 1)
    if size < 4:
        return np.arange(len(values))
    whole = len(values) // size * size
    rows = values[:whole].reshape(-1, size)
    starts = np.arange(0, whole, size)
    low = starts + np.where(np.isnan(rows), np.inf, rows).argmin(axis=1)
    high = starts + np.where(np.isnan(rows), -np.inf, rows).argmax(axis=1)
    return np.unique(np.concatenate(([0], low, high, np.arange(whole, len(values)), [len(values) - 1])))
