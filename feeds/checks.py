"""What is wrong with bars before anything runs: pure checks, each error one line that says where and what to try."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from framework import when
from framework.columns import PRICES, Columns, moment
from framework.errors import ConfigError, nearest

ROUNDING = 1e-9
"""How far, as a share of the price, a high may lie below another price of its bar: vendors adjust the
close by another sum than the rest, which leaves the last binary digits apart."""

_SHOWN = 12
"""How many known names an error lists; a longer list hides what it says."""


def symbol_list(symbols: str | Iterable[str]) -> tuple[str, ...]:
    """Return the symbols asked for as a tuple; one alone may be a plain string.

    Raise `ConfigError` where there is none, one is twice, or one is not a name.
    """
    asked = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    if not asked:
        raise ConfigError('no symbols were given; try symbols=["SPY"]')
    for symbol in asked:
        if not isinstance(symbol, str) or not symbol or symbol != symbol.strip() or "," in symbol:
            raise ConfigError(f'symbol {symbol!r} is not a name; try a list of names, such as ["SPY", "IBM"]')
    repeated = next((each for each in asked if asked.count(each) > 1), None)
    if repeated is not None:
        raise ConfigError(f"symbol {repeated} was given {asked.count(repeated)} times; give each symbol once")
    return asked


def check_symbols(asked: Iterable[str], known: Iterable[str], where: str = "the source") -> None:
    """Raise `ConfigError` for the first symbol that is not known; `where` names what was looked in."""
    names = sorted(known)
    missing = next((each for each in asked if each not in names), None)
    if missing is not None:
        raise ConfigError(f"symbol {missing} is not in {where}{nearest(missing, names)}; it has {listed(names)}")


def check_range(start: datetime | None, end: datetime | None) -> None:
    """Raise `ConfigError` where `start` (aware) is not before `end` (aware); None is open."""
    if start is not None and end is not None and start >= end:
        raise ConfigError(
            f"start {when.text(start)} is not before end {when.text(end)} (an end day is over at its midnight); "
            "try an earlier start or a later end"
        )


def check_found(symbol: str, found: Columns, known: Columns, start: datetime | None, end: datetime | None) -> Columns:
    """Return `found`, what there is of `known` between `start` and `end`; raise `ConfigError` where that is nothing."""
    if len(found):
        return found
    if not len(known):
        raise ConfigError(f"{symbol}: no bars were found at all; check the symbol, the range and the hours")
    span = f"{len(known)} bars, from {_time(known, 0)} to {_time(known, -1)}"
    asked = f"from {when.text(start) if start else 'the beginning'} to {when.text(end) if end else 'the end'}"
    raise ConfigError(f"{symbol}: no bars {asked}; there are {span}: try a start and end inside of it")


def check_columns(symbol: str, columns: Columns) -> Columns:
    """Return `columns`; raise `ConfigError` for the first bar that cannot be right.

    `symbol` begins the message, and may name the file too. What is refused: a missing time, times
    out of order or twice, a price that is not a finite number above zero, a high below the low, an
    open or close outside of them, a volume that is negative or not a finite number.
    """
    _check_times(symbol, columns)
    for which, say in _faults(columns):
        if which.any():
            at = int(np.argmax(which))
            raise ConfigError(f"{symbol}: {_place(columns, at)} {say.format_map(_values(columns, at))}")
    return columns


def listed(names: list[str]) -> str:
    """Return names for a message, no more than a reader can take in."""
    if not names:
        return "none"
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _check_times(symbol: str, bars: Columns) -> None:
    missing = np.isnat(bars.end)
    if missing.any():
        raise ConfigError(f"{symbol}: bar {int(np.argmax(missing)) + 1} of {len(bars)} has no time; drop it or mend it")
    steps = np.diff(bars.end.astype(np.int64))
    back, repeated = np.flatnonzero(steps < 0), np.flatnonzero(steps == 0)
    if len(back):
        at = int(back[0]) + 1
        raise ConfigError(
            f"{symbol}: {_place(bars, at)} comes after a bar that ends at {_time(bars, at - 1)}; sort the bars by time"
        )
    if len(repeated):
        at = int(repeated[0]) + 1
        raise ConfigError(f"{symbol}: {_place(bars, at)} is there twice; keep one bar for each time")


def _faults(bars: Columns) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """Give, for each kind of fault, which bars have it, and what to say of one, to be filled in with its values."""
    for name in PRICES:
        prices = getattr(bars, name)
        wrong = ~(np.isfinite(prices) & (prices > 0))
        yield wrong, f"has {name} {{{name}}}; prices are numbers above zero: drop the bar or mend it"
    yield bars.high < bars.low, "has high {high} below low {low}; are the columns mixed up?"
    slack = ROUNDING * bars.high
    for name in ("open", "close"):
        prices = getattr(bars, name)
        outside = (prices > bars.high + slack) | (prices < bars.low - slack)
        yield outside, f"has {name} {{{name}}} outside of low {{low}} to high {{high}}; are the columns mixed up?"
    wrong = ~(np.isfinite(bars.volume) & (bars.volume >= 0))
    yield wrong, "has volume {volume}; a volume is a number, zero or more: drop the bar or mend it"


def _values(bars: Columns, at: int) -> dict[str, float]:
    return {name: float(getattr(bars, name)[at]) for name in (*PRICES, "volume")}


def _place(bars: Columns, at: int) -> str:
    return f"bar {at + 1} of {len(bars)} (ends {_time(bars, at)})"


def _time(bars: Columns, at: int) -> str:
    return when.text(moment(bars.end[at]))
