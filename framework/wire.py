"""Requests and answers as values, so that one piece of protocol serves both worlds.

A multi-step exchange is a generator that yields an `HttpRequest` and is sent the `HttpResponse`;
what it returns is the result. `framework.http.Http` drives it synchronously (notebook,
history); the live transport drives the same generator in the I/O thread.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from framework.model import nothing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `headers` may carry credentials, so they are kept out of the repr."""

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=nothing)
    headers: Mapping[str, str] = field(default_factory=nothing, repr=False)
    json: Any = None


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
