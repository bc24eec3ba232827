"""A supervised websocket: a protocol without sockets, and the shell that keeps it connected.

The shell connects with a time limit, moves frames, notices silence in seconds, comes back with jittered
back-off and tells each change, in its place among the events: what is between a LOST and a RECONNECTED is
a gap to be filled. It stops at what waiting cannot cure. It knows nothing of what the frames say.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from framework.errors import AuthenticationError, ConfigError, ConnectionLost, ProtocolError, RateLimited, VenueError
from framework.live.clock import Deadline
from framework.live.stream import Frame, Link, LinkState, Pace, StreamProtocol, TimedProtocol
from framework.ports import Clock
from framework.retries import Patience

E = TypeVar("E")

log = logging.getLogger("switchback.socket")

_CURABLE = (ConnectionLost, RateLimited, ProtocolError)

# At debug level the library writes out headers and frames, and there the credentials are.
_library_log = logging.getLogger("switchback.socket.library")
_library_log.setLevel(logging.INFO)


class Socket(Generic[E]):
    """Keeps one stream connected. Owned by one event loop; `run` it in a task.

    `consume` is awaited for each event and each `Link`, in order, in a task of its own: while it is busy
    the socket goes on. A consumer that falls `pace.inbox` events behind is told LOST and, when it has
    caught up, RECONNECTED. How long a silence is bearable a `TimedProtocol` judges by itself. `name` is the
    other side's in errors.

    `address` is for a URL that changes, because a token is part of it: it is awaited before each attempt and
    returns the URL to use instead of the protocol's. It is told whether the last one was refused (HTTP 401 or 403):
    then a newer token is wanted, and it is the one to raise what waiting cannot cure. A second refusal in a row ends
    it all where none was ever let in.
    """

    def __init__(
        self,
        name: str,
        protocol: StreamProtocol[E],
        clock: Clock,
        consume: Callable[[E | Link], Awaitable[None]],
        pace: Pace = Pace(),  # noqa: B008  (it is frozen)
        *,
        address: Callable[[bool], Awaitable[str]] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.pace = pace
        self._address = address
        self._refusals = 0
        self._protocol, self._clock = protocol, clock
        self._timed = protocol if isinstance(protocol, TimedProtocol) else None
        self._consume, self._jitter = consume, jitter
        self._patience = Patience(first_wait=pace.first_wait, longest_wait=pace.longest_wait)
        self._inbox: deque[E | Link] = deque()
        self._news, self._room, self._stir = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._socket: ClientConnection | None = None
        self._over: asyncio.Future[str] | None = None
        self._was_ready = False
        self._ready_at: float | None = None
        self._heard_at = 0.0

    async def run(self) -> None:
        """Stay connected until cancelled; raise what waiting cannot cure, or what `consume` raises."""
        tasks = [asyncio.create_task(self._supervise()), asyncio.create_task(self._deliver())]
        await first_to_fail(tasks)

    async def send(self, frames: Sequence[Frame]) -> None:
        """Send what the protocol has to say in between; without a connection it is dropped: `opening` begins anew."""
        if self._socket is not None:
            with suppress(ConnectionClosed):  # who reads finds it out too, and makes it anew
                await self._send(self._socket, frames)

    def give_up(self, why: str) -> None:
        """Have the connection made anew: its user has found that it is of no use. Without one, nothing happens."""
        if self._over is not None and not self._over.done():
            self._over.set_result(why)

    async def _supervise(self) -> None:
        attempt = 0
        while True:
            self._ready_at = None
            try:
                await self._connection()
            except _CURABLE as error:
                attempt = 1 if self._was_healthy() else attempt + 1
                await self._wait_after(error, attempt)

    async def _wait_after(self, error: VenueError, attempt: int) -> None:
        wait = self._patience.back_off(attempt, self._jitter())
        if isinstance(error, RateLimited):
            wait = max(wait, min(error.retry_after, self._patience.longest_limit))
        log.info("%s; next attempt in %.1f s", error, wait)
        self._put(Link(LinkState.LOST, self._clock.now(), str(error), wait))
        await self._clock.sleep(wait)
        await self._caught_up()

    def _was_healthy(self) -> bool:
        return self._ready_at is not None and self._clock.monotonic() - self._ready_at >= self.pace.healthy

    async def _connection(self) -> None:
        """Connect and stay so; raise why it ended."""
        self._socket = socket = await self._connected()
        self._over = asyncio.get_running_loop().create_future()
        jobs = [self._pump(socket), self._keep_alive(socket), self._obey(self._over)]
        jobs += [self._speak(socket, self._timed), self._mind(self._timed)] if self._timed else []
        try:
            await first_to_fail([asyncio.create_task(each) for each in jobs])
        except ConnectionClosed as error:
            raise self._lost(f"closed by the other side ({error})") from error
        finally:
            self._socket = self._over = None
            if self._timed is not None:
                self._timed.closed()
            await socket.close()

    async def _connected(self) -> ClientConnection:
        url = await self._address(self._refusals > 0) if self._address else self._protocol.url
        log.debug("> connecting to %s", _shown(url))
        try:
            async with Deadline(self._clock, self.pace.connect):
                socket = await _Direct(
                    url,
                    additional_headers=dict(self._protocol.headers),
                    open_timeout=None,  # the session's clock times it, and the pings
                    ping_interval=None,
                    close_timeout=self.pace.close,
                    max_size=self.pace.frame,
                    logger=_library_log,
                )
        except InvalidURI:
            raise ConfigError(f"{self.name}: {_shown(url)} is no address of a websocket; try wss://...") from None
        except InvalidStatus as error:
            raise self._refused(error) from error
        except (InvalidHandshake, OSError, EOFError) as error:
            raise self._lost(f"no connection ({type(error).__name__})") from error
        self._refusals = 0
        return socket

    def _refused(self, error: InvalidStatus) -> Exception:
        """Return what an HTTP answer means. Who was let in once today is not locked out by one gateway's word."""
        status = error.response.status_code
        where = _shown(self._protocol.url)
        self._refusals = self._refusals + 1 if status in (401, 403) else 0
        is_token_old = self._address is not None and self._refusals == 1
        if not self._was_ready and self._refusals and not is_token_old:
            return AuthenticationError(self.name, f"{where} answered HTTP {status}; check the credentials")
        if not self._was_ready and status in (400, 404, 410):
            return ConfigError(f"{self.name}: {where} answered HTTP {status}; check the address")
        if status == 429:
            after = error.response.headers.get("Retry-After", "")
            return RateLimited(self.name, "too many connections (HTTP 429)", float(after) if after.isdigit() else 0.0)
        return self._lost(f"no connection (HTTP {status})")

    async def _pump(self, socket: ClientConnection) -> None:
        try:
            async with nullcontext() if self._timed else Deadline(self._clock, self.pace.connect):
                await self._send(socket, self._protocol.opening(self._clock.monotonic()))
                while not self._protocol.is_ready:
                    await self._receive(socket)
        except TimeoutError:
            raise self._lost(f"connected, but not let in within {self.pace.connect:g} s") from None
        self._ready()
        while True:
            await self._receive(socket)

    async def _receive(self, socket: ClientConnection) -> None:
        frame = await socket.recv()
        self._heard_at = self._clock.monotonic()
        log.debug("< %s, %d", type(frame).__name__, len(frame))
        replies, events = self._protocol.receive(frame, self._heard_at)
        self._stir.set()
        for event in events:
            self._put(event)
        if replies:
            await self._send(socket, replies)

    async def _send(self, socket: ClientConnection, frames: Sequence[Frame]) -> None:
        for frame in frames:
            log.debug("> %s, %d", type(frame).__name__, len(frame))
            await socket.send(frame)

    async def _keep_alive(self, socket: ClientConnection) -> None:
        """Ping now and then; whatever is heard after it, a frame or the pong, is a sign of life."""
        while True:
            await self._clock.sleep(self.pace.ping)
            pinged_at = self._clock.monotonic()
            try:
                async with Deadline(self._clock, self.pace.pong):
                    await (await socket.ping())
            except TimeoutError:
                if self._heard_at < pinged_at:
                    raise self._lost(f"no answer to a ping in {self.pace.pong:g} s") from None
            else:
                if self._timed is not None:
                    self._timed.heard(self._clock.monotonic())

    async def _obey(self, over: asyncio.Future[str]) -> None:
        raise self._lost(await over)

    async def _speak(self, socket: ClientConnection, timed: TimedProtocol[E]) -> None:
        """Send what the protocol says unasked, when it is due."""
        while True:
            self._stir.clear()
            at = timed.deadline()
            if at is None:
                await self._stir.wait()
            elif not await self._is_stirred_within(at - self._clock.monotonic()):
                await self._send(socket, timed.due(self._clock.monotonic()))

    async def _is_stirred_within(self, seconds: float) -> bool:
        """Wait; return whether a frame came meanwhile, for what is due may be due sooner since."""
        try:
            async with Deadline(self._clock, seconds):
                return await self._stir.wait()
        except TimeoutError:
            return False

    async def _mind(self, timed: TimedProtocol[E]) -> None:
        """Bear no more silence than the protocol does."""
        while not (why := timed.silence(self._clock.monotonic(), self._clock.now())):
            await self._clock.sleep(self.pace.look)
        raise self._lost(why)

    def _ready(self) -> None:
        state = LinkState.RECONNECTED if self._was_ready else LinkState.CONNECTED
        self._was_ready, self._ready_at = True, self._clock.monotonic()
        log.info("%s: %s", self.name, state.value)
        self._put(Link(state, self._clock.now()))

    def _put(self, item: E | Link) -> None:
        if len(self._inbox) >= self.pace.inbox and not isinstance(item, Link):
            raise self._lost(f"{len(self._inbox)} events wait to be taken; what follows is asked for again later")
        self._inbox.append(item)
        self._news.set()

    async def _deliver(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._inbox:
                await self._consume(self._inbox.popleft())
            self._room.set()

    async def _caught_up(self) -> None:
        """Wait, where the consumer had fallen behind, until it has taken all there was."""
        while len(self._inbox) >= self.pace.inbox:
            self._room.clear()
            await self._room.wait()

    def _lost(self, why: str) -> ConnectionLost:
        return ConnectionLost(self.name, f"{_shown(self._protocol.url)}: {why}")


class _Direct(connect):
    """A connection that follows no redirect, so that no credentials go to another host."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def first_to_fail(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until one of the tasks fails (they do not end otherwise), end them all, and raise its error."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    errors = [task.exception() for task in tasks if not task.cancelled()]
    # One dropped connection fails several: what else there is says more.
    for error in sorted(filter(None, errors), key=lambda each: isinstance(each, ConnectionClosed)):
        raise error


def _shown(url: str) -> str:
    """Return an address without what may be secret in it: user, password and query."""
    where = urlsplit(url)
    return f"{where.scheme}://{where.hostname or ''}{f':{where.port}' if where.port else ''}{where.path}"
