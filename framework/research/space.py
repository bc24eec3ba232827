"""A space of parameters to search: what each may be, in plain Python values. Pure.

range(5, 105, 5)    a whole number of a range, as Python counts it
(5, 100)            a whole number from 5 to 100, both included
(0.1, 2.0)          any number from 0.1 to 2.0
(1, 1000, "log")    the same, by orders of magnitude: as many from 1 to 10 as from 100 to 1000
["a", "b", None]    one of these, which have no order
"""

from __future__ import annotations

import itertools
import math
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framework.errors import ConfigError
from framework.research.grid import Parameters, plain

Spaces = Mapping[str, Any]
"""What each parameter may be, such as {"period": range(5, 105), "size": (0.1, 2.0), "kind": ["a", "b"]}."""

_BITS = 64


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of a range."""

    among: range
    is_log: bool = False

    @property
    def count(self) -> int:
        return len(self.among)

    @property
    def extremes(self) -> Sequence[Any]:
        return sorted({self.among[0], self.among[-1]})

    def number(self, value: Any) -> int:
        return self.among.index(value)

    def value(self, number: int) -> Any:
        return self.among[number]


@dataclass(frozen=True, slots=True)
class Real:
    """Any number between two, told by its bits."""

    low: float
    high: float
    is_log: bool = False

    count = 2**_BITS

    @property
    def extremes(self) -> Sequence[Any]:
        return sorted({self.low, self.high})

    def number(self, value: Any) -> int:
        return int.from_bytes(struct.pack(">d", value), "big")

    def value(self, number: int) -> Any:
        return struct.unpack(">d", number.to_bytes(_BITS // 8, "big"))[0]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values without an order; told by its place."""

    among: tuple[Any, ...]

    @property
    def count(self) -> int:
        return len(self.among)

    @property
    def extremes(self) -> Sequence[Any]:
        return self.among

    def number(self, value: Any) -> int:
        return next(at for at, each in enumerate(self.among) if each is value)

    def value(self, number: int) -> Any:
        return self.among[number]


Dimension = Whole | Real | Choice


@dataclass(frozen=True, slots=True)
class Space:
    """Parameter sets by number: each has one, from which a worker makes it again to the last bit.

    As a job's `sets` it is asked for single ones, and has no end.
    """

    dimensions: Mapping[str, Dimension]

    def __getitem__(self, number: int) -> Parameters:
        """Return the parameter set of a number."""
        found = {}
        for name, each in reversed(list(self.dimensions.items())):
            number, at = divmod(number, each.count)
            found[name] = each.value(at)
        return {name: found[name] for name in self.dimensions}

    def number(self, params: Parameters) -> int:
        """Return the number of a parameter set."""
        number = 0
        for name, each in self.dimensions.items():
            number = number * each.count + each.number(params[name])
        return number

    def corners(self, most: int) -> list[Parameters]:
        """Return parameter sets at the ends of the space: all, or so many of them."""
        ends = [each.extremes for each in self.dimensions.values()]
        if math.prod(map(len, ends)) <= most:
            found = list(itertools.product(*ends))
        else:
            draw = random.Random(0)
            drawn = (tuple(draw.choice(each) for each in ends) for _ in range(most - 2))
            found = [tuple(each[0] for each in ends), tuple(each[-1] for each in ends), *drawn]
        return [dict(zip(self.dimensions, each, strict=True)) for each in found]


def space_of(spaces: Spaces) -> Space:
    """Return the space; raise `ConfigError` where there is none, or what a parameter may be cannot be understood."""
    if not isinstance(spaces, Mapping) or not spaces:
        raise ConfigError(f'space={spaces!r} names no parameter; try space={{"period": range(5, 105)}}')
    return Space({name: _dimension(name, each) for name, each in spaces.items()})


def _dimension(name: str, given: Any) -> Dimension:
    match given:
        case range() if len(given):
            return Whole(given if given.step > 0 else given[::-1])
        case (low, high) | (low, high, "log") if isinstance(given, tuple) and _is_number(low) and _is_number(high):
            return _between(name, low, high, is_log=len(given) == 3)
        case list() if given:
            return Choice(tuple(plain(each) for each in given))
    raise ConfigError(
        f'space[{name!r}] is {given!r}; try range(5, 105), (0.1, 2.0), (1, 1000, "log"), or a list to choose from'
    )


def _between(name: str, low: Any, high: Any, *, is_log: bool) -> Dimension:
    low, high = plain(low), plain(high)
    if not (low <= high and math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"space[{name!r}] goes from {low} to {high}; give the smaller one first")
    if is_log and low <= 0:
        raise ConfigError(f"space[{name!r}] is by orders of magnitude, and begins at {low}; begin above 0")
    if isinstance(low, int) and isinstance(high, int):
        return Whole(range(low, high + 1), is_log)
    return Real(float(low), float(high), is_log)


def _is_number(value: Any) -> bool:
    return isinstance(plain(value), int | float) and not isinstance(value, bool)
