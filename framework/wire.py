"""Requests and answers as values, so that one piece of protocol serves both worlds.

A multi-step exchange is a generator that yields an `HttpRequest` and is sent the `HttpResponse`;
what it returns is the result. `framework.http.Http` drives it synchronously (notebook,
history); the live transport drives the same generator in the I/O thread.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from framework.model import nothing

T = TypeVar("T")


class Priority(enum.IntEnum):
    """Who goes first where a venue allows so many requests a minute only; the smaller number does."""

    EXIT = 0  # a cancel, or an order that makes a position smaller
    LOOK_UP = 1  # what became of an order, what is held
    ENTRY = 2
    DATA = 3


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. All but the method and the URL may carry credentials, so it is kept out of the repr.

    The body is `json`, or `form` (sent as `application/x-www-form-urlencoded`), or nothing; never both.
    `priority` is for the live transport; None is what the method suggests: a DELETE is a cancel, a GET
    is data, and the rest are entries. `unless` is asked when its turn has come, which may be minutes later
    where much is asked: where it says True the request is not sent, and who sends it is raised `Withdrawn`.
    """

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=nothing, repr=False)
    headers: Mapping[str, str] = field(default_factory=nothing, repr=False)
    json: Any = field(default=None, repr=False)
    priority: Priority | None = None
    unless: Callable[[], bool] | None = field(default=None, repr=False, compare=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def urgency(self) -> Priority:
        """The priority, or what the method suggests."""
        if self.priority is not None:
            return self.priority
        return {"DELETE": Priority.EXIT, "GET": Priority.DATA}.get(self.method, Priority.ENTRY)


class Withdrawn(Exception):
    """A request was not sent: nobody wanted it any more when its turn came."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One answer. `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def decode(self) -> Any:
        """Return the JSON body; raise `ValueError` where it is empty or something else (a gateway's HTML)."""
        return json.loads(self.body)


Exchange = Generator[HttpRequest, HttpResponse, T]


def is_on_this_machine(url: str) -> bool:
    """Return whether an address is one of this machine's own: only there can a sandbox be."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
