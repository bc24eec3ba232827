"""What a player answers where history is asked: what it said after a recorded break, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from feeds.alpaca.proxy.mended import Answer
from feeds.alpaca.proxy.recording import Paged
from framework.errors import ConnectionLost
from framework.wire import Exchange, HttpRequest, HttpResponse

T = TypeVar("T")

NAME = "the recording"


class PlayedHistory:
    """What history answered after a break, page by page: `framework.ports.AsyncHttp` for what was missed."""

    def __init__(self) -> None:
        self._pages: dict[str, deque[Paged]] = {}
        self._is_heard = asyncio.Event()
        self._is_heard.set()

    def tell(self, answer: Answer) -> None:
        """Answer so from now on, each path's pages in their order; who waits for one that is void waits no more."""
        self._is_heard.set()
        self._is_heard = asyncio.Event()
        if not answer.is_void:
            self._is_heard.set()
        self._pages = {}
        for page in answer.pages:
            self._pages.setdefault(page.path, deque()).append(page)

    async def send(self, exchange: Exchange[T]) -> T:
        """Drive an exchange; raise `ConnectionLost` for what was not recorded."""
        return await driven(exchange, self._page)

    async def _page(self, request: HttpRequest) -> HttpResponse:
        is_heard, pages = self._is_heard, self._pages
        await is_heard.wait()
        found = pages.get(urlsplit(request.url).path)
        if not found:
            raise ConnectionLost(NAME, "it has no history of this time")
        return HttpResponse(200, {}, _only(found.popleft().body, request.params.get("symbols", "").split(",")))


class NoHistory:
    """What clients' requests for history are answered with: the stream was recorded, and nothing else."""

    async def send(self, exchange: Exchange[T]) -> T:
        """Answer as Alpaca does where it has not what was asked for."""
        return await driven(exchange, self._refusal)

    async def _refusal(self, request: HttpRequest) -> HttpResponse:
        told = f"{urlsplit(request.url).path} is not in the recording that is played: it has streams, and no history"
        return HttpResponse(404, {"content-type": "application/json"}, json.dumps({"message": told}).encode())


async def driven(exchange: Exchange[T], answer: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> T:
    """Drive an exchange to its end; what is raised instead of an answer ends it."""
    try:
        request = next(exchange)
        while True:
            request = exchange.send(await answer(request))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        exchange.close()


def _only(body: bytes, symbols: Iterable[str]) -> bytes:
    """Return a page without the symbols that were not asked for here."""
    page, asked = json.loads(body), set(symbols)
    if not isinstance(page, dict):
        return body
    kept: dict[str, Any] = {
        name: {symbol: rows for symbol, rows in each.items() if symbol in asked} if isinstance(each, dict) else each
        for name, each in page.items()
    }
    return json.dumps(kept).encode()
