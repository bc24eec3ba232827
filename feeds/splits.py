"""Unadjusted prices across a split: what looks like one, and the warning that says so."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date

import numpy as np

from framework.calendar import Calendar, utc_to_wall
from framework.columns import Columns

RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50)
TOLERANCE = 0.04
"""How far from a ratio, as a share of it, the price may open: it moves overnight too."""


class SplitWarning(UserWarning):
    """Unadjusted prices jump from one day to the next as they do where shares are split."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The first open of `day` is the last close of the day before, divided (a split) or multiplied by `ratio`."""

    day: date
    ratio: int
    is_split: bool

    def __str__(self) -> str:
        return f"{self.ratio}:1" if self.is_split else f"1:{self.ratio}"


def jumps(bars: Columns, calendar: Calendar) -> list[Jump]:
    """Return where the price jumps overnight by what looks like a split or, upwards, a reverse split."""
    starts = bars.end - np.timedelta64(1, "us")  # a bar that ends at midnight is of the day before
    days = utc_to_wall(starts, str(calendar.zone)).astype("datetime64[D]")
    first = np.flatnonzero(days[1:] != days[:-1]) + 1
    moves = bars.close[first - 1] / bars.open[first]
    found = ((at, _jump(days[at].item(), float(move))) for at, move in zip(first, moves, strict=True))
    return [jump for _, jump in found if jump is not None]


def _jump(day: date, move: float) -> Jump | None:
    is_split = move > 1
    size = move if is_split else 1 / move
    ratio = min(RATIOS, key=lambda each: abs(size / each - 1))
    return Jump(day, ratio, is_split) if abs(size / ratio - 1) <= TOLERANCE else None


def warn_of_splits(symbol: str, bars: Columns, calendar: Calendar, stacklevel: int) -> None:
    """Warn of each jump in a symbol's unadjusted prices (`SplitWarning`)."""
    for jump in jumps(bars, calendar):
        warnings.warn(
            f"{symbol}: the raw price changes on {jump.day} as in a {jump} split, which a strategy takes for "
            'a profit or a loss; use adjustment="split"',
            SplitWarning,
            stacklevel=stacklevel + 1,
        )
