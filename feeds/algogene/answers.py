"""What an answer of ALGOGENE's means: its types and its names are many, and none of its failures is documented. Pure.

Ids come as numbers here and as texts there: ours are texts. Times bear no zone and are UTC. What is missing, or is not
what it should be, is a `ProtocolError` that says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from feeds.algogene.naming import NAME, VARIABLES
from framework.errors import AuthenticationError, ConnectionLost, ProtocolError, RateLimited
from framework.wire import HttpResponse

WINDOW = 60.0
"""Seconds to wait after a 429 that does not say how long. That there are any is a guess."""

_FAILED = ("FAIL", "FAILED", "FAILURE", "ERROR", "REJECT", "REJECTED", "DENIED", "INVALID")


def odd(what: str, received: object = None) -> ProtocolError:
    """Return the error for something that is not as it should be."""
    return ProtocolError(NAME, what, received)


def failure(body: Mapping[str, Any]) -> str | None:
    """GUESS: return what an answer says of its failure, None for one that tells of none."""
    for key in ("err_msg", "error", "message"):
        if isinstance(body.get(key), str) and body[key].strip():
            return line(body[key])
    status = body.get("status")
    if status is False or (isinstance(status, str) and status.upper() in _FAILED):
        return line(body.get("res") or body.get("msg") or status)
    return None


def is_lost(response: HttpResponse) -> bool:
    """Return whether an answer leaves open what has become of a request: a gateway's, a page of HTML, half of one."""
    return response.status >= 500 or response.status == 408 or _object(response) is None


def decoded(response: HttpResponse, *, is_quoted: bool = True, is_report: bool = False) -> dict[str, Any]:
    """Return the JSON object of a success; raise what anything else means.

    `RateLimited`, `AuthenticationError`, `ConnectionLost` (a gateway fails, half an answer, a page of HTML), or
    `ProtocolError`, which quotes what was said unless told otherwise. `is_report` where the words of a failure may be
    those of the order that is told of.
    """
    body, status = _object(response), response.status
    if status == 429:
        wait = _retry_after(response)
        raise RateLimited(NAME, f"HTTP 429; try again in {wait:.0f} s", wait)
    if status >= 500 or (status in (200, 408) and body is None):
        raise ConnectionLost(NAME, f"HTTP {status}, {len(response.body)} bytes that are no answer; try again later")
    why = failure(body) if is_quoted and body is not None else None
    said = f'HTTP {status} "{why}"' if why else f"HTTP {status}"
    if status in (401, 403):
        raise AuthenticationError(NAME, f"{said}; check {VARIABLES[0]} and {VARIABLES[1]}")
    if body is None:
        raise odd(f"{said} was not expected; check base_url")
    if status != 200 or (failure(body) and not is_report):
        raise odd(f"{said} was not expected", body if is_quoted else None)
    return body


def rows(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the list of an answer, `res`; raise `ProtocolError` where there is none, or it is told to be longer."""
    found = body.get("res")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise odd("an answer without its list", body)
    count = body.get("count", len(found))
    if isinstance(count, bool) or not isinstance(count, int) or count > len(found):
        raise odd(f"a list of {len(found)} that is told to be {count!r} long", body)
    return found


def table(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the answers by symbol, `res`; raise `ProtocolError` where there are none. An empty list is none held."""
    found = body.get("res")
    if found == []:
        return {}
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise odd("an answer without its symbols", body)
    return found


def number(body: Mapping[str, Any], *keys: str) -> float:
    """Return a number under the first of these names that is there; raise `ProtocolError` where there is none."""
    value = _value(body, keys)
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise odd(f"{keys[0]} is {value!r}, which is not a number", body)
    return found


def level(body: Mapping[str, Any], key: str) -> float | None:
    """Return a price level or a span: 0, "" and nothing at all mean that there is none."""
    return (number(body, key) or None) if body.get(key) not in (None, "") else None


def identity(body: Mapping[str, Any], *keys: str) -> str:
    """Return an id as a text, whether it comes as one or as a whole number; raise `ProtocolError` for anything else."""
    value = _value(body, keys)
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise odd(f"{keys[0]} is {value!r}, which is no id", body)


def text(body: Mapping[str, Any], *keys: str, is_quoted: bool = True) -> str:
    """Return a text that is not empty; raise `ProtocolError` where there is none."""
    value = _value(body, keys, is_quoted=is_quoted)
    if not isinstance(value, str) or not value:
        raise odd(f"{keys[0]} is {value!r}, which is no text", body) if is_quoted else odd(f"no {keys[0]}")
    return value


def instant(body: Mapping[str, Any], *keys: str) -> datetime:
    """Return a time, written without a zone in UTC, as aware UTC; raise `ProtocolError` where there is none."""
    value = _value(body, keys)
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and len(value) >= 10 else None
    except ValueError:
        at = None
    if at is None:
        raise odd(f"{keys[0]} is {value!r}, which is no time", body)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def stamp(at: datetime) -> str:
    """Return a time as ALGOGENE writes it: UTC without saying so, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def line(value: object) -> str:
    """Return what was said as one short line."""
    said = " ".join(str(value).split())
    return said if len(said) <= 200 else said[:200] + "..."


def _value(body: Mapping[str, Any], keys: tuple[str, ...], *, is_quoted: bool = True) -> Any:
    for key in keys:
        if key in body:
            return body[key]
    raise odd(f"no {keys[0]} in it", body if is_quoted else None)


def _object(response: HttpResponse) -> dict[str, Any] | None:
    try:
        body = response.decode()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _retry_after(response: HttpResponse) -> float:
    told = response.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdecimal() else WINDOW
