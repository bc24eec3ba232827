"""What Alpaca does to an order before it takes it, without asking Alpaca.

Only what holds for every account and asset is here; whether a share can be bought in fractions or sold
short, and whether there is money enough, is for the venue to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.model import OrderRequest, OrderType, Side
from framework.ports import Resting

MINIMUM_COST = 1.0
"""Dollars that an order which opens a position must be worth."""

CRYPTO_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})


def is_crypto(symbol: str) -> bool:
    """Return whether a symbol is a crypto pair ("BTC/USD")."""
    return "/" in symbol


def is_fractional(request: OrderRequest) -> bool:
    """Return whether Alpaca takes the order as a fractional one: a part of a share, or an amount of money."""
    return request.notional is not None or bool(round(request.quantity or 0.0, 9) % 1)  # 3.0000000000000004 is three


def quantity_of(request: OrderRequest, price: float) -> float:
    """Return how much an order is for: what an amount of money buys at a price, where it is for one."""
    if request.quantity is not None:
        return request.quantity
    return (request.notional or 0.0) / price if price else 0.0


class AlpacaRules:
    """Alpaca's order rules (its documentation, "Orders at Alpaca")."""

    venue = "alpaca"

    def tick(self, symbol: str, price: float) -> float:
        """Whole cents from a dollar up, hundredths of a cent below; crypto to nine decimals."""
        if is_crypto(symbol):
            return 1e-9
        return 0.01 if price >= 1 else 0.0001

    def lot(self, symbol: str) -> float:
        """Shares and coins are taken to nine decimals."""
        return 1e-9

    def refusal(self, request: OrderRequest, *, position: float, price: float, grouped: bool) -> str:
        """Return why Alpaca would refuse this order, in its words where it has any, or an empty string.

        What it does not take as a group is sent piece by piece (`brokers.alpaca.groups`): an exit that waits for its
        entry is never refused beforehand.
        """
        if grouped:
            return ""
        quantity = quantity_of(request, price)
        opens = position * request.side.sign >= 0
        if is_crypto(request.symbol):
            return _crypto_refusal(request, position, quantity)
        if not opens and quantity > abs(position):
            return f"insufficient qty available for order (requested: {quantity:g}, available: {abs(position):g})"
        if quantity % 1 and opens and request.side is Side.SELL:
            return "fractional orders cannot be sold short"
        if opens and quantity * price < MINIMUM_COST:
            return f"cost basis must be >= minimal amount of order {MINIMUM_COST:g}"
        return ""

    def is_for_the_day(self, request: OrderRequest) -> bool:
        """Fractions, amounts of money and orders in extended hours: Alpaca takes them for the day."""
        return not is_crypto(request.symbol) and (is_fractional(request) or request.extended_hours)

    def objection(
        self, request: OrderRequest, *, position: float, price: float, grouped: bool, resting: Sequence[Resting]
    ) -> str:
        """Return why Alpaca would refuse this order now: a stop beyond the market, shares spoken for, a wash trade."""
        sign = request.side.sign
        if request.order_type is OrderType.STOP and (price - (request.stop_price or price)) * sign >= 0:
            return f"stop price must be {'greater' if sign > 0 else 'less'} than current price"
        if is_crypto(request.symbol):
            return ""
        quantity = quantity_of(request, price)
        spoken_for = sum(each.request.quantity or 0.0 for each in resting if each.request.side is request.side)
        free = max(0.0, abs(position) - spoken_for)
        if position * sign < 0 and quantity > free + 1e-9:
            return f"insufficient qty available for order (requested: {quantity:g}, available: {free:g})"
        against = [each.request for each in resting if each.request.side is not request.side and not each.grouped]
        return "" if grouped else next((why for each in against if (why := _wash(request, each))), "")


def _wash(request: OrderRequest, other: OrderRequest) -> str:
    """Return why an order could trade with another one of our own, or an empty string."""
    kind = "limit"
    if request.order_type is OrderType.LIMIT and other.order_type is OrderType.LIMIT:
        apart = ((request.limit_price or 0.0) - (other.limit_price or 0.0)) * request.side.sign
        if apart < 0:
            return ""
    elif other.order_type is not OrderType.LIMIT:
        kind = "market" if other.order_type is OrderType.MARKET else "stop"
    return f"potential wash trade detected. use complex orders (reject_reason opposite side {kind} order exists)"


def _crypto_refusal(request: OrderRequest, position: float, quantity: float) -> str:
    if request.order_type not in CRYPTO_TYPES:
        return f"invalid order type for crypto order: {request.order_type.value}; it takes market, limit and stop_limit"
    if request.side is Side.SELL and quantity > position:
        return f"insufficient balance for {request.symbol} (requested: {quantity:g}, available: {position:g})"
    return ""
