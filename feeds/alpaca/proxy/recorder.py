"""Keeps everything that comes in a file, without anybody's waiting for it.

What comes is put into memory, and written by a thread about once a second. A disk that is full stops nothing:
what could not be written is tried again, and what there is no room for in memory is counted and left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from feeds.alpaca.proxy.recording import Answered, Asked, Framed, Lost, Made, Paged, Record, Skipped, Started, encoded
from feeds.alpaca.proxy.recording_figures import Counts, exposition
from feeds.alpaca.proxy.recording_file import RecordingFile
from feeds.alpaca.proxy.relay import Carried, Relay
from feeds.alpaca.proxy.supply import Consume, Item, Supply, Wire
from feeds.alpaca.subscriptions import Endpoint
from framework.errors import ConnectionLost
from framework.live.stream import Link, LinkState
from framework.ports import AsyncHttp, Clock
from framework.wire import Exchange, HttpRequest, HttpResponse

T = TypeVar("T")

EVERY = 1.0
"""Seconds between two writes."""

ROOM = 1 << 26
"""Bytes that wait in memory at the most, where nothing can be written."""

_HISTORY = ("/v2/stocks/", "/v1beta3/crypto/")


class File(Protocol):
    """What is written to: `RecordingFile`."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Recorder:
    """Owned by the proxy's loop; `remark` is told once when writing fails, and once when it works again.

    `hidden` takes what is secret out of a text that the other side wrote.
    """

    def __init__(
        self, file: File, clock: Clock, remark: Callable[[str], None], hidden: Callable[[str], str], room: int = ROOM
    ) -> None:
        self.counts = Counts()
        self._file, self._clock, self._remark, self._hidden, self._room = file, clock, remark, hidden, room
        self._waiting = bytearray()
        self._made: dict[str, int] = {}
        self._messages = 0  # of those that wait
        self._writing = 0  # bytes that are being written
        self._skipped = 0
        self._is_failing = False
        self._over = asyncio.Event()
        self._put(Started(clock.now()), 0)

    def take(self, stream: str, item: Item) -> None:
        """Keep what a stream told."""
        match item:
            case Carried(messages, _, frame):
                self._put(Framed(self._clock.now(), stream, frame), len(messages))
            case Link(LinkState.LOST, at, reason):
                self._put(Lost(at, stream, self._hidden(reason)), 0)
            case Link(_, at):
                self._made[stream] = self.made(stream) + 1
                self._put(Made(at, stream), 0)

    def made(self, stream: str) -> int:
        """Return how often a stream's line has been made."""
        return self._made.get(stream, 0)

    def asked(self, stream: str, made: int) -> None:
        """Keep that history is asked for what was missed until a line was made."""
        self._put(Asked(self._clock.now(), stream, made), 0)

    def page(self, stream: str, made: int, request: HttpRequest, response: HttpResponse) -> None:
        """Keep an answer of history's; of the request its path alone, for the rest has keys."""
        path = urlsplit(request.url).path
        if response.status == 200 and path.startswith(_HISTORY):
            self._put(Paged(self._clock.now(), stream, made, path, response.body), 0)

    def answered(self, stream: str, made: int) -> None:
        """Keep that history has said what it will."""
        self._put(Answered(self._clock.now(), stream, made), 0)

    async def run(self) -> None:
        """Write now and then until `stop`, and once more then."""
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._over.wait()
            await self.flush()
        await self.flush()
        await self.flush()  # what the one before has made room for
        await self._close()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._over.set()

    async def flush(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        waited, self._waiting = self._waiting, bytearray()
        messages, self._messages = self._messages, 0
        self._writing = len(waited)
        try:
            await asyncio.to_thread(self._file.write, bytes(waited))
        except OSError as failure:
            self._waiting = waited + self._waiting
            self._messages += messages
            self._failed(failure)
        else:
            self._written(messages, len(waited))
        self._writing = 0

    def _put(self, record: Record, messages: int) -> None:
        if self._has_room or not isinstance(record, Framed | Paged):  # the others are few, and say what all is about
            self._waiting += encoded(record)
            self._messages += messages
        else:
            self._skipped += messages
            self.counts.skipped += messages

    @property
    def _has_room(self) -> bool:
        return len(self._waiting) + self._writing < self._room

    def _written(self, messages: int, size: int) -> None:
        self.counts.messages += messages
        self.counts.bytes += size
        if self._skipped:
            self._waiting += encoded(Skipped(self._clock.now(), self._skipped))
            self._skipped = 0
        if self._is_failing:
            self._is_failing = False
            self._remark(f"the recording is written again; {self.counts.skipped} messages are not in it")

    def _failed(self, failure: OSError) -> None:
        self.counts.failures += 1
        if not self._is_failing:
            self._is_failing = True
            self._remark(f"the recording cannot be written, which is tried again: {failure.strerror or failure}")

    async def _close(self) -> None:
        """Close the file; what still waits could not be written, and is lost."""
        self.counts.skipped += self._messages
        if self._messages:
            self._remark(f"{self.counts.skipped} messages are not in the recording")
        try:
            await asyncio.to_thread(self._file.close)
        except OSError as failure:
            self._failed(failure)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A supply that is written down on its way."""

    supply: Supply
    recorder: Recorder

    def wire(self, endpoint: Endpoint, relay: Relay, consume: Consume) -> Wire:
        """Return a wire whose news are kept once they have been handed on."""

        async def heard(item: Item) -> None:
            await consume(item)
            self.recorder.take(endpoint.path, item)

        return self.supply.wire(endpoint, relay, heard)

    def history(self, endpoint: Endpoint) -> AsyncHttp:
        """Return a history whose answers are kept."""
        return _RecordedHttp(self.supply.history(endpoint), self.recorder, endpoint.path)

    def exposition(self) -> str:
        """Return the recorder's figures too."""
        return self.supply.exposition() + exposition(self.recorder.counts)


@dataclass(frozen=True, slots=True)
class _RecordedHttp:
    http: AsyncHttp
    recorder: Recorder
    stream: str

    async def send(self, exchange: Exchange[T]) -> T:
        """Drive an exchange, and keep each answer and that it is over, however it ends."""
        made = self.recorder.made(self.stream)
        self.recorder.asked(self.stream, made)
        try:
            return await self.http.send(self._kept(exchange, made))
        finally:
            self.recorder.answered(self.stream, made)

    def _kept(self, exchange: Exchange[T], made: int) -> Exchange[T]:
        try:
            request = next(exchange)
            while True:
                try:
                    response = yield request
                except ConnectionLost as error:
                    request = exchange.throw(error)
                else:
                    self.recorder.page(self.stream, made, request, response)
                    request = exchange.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            exchange.close()


@contextlib.asynccontextmanager
async def recorded(
    supply: Supply, path: Path | None, clock: Clock, remark: Callable[[str], None], hidden: Callable[[str], str]
) -> AsyncIterator[Supply]:
    """Record a supply until the block is left; without a path it goes through as it is.

    Raise `ConfigError` where the file cannot be added to.
    """
    if path is None:
        yield supply
        return
    recorder = Recorder(await asyncio.to_thread(RecordingFile, path), clock, remark, hidden)
    writing = asyncio.create_task(recorder.run())
    try:
        yield Recorded(supply, recorder)
    finally:
        recorder.stop()
        await writing
