"""The whole account at once: every order cancelled, every position closed, whoever made them. For an emergency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from brokers.alpaca.answers import decoded
from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.exchanges import cancel_all
from brokers.alpaca.lookups import Account, account
from framework.errors import ConfigError, ConnectionLost, RateLimited
from framework.retries import Patience
from framework.wire import Exchange

T = TypeVar("T")

PATIENCE = Patience(attempts=3, connect=4.0, read=10.0, whole=15.0, first_wait=0.25, longest_wait=1.0)
"""In an emergency it is told soon that the venue cannot be reached: it may be tried again by hand, or elsewhere."""

LOOKS = 20
"""How often the account is looked at until all is done."""

PAUSE = 0.5
"""Seconds between two looks."""


class Http(Protocol):
    """What drives an exchange (`framework.http.Http`)."""

    def send(self, exchange: Exchange[T]) -> T: ...


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was done to an account, and what is left in it, in sentences."""

    done: tuple[str, ...]
    undone: tuple[str, ...]


def cleared(
    endpoint: Endpoint, http: Http, number: str | None, wait: Callable[[float], None], *, flatten: bool, is_real: bool
) -> Cleared:
    """Cancel an account's open orders, with `flatten` close its positions; look until it is so, or for ten seconds.

    Raise `ConfigError` where it is real money and `number` is not the account's, `VenueError` where it cannot be
    reached. All of it may be asked for again: what is done already is not done twice.
    """
    before = _look(endpoint, http)
    _check_number(before, number, is_real=is_real)
    now = before
    for attempt in range(LOOKS):
        if attempt:
            wait(PAUSE)
            now = _look(endpoint, http)
        if not _left(now, flatten=flatten):
            break
        if not attempt:
            _ask(http, lambda: cancel_all(endpoint))
        elif flatten and not now.orders:  # what is held for an order cannot be closed beside it
            _ask(http, lambda: _close_all(endpoint))
    return Cleared(tuple(_done(before, now, flatten=flatten)), tuple(_left(now, flatten=flatten)))


def _look(endpoint: Endpoint, http: Http) -> Account:
    return http.send(account(endpoint, datetime.now(UTC)))


def _ask(http: Http, make: Callable[[], Exchange[Any]]) -> None:
    """Ask for it, again where no answer comes: a cancel twice does no more than once, nor does a close.

    The first one's closing orders hold what the second would close.
    """
    try:
        http.send(make())
    except (ConnectionLost, RateLimited):
        http.send(make())


def _close_all(endpoint: Endpoint) -> Exchange[None]:
    """Close every position at the market."""
    decoded((yield endpoint.delete("/positions")), endpoint, list)


def _check_number(found: Account, number: str | None, *, is_real: bool) -> None:
    shown = found.snapshot.account
    if is_real and number != shown:
        raise ConfigError(
            f"this is real money, in the account that ends in {shown[-4:]}; nothing was done to it: give its whole "
            "number, --yes-real-money NUMBER"
        )


def _left(found: Account, *, flatten: bool) -> list[str]:
    orders = [
        f"order {each.get('client_order_id')} is {each.get('status')}: {each.get('side')} {each.get('qty')} "
        f"{each.get('symbol')}"
        for each in found.orders
    ]
    held = [f"{each.quantity:g} {each.symbol} is held" for each in found.snapshot.positions] if flatten else []
    return orders + held


def _done(before: Account, now: Account, *, flatten: bool) -> list[str]:
    open_ids = {each.get("id") for each in now.orders}
    orders = sum(each.get("id") not in open_ids for each in before.orders)
    told = [f"{orders} order{'s' * (orders != 1)} cancelled in account ...{now.snapshot.account[-4:]}"]
    if flatten:
        held = {each.symbol for each in now.snapshot.positions}
        closed = [f"{each.quantity:g} {each.symbol}" for each in before.snapshot.positions if each.symbol not in held]
        told.append(f"closed: {', '.join(closed) or 'nothing'}")
    return told
