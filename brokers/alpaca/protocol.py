"""What Alpaca does to an order before it takes it, without asking Alpaca.

Only what holds for every account and asset is here; whether a share can be bought in fractions or sold
short, and whether there is money enough, is for the venue to say.
"""

from __future__ import annotations

from framework.model import OrderRequest, OrderType, Side

MINIMUM_COST = 1.0
"""Dollars that an order which opens a position must be worth."""

CRYPTO_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})


def is_crypto(symbol: str) -> bool:
    """Return whether a symbol is a crypto pair ("BTC/USD")."""
    return "/" in symbol


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
        quantity = request.quantity or 0.0
        opens = position * request.side.sign >= 0
        if is_crypto(request.symbol):
            return _crypto_refusal(request, position)
        if not opens and quantity > abs(position):
            return f"insufficient qty available for order (requested: {quantity:g}, available: {abs(position):g})"
        if quantity % 1 and opens and request.side is Side.SELL:
            return "fractional orders cannot be sold short"
        if opens and quantity * price < MINIMUM_COST:
            return f"cost basis must be >= minimal amount of order {MINIMUM_COST:g}"
        return ""


def _crypto_refusal(request: OrderRequest, position: float) -> str:
    if request.order_type not in CRYPTO_TYPES:
        return f"invalid order type for crypto order: {request.order_type.value}; it takes market, limit and stop_limit"
    if request.side is Side.SELL and (request.quantity or 0.0) > position:
        return f"insufficient balance for {request.symbol} (requested: {request.quantity:g}, available: {position:g})"
    return ""
