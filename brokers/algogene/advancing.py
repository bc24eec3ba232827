"""What a poll adds to what is known of the orders that are followed. Pure.

What an order has filled is the most that any answer says: the open trade, the account's history, a query. How it ended
counts when its fills are known: they are asked for after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from brokers.algogene.following import ZERO, Followed, Following, Kind, Known, Part, Poll, Questions
from brokers.algogene.lots import exact
from brokers.algogene.reports import Deal, Query, Word
from framework.model import OrderStatus

_SECONDS = timedelta(seconds=2)


def advance(followed: Followed, poll: Poll) -> dict[str, Following]:
    """Return what is known after a poll."""
    claims = _claims(followed, poll)
    opened = {name: _advanced(each, poll, claims) for name, each in followed.items()}
    barren = {
        part.trade_id
        for each in opened.values()
        for part, known in zip(each.parts, each.known, strict=True)
        if part.kind is Kind.OPEN and known.end not in (None, OrderStatus.FILLED) and not known.filled
    }
    return {name: _without_trade(each, barren, poll.at) for name, each in opened.items()}


def questions(followed: Followed, poll: Poll) -> Questions:
    """Return what the next poll has to ask for."""
    left = [
        part
        for each in followed.values()
        for part, known in zip(each.parts, each.known, strict=True)
        if known.end is None and part.trade_id
    ]
    queries = {each.trade_id: None for each in left if each.kind is Kind.OPEN and each.trade_id not in poll.pending}
    return Questions(tuple(queries), bool(queries) or any(_is_less(each, poll) for each in left))


def _is_less(part: Part, poll: Poll) -> bool:
    """Return whether something of a trade is gone: history tells how."""
    if part.trade_id in poll.pending:
        return False
    trade = poll.opened.get(part.trade_id)
    return trade is None or (part.kind is not Kind.OPEN and exact(trade.lots) * part.contract < part.units)


def _advanced(order: Following, poll: Poll, claims: Mapping[str, tuple[str, int]]) -> Following:
    known = []
    for place, (part, before) in enumerate(zip(order.parts, order.known, strict=True)):
        if before.end is not None:
            known.append(before)
        elif part.kind is Kind.OPEN:
            known.append(_opened(order, part, before, poll))
        else:
            claim = claims.get(part.trade_id)
            known.append(_closed(part, before, poll, claim, (order.client_order_id, place)))
    return replace(order, known=tuple(known))


def _opened(order: Following, part: Part, before: Known, poll: Poll) -> Known:
    """Take in what is told of a trade that is opened: the most that any answer says has filled."""
    query, trade = poll.queries.get(part.trade_id), poll.opened.get(part.trade_id)
    after = _with_deals(before, _done(part, poll.deals or (), is_close=False))
    if trade is not None:
        after = _more(after, exact(trade.lots) * part.contract, trade.price, trade.at)
    if query is not None and query.word is Word.FILLED and (price := filled_at(query)) is not None:
        after = _more(after, part.units, price, query.at)
    is_seen = after.is_seen or part.trade_id in poll.pending or query is not None
    after = replace(after, is_seen=is_seen)
    if after.filled >= part.units:
        return replace(after, end=OrderStatus.FILLED)
    # What it filled before it ended is in lists that were asked for later.
    end = _end(order, query) if query is not None and poll.deals is not None else None
    return after if end is None or query is None else replace(after, end=end, at=query.at, reason=query.reason)


def filled_at(query: Query) -> float | None:
    """GUESS: the price of an order that is filled is what it filled at; 0 is no price.

    It counts only where neither the open trade nor the history tells one.
    """
    return query.price or None


def _end(order: Following, query: Query) -> OrderStatus | None:
    if query.word is Word.REJECTED:
        return OrderStatus.REJECTED
    if query.word is Word.EXPIRED or (query.word is Word.CANCELLED and is_expiry(order, query)):
        return OrderStatus.EXPIRED
    return OrderStatus.CANCELED if query.word is Word.CANCELLED else None


def is_expiry(order: Following, query: Query) -> bool:
    """GUESS: tell whether a cancel was the order's own end, by the time that the venue gives it."""
    return order.expires_at is not None and query.at >= order.expires_at - _SECONDS


def _closed(part: Part, before: Known, poll: Poll, claim: tuple[str, int] | None, own: tuple[str, int]) -> Known:
    """Take in what is told of a trade that is closed: its deals belong to one part alone."""
    is_open = part.trade_id in poll.opened
    if claim is None or (claim != own and is_open):
        return replace(before, is_seen=before.is_seen or is_open)
    if claim != own:
        return replace(before, end=OrderStatus.CANCELED, at=poll.at, reason="its trade was closed otherwise")
    deals = poll.deals or ()
    opened = sum((each.units for each in _done(part, deals, is_close=False)), ZERO) or part.units
    # What was closed of it before it was asked for, by whatever, is not this one's.
    after = _with_deals(before, _less(_done(part, deals, is_close=True), opened - part.units))
    is_gone = not is_open and part.trade_id not in poll.pending
    is_done = is_gone and after.filled >= min(opened, part.units)
    return replace(after, end=OrderStatus.FILLED if is_done else None)


class _Done(NamedTuple):
    """A transaction in units."""

    units: Decimal
    price: Decimal
    at: datetime


def _done(part: Part, deals: Iterable[Deal], *, is_close: bool) -> list[_Done]:
    own = (each for each in deals if each.trade_id == part.trade_id and each.is_close == is_close)
    return [_Done(exact(each.lots) * part.contract, exact(each.price), each.at) for each in own]


def _less(done: Iterable[_Done], units: Decimal) -> list[_Done]:
    """Return transactions without the first so many units of them."""
    left, found = units, list[_Done]()
    for each in done:
        taken = min(max(left, ZERO), each.units)
        left -= taken
        if each.units > taken:
            found.append(each._replace(units=each.units - taken))
    return found


def _with_deals(before: Known, done: list[_Done]) -> Known:
    units = sum((each.units for each in done), ZERO)
    if units <= before.filled:
        return before
    value = sum((each.units * each.price for each in done), ZERO)
    return Known(True, units, value, None, max(each.at for each in done))


def _more(before: Known, units: Decimal, price: float, at: datetime) -> Known:
    """Return what is known with so many units filled at an average price; less than is known says nothing."""
    return before if units <= before.filled else Known(True, units, units * exact(price), None, at)


def _claims(followed: Followed, poll: Poll) -> dict[str, tuple[str, int]]:
    """Return to which part of which order the closing of each trade belongs: to one, for ever."""
    found: dict[str, tuple[str, int]] = {}
    rivals: dict[str, list[tuple[tuple[str, int], Part]]] = {}
    for name, order in followed.items():
        for place, (part, known) in enumerate(zip(order.parts, order.known, strict=True)):
            if part.kind is Kind.OPEN:
                continue
            if known.filled:
                found[part.trade_id] = (name, place)
            elif known.end is None:
                rivals.setdefault(part.trade_id, []).append(((name, place), part))
    for deal in poll.deals or ():
        if deal.is_close and deal.trade_id in rivals and deal.trade_id not in found:
            found[deal.trade_id] = whose(deal, rivals[deal.trade_id])
    return found


def whose(deal: Deal, rivals: list[tuple[tuple[str, int], Part]]) -> tuple[str, int]:
    """GUESS: return which part a close carried out, by its price: history does not tell the cause.

    A level that was reached, else the close that was asked for, else (a hold time, a person) the nearer level.
    """
    reached = [each for each in rivals if _is_reached(each[1], deal.price)]
    asked = [each for each in rivals if each[1].kind is Kind.CLOSE]
    nearest = min(rivals, key=lambda each: abs((each[1].level or deal.price) - deal.price))
    return (*reached, *asked, nearest)[0][0]


def _is_reached(part: Part, price: float) -> bool:
    if part.level is None:
        return False
    beyond = (price - part.level) * part.side.sign
    return beyond >= 0 if part.kind is Kind.TAKE_PROFIT else beyond <= 0


def _without_trade(order: Following, barren: set[str], at: datetime) -> Following:
    """End the exits of trades that will never be."""
    end = Known(end=OrderStatus.CANCELED, at=at, reason="its trade was never opened")
    pairs = zip(order.parts, order.known, strict=True)
    known = tuple(
        end if part.trade_id in barren and part.kind is not Kind.OPEN and each.end is None else each
        for part, each in pairs
    )
    return replace(order, known=known)
