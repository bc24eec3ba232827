"""What the account allows: quantities, buying power, borrowing, and no wash trades.

The answers are Alpaca's: one code for many reasons, told apart by the further fields of the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brokers.alpaca.entries import Entry, number
from brokers.alpaca.protocol import MINIMUM_COST, is_crypto
from brokers.alpaca.refusals import FORBIDDEN, Asked, Refusal, invalid

if TYPE_CHECKING:
    from brokers.alpaca.book import Book

COLLAR = 0.03
"""How much above the market a market order is taken to cost, when buying power is checked."""


def check_account(book: Book, asked: Asked) -> None:
    held = book.account.holding(asked.symbol).size
    sign = 1 if asked.side == "buy" else -1
    price = book.prices[asked.symbol]
    quantity = asked.qty if asked.qty is not None else (asked.notional or 0.0) / price
    if quantity % 1 and asked.symbol in book.settings.whole_only:
        raise invalid(f'asset "{asked.symbol}" is not fractionable')
    if held * sign < 0:
        check_closing(book, asked, quantity, abs(held))
    else:
        check_opening(book, asked, quantity, price)
    check_wash(book, asked)


def check_closing(book: Book, asked: Asked, quantity: float, held: float) -> None:
    related = held_for_orders(book, asked.symbol, asked.side)
    reserved = sum(each.left for each in related)
    available = max(0.0, held - reserved)
    if quantity > available + 1e-9:
        raise Refusal(
            403,
            FORBIDDEN,
            f"insufficient qty available for order (requested: {number(quantity)}, available: {number(available)})",
            available=number(available),
            existing_qty=number(held),
            held_for_orders=number(reserved),
            related_orders=[each.id for each in related],
            symbol=asked.symbol,
        )


def check_opening(book: Book, asked: Asked, quantity: float, price: float) -> None:
    if asked.order_class == "oco":
        raise Refusal(403, FORBIDDEN, "oco orders must be exit orders", symbol=asked.symbol)
    if asked.side == "sell":
        check_short(book, asked, quantity)
    cost = quantity * valued(book, asked.type, asked.limit_price, asked.stop_price, price)
    if asked.notional is not None:
        cost = asked.notional
    if cost < MINIMUM_COST:
        raise Refusal(403, FORBIDDEN, f"cost basis must be >= minimal amount of order {MINIMUM_COST:g}")
    power = buying_power(book)
    if cost > power + 1e-6:
        raise Refusal(
            403,
            FORBIDDEN,
            "insufficient buying power",
            available=number(power),
            buying_power=number(power),
            cost_basis=number(cost),
            symbol=asked.symbol,
        )


def check_short(book: Book, asked: Asked, quantity: float) -> None:
    if is_crypto(asked.symbol):
        coin = asked.symbol.partition("/")[0]
        asked_for = f"(requested: {number(quantity)}, available: 0)"
        raise Refusal(403, FORBIDDEN, f"insufficient balance for {coin} {asked_for}", symbol=asked.symbol)
    if asked.notional is not None or quantity % 1:
        raise invalid("fractional orders cannot be sold short")
    barred = book.configuration["no_shorting"] or book.settings.multiplier < 2
    if barred or asked.symbol in book.settings.hard_to_borrow:
        why = "account is not allowed to short" if barred else f'asset "{asked.symbol}" cannot be sold short'
        raise invalid(why)


def check_wash(book: Book, asked: Asked) -> None:
    """Refuse what could trade with a resting order of one's own: the exits of a group are exempt."""
    if asked.order_class != "simple":
        return
    for other in book.live:
        if other.symbol == asked.symbol and other.side != asked.side and other.order_class == "simple":
            reason = _wash_reason(asked, other)
            if reason:
                raise Refusal(
                    403,
                    FORBIDDEN,
                    "potential wash trade detected. use complex orders",
                    existing_order_id=other.id,
                    reject_reason=reason,
                )


def held_for_orders(book: Book, symbol: str, side: str) -> list[Entry]:
    """Return the live orders that would close a position of a symbol; of a group, the one order it comes to."""
    own = [each for each in book.live if each.symbol == symbol and each.side == side]
    return [each for each in own if each.parent is None or is_first_exit(book, each)]


def buying_power(book: Book) -> float:
    """Return what may be opened: the account's multiple of its equity, less positions and open orders."""
    gross = sum(abs(each.size) * book.price(symbol) for symbol, each in book.account.holdings.items())
    power = book.equity * book.settings.multiplier - gross if book.settings.multiplier > 1 else book.account.cash
    return max(0.0, power - sum(reserved(book, each) for each in book.live))


def is_first_exit(book: Book, entry: Entry) -> bool:
    """Return whether a leg reserves the position: one leg does for its group, once its entry has filled."""
    if not book.is_awake(entry):
        return False
    parent = book.entries[entry.parent or ""]
    if parent.order_class == "oco":
        return not parent.is_live
    live = [each for each in parent.legs if book.entries[each].is_live]
    return bool(live) and live[0] == entry.id


def reserved(book: Book, entry: Entry) -> float:
    """Return what an open order holds of the buying power: what it would open."""
    held = book.account.holding(entry.symbol).size
    sign = 1 if entry.side == "buy" else -1
    if entry.parent is not None or held * sign < 0:
        return 0.0
    if entry.notional is not None:
        return entry.notional
    return entry.left * valued(book, entry.type, entry.limit_price, entry.stop_price, book.price(entry.symbol))


def valued(book: Book, kind: str, limit: float | None, stop: float | None, last: float) -> float:
    if kind in ("limit", "stop_limit") and limit is not None:
        return limit
    return (stop or last) * (1 + COLLAR if book.settings.multiplier > 1 else 1)


def _wash_reason(asked: Asked, other: Entry) -> str:
    if asked.type == "limit" and other.type == "limit":
        buy, sell = (asked.limit_price, other.limit_price)[:: 1 if asked.side == "buy" else -1]
        if (buy or 0.0) < (sell or 0.0):
            return ""
        return "opposite side limit order exists"
    kind = "market" if other.type == "market" else "stop" if "stop" in other.type else "limit"
    return f"opposite side {kind} order exists"
