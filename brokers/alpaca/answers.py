"""What an answer means: an order refused is a value, a session that cannot go on is an exception.

Source: Alpaca's error codes, and bodies as they were seen. 40310000 stands for many things, which the
further fields of the body tell apart better than its text.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brokers.alpaca.endpoint import Endpoint
from feeds.alpaca.protocol import NAME, VARIABLES
from framework.errors import AuthenticationError, ConnectionLost, ProtocolError, RateLimited
from framework.model import OrderStatus, OrderUpdate
from framework.wire import HttpResponse

WINDOW = 60.0
"""Seconds after which a used-up budget is there again, where an answer does not say."""


class Ground(enum.Enum):
    """Why an order was refused, as far as it matters to what follows."""

    MARGIN = "margin"
    QUANTITY = "quantity"
    WASH_TRADE = "wash trade"
    TOO_SMALL = "too small"
    FORBIDDEN = "forbidden"
    DUPLICATE = "duplicate"
    NOT_FOUND = "not found"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Refused:
    """An order, a cancel or a replacement that Alpaca did not take; `reason` is its own text."""

    ground: Ground
    reason: str
    status: int = 0

    def update(self, client_order_id: str, at: datetime) -> OrderUpdate:
        """Return it as news of the order."""
        is_margin = self.ground is Ground.MARGIN
        return OrderUpdate(
            client_order_id, "", OrderStatus.REJECTED, at, reason=self.reason, is_margin=is_margin
        )  # fmt: skip


def is_lost(response: HttpResponse) -> bool:
    """Return whether an answer leaves open what has become of the request: a gateway's, or half of one."""
    return response.status >= 500 or response.status == 408 or (response.status == 200 and _object(response) is None)


def refused(response: HttpResponse, endpoint: Endpoint) -> Refused:
    """Return why something was refused.

    Raise `RateLimited`, `AuthenticationError`, `ConnectionLost` (a gateway fails) or `ProtocolError` where it was
    not the order that was wrong.
    """
    status, shown = response.status, _object(response)
    body = shown or {}
    message = endpoint.hidden(_line(body.get("message", "")))
    said = f'HTTP {status} "{message}"' if message else f"HTTP {status}"
    if status == 429:
        wait = retry_after(response)
        raise RateLimited(NAME, f"{said}; try again in {wait:.0f} s", wait)
    if status >= 500 or status == 408:
        raise ConnectionLost(NAME, f"{said}, a gateway's answer; try again later")
    if status == 401 or (status == 403 and "code" not in body):
        advice = f"check {VARIABLES[0]} and {VARIABLES[1]} (a paper account has its own keys)"
        raise AuthenticationError(NAME, f"{said}; {advice}")
    if status in (400, 403, 404, 409, 422) and message:
        return Refused(ground(status, body), _reason(message, body, endpoint), status)
    raise ProtocolError(NAME, f"{said} was not expected; check base_url", shown)


def ground(status: int, body: Mapping[str, Any]) -> Ground:
    """Classify a refusal by its status, its body's fields, then its words."""
    message = str(body.get("message", "")).lower()
    if "client_order_id must be unique" in message:
        return Ground.DUPLICATE
    if status == 404:
        return Ground.NOT_FOUND
    if status != 403:
        return Ground.INVALID
    if "held_for_orders" in body or "existing_qty" in body or "insufficient qty" in message:
        return Ground.QUANTITY
    if "existing_order_id" in body or "wash trade" in message:
        return Ground.WASH_TRADE
    if "cost basis must be" in message:
        return Ground.TOO_SMALL
    return _money(message, body)


def _money(message: str, body: Mapping[str, Any]) -> Ground:
    if "buying_power" in body or "buying power" in message:
        return Ground.MARGIN
    if "insufficient balance for " not in message:
        return Ground.FORBIDDEN
    # A crypto sale wants the coin, a crypto purchase wants the money.
    coin = str(body.get("symbol", "")).lower().partition("/")[0]
    wanted = message.partition("insufficient balance for ")[2].split()[0].partition("/")[0]
    return Ground.QUANTITY if coin and coin.startswith(wanted) else Ground.MARGIN


def decoded(response: HttpResponse, endpoint: Endpoint, kind: type[dict[str, Any]] | type[list[Any]]) -> Any:
    """Return the JSON of an answer that must be a 200 (207 for a list of many); raise what anything else means."""
    if response.status not in (200, 207):
        why = refused(response, endpoint)
        raise ProtocolError(NAME, f"HTTP {why.status} {why.reason!r} was not expected; check base_url", why)
    try:
        body = response.decode()
    except ValueError:
        raise ConnectionLost(NAME, f"half an answer ({len(response.body)} bytes); try again") from None
    if not isinstance(body, kind):
        raise ProtocolError(NAME, f"an answer that is no {kind.__name__}: {_line(body)}", body)
    return body


def retry_after(response: HttpResponse) -> float:
    """Return the seconds that a 429 asks to wait, the whole window where it does not say."""
    told = response.headers.get("retry-after", "")
    return float(told) if told.isdigit() else WINDOW


def _object(response: HttpResponse) -> dict[str, Any] | None:
    try:
        body = response.decode()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _reason(message: str, body: Mapping[str, Any], endpoint: Endpoint) -> str:
    """Alpaca's text, with the figures that it keeps in fields of their own."""
    more = [f"{key} {_line(value)}" for key, value in body.items() if key in _FIGURES and str(value) not in message]
    return endpoint.hidden(f"{message} ({', '.join(more)})") if more else message


_FIGURES = ("buying_power", "cost_basis", "held_for_orders", "existing_order_id", "reject_reason")


def _line(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else text[:200] + "..."
