"""The bars of one symbol as NumPy columns: what a source's history is made of."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Instants = NDArray[np.datetime64]
"""UTC instants, `datetime64[us]`."""

Floats = NDArray[np.float64]

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Bars of one symbol, oldest first, each end after the one before: six arrays of one length.

    `end` is the first instant (UTC, `datetime64[us]`) at which the bar could be known; the others
    are float64: prices in currency, volume in units.
    """

    end: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @classmethod
    def of(cls, end: Any, open: Any, high: Any, low: Any, close: Any, volume: Any) -> Columns:
        """Make columns from anything NumPy can read."""
        floats = (np.ascontiguousarray(each, dtype=np.float64) for each in (open, high, low, close, volume))
        return cls(np.ascontiguousarray(end, dtype="datetime64[us]"), *floats)

    @classmethod
    def empty(cls) -> Columns:
        return cls.of([], [], [], [], [], [])

    def __len__(self) -> int:
        return len(self.end)

    def __getitem__(self, which: Any) -> Columns:
        """Return the bars that a slice, a mask or an array of indices picks."""
        return Columns(*(getattr(self, each.name)[which] for each in fields(self)))

    def between(self, after: datetime | None, until: datetime | None) -> Columns:
        """Return the bars with `after` < end <= `until` (aware times; None is open)."""
        first = 0 if after is None else int(np.searchsorted(self.end, instant(after), side="right"))
        last = len(self) if until is None else int(np.searchsorted(self.end, instant(until), side="right"))
        return self[first:last]


def joined(pieces: list[Columns]) -> Columns:
    """Return pieces that follow one another as one."""
    if not pieces:
        return Columns.empty()
    return Columns(*(np.concatenate([getattr(p, each.name) for p in pieces]) for each in fields(Columns)))


def instant(at: datetime) -> np.datetime64:
    """Return an aware time as a UTC `datetime64[us]`."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")


def moment(at: np.datetime64) -> datetime:
    """Return a `datetime64` as an aware UTC time: the other way of `instant`."""
    value: datetime = at.astype("datetime64[us]").item()
    return value.replace(tzinfo=UTC)
