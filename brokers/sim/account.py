"""Cash and positions, with the arithmetic of Backtrader's simulated broker, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Holding:
    """What is held of one symbol: a signed size and its average price."""

    size: float = 0.0
    price: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """What a trade of a signed size does to a holding: both parts carry the trade's sign."""

    size: float
    price: float
    opened: float
    closed: float


def change(holding: Holding, size: float, price: float) -> Change:
    """Return a holding after a trade; an average price moves where the holding grows, not where it shrinks."""
    before, after = holding.size, holding.size + size
    if not after:
        return Change(after, 0.0, 0.0, size)
    if not before:
        return Change(after, price, size, 0.0)
    if (before > 0) == (size > 0):
        return Change(after, (holding.price * before + size * price) / after, size, 0.0)
    if (before > 0) == (after > 0):
        return Change(after, holding.price, 0.0, size)
    return Change(after, price, after, -before)


@dataclass(slots=True)
class Account:
    """Cash and holdings by symbol. `commission` is a fraction of the value; `leverage` divides a purchase's cash."""

    cash: float
    commission: float = 0.0
    leverage: float = 1.0
    holdings: dict[str, Holding] = field(default_factory=dict)

    def holding(self, symbol: str) -> Holding:
        """Return what is held of a symbol."""
        return self.holdings.get(symbol) or Holding()

    def equity(self, prices: Mapping[str, float]) -> float:
        """Return cash and holdings at those prices (the average price where one is missing)."""
        return self.cash + sum(
            each.size * prices.get(symbol, each.price) for symbol, each in self.holdings.items() if each.size
        )

    def trade(self, symbol: str, size: float, price: float, *, check_cash: bool) -> tuple[float, bool]:
        """Book a trade of a signed size; return what of it was done, and whether the cash was enough.

        With `check_cash` only what closes a position is done where the cash is not enough for the rest.
        """
        holding = self.holdings.setdefault(symbol, Holding())
        found = change(holding, size, price)
        opened, is_enough = found.opened, True
        cash = self.cash
        if found.closed:
            cash = self.cash = self._closed(cash, holding.price, found.closed, price)
        if opened:
            cash = self._opened(cash, opened, price)
            if check_cash and cash < 0.0:
                opened, is_enough = 0.0, False
            else:
                self.cash = cash
        done = found.closed + opened
        if done:
            after = change(holding, done, price)
            holding.size, holding.price = after.size, after.price
        return done, is_enough

    def supposed(self, cash: float, holding: Holding, size: float, price: float) -> float:
        """Return the cash after a trade that is only supposed, and change that holding (give a copy)."""
        found = change(holding, size, price)
        if found.closed:
            cash = self._closed(cash, price, found.closed, price)
        if found.opened:
            cash = self._opened(cash, found.opened, price)
        holding.size, holding.price = found.size, found.price
        return cash

    def _closed(self, cash: float, average: float, closed: float, price: float) -> float:
        value = -closed * average
        released = value / self.leverage if value > 0 else value
        gain = -closed * (price - average)
        return cash + (released + gain) - abs(closed) * self.commission * price

    def _opened(self, cash: float, opened: float, price: float) -> float:
        value = opened * price
        return cash - (value / self.leverage if value > 0 else value) - abs(opened) * self.commission * price
