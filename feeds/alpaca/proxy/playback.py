"""A recording as what streams are fed from: everything comes as it came, at any speed, to whoever asks for it.

Each stream has in this process the server that the recorded one had far away: it lets the proxy in and
confirms what is asked for. So all that the proxy does for its clients it does here too, breaks of the line included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from feeds.alpaca.messages import Row, as_msgpack, from_msgpack
from feeds.alpaca.plans import PAID
from feeds.alpaca.proxy.audience import Audience
from feeds.alpaca.proxy.mended import NONE, Answer
from feeds.alpaca.proxy.played_history import PlayedHistory
from feeds.alpaca.proxy.recording import Framed, Lost, Made, Record, Skipped, Started
from feeds.alpaca.proxy.recording_file import Contents
from feeds.alpaca.proxy.relay import Relay
from feeds.alpaca.proxy.supply import Consume
from feeds.alpaca.proxy.upstream import TOGETHER
from feeds.alpaca.subscriptions import CONNECTED, Conversation, Endpoint
from framework.config import Credentials
from framework.live.clock import WallClock
from framework.live.stream import Frame, Link, LinkState
from framework.ports import Clock

NOBODY = Credentials("nobody", "nothing")
"""Whom a stream logs in as, where no account is needed."""

LOOK = 0.005
"""Seconds between two looks at what clients do."""

SETTLED = 0.1
"""Seconds without a change of who listens, after which all are taken to have asked for what they want."""

BATCH = TOGETHER // 2
"""Bytes of frames after which others have their turn."""


class RecordedClock:
    """The clock of a recording: venue time is when what was played last had come. I/O time is `io`'s."""

    def __init__(self, at: datetime, io: Clock | None = None) -> None:
        self._at = at
        self._io = io or WallClock()
        self.is_loops = getattr(self._io, "is_loops", False)

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._io.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._io.sleep(seconds)

    def seconds_until(self, at: datetime) -> float | None:
        return None if at > self._at else 0.0

    def set(self, at: datetime) -> None:
        """Take it that venue time is `at` now; it never goes back."""
        self._at = max(self._at, at)


class Playback:
    """A `feeds.alpaca.proxy.supply.Supply` of what is in a file. Owned by the proxy's loop.

    `speed` is how many times as fast as it came it is played; 0 is as fast as clients read. What nobody recorded,
    between one start of a recorder and the next, takes no time.
    """

    def __init__(self, contents: Contents, clock: RecordedClock, speed: float = 1.0) -> None:
        self._contents, self._clock, self._speed = contents, clock, speed
        self._wires: dict[str, PlayedWire] = {}
        self._histories: dict[str, PlayedHistory] = {}
        self._made: dict[str, int] = {}
        self._down: set[str] = set()
        self._void: set[str] = set()  # whose history says nothing before the line is lost again
        self._base = (clock.now(), 0.0)
        self._batch = 0

    def wire(self, endpoint: Endpoint, relay: Relay, consume: Consume) -> PlayedWire:
        """Return a stream's wire, which what is recorded of the stream comes through."""
        path = endpoint.path
        self._wires[path] = PlayedWire(endpoint, relay, consume, self._clock, is_down=path in self._down)
        return self._wires[path]

    def history(self, endpoint: Endpoint) -> PlayedHistory:
        """Return what history said when it was recorded."""
        return self._histories.setdefault(endpoint.path, PlayedHistory())

    def exposition(self) -> str:
        """Return nothing: what is played is counted where it arrives."""
        return ""

    async def run(self, audience: Audience, clients: int) -> None:
        """Play the file once so many clients have what they asked for; return when everybody has been sent all."""
        await self._gathered(audience, clients)
        self._base = (self._clock.now(), self._clock.monotonic())
        for record in self._contents.records():
            await self._turn(record, audience)
            await self._play(record)
            if audience.mending - self._void:
                await self._handed_on(lambda: not audience.mending - self._void)
        await self._handed_on(audience.has_all)

    async def _gathered(self, audience: Audience, clients: int) -> None:
        quiet, before = 0.0, 0
        while clients and quiet < SETTLED:
            await self._clock.sleep(LOOK)
            now = audience.listening
            quiet = quiet + LOOK if now == before and now >= clients else 0.0
            before = now

    async def _turn(self, record: Record, audience: Audience) -> None:
        """Wait until it is a record's turn."""
        if isinstance(record, Started):
            self._base = (record.at, self._clock.monotonic())
        if wait := self._wait(record.at):
            await self._clock.sleep(wait)
        elif self._batch >= BATCH:
            await self._handed_on(audience.keeps_up if not self._speed else lambda: True)
            self._batch = 0
        self._batch += len(record.frame) if isinstance(record, Framed) else 0
        self._clock.set(record.at)

    async def _handed_on(self, is_so: Callable[[], bool]) -> None:
        """Let what was played be handed on in this turn of the loop, and written in the next; wait until it is so."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        while not is_so():
            await self._clock.sleep(LOOK)

    def _wait(self, at: datetime) -> float:
        if not self._speed:
            return 0.0
        base, since = self._base
        return max(since + (at - base).total_seconds() / self._speed - self._clock.monotonic(), 0.0)

    async def _play(self, record: Record) -> None:
        match record:
            case Framed(_, stream, frame) if stream in self._wires:
                await self._wires[stream].play(frame)
            case Lost(_, stream, reason):
                await self._lose(stream, reason)
            case Made(_, stream):
                await self._make(stream)
            case Started():
                for stream in list(self._made):
                    await self._lose(stream, "the recording was ended, and begun again later")
            case Skipped(_, count):
                for stream in self._made.keys() - self._down:
                    await self._lose(stream, f"{count} messages could not be recorded")
                    await self._return(stream)

    async def _lose(self, stream: str, reason: str) -> None:
        self._down.add(stream)
        if stream in self._wires:
            await self._wires[stream].lose(reason)
        self._tell(stream, NONE)

    async def _make(self, stream: str) -> None:
        self._made[stream] = made = self._made.get(stream, 0) + 1
        self._tell(stream, self._contents.answers.get((stream, made), NONE))
        await self._return(stream)

    def _tell(self, stream: str, answer: Answer) -> None:
        self._void = self._void | {stream} if answer.is_void else self._void - {stream}
        if stream in self._histories:
            self._histories[stream].tell(answer)

    async def _return(self, stream: str) -> None:
        self._down.discard(stream)
        if stream in self._wires:
            await self._wires[stream].make()


class PlayedWire:
    """A stream's other end. It is up from its start, unless the recorded one is down then."""

    def __init__(
        self, endpoint: Endpoint, relay: Relay, consume: Consume, clock: RecordedClock, *, is_down: bool
    ) -> None:
        self._endpoint, self._relay, self._consume, self._clock = endpoint, relay, consume, clock
        self._server: Conversation | None = None
        self._is_down, self._was_up = is_down, False
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Let the stream in, and stay there."""
        if not self._is_down:
            await self.make()
        await asyncio.get_running_loop().create_future()

    async def send(self, frames: Sequence[Frame]) -> None:
        """Answer frames; while the line is down they are dropped."""
        async with self._lock:
            await self._answer(frames)

    async def play(self, frame: Frame) -> None:
        """Let a frame come that came when it was recorded; what came while the line is down here is left out."""
        async with self._lock:
            if self._server is not None:
                await self._take(frame)

    async def lose(self, reason: str) -> None:
        """Let the line break."""
        async with self._lock:
            self._is_down = True
            if self._server is not None:
                self._server = None
                self._relay.closed()
                await self._consume(Link(LinkState.LOST, self._clock.now(), reason))

    async def make(self) -> None:
        """Let the line be there, unless it is."""
        async with self._lock:
            self._is_down = False
            if self._server is not None:
                return
            keys = (NOBODY.key, NOBODY.secret)
            self._server = Conversation(self._endpoint, PAID, keys, lambda: True)
            await self._answer(self._relay.opening(self._clock.monotonic()))
            await self._say(CONNECTED)
            state = LinkState.RECONNECTED if self._was_up else LinkState.CONNECTED
            self._was_up = True
            await self._consume(Link(state, self._clock.now()))

    async def _answer(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if self._server is not None:
                await self._say(self._server.receive(from_msgpack(frame)))

    async def _say(self, row: Row) -> None:
        await self._take(as_msgpack([row]))

    async def _take(self, frame: Frame) -> None:
        replies, items = self._relay.receive(frame, self._clock.monotonic())
        for item in items:
            await self._consume(item)
        await self._answer(replies)
