"""Pages of points: symbol after symbol, in each by time, so many points in all, and a token for what is left. Pure."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from framework.columns import Instants

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """How far the pages before have come: `told` points of `symbol` at `at` (microseconds), after `pages` pages."""

    symbol: str = ""
    at: int = 0
    told: int = 0
    pages: int = 0

    @classmethod
    def read(cls, token: str) -> Position:
        """Read a token; the empty one is the beginning. Raise `ValueError` for what is none."""
        if not token:
            return cls()
        try:
            symbol, *numbers = urlsafe_b64decode(token).decode().split("|")
            at, told, pages = (int(each) for each in numbers)
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{token!r} is not a page token") from error
        return cls(symbol, at, told, pages)

    @property
    def token(self) -> str:
        """The text that a client hands back."""
        return urlsafe_b64encode(f"{self.symbol}|{self.at}|{self.told}|{self.pages}".encode()).decode()


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """One symbol's points, oldest first: when each is, and how to tell those of some indices."""

    at: Instants
    tell: Callable[[NDArray[np.intp]], list[Any]]


def page(
    symbols: Iterable[str],
    find: Callable[[str], Points],
    position: Position,
    limit: int,
    *,
    is_descending: bool = False,
) -> tuple[dict[str, list[Any]], str | None]:
    """Return the points of a page by symbol, and the next page's token, None at the end.

    A token stays good while points are added at the far end.
    """
    found: dict[str, list[Any]] = {}
    last = position
    for symbol in sorted(symbols):
        if symbol < position.symbol:
            continue
        points = find(symbol)
        left = _left(points.at, position if symbol == position.symbol else Position(), is_descending=is_descending)
        taken = left[:limit]
        if len(taken):
            found[symbol] = points.tell(taken)
            limit -= len(taken)
            last = _reached(symbol, points.at, taken, position)
        if len(left) > len(taken):
            return found, Position(last.symbol, last.at, last.told, position.pages + 1).token
    return found, None


def _left(at: Instants, position: Position, *, is_descending: bool) -> NDArray[np.intp]:
    """Return the indices that come after a position, in the order in which they are told."""
    order = np.arange(len(at))[::-1] if is_descending else np.arange(len(at))
    if not position.symbol:
        return order
    times = at.astype(np.int64)
    before = times > position.at if is_descending else times < position.at
    return order[int(before.sum()) + position.told :]


def _reached(symbol: str, at: Instants, taken: NDArray[np.intp], before: Position) -> Position:
    times = at[taken].astype(np.int64)
    final = int(times[-1])
    told = int((times == final).sum())
    if symbol == before.symbol and final == before.at:
        told += before.told
    return Position(symbol, final, told)
