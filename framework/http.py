"""The synchronous way to drive an exchange (notebooks, history): `requests`, with patience for GET.

Only a GET is ever sent twice. A dropped connection, a body cut short, a timeout, 429 and 5xx are
tried again after a wait; what is still 429 or 5xx in the end is handed to the exchange, which knows
what it means. No redirect is followed, so no credentials go to another host.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter

from framework.errors import ConnectionLost
from framework.retries import Patience, lost, retry_after, with_seconds
from framework.wire import Exchange, HttpRequest, HttpResponse

T = TypeVar("T")

log = logging.getLogger("switchback.http")

_URLLIB3 = logging.getLogger("urllib3.connectionpool")

PATIENCE = Patience()

_TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Http:
    """Sends one request after another. Used by one thread at a time; close it, or use it in a `with`.

    `name` is the other side's name in errors. `wall`, `monotonic`, `sleep` and `jitter` (0 to 1) are
    replaced in tests.
    """

    def __init__(
        self,
        name: str,
        patience: Patience = PATIENCE,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.patience = patience
        self._wall, self._monotonic, self._sleep, self._jitter = wall, monotonic, sleep, jitter
        self._session = requests.Session()
        self._session.auth = _as_it_is
        _URLLIB3.addFilter(_without_query)
        self._adapters = [HTTPAdapter(), HTTPAdapter()]
        for scheme, adapter in zip(("http://", "https://"), self._adapters, strict=True):
            self._session.mount(scheme, adapter)

    def __enter__(self) -> Http:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. The pools are closed by hand: `requests` leaves idle connections to the garbage collector."""
        managers = [m for each in self._adapters for m in (each.poolmanager, *each.proxy_manager.values())]
        for manager in managers:
            for key in list(manager.pools.keys()):
                manager.pools[key].close()
        self._session.close()

    def send(self, exchange: Exchange[T]) -> T:
        """Drive `exchange` to its end and return its result; raise `ConnectionLost` where no answer comes."""
        try:
            request = next(exchange)
            while True:
                try:
                    response = self._answer(request)
                except ConnectionLost as error:
                    request = exchange.throw(error)
                else:
                    request = exchange.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            exchange.close()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        attempts = self.patience.tries(request)
        for attempt in range(1, attempts + 1):
            is_last = attempt == attempts
            try:
                response = self._once(request)
            except _TRANSPORT_ERRORS as error:
                log.debug("< %s", type(error).__name__)
                if is_last:
                    raise lost(self.name, request, error, attempts, is_sent_unknown=_may_be_sent(error)) from _shown(
                        error
                    )
                wait = self._back_off(attempt)
            else:
                asked = None if is_last else self._wait_after(response, attempt)
                if asked is None:
                    return with_seconds(response, self._wall())
                wait = asked
            log.debug("waiting %.1f s, then attempt %d of %d", wait, attempt + 1, attempts)
            self._sleep(wait)
        raise AssertionError("unreachable")

    def _once(self, request: HttpRequest) -> HttpResponse:
        log.debug("> %s %s", request.method, request.url)
        deadline = self._monotonic() + self.patience.whole
        with self._session.request(
            request.method,
            request.url,
            params=dict(request.params),
            headers=dict(request.headers),
            json=request.json,
            data=None if request.form is None else dict(request.form),
            timeout=(self.patience.connect, self.patience.read),
            allow_redirects=False,
            stream=True,
        ) as answer:
            body = self._body(answer, deadline)
        log.debug("< %d, %d bytes", answer.status_code, len(body))
        return HttpResponse(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, body)

    def _body(self, answer: requests.Response, deadline: float) -> bytes:
        pieces = []
        for piece in answer.iter_content(1 << 16):
            pieces.append(piece)
            if self._monotonic() > deadline:
                raise requests.Timeout("the answer took too long as a whole")
        promised = answer.headers.get("content-length")
        if promised is not None and answer.raw.tell() != int(promised):
            raise requests.ConnectionError("the answer was cut short")  # urllib3 1.x does not see it
        return b"".join(pieces)

    def _wait_after(self, response: HttpResponse, attempt: int) -> float | None:
        """Return how long to wait before the next attempt, None where this answer is the last."""
        if response.status == 429:
            return self._until_reset(response, attempt)
        return self._back_off(attempt) if response.status >= 500 else None

    def _until_reset(self, response: HttpResponse, attempt: int) -> float | None:
        told = retry_after(response, self._wall())
        if told is None:
            return self._back_off(attempt)
        if told > self.patience.longest_limit:
            return None
        return told + self._jitter()  # the reset is told in whole seconds

    def _back_off(self, attempt: int) -> float:
        return self.patience.back_off(attempt, self._jitter())


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request's headers alone: without this, `requests` adds what a .netrc file says."""
    return request


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the queries from what urllib3 writes of its requests: some venues have the credentials in them."""
    if isinstance(record.args, tuple):
        record.args = tuple(each.partition("?")[0] if isinstance(each, str) else each for each in record.args)
    return True


def _shown(error: Exception) -> Exception | None:
    """Return a cause that may be shown, None where it quotes a query: some venues have the credentials in it."""
    return None if "?" in str(error) else error


def _may_be_sent(error: Exception) -> bool:
    """Return whether the other side may have the request: not where no connection came about."""
    reason = error.args[0] if error.args else None
    refused = getattr(reason, "reason", None)
    return not isinstance(refused, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
