"""How the desk's requests go out: once, or again and again where that does no harm."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from brokers.algogene.netting import Way
from brokers.algogene.polling import USUAL, Pace
from brokers.algogene.protocol import Endpoint
from framework.errors import ConnectionLost, ProtocolError, RateLimited
from framework.ports import Session
from framework.retries import Patience
from framework.wire import Exchange

T = TypeVar("T")

log = logging.getLogger("switchback.algogene")

CURABLE = (ConnectionLost, RateLimited, ProtocolError)
"""What waiting may cure."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How the desk works and waits. `way` is how a part of a trade is taken back.

    `grace` is for how long an order of which no answer came is looked for (I/O seconds) before it is taken never to
    have arrived; `again` is after how long (venue time) a close or a cancel that has had no effect is asked for again.
    """

    way: Way = Way.OPPOSITE
    pace: Pace = USUAL
    back_off: Patience = field(default_factory=Patience)
    grace: float = 30.0
    again: timedelta = timedelta(seconds=60)


class Line:
    """Sends exchanges to one account. Owned by the I/O thread."""

    def __init__(self, session: Session, endpoint: Endpoint, habits: Habits) -> None:
        self.clock, self.habits, self.endpoint = session.clock, habits, endpoint
        self._http = session.http

    async def ask(self, exchange: Exchange[T]) -> T:
        """Drive an exchange; raise as it does."""
        return await self._http.send(exchange)

    async def insist(self, make: Callable[[], Exchange[T]], tries: int | None = None) -> T:
        """Drive an exchange that only asks, for as long as it takes (or so often); else `AuthenticationError` only."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self.ask(make())
            except CURABLE as error:
                if attempt == tries:
                    raise
                log.warning("%s; it is asked again", error)
                await self.wait_after(error, attempt)

    async def wait_after(self, error: Exception, attempt: int) -> None:
        """Wait as long as the other side asks for, or longer each time."""
        wait = self.habits.back_off.back_off(attempt, random.random())
        if isinstance(error, RateLimited):
            wait = max(error.retry_after, wait if error.retry_after else 0.0)
        await self.clock.sleep(wait)
