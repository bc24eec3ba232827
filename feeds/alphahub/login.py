"""A session at AlphaHub over a transport: its token, and the history that it opens."""

from __future__ import annotations

import asyncio
from datetime import date

from feeds.alphahub.protocol import NAME, Session, history_exchange, socket_url
from framework.config import Credentials
from framework.errors import ConnectionLost
from framework.live.clock import Deadline
from framework.ports import AsyncHttp, Clock


class Login:
    """One session, kept fresh. Each connection has one, and the history has one. Owned by the I/O thread."""

    def __init__(self, credentials: Credentials, base_url: str, http: AsyncHttp, clock: Clock) -> None:
        self._credentials, self._base_url = credentials, base_url
        self._http, self._clock = http, clock
        self._turn = asyncio.Lock()
        self.was_in = asyncio.Event()
        """Set when the password was right."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget that the password was refused."""
        self._session = Session(self._credentials, self._base_url)

    def hidden(self, text: str) -> str:
        """Return a text without what is secret."""
        return self._session.hidden(text)

    async def address(self, is_refused: bool = False) -> str:
        """Return the address of the socket, its token included; `is_refused` tells that the last one was no good."""
        return socket_url(self._base_url, await self._token(is_refused=is_refused))

    async def history(self, algorithm: str, after: date, within: float) -> str:
        """Return what history answers; raise `ConnectionLost` where it takes longer than `within` seconds."""
        try:
            async with Deadline(self._clock, within):
                await self._token()  # one at a time: who asks next finds it fresh
                exchange = history_exchange(self._session, algorithm, after, self._clock.monotonic())
                return await self._http.send(exchange)
        except TimeoutError:
            raise ConnectionLost(NAME, f"no history of algorithm {algorithm} within {within:g} s") from None

    async def _token(self, *, is_refused: bool = False) -> str:
        async with self._turn:
            token = await self._http.send(self._session.open(self._clock.monotonic(), is_refused=is_refused))
        self.was_in.set()
        return token
