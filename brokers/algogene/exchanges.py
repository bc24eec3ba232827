"""Orders over HTTP: each exchange ends knowing what has become of the request, or says that it does not.

ALGOGENE has no idempotency: who sends an order twice has two. So an order is sent once. Whatever is not a clear yes (no
answer, half of one, a page of HTML, words that are not known) is looked up by our reference. Where it is not
there it may still be on its way: `Unknown` is raised, and the reference looked up again (`lookups.find_by_ref`) before
anything is sent. What only names trades by their ids (cancel, close, change) does no harm twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brokers.algogene.lookups import find_by_ref
from brokers.algogene.protocol import Endpoint
from feeds.algogene.answers import decoded, failure, identity, is_lost, line, odd, text
from feeds.algogene.naming import NAME
from feeds.algogene.protocol import is_token_refused
from framework.errors import ConnectionLost, VenueError
from framework.wire import Exchange, HttpResponse, Priority


class Unknown(ConnectionLost):
    """What became of an order is not known: look `order_ref` up before anything is sent again."""

    def __init__(self, order_ref: str, why: str) -> None:
        super().__init__(NAME, f"what became of order {order_ref} is not known ({why}); look it up again")
        self.order_ref = order_ref


@dataclass(frozen=True, slots=True)
class Taken:
    """The venue has the order; `is_adopted` where it was found by its reference, not answered."""

    trade_id: str
    is_adopted: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue did not take it; `reason` is its own text. `is_margin` where it wants more money for it."""

    reason: str
    is_margin: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """A close, a cancel or a change was taken up. It is not done: what is polled tells when it is."""

    said: str


Unless = Callable[[], bool] | None
"""Asked when a request's turn has come: where it says True, it is not sent."""


def open_order(
    endpoint: Endpoint, body: Mapping[str, Any], unless: Unless = None, priority: Priority | None = None
) -> Exchange[Taken | Refused]:
    """Send an order once (`body` is `orders.body`'s), and find out what has become of it.

    `priority` is an entry's unless given: the opposite trade that makes a position smaller is an exit.

    Only where its token was refused, and the order is not there, is it sent again: it was not looked at. Raise
    `Unknown`; `RateLimited` and `AuthenticationError` where nothing was taken.
    """
    order_ref = str(body.get("orderRef") or "")
    if not order_ref:
        raise odd("an order without a reference of its own could not be found again")
    response = yield from _sent(endpoint, body, unless, priority)
    if response is not None and is_token_refused(response):
        found = yield from _looked_up(endpoint, order_ref, "its token was refused")
        if found is not None:
            return found
        response = yield from _sent(endpoint, body, unless, priority)
    return (yield from _outcome(endpoint, order_ref, response))


def _sent(
    endpoint: Endpoint, body: Mapping[str, Any], unless: Unless, priority: Priority | None
) -> Exchange[HttpResponse | None]:
    """Send an order; return None where its answer was lost. Nothing was sent where there was no session."""
    try:
        yield from endpoint.session.open()
    except ConnectionLost as lost:
        raise ConnectionLost(NAME, "no session, so that an order was not sent", is_sent_unknown=False) from lost
    try:
        return (yield from endpoint.post("/open_order", body, priority, unless))
    except ConnectionLost as lost:
        if not lost.is_sent_unknown:
            raise
        return None


def _outcome(endpoint: Endpoint, order_ref: str, response: HttpResponse | None) -> Exchange[Taken | Refused]:
    """Return what an answer says. What is no clear yes is looked up first."""
    if response is not None and (trade_id := _accepted(response)):
        return Taken(trade_id)
    if response is not None and response.status in (401, 403, 429):
        endpoint.session.answer(response, "an order")  # raises what it means: nothing was taken
    why = None if response is None or is_lost(response) else refusal(response)
    said = endpoint.session.hidden(why.reason) if why else "no answer that can be read"
    found = yield from _looked_up(endpoint, order_ref, said)
    if found is not None:
        return found
    if why is None:
        raise Unknown(order_ref, "it is in no list yet")
    return Refused(said, why.is_margin)


def _accepted(response: HttpResponse) -> str:
    """Return the id of an order that was taken, "" where the answer is no clear yes."""
    try:
        body = decoded(response)
        return identity(body, "tradeID", "trade_ID") if text(body, "status") in ("PENDING_TO_FILL", "SUCCESS") else ""
    except VenueError:
        return ""


def refusal(response: HttpResponse) -> Refused | None:
    """GUESS: return why an order was not taken, None for an answer that does not say so; no refusal is documented."""
    try:
        body = response.decode()
    except ValueError:
        return None
    why = failure(body) if isinstance(body, dict) else None
    if why is None:
        return None
    is_margin = any(word in why.lower() for word in ("margin", "balance", "fund"))
    return Refused(why, is_margin)


def _looked_up(endpoint: Endpoint, order_ref: str, why: str) -> Exchange[Taken | None]:
    """Find an order by our reference; that it cannot be found out is told as such."""
    try:
        found = yield from find_by_ref(endpoint, order_ref)
    except VenueError as error:
        raise Unknown(order_ref, f"{why}; {error}") from error
    return Taken(found.trade_id, is_adopted=True) if found else None


def update_pending_order(
    endpoint: Endpoint, trade_id: str, changes: Mapping[str, Any]
) -> Exchange[Submitted | Refused]:
    """Change an order that waits: price, timeinforce, levels, holdtime. Raise `VenueError`."""
    return (yield from _asked(endpoint, "/update_pending_order", {"tradeID": trade_id, **changes}))


def update_opened_order(endpoint: Endpoint, trade_id: str, changes: Mapping[str, Any]) -> Exchange[Submitted | Refused]:
    """Change what a trade is closed by: levels, holdtime. Raise `VenueError`."""
    return (yield from _asked(endpoint, "/update_opened_order", {"tradeID": trade_id, **changes}))


def cancel_orders(endpoint: Endpoint, trade_ids: Sequence[str]) -> Exchange[Submitted | Refused]:
    """Cancel orders that wait. Raise `VenueError`."""
    return (yield from _asked(endpoint, "/cancel_orders", {"tradeIDs": ",".join(trade_ids)}, Priority.EXIT))


def close_orders(endpoint: Endpoint, trade_ids: Sequence[str]) -> Exchange[Submitted | Refused]:
    """Close whole trades; there is no closing a part of one. A close is finished when its trade is gone.

    By their ids only: a reference may be of trades that are open and others that are not. Raise `VenueError`.
    """
    return (yield from _asked(endpoint, "/close_orders", {"tradeIDs": ",".join(trade_ids)}, Priority.EXIT))


def _asked(
    endpoint: Endpoint, path: str, body: Mapping[str, Any], priority: Priority | None = None
) -> Exchange[Submitted | Refused]:
    """Send what names trades by their ids; once more with a new token where that was refused.

    Raise `ConnectionLost` for an answer that is lost: what became of it is in the lists.
    """
    response = yield from endpoint.post(path, body, priority)
    if is_token_refused(response):
        response = yield from endpoint.post(path, body, priority)
    why = refusal(response) if response.status in (200, 400, 404, 409, 422) else None
    if why is not None and not is_token_refused(response):
        return Refused(endpoint.session.hidden(why.reason), why.is_margin)
    told = endpoint.session.answer(response, path.removeprefix("/"))
    said = endpoint.session.read(lambda: text(told, "status"), path.removeprefix("/"))
    if not is_taken_up(told):
        raise odd(f"{path.removeprefix('/')}: the status {endpoint.session.hidden(said)!r} was not expected")
    return Submitted(endpoint.session.hidden(line(told.get("res") or said)))


def is_taken_up(body: Mapping[str, Any]) -> bool:
    """GUESS for cancels, which are documented by their text alone: return whether a request was taken up."""
    said = f"{body.get('status', '')} {body.get('res', '')}".upper()
    return "SUCCESS" in said or "SUBMITTED" in said
