"""What the account holds and has on order, over HTTP. Pure generators, which may be sent as often as one likes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from brokers.algogene.protocol import Endpoint
from brokers.algogene.reports import (
    Account,
    Deal,
    Held,
    Money,
    Pending,
    Query,
    Trade,
    read_account,
    read_deal,
    read_held,
    read_money,
    read_pending,
    read_query,
    read_trade,
)
from feeds.algogene.answers import odd, rows, table
from framework.wire import Exchange

T = TypeVar("T")


def accounts(endpoint: Endpoint) -> Exchange[tuple[Account, ...]]:
    """Return the user's accounts of the endpoint's mode. Raise `VenueError`, as all of these do."""
    return (yield from _listed(endpoint, "/accounts", read_account))


def balance(endpoint: Endpoint) -> Exchange[Money]:
    """Return what the account is worth."""
    body = yield from endpoint.get("/balance", "balance")
    return endpoint.session.read(lambda: read_money(body), "balance")


def positions(endpoint: Endpoint) -> Exchange[dict[str, Held]]:
    """Return what is held, net, by symbol."""
    body = yield from endpoint.get("/positions", "positions")
    held = endpoint.session.read(lambda: table(body), "positions")
    return {symbol: endpoint.session.read(_reading(read_held, symbol, each), symbol) for symbol, each in held.items()}


def opened_trades(endpoint: Endpoint) -> Exchange[dict[str, Trade]]:
    """Return the open trades by their ids. All of them: to ask for one is no part of the documentation."""
    found = yield from _listed(endpoint, "/opened_trades", read_trade)
    return {each.trade_id: each for each in found}


def pending_trades(endpoint: Endpoint) -> Exchange[dict[str, Pending]]:
    """Return the orders that wait by their ids."""
    found = yield from _listed(endpoint, "/pending_trades", read_pending)
    return {each.trade_id: each for each in found}


def query_order(endpoint: Endpoint, trade_id: str) -> Exchange[Query]:
    """Return one order, however it stands. Raise `ProtocolError` where another one is told."""
    what = f"order {trade_id}"
    body = yield from endpoint.report("/query_order", what, tradeID=trade_id)
    found = endpoint.session.read(lambda: read_query(body), what)
    if found.trade_id != trade_id:
        raise odd(f"asked for order {trade_id}, told of {found.trade_id}")
    return found


def strategy_trade(endpoint: Endpoint, order_ref: str = "") -> Exchange[tuple[Deal, ...]]:
    """Return the account's transactions, the oldest first; with a reference those that bear it."""
    more = {"runtime_id": endpoint.accountid, **({"orderRef": order_ref} if order_ref else {})}
    found = yield from _listed(endpoint, "/strategy_trade", read_deal, **more)
    asked = (each for each in found if order_ref in ("", each.order_ref))
    return tuple(sorted(asked, key=lambda each: each.at))


class Place(enum.Enum):
    """Where an order was found."""

    PENDING = "pending"
    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Found:
    """An order that the venue has: its id there, and where it is."""

    trade_id: str
    place: Place


def find_by_ref(endpoint: Endpoint, order_ref: str) -> Exchange[Found | None]:
    """Return the order that bears our reference, None where there is none of it yet.

    Orders that wait are looked through before trades: one that fills meanwhile is in the one list or in the other. None
    does not say that there never will be one: a request may still be on its way. Raise `ProtocolError` where two bear
    the reference, which is used once.
    """
    pending = yield from pending_trades(endpoint)
    opened = yield from opened_trades(endpoint)
    places = {**dict.fromkeys(_bearing(pending, order_ref), Place.PENDING)}
    places |= dict.fromkeys(_bearing(opened, order_ref), Place.OPENED)
    if not places:
        deals = yield from strategy_trade(endpoint, order_ref)
        places = dict.fromkeys((each.trade_id for each in deals if not each.is_close), Place.CLOSED)
    if len(places) > 1:
        raise odd(f"{len(places)} orders bear the reference {order_ref}, which is used once: {', '.join(places)}")
    return next((Found(trade_id, place) for trade_id, place in places.items()), None)


def _bearing(listed: Mapping[str, Trade] | Mapping[str, Pending], order_ref: str) -> list[str]:
    return [each.trade_id for each in listed.values() if each.order_ref == order_ref]


def _listed(
    endpoint: Endpoint, path: str, read: Callable[[Mapping[str, Any]], T], **params: str
) -> Exchange[tuple[T, ...]]:
    what = path.removeprefix("/").replace("_", " ")
    body = yield from endpoint.get(path, what, **params)
    return endpoint.session.read(lambda: tuple(read(each) for each in rows(body)), what)


def _reading(read: Callable[[str, Mapping[str, Any]], T], symbol: str, body: Mapping[str, Any]) -> Callable[[], T]:
    return lambda: read(symbol, body)
