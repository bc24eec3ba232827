"""One of several lines to AlphaHub: a connection with a login of its own, replaced before it is old."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from feeds.alphahub.login import Login
from feeds.alphahub.protocol import NAME
from feeds.alphahub.settings import Settings
from feeds.alphahub.stream import SignalStream
from feeds.alphahub.stream_events import Event, Joined, Left
from framework.errors import AuthenticationError, ConfigError
from framework.live.clock import Deadline
from framework.live.socket import Socket
from framework.live.stream import Link as Change
from framework.live.stream import LinkState
from framework.ports import Clock

log = logging.getLogger("switchback.signals")

_LONGEST = 3600.0  # seconds between two logins that may be refused for good


class Connection:
    """One socket and what is joined on it; `take` hears of everything. Owned by the I/O thread.

    It logs in, and then waits for `may_join` before it is opened.
    """

    def __init__(
        self, name: str, settings: Settings, login: Login, clock: Clock, take: Take, may_join: MayJoin
    ) -> None:
        self.name, self.login = name, login
        self.joined: set[str] = set()
        self.doubt = ""
        """Why what it brings may be old: it was open while this machine was asleep."""
        self.failure: Exception | None = None
        """What went wrong on our side of it."""
        self._changed = asyncio.Event()
        self._take, self._may_join = take, may_join
        stream = SignalStream(settings.algorithms, settings.base_url)
        self.socket = Socket(NAME, stream, clock, self._consume, settings.waits.pace, address=self._address)
        self.task = asyncio.create_task(self.socket.run(), name=name)

    async def hears(self, algorithms: set[str]) -> None:
        """Wait until it has joined something, and all of these."""
        while not (self.joined and self.joined >= algorithms):
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """Hang up; raise what went wrong on our side of it."""
        self.joined.clear()
        self.task.cancel()
        await asyncio.wait([self.task])
        if self.failure is not None:
            raise self.failure

    async def _address(self, is_refused: bool = False) -> str:
        address = await self.login.address(is_refused)
        await self._may_join()
        return address

    async def _consume(self, item: Event | Change) -> None:
        match item:
            case Joined():
                self.joined.add(item.algorithm)
            case Left():
                self.joined.discard(item.algorithm)
            case Change(state=LinkState.LOST):
                self.joined.clear()
        try:
            self._take(self, item)
        except Exception as error:
            self.failure = error
            raise
        if isinstance(item, Change) and item.state is LinkState.LOST:
            self.doubt = ""
        self._changed.set()


Take = Callable[[Connection, Event | Change], None]
MayJoin = Callable[[], Awaitable[None]]


class Line:
    """Keeps one connection, and replaces it: the new one has joined before the old one goes. `run` it.

    `is_proven` tells whether anything was ever joined: what is refused before that is refused for good.
    """

    def __init__(
        self,
        number: int,
        settings: Settings,
        login: Login,
        clock: Clock,
        take: Take,
        remark: Callable[[str], None],
        is_proven: Callable[[], bool],
        may_join: MayJoin,
    ) -> None:
        self.number, self.login = number, login
        self.connections: list[Connection] = []
        """The one that is kept, and while it is replaced its successor."""
        self._settings, self._waits, self._clock = settings, settings.waits, clock
        self._take, self._remark, self._is_proven, self._may_join = take, remark, is_proven, may_join
        self._made = self._refusals = 0

    async def run(self) -> None:
        """Keep the line up; raise what waiting cannot cure where nothing was ever joined."""
        share = self._waits.rotate / self._settings.connections
        wait = self._waits.rotate - share * self.number  # not all at one time
        current = self._begin()
        try:
            while True:
                if await self._has_ended_within(current, wait):
                    await self._after_failure(current)
                    current = self._begin()
                else:
                    current = await self._replaced(current)
                wait = self._waits.rotate
        finally:
            for each in list(self.connections):
                await each.stop()

    def _begin(self) -> Connection:
        self._made += 1
        name = f"{NAME.lower()} {self.number + 1}.{self._made}"
        connection = Connection(name, self._settings, self.login, self._clock, self._take, self._may_join)
        self.connections.append(connection)
        return connection

    async def _end(self, connection: Connection) -> None:
        self.connections.remove(connection)
        await connection.stop()

    async def _has_ended_within(self, connection: Connection, seconds: float) -> bool:
        sleep = asyncio.create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait([connection.task, sleep], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
        return connection.task.done()

    async def _after_failure(self, connection: Connection) -> None:
        """Wait where it may help: a login that was refused although the password was right before."""
        await self._end(connection)
        error = connection.task.exception()
        assert error is not None
        if not isinstance(error, AuthenticationError | ConfigError) or not self._is_proven():
            raise error
        wait = min(self._waits.refused * 2.0 ** min(self._refusals, 10), _LONGEST)
        self._refusals += 1
        self._remark(
            f"line {self.number + 1} of {self._settings.connections} is refused, next try in {wait:.0f} s: {error}"
        )
        await self._clock.sleep(wait)
        self.login.begin_anew()

    async def _replaced(self, old: Connection) -> Connection:
        """Return a new connection that hears what the old one does, and end that; else the old one."""
        new = self._begin()
        try:
            async with Deadline(self._clock, self._waits.join):
                await new.hears(old.joined)
        except TimeoutError:
            await self._end(new)
            why = "" if new.task.cancelled() else f" ({new.task.exception()})"
            log.warning("%s has joined nothing in %g s%s; %s stays", new.name, self._waits.join, why, old.name)
            return old
        await self._clock.sleep(self._waits.overlap)
        await self._end(old)
        self._refusals = 0
        return new
