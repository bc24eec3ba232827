"""How the desk's requests go out: once, or again and again where that does no harm."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from brokers.alpaca.endpoint import Endpoint
from framework.errors import ConnectionLost, ProtocolError, RateLimited, first
from framework.live.stream import Pace
from framework.ports import Session
from framework.retries import Patience
from framework.wire import Exchange, Priority

T = TypeVar("T")

log = logging.getLogger("switchback.alpaca")


@dataclass(frozen=True, slots=True)
class Habits:
    """How the desk waits. `stale` and `longest_stale`: when an open order of which nothing is heard is looked up.

    `skew` is how far back beyond the last certain moment a reconciliation looks; both are venue time.
    `back_off` and `pace` are I/O time.
    """

    stale: timedelta = timedelta(seconds=15)
    longest_stale: timedelta = timedelta(minutes=5)
    skew: timedelta = timedelta(minutes=5)
    back_off: Patience = field(default_factory=Patience)
    pace: Pace = field(default_factory=Pace)


class Line:
    """Sends exchanges to one account. Owned by the I/O thread."""

    def __init__(self, session: Session, endpoint: Endpoint, habits: Habits) -> None:
        self.clock, self.habits = session.clock, habits
        self.endpoint, self.urgent = endpoint, endpoint.at(Priority.EXIT)
        self._http = session.http

    async def ask(self, exchange: Exchange[T]) -> T:
        """Drive an exchange; raise as it does."""
        return await self._http.send(exchange)

    async def insist(self, make: Callable[[], Exchange[T]]) -> T:
        """Drive an exchange that only asks, for as long as it takes; raise `AuthenticationError` only."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self.ask(make())
            except (ConnectionLost, ProtocolError, RateLimited) as error:
                log.warning("%s; it is asked again", error)
                await self.wait_after(error, attempt)

    async def ask_again(self, make: Callable[[], Exchange[T]], tries: int = 5) -> T:
        """Drive an exchange that only asks, a few times at most; raise as it does."""
        for attempt in range(1, tries):
            try:
                return await self.ask(make())
            except (ConnectionLost, ProtocolError, RateLimited) as error:
                await self.wait_after(error, attempt)
        return await self.ask(make())

    async def wait_after(self, error: Exception, attempt: int) -> None:
        """Wait as long as the other side asks for, or longer each time."""
        wait = self.habits.back_off.back_off(attempt, random.random())
        if isinstance(error, RateLimited):
            wait = max(error.retry_after, wait if error.retry_after else 0.0)
        await self.clock.sleep(wait)


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do several things at a time; raise the first error as it is."""
    works = list(works)
    if len(works) == 1:
        return await works[0]
    try:
        async with asyncio.TaskGroup() as group:
            for each in works:
                group.create_task(each)
    except BaseExceptionGroup as failed:
        raise first(failed) from failed
