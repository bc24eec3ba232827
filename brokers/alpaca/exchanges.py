"""Orders over HTTP: each exchange is a generator of requests that ends knowing what has become of the order.

An answer that is lost, or a gateway's, leaves open whether the order was taken. Then it is looked up by its
client order id, which Alpaca takes once and for ever. It is sent again only where the look-up
shows that it is not there, once, and under the same id: should the first have been on its way all the while,
the second is refused as a duplicate, and the one that is there is taken for ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from brokers.alpaca.amounts import number
from brokers.alpaca.answers import Ground, Refused, decoded, is_lost, refused
from brokers.alpaca.endpoint import Endpoint, part
from brokers.alpaca.following import Inquiry
from brokers.alpaca.groups import Post
from brokers.alpaca.reports import instant
from feeds.alpaca.protocol import NAME
from framework.errors import ConnectionLost, ProtocolError, RateLimited
from framework.wire import Exchange, HttpRequest, HttpResponse

SENDS = 2
"""How often an order, a cancel or a replacement is sent at most: again only where it is known not to be there."""

SKEW = timedelta(minutes=5)
"""How far the venue's clock may be behind ours."""

ORDERS = "/orders"


@dataclass(frozen=True, slots=True)
class Taken:
    """An order that the venue has: `order` is its JSON; `is_adopted` where it was found, not answered."""

    order: Mapping[str, Any]
    is_adopted: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancel that the venue has taken up; the order's end is told by its news."""


def submit(
    endpoint: Endpoint, post: Post, *, since: datetime | None = None, unless: Callable[[], bool] | None = None
) -> Exchange[Taken | Refused]:
    """Send an order or a group once (`unless` it is not wanted any more), and find out what has become of it.

    `since` is when it was decided: an order that bears its id and is older is another's, and is not taken for
    it. Raise `RateLimited` (nothing was taken), `AuthenticationError`, `ProtocolError`, and
    `ConnectionLost` where it cannot be found out: it is then to be looked up again, with `find`.
    """
    request = dataclasses.replace(endpoint.post(ORDERS, post.body), unless=unless)
    answer = yield from _carried_out(endpoint, request, post.client_order_id)
    is_strange = isinstance(answer, Taken) and answer.is_adopted and not _is_ours(answer.order, post, since)
    return _taken_id(post.client_order_id) if is_strange else answer


def look_up(endpoint: Endpoint, post: Post, *, since: datetime | None = None) -> Exchange[Taken | Refused | None]:
    """Find out what became of a POST whose answer is lost; None where the venue does not have it.

    Only asks. `Refused` where its id belongs to another order. Raise as `submit` does.
    """
    order = yield from find(endpoint, post.client_order_id)
    if order is None:
        return None
    return Taken(order, is_adopted=True) if _is_ours(order, post, since) else _taken_id(post.client_order_id)


def find(endpoint: Endpoint, client_order_id: str) -> Exchange[Mapping[str, Any] | None]:
    """Return an order by our id, a group with its legs, None where the venue has never had it."""
    response = yield endpoint.get("/orders:by_client_order_id", client_order_id=client_order_id)
    order = _order_or_none(response, endpoint)
    if order is None or (order.get("order_class") or "simple") == "simple" or order.get("legs"):
        return order
    return (yield from order_by_id(endpoint, str(order.get("id"))))


def order_by_id(endpoint: Endpoint, venue_order_id: str) -> Exchange[Mapping[str, Any] | None]:
    """Return an order by the venue's id, with its legs, None where there is none."""
    response = yield endpoint.get(f"{ORDERS}/{part(venue_order_id)}", nested="true")
    return _order_or_none(response, endpoint)


def inquire(endpoint: Endpoint, inquiry: Inquiry) -> Exchange[Mapping[str, Any] | None]:
    """Look an order up as `Reports.inquiries` says; None where the venue has never had it."""
    if inquiry.venue_order_id:
        return (yield from order_by_id(endpoint, inquiry.venue_order_id))
    return (yield from find(endpoint, inquiry.client_order_id))


def cancel(endpoint: Endpoint, venue_order_id: str) -> Exchange[Cancelled | Taken | Refused]:
    """Cancel an order. Where that cannot be, return the order as it is: filled, say, or cancelled before.

    `Refused` is for an order that is not there. A cancel twice does no more than once, so that one without an
    answer is sent again. Raise as `submit` does.
    """
    for _ in range(SENDS):
        response = yield from _sent(endpoint.delete(f"{ORDERS}/{part(venue_order_id)}"))
        if response is not None and response.status in (200, 204):
            return Cancelled()
        why = None if response is None else refused(response, endpoint)
        if why is not None and why.ground is Ground.NOT_FOUND:
            return why
        order = yield from order_by_id(endpoint, venue_order_id)
        if order is None:
            return why or Refused(Ground.NOT_FOUND, f"order not found for {venue_order_id}", 404)
        if why is not None or order.get("status") in ENDING:
            return Taken(order)
    raise ConnectionLost(NAME, f"cancel of order {venue_order_id}: sent {SENDS} times without an answer; try again")


ENDING = ("pending_cancel", "canceled", "filled", "expired", "rejected", "replaced")
"""Statuses of an order that needs no second cancel."""


def cancel_all(endpoint: Endpoint) -> Exchange[tuple[tuple[str, str], ...]]:
    """Cancel every order of the ACCOUNT, strangers' too; return those that were not: (venue's id, reason)."""
    response = yield endpoint.delete(ORDERS)
    answers = decoded(response, endpoint, list)
    return tuple((str(each["id"]), _reason(each)) for each in answers if int(each.get("status") or 0) >= 300)


def replace(endpoint: Endpoint, venue_order_id: str, changes: Mapping[str, Any]) -> Exchange[Taken | Refused]:
    """Put a new order in the place of one; `changes` has its client order id. The answer is the new order.

    A success does not say that the old one is gone: it may fill first, and the new one is then rejected.
    Raise as `submit` does.
    """
    client_id = str(changes["client_order_id"])
    request = endpoint.patch(f"{ORDERS}/{part(venue_order_id)}", changes)
    answer = yield from _carried_out(endpoint, request, client_id)
    is_strange = isinstance(answer, Taken) and answer.is_adopted and answer.order.get("replaces") != venue_order_id
    return _taken_id(client_id) if is_strange else answer


def _carried_out(endpoint: Endpoint, request: HttpRequest, client_order_id: str) -> Exchange[Taken | Refused]:
    """Send what makes an order under our id, and find out what has become of it."""
    for attempt in range(SENDS):
        response = yield from _sent(request)
        if response is not None and response.status == 200:
            return Taken(decoded(response, endpoint, dict))
        why = None if response is None else _refusal(response, endpoint, client_order_id, attempt)
        if why is not None and why.ground is not Ground.DUPLICATE and attempt == 0:
            return why
        # A refusal of the second may come of the first, which was on its way all the while.
        found = yield from _looked_up(endpoint, client_order_id)
        if found is not None:
            return Taken(found, is_adopted=True)
        if why is not None:
            return why
    raise _unknown(client_order_id, f"it was sent {SENDS} times without an answer, and is not there")


def _refusal(response: HttpResponse, endpoint: Endpoint, client_order_id: str, attempt: int) -> Refused:
    """Return why it was refused; that the budget is used up says nothing of what was sent before."""
    try:
        return refused(response, endpoint)
    except RateLimited as limited:
        if attempt == 0:
            raise
        raise _unknown(client_order_id, str(limited)) from limited


def _sent(request: HttpRequest) -> Exchange[HttpResponse | None]:
    """Send a request; return None where its answer leaves open what has become of it."""
    try:
        response = yield request
    except ConnectionLost:
        return None
    return None if is_lost(response) else response


def _looked_up(endpoint: Endpoint, client_order_id: str) -> Exchange[Mapping[str, Any] | None]:
    """Find an order whose request went unanswered; that it cannot be found out is told as such."""
    try:
        return (yield from find(endpoint, client_order_id))
    except (ConnectionLost, RateLimited) as error:
        raise _unknown(client_order_id, str(error)) from error


def _unknown(client_order_id: str, why: str) -> ConnectionLost:
    return ConnectionLost(NAME, f"what became of order {client_order_id} is not known ({why}); look it up again")


def _order_or_none(response: HttpResponse, endpoint: Endpoint) -> Mapping[str, Any] | None:
    if response.status == 200:
        order: Mapping[str, Any] = decoded(response, endpoint, dict)
        return order
    why = refused(response, endpoint)
    if why.ground is Ground.NOT_FOUND:
        return None
    raise ProtocolError(NAME, f'looking up an order: HTTP {why.status} "{why.reason}" was not expected', why)


def _is_ours(order: Mapping[str, Any], post: Post, since: datetime | None) -> bool:
    """Return whether an order that bears our id can be ours: the same thing, and not from before."""
    sent_at = instant(order, "submitted_at") or instant(order, "created_at")
    is_older = since is not None and sent_at is not None and sent_at < since - SKEW
    shape = _shape(order)
    return not is_older and all(shape.get(key) == value for key, value in _shape(post.body).items())


def _shape(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same in a request and in its order. The type is not: Alpaca makes stop-limits of buy stops."""
    symbol = str(body.get("symbol")).replace("/", "")
    size = "qty" if body.get("notional") is None else "notional"
    return {"symbol": symbol, "side": body.get("side"), size: number(dict(body), size)}


def _taken_id(client_order_id: str) -> Refused:
    return Refused(
        Ground.DUPLICATE,
        f"the id {client_order_id} belongs to another order of this account; give the session another name",
        422,
    )


def _reason(answer: Mapping[str, Any]) -> str:
    body = answer.get("body")
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or f"HTTP {answer.get('status')}")
