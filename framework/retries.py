"""What both transports agree on: how long to wait, what is tried again, and how a lost answer is told. Pure."""

from __future__ import annotations

import email.utils
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from framework.errors import ConnectionLost
from framework.wire import HttpRequest, HttpResponse


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds, and how often to try."""

    attempts: int = 6
    connect: float = 10.0
    read: float = 30.0  # between two pieces of an answer
    whole: float = 300.0  # for one answer, so that a trickle ends too
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_limit: float = 90.0  # a rate limit's window is a minute; what is longer is told, not waited for

    def tries(self, request: HttpRequest) -> int:
        """Return how often a request may be sent: anything but a GET once, for it may have been done."""
        return self.attempts if request.method == "GET" else 1

    def back_off(self, attempt: int, chance: float) -> float:
        """Return a wait that doubles, half of it by `chance` (0 to 1), so that many do not come back at once."""
        doublings = min(attempt - 1, 60)  # beyond that a float is full, and the longest wait reached long ago
        return min(self.first_wait * 2.0**doublings, self.longest_wait) * (0.5 + 0.5 * chance)


def retry_after(response: HttpResponse, now: float) -> float | None:
    """Return the seconds to wait by a 429's own headers (`now` is unix seconds), None where they say nothing.

    `X-RateLimit-Reset` is an instant in unix seconds; `Retry-After` is seconds or a date.
    """
    reset = number(response.headers, "x-ratelimit-reset")
    if reset is not None and now < reset < math.inf:
        return reset - now
    seconds = number(response.headers, "retry-after")
    if seconds is None:
        at = _date(response.headers, "retry-after")
        seconds = None if at is None else at - now
    return max(seconds, 0.0) if seconds is not None else None


def with_seconds(response: HttpResponse, now: float) -> HttpResponse:
    """Return a 429 with a `retry-after` in seconds, whatever way the wait was told: exchanges have no clock."""
    told = retry_after(response, now) if response.status == 429 else None
    if told is None or math.isinf(told):
        return response
    return replace(response, headers={**response.headers, "retry-after": str(math.ceil(told))})


def server_time(response: HttpResponse) -> float | None:
    """Return the instant (unix seconds) at which the other side says it answered, None where it does not say.

    What it tells as an instant is best measured against its own clock: ours may be off, or be that of a tape.
    """
    return _date(response.headers, "date")


def lost(
    name: str, request: HttpRequest, error: BaseException, attempts: int, *, is_sent_unknown: bool
) -> ConnectionLost:
    """Return the error for a request whose answer did not come; `name` is the other side's."""
    where = urlsplit(request.url)
    tried = f"after {attempts} attempts" if attempts > 1 else "and it was not sent again"
    return ConnectionLost(
        name,
        f"{request.method} {where.path}: no whole answer from {where.netloc} {tried} "
        f"({type(error).__name__}); check the network, then try again",
        is_sent_unknown=is_sent_unknown,
    )


def number(headers: Mapping[str, str], name: str) -> float | None:
    """Return a header's number, None where there is none."""
    text = headers.get(name)
    try:
        value = float(json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None
    return value if value is not None and value == value else None


def _date(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name)
    try:
        at: datetime | None = email.utils.parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return at.timestamp() if at else None
