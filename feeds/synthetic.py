"""How sample bars are made: pure, and the same to the last bit on every machine and NumPy.

Random bits come from Philox alone, whose raw stream NumPy keeps for ever, under keys that hashlib
makes. What is done with them is integer arithmetic and single IEEE 754 operations (+ - * / and
sqrt), so there is no `exp`, no `log` and no float sum whose order could change.

A symbol's days are a walk over every calendar day from 1990, holidays too: what a market does on a
day does not depend on when it was closed before, and a new holiday moves no other day.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framework.columns import Columns, Floats

Bits = NDArray[np.int64]
"""Random integers, each from 0 to 65,535."""

EPOCH = np.datetime64("1990-01-01", "D")
VERSION = "switchback sample bars 1"
"""Part of every key: a change of the recipe changes this, and with it every bar."""

OVERNIGHT, INTRADAY = 0.0075, 0.0130
"""Standard deviation of the returns from close to open and from open to close: together 1.5 %."""

PULL = 0.002
"""How much of its distance from the base price a price makes up in a day: it stays within a factor
of about three."""

WEEKEND = 0.25
"""How much of a weekday's movement a Saturday or a Sunday adds to Monday's gap."""

CHEAPEST, DEAREST = 5.0, 2000.0
_PIECES = 1 << 16
_DEVIATION = math.sqrt((_PIECES**2 - 1) / 3)
"""Standard deviation of the sum of four such integers."""


@dataclass(frozen=True, slots=True)
class Character:
    """What tells one symbol from another: base price, share of quiet minutes, shares a minute, liveliness."""

    base: float
    thin: float
    volume: float
    liveliness: float


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Each calendar day from EPOCH: the open, the return from open to close, the volatility of that return."""

    opens: Floats
    moves: Floats
    volatility: Floats


def character(seed: int, symbol: str) -> Character:
    """Return a symbol's character: always the same one for a seed."""
    price, quiet, life, _ = (each / _PIECES for each in _digest(seed, symbol)[:4])
    thin = max(0.0, quiet - 0.4) / 2
    return Character(
        base=20 + 480 * price * price,
        thin=thin,
        volume=500 + 40_000 * (1 - quiet) * (1 - quiet),
        liveliness=0.75 + 0.5 * life,
    )


@functools.lru_cache(maxsize=256)
def levels(seed: int, symbol: str, days: int) -> Levels:
    """Return a symbol's first `days` calendar days."""
    own = character(seed, symbol)
    gap, move, busy = _stream(days, 3, seed, symbol, "days")
    unit = 0.6 + 1.05 * _share(busy[:, 0]) * _share(busy[:, 0])
    weekend = (np.arange(days) + EPOCH.astype(np.int64) + 3) % 7 >= 5
    volatility = INTRADAY * own.liveliness * unit * np.where(weekend, WEEKEND, 1.0)
    moves = volatility * _normal(move)
    gaps = volatility * (OVERNIGHT / INTRADAY) * _normal(gap)
    return Levels(_walk(own.base, gaps, moves), moves, volatility)


def _walk(base: float, gaps: Floats, moves: Floats) -> Floats:
    opens, level = [], base
    for gap, move in zip(gaps.tolist(), moves.tolist(), strict=True):
        level = level + level * gap + (base - level) * PULL
        level = min(max(level, CHEAPEST), DEAREST)
        opens.append(level)
        level = level * (1 + move)
    return np.array(opens)


def minutes(seed: int, symbol: str, day: np.datetime64, opens: np.datetime64, closes: np.datetime64) -> Columns:
    """Return the minute bars of one session (UTC instants): a bridge from the day's open to its close.

    The first and the last minute always trade; a thin symbol misses others, most of them at noon.
    """
    own, at = character(seed, symbol), int((day - EPOCH).astype(np.int64))
    whole = levels(seed, symbol, _decades(at))
    count = int((closes - opens) // np.timedelta64(1, "m"))
    step, shape, amount = _stream(count, 3, seed, symbol, str(day))
    edge = _edge(count)
    cents, typical = _bridge(step, edge, whole.opens[at], whole.moves[at], whole.volatility[at])
    first, close = cents[:-1], cents[1:]
    open_ = first + np.where(np.arange(count) == 0, 0, shape[:, 0] % 3 - 1)
    high = np.maximum(open_, close) + _wick(shape[:, 1], typical)
    low = np.minimum(open_, close) - _wick(shape[:, 2], typical)
    volume = _volume(amount, edge, own.volume * whole.volatility[at] / (INTRADAY * own.liveliness))
    ends = opens + (np.arange(count) + 1).astype("timedelta64[m]")
    bars = Columns.of(ends, open_ / 100, high / 100, low / 100, close / 100, volume)
    return bars[_traded(shape[:, 3], edge, own.thin)]


def _decades(day: int) -> int:
    """Return the days of as many decades as hold a day, so that days near one another share one walk."""
    return (day // 3660 + 1) * 3660


def _edge(count: int) -> Floats:
    """Return each minute's nearness to the open or the close, 0 at noon to 1: the U of a session, squared."""
    side = (2 * np.arange(count) + 1 - count) / count
    return np.asarray(side * side)


def _bridge(step: Bits, edge: Floats, opening: float, move: float, volatility: float) -> tuple[Bits, Floats]:
    """Return the price in cents at each minute's edges, and the typical move of each minute in cents.

    The steps are summed as integers, which no order of summing can change.
    """
    weight = np.rint(64 * (0.6 + 0.9 * edge)).astype(np.int64)
    walk = np.cumsum(_centred(step) * weight)
    variance = np.cumsum(weight * weight)
    share = variance / variance[-1]
    unit = volatility / math.sqrt(int(variance[-1]))
    path = opening * (1 + move * share + (walk - walk[-1] * share) * (unit / _DEVIATION))
    cents = np.rint(np.concatenate(([opening], path)) * 100).astype(np.int64)
    return cents, np.asarray(opening * 100 * unit * weight)


def _wick(bits: Bits, typical: Floats) -> Bits:
    """Return by how many cents a minute's price went beyond its open and close."""
    share = _share(bits)
    return np.floor(share * share * (1.5 * typical)).astype(np.int64)


def _volume(amount: Bits, edge: Floats, usual: float) -> Floats:
    share = _share(amount[:, 0])
    return np.floor(usual * (0.6 + 2.4 * edge * edge) * (0.2 + 2.4 * share * share)) + 1


def _traded(bits: Bits, edge: Floats, thin: float) -> NDArray[np.bool_]:
    traded: NDArray[np.bool_] = bits >= np.floor(_PIECES * thin * (1.2 - edge))
    traded[[0, -1]] = True
    return traded


def _centred(four: Bits) -> Bits:
    """Return the sums of four random integers each, less their mean: a bell curve without a logarithm."""
    return np.asarray(four[:, 0] + four[:, 1] + four[:, 2] + four[:, 3] - 2 * (_PIECES - 1))


def _normal(four: Bits) -> Floats:
    return np.asarray(_centred(four) / _DEVIATION)


def _share(bits: Bits) -> Floats:
    return np.asarray(bits / _PIECES)


def _stream(rows: int, words: int, *key: object) -> list[Bits]:
    """Return, for each of `words`, a table of `rows` by four random integers; row n does not depend on `rows`."""
    raw = np.random.Philox(key=int.from_bytes(_hash(*key)[:16], "little")).random_raw(rows * words)
    table = raw.reshape(rows, words)
    pieces = [(table >> np.uint64(shift)) & np.uint64(_PIECES - 1) for shift in (0, 16, 32, 48)]
    return list(np.stack(pieces, axis=-1).astype(np.int64).transpose(1, 0, 2))


def _digest(*key: object) -> list[int]:
    """Return a key's hash as integers from 0 to 65,535."""
    digest = _hash(*key)
    return [int.from_bytes(digest[at : at + 2], "little") for at in range(0, len(digest), 2)]


def _hash(*key: object) -> bytes:
    return hashlib.sha256("/".join(map(str, (VERSION, *key))).encode()).digest()
