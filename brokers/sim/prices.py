"""At which price an order fills on a bar: Backtrader's rules (its `BackBroker`), as pure functions.

Two differences, both only with slippage: a stop-limit never slips beyond its limit, and a limit sale
never below the bar.
"""

from __future__ import annotations

from dataclasses import dataclass

from brokers.sim.orders import STOP_LIMITS, Order
from framework.intrabar import touched_at
from framework.model import Bar, OrderType, Side


@dataclass(frozen=True, slots=True)
class Slippage:
    """How much worse than the market an order fills: a fraction of the price, or a fixed amount."""

    fraction: float = 0.0
    fixed: float = 0.0

    def up(self, price: float, top: float) -> float:
        """Return a buyer's price, at most `top`."""
        return min(price * (1 + self.fraction) if self.fraction else price + self.fixed, top) if self else price

    def down(self, price: float, bottom: float) -> float:
        """Return a seller's price, at least `bottom`."""
        return max(price * (1 - self.fraction) if self.fraction else price - self.fixed, bottom) if self else price

    def __bool__(self) -> bool:
        return bool(self.fraction or self.fixed)


def price_on(order: Order, bar: Bar, slippage: Slippage) -> float | None:
    """Return the price at which the order fills on a bar, or None; a stop-limit may be triggered by it."""
    if order.kind is OrderType.MARKET:
        return market(order.side, bar, slippage)
    if order.kind is OrderType.LIMIT:
        return limit(order.side, bar, order.price, slippage)
    if order.kind in STOP_LIMITS:
        return _stop_limit(order, bar, slippage)
    return stop(order.side, bar, order.price, slippage)


def market(side: Side, bar: Bar, slippage: Slippage) -> float:
    """Fill at the open."""
    return slippage.up(bar.open, bar.high) if side is Side.BUY else slippage.down(bar.open, bar.low)


def limit(side: Side, bar: Bar, price: float, slippage: Slippage) -> float | None:
    """Fill at the open where it is better than the limit, at the limit where the bar reaches it."""
    if side is Side.BUY:
        if price >= bar.open:
            return slippage.up(bar.open, min(bar.high, price))
        return price if price >= bar.low else None
    if price <= bar.open:
        return slippage.down(bar.open, max(bar.low, price))
    return price if price <= bar.high else None


def stop(side: Side, bar: Bar, trigger: float, slippage: Slippage) -> float | None:
    """Fill at the open where it is beyond the trigger already, at the trigger where the bar reaches it."""
    if side is Side.BUY:
        if bar.open >= trigger:
            return slippage.up(bar.open, bar.high)
        return slippage.up(trigger, bar.high) if bar.high >= trigger else None
    if bar.open <= trigger:
        return slippage.down(bar.open, bar.low)
    return slippage.down(trigger, bar.low) if bar.low <= trigger else None


def touched_on(order: Order, bar: Bar) -> float | None:
    """Return at what price of a straight stretch the order is touched first, or None."""
    if order.kind is OrderType.MARKET:
        return bar.open
    if order.kind is OrderType.MARKET_ON_CLOSE:
        return None
    stops = order.kind is not OrderType.LIMIT and not order.is_triggered
    price = order.limit if order.is_triggered else order.price
    assert price is not None
    return touched_at(price, bar.open, bar.close, from_below=stops == (order.side is Side.BUY))


def _stop_limit(order: Order, bar: Bar, slippage: Slippage) -> float | None:
    assert order.limit is not None
    trigger = order.price
    gapped = bar.open >= trigger if order.side is Side.BUY else bar.open <= trigger
    if order.is_triggered or gapped:
        order.is_triggered = True
        return limit(order.side, bar, order.limit, slippage)
    if not (bar.high >= trigger if order.side is Side.BUY else bar.low <= trigger):
        return None
    order.is_triggered = True
    return _after_trigger(order.side, bar, trigger, order.limit, slippage)


def _after_trigger(side: Side, bar: Bar, trigger: float, limit: float, slippage: Slippage) -> float | None:
    """Fill inside the bar that triggered, where the order of its prices is certain enough."""
    if side is Side.BUY:
        if limit >= trigger:
            return slippage.up(trigger, min(bar.high, limit))
        return limit if bar.open > bar.close and limit >= bar.close else None
    if limit <= trigger:
        return slippage.down(trigger, max(bar.low, limit))
    return limit if bar.open <= bar.close and limit <= bar.close else None
