"""Exits of one position that Alpaca does not take as a pair: one rests there, the others are held here.

Alpaca sets the shares aside for the first order that sells them and refuses the second
("insufficient qty available for order"), so that two exits of ours cannot both rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from brokers.alpaca.closing import before_the_close, check_close
from brokers.alpaca.protocol import is_crypto
from brokers.alpaca.validity import end_of
from framework.errors import ConfigError, Unsupported
from framework.live.trailing import check_trail
from framework.model import OrderRequest, OrderType, Side

STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
TRAILS = (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT)


def is_closing(orders: Sequence[OrderRequest], position: float) -> bool:
    """Return whether all of these close a position (signed) of one symbol."""
    return all(each.symbol == orders[0].symbol and each.side.sign * position < 0 for each in orders)


def resting(orders: Sequence[OrderRequest]) -> OrderRequest | None:
    """Return the one that is to rest at Alpaca, None where it takes none of them.

    A market order goes at once. Of several limits it is the one that the price reaches first: while it rests, the
    others cannot be reached. A stop rests only where there is nothing else, so that the position is not bare
    without us.
    """
    return min((each for each in orders if _rank(each) is not None), key=lambda each: _rank(each) or (), default=None)


def never_rests(request: OrderRequest) -> bool:
    """Return whether Alpaca takes such an order not even alone: crypto has no stop without a limit."""
    return is_crypto(request.symbol) and request.order_type in (OrderType.STOP, OrderType.TRAILING_STOP)


def _rank(request: OrderRequest) -> tuple[float, ...] | None:
    if never_rests(request):
        return None
    match request.order_type:
        case OrderType.MARKET:
            return (0,)
        case OrderType.LIMIT:
            return 1, -request.side.sign * (request.limit_price or 0.0)
        case OrderType.STOP | OrderType.STOP_LIMIT:
            return (2,)
        case OrderType.TRAILING_STOP:
            return (3,)
        case _:
            return None


def check_held(request: OrderRequest) -> None:
    """Raise `ConfigError` or `Unsupported` for what cannot be held: it must have its levels and a size.

    Asked for before the entry is sent: an exit that is refused later leaves a position without one.
    """
    if request.order_type is OrderType.MARKET_ON_CLOSE:
        check_close(request)
    if request.quantity is None:
        raise Unsupported(f"{request.symbol}: an exit beside another is for a size, not for an amount of money")
    if request.order_type in TRAILS:
        check_trail(request)
    if request.order_type in STOPS and not request.stop_price:
        raise ConfigError(f"{request.symbol}: a {request.order_type.value} order without its stop_price; give one")
    if request.order_type is OrderType.STOP_LIMIT and not request.limit_price:
        raise ConfigError(f"{request.symbol}: a stop_limit order without its limit_price; give one")


def at_its_time(
    request: OrderRequest, at: datetime, closes_at: datetime
) -> tuple[OrderRequest, tuple[tuple[str, datetime], ...]]:
    """Return an order as it is held, and when it goes by the clock: one for the close goes shortly before it."""
    if request.order_type is not OrderType.MARKET_ON_CLOSE:
        return request, ()
    late = before_the_close(request, at, closes_at)
    return late.request, ((request.client_order_id, late.at or at),)


def ends(orders: Sequence[OrderRequest], closes_at: datetime) -> tuple[tuple[str, datetime], ...]:
    """Return when orders that are held end."""
    known = ((each, end_of(each, closes_at)) for each in orders if each.order_type is not OrderType.MARKET_ON_CLOSE)
    return tuple((each.client_order_id, end) for each, end in known if end is not None)


def said(held: Sequence[OrderRequest], rests: OrderRequest | None) -> str:
    """Say which are held."""
    names = " and ".join(f"the {each.order_type.value} ({each.client_order_id})" for each in held)
    where = "none of them rests at Alpaca" if rests is None else f"only the {rests.order_type.value} rests at Alpaca"
    way = "falls" if held[0].side is Side.SELL else "rises"
    is_are = "is" if len(held) == 1 else "are"
    return (
        f"{held[0].symbol}: Alpaca keeps one exit for the same shares, so that {where}; {names} {is_are} followed here "
        f"and ends with this process: run it again soon if it stops, or the position has no stop when the price {way}"
    )
