"""What ALGOGENE does to an order before it takes it, without asking ALGOGENE. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from brokers.algogene.instruments import Instrument, step_of
from brokers.algogene.lots import refusal as size_refusal
from brokers.algogene.orders import TYPES
from feeds.algogene.naming import NAME
from framework.model import OrderRequest, OrderType, TimeInForce
from framework.ports import Resting

LASTING = frozenset({TimeInForce.GTC, TimeInForce.GTD})


class AlgogeneRules:
    """ALGOGENE's order rules. `contracts` are the units of one lot by symbol, 1 where a symbol is not among them.

    Live the venue is asked for them, and refuses what is below a step there.
    """

    venue = "algogene"

    def __init__(self, contracts: Mapping[str, float] | None = None) -> None:
        self._contracts = dict(contracts or {})

    def tick(self, symbol: str, price: float) -> float:
        """GUESS: prices to nine decimals; no answer that is known tells an instrument's step."""
        return 1e-9

    def lot(self, symbol: str) -> float:
        """A hundredth of a lot, in units."""
        return float(self._instrument(symbol).smallest)

    def refusal(self, request: OrderRequest, *, position: float, price: float, grouped: bool) -> str:
        """Return why ALGOGENE would refuse this order (it does not carry it, it is too small), or an empty string.

        Nothing depends on the position: selling what is not held opens a trade.
        """
        why = unsupported(request) or (unsupported_exit(request) if grouped else "")
        return why or size_refusal(request.quantity or 0.0, self._instrument(request.symbol))

    def is_for_the_day(self, request: OrderRequest) -> bool:
        """Return False: it has no orders for the day."""
        return False

    def objection(
        self, request: OrderRequest, *, position: float, price: float, grouped: bool, resting: Sequence[Resting]
    ) -> str:
        """Return an empty string: what it makes of the market and of other orders is documented nowhere."""
        return ""

    def _instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol, Decimal(repr(float(self._contracts.get(symbol, 1.0)))), step_of({}))


def unsupported(request: OrderRequest) -> str:
    """Return what of an order ALGOGENE does not carry, in a sentence, or an empty string."""
    symbol = request.symbol
    if request.order_type not in TYPES:
        kind = request.order_type.value.replace("_", " ")
        return f"{symbol}: {NAME} has no {kind} order; it has market, limit and stop"
    if request.quantity is None:
        return f"{symbol}: {NAME} has no order for an amount of money; give a size"
    if request.time_in_force not in LASTING:
        lasts = request.time_in_force.value
        return f"{symbol}: {NAME} has no {lasts} orders; give valid= a time, or None until it is cancelled"
    if request.extended_hours:
        return f"{symbol}: {NAME} has no extended hours; leave out extended_hours"
    return ""


def unsupported_exit(request: OrderRequest) -> str:
    """Return what of an exit that waits for its entry cannot be a trade's level, or an empty string."""
    symbol = request.symbol
    if request.order_type not in (OrderType.LIMIT, OrderType.STOP):
        return f"{symbol}: a trade's levels are a limit and a stop, not a {request.order_type.value} order"
    if request.expires_at is not None:
        return f"{symbol}: a trade's levels have no end; leave valid= out of its exits"
    return ""
