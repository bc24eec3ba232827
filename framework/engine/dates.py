"""Backtrader's date numbers for whole columns, bit for bit what `bt.date2num` gives."""

from __future__ import annotations

import functools
import math

import numpy as np

from framework.columns import Floats, Instants

_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US
_EPOCH_ORDINAL = 719_163
_BASE = 2.0**19
"""A day number in the binade of all days from 1437 to 2869: within it, how a sum is rounded does not
depend on the day, so a fraction worked out once serves every day."""


def date2num(instants: Instants) -> Floats:
    """Return UTC instants (`datetime64[us]`, years 1437 to 2869) as Backtrader's days since 0001-01-01."""
    microseconds = instants.astype("datetime64[us]").astype(np.int64)
    days, of_day = np.divmod(microseconds, _DAY_US)
    return (days + _EPOCH_ORDINAL).astype(np.float64) + _fractions(of_day)


def _fractions(of_day: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    minutes, rest = np.divmod(of_day, _MINUTE_US)
    if not rest.any():
        return _minutes()[minutes]
    distinct, places = np.unique(of_day, return_inverse=True)
    return np.array([_fraction(int(each)) for each in distinct])[places]


@functools.cache
def _minutes() -> Floats:
    return np.array([_fraction(minute * _MINUTE_US) for minute in range(24 * 60)])


def _fraction(of_day: int) -> float:
    """Return a time of day as `bt.date2num` does: quotients summed without rounding, then rounded once."""
    seconds, microsecond = divmod(of_day, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    parts = (_BASE, hour / 24.0, minute / 1440.0, second / 86400.0, microsecond / 86400e6)
    return math.fsum(parts) - _BASE


def num2date(numbers: Floats) -> Instants:
    """Return Backtrader's date numbers as UTC instants (`datetime64[us]`), as `bt.num2date` rounds them."""
    days = numbers.astype(np.int64)
    hour, rest = _split(24.0 * (numbers - days))
    minute, rest = _split(60.0 * rest)
    second, rest = _split(60.0 * rest)
    microsecond = (1e6 * rest).astype(np.int64)
    microsecond[microsecond < 10] = 0
    microsecond[microsecond > 999_990] = 1_000_000
    seconds = ((days - _EPOCH_ORDINAL) * 24 + hour.astype(np.int64)) * 3600 + (minute * 60 + second).astype(np.int64)
    return (seconds * 1_000_000 + microsecond).astype("datetime64[us]")


def _split(values: Floats) -> tuple[Floats, Floats]:
    whole = np.floor(values)
    return whole, values - whole
