"""Backtrader's net position on ALGOGENE's separate trades. Pure, and exact: sizes are decimals of units.

There is no closing a part of a trade. Reducing closes whole trades, the oldest first. Where the next is larger than
what is left to reduce, there are two ways:

- `Way.OPPOSITE` opens a trade the other way for the rest. The net is right as soon as that fills, and stays so; the two
  trades cost the spread of both, margin and financing until both are closed.
- `Way.REOPEN` closes the trade and opens what remains of it. No two trades stand against each other, but in between
  the position is smaller than wished: it is exposed to the price, and pays the spread of the whole.

What stands against each other is closed together as soon as sizes allow, and when the net is to be zero all is closed.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate


class Way(enum.Enum):
    """How a part of a trade is taken back."""

    OPPOSITE = "opposite"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class Lot:
    """One open trade: its units are signed. A sequence of them is in the order of their opening."""

    trade_id: str
    units: Decimal


@dataclass(frozen=True, slots=True)
class Close:
    """Close a whole trade of that many signed units."""

    trade_id: str
    units: Decimal

    @property
    def change(self) -> Decimal:
        """What it does to the net position."""
        return -self.units


@dataclass(frozen=True, slots=True)
class Open:
    """Open a trade of that many signed units, when the trades `after` are gone."""

    units: Decimal
    after: tuple[str, ...] = ()

    @property
    def change(self) -> Decimal:
        """What it does to the net position."""
        return self.units


Action = Close | Open


def net(trades: Sequence[Lot]) -> Decimal:
    """Return the signed units of all trades together."""
    return sum((each.units for each in trades), Decimal())


def actions(trades: Sequence[Lot], order: Decimal, way: Way = Way.OPPOSITE) -> tuple[Action, ...]:
    """Return what carries out an order of signed units: their changes add up to it exactly.

    Closes come first, and at most one trade is opened. Each trade is closed once.
    """
    if order and net(trades) + order == 0:
        return tuple(Close(each.trade_id, each.units) for each in trades)
    closed, rest = _closed(trades, order)
    if not rest:
        return closed
    larger = next((each for each in trades if _is_against(each, rest) and not _is_in(each, closed)), None)
    if larger is None or way is Way.OPPOSITE:
        return (*closed, Open(rest))
    return (*closed, Close(larger.trade_id, larger.units), Open(larger.units + rest, (larger.trade_id,)))


def _closed(trades: Sequence[Lot], order: Decimal) -> tuple[tuple[Close, ...], Decimal]:
    """Return the trades that are closed, and what of the order is left then."""
    closed: tuple[Close, ...] = ()
    rest = order
    for trade in trades:
        if not rest or not _is_against(trade, rest):
            continue
        together = _fitting(trade, [each for each in trades if not _is_in(each, closed)], rest)
        if together is None:
            break
        closed += together
        rest -= sum((each.change for each in together), Decimal())
    return closed, rest


def _fitting(trade: Lot, left: Sequence[Lot], rest: Decimal) -> tuple[Close, ...] | None:
    """Return a trade and the fewest of those against it, the oldest first, that together are no more than `rest`."""
    others = [each for each in left if (each.units > 0) != (trade.units > 0)]
    sums = list(accumulate((each.units for each in others), initial=trade.units))
    for count, units in enumerate(sums):
        if abs(units) <= abs(rest) and (not units or (units > 0) == (trade.units > 0)):
            return tuple(Close(each.trade_id, each.units) for each in (trade, *others[:count]))
    return None


def _is_against(trade: Lot, order: Decimal) -> bool:
    return (trade.units > 0) != (order > 0)


def _is_in(trade: Lot, closed: Sequence[Close]) -> bool:
    return any(each.trade_id == trade.trade_id for each in closed)
