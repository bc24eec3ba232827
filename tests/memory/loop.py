"""An event loop whose time is virtual and whose network is memory: whole sessions in one thread, alike each time.

Servers and clients are the shipped ones, unmodified: they exchange the same bytes, only that the loop
carries them itself. Time stands still while anything can go on, then jumps to the next timer. There are
no threads: what is handed to one is done at once. So a run depends on nothing but its inputs.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

Factory = Callable[[], asyncio.BaseProtocol]

HOST = "127.0.0.1"

WINDOW = 1 << 18
"""Bytes that a line holds before its writer has to wait, as the buffers of a kernel do."""


PIECE = 1 << 16
"""Bytes that are read at a time."""


class Stuck(RuntimeError):
    """Everybody waits, and not for time: nothing will ever happen again."""


class MemoryLoop(asyncio.SelectorEventLoop):
    """An event loop in which `time()` is virtual, and connections to 127.0.0.1 stay in memory."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._ports = itertools.count(1024)
        self._serving: dict[int, Factory] = {}
        self._dialled: dict[socket.socket, int] = {}
        super().__init__(_Jumps(self._jump))

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._seconds

    def _jump(self, seconds: float | None) -> None:
        if seconds is None:
            raise Stuck("everybody waits and nobody sleeps: what they wait for cannot come")
        self._seconds += seconds

    # What asyncio's users call

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Do it now, in this thread."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    async def create_server(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:  # type: ignore[override]
        """Listen on a port."""
        port = port or next(self._ports)
        if port in self._serving:
            raise OSError(98, "address already in use")
        self._serving[port] = factory
        return _Listening(self._serving, port)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Note where a socket is to lead; `create_connection` takes it from there."""
        if address[1] not in self._serving:
            raise ConnectionRefusedError(111, f"nobody listens on {address}")
        self._dialled[sock] = address[1]

    async def create_connection(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, *, sock: socket.socket | None = None, **_: Any
    ) -> Any:
        """Connect to what listens on a port."""
        if sock is not None:
            port = self._dialled.pop(sock)
            sock.close()
        if port not in self._serving:
            raise ConnectionRefusedError(111, f"nobody listens on {host}:{port}")
        client, server = factory(), self._serving[port]()
        near = Line(self, client, (HOST, next(self._ports)), (HOST, port))
        far = Line(self, server, near.peer_name, near.name)
        far.name, far.peer_name = near.peer_name, near.name
        near.other, far.other = far, near
        server.connection_made(far)
        client.connection_made(near)
        await asyncio.sleep(0)
        return near, client


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own and return its result."""
    with asyncio.Runner(loop_factory=MemoryLoop) as runner:
        return runner.run(main)


class LoopClock:
    """The clock of a loop (`framework.ports.Clock`): `at` when it is made, and on as the loop's time goes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, at: datetime) -> None:
        self._loop, self._at, self._since = loop, at, loop.time()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self._loop.time() - self._since

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def seconds_until(self, at: datetime) -> float | None:
        return max((at - self.now()).total_seconds(), 0.0)

    async def run(self, awaitable: Awaitable[T]) -> T:
        """Await something, as `VirtualClock.run` does: time goes by itself here."""
        return await awaitable


class Line(asyncio.Transport):
    """One end of a connection. What is written at it is read at the `other`, in the loop's next turn."""

    other: Line

    def __init__(self, loop: MemoryLoop, protocol: Any, name: Any, peer_name: Any) -> None:
        super().__init__()
        self._loop, self._protocol = loop, protocol
        self.name, self.peer_name = name, peer_name
        self._arrived: deque[bytes] = deque()
        self._size = 0
        self._is_reading = True
        self._is_due = False  # a delivery is on its way
        self._has_ended = False  # the other end has said all that it will
        self._is_held = False  # the writer was told to wait
        self._is_closing = self._is_gone = False
        self._high, self._low = 1 << 16, 1 << 14

    # Writing

    def write(self, data: Any) -> None:
        if self._is_closing or not data:
            return
        if self.other._is_gone:
            self._lose(ConnectionResetError(104, "the other side has gone"))
            return
        self.other._arrive(bytes(data))
        if self.get_write_buffer_size() > self._high and not self._is_held:
            self._is_held = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.other._end()

    def get_write_buffer_size(self) -> int:
        return max(self.other._size - WINDOW, 0)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = (1 << 16) if high is None else high
        self._low = self._high // 4 if low is None else low

    # Reading

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._plan()

    def _arrive(self, data: bytes) -> None:
        self._arrived.extend(data[at : at + PIECE] for at in range(0, len(data), PIECE))
        self._size += len(data)
        self._plan()

    def _end(self) -> None:
        self._has_ended = True
        self._plan()

    def _plan(self) -> None:
        if not self._is_due and not self._is_gone and (self._arrived or self._has_ended):
            self._is_due = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_due = False
        if not self.is_reading():
            return
        if self._arrived:
            data = self._arrived.popleft()
            self._size -= len(data)
            self._protocol.data_received(data)
            self.other._drained()
            self._plan()
        elif self._has_ended and not self._protocol.eof_received():
            self.close()
        else:
            self._has_ended = False  # it has been told once

    def _drained(self) -> None:
        if self._is_held and self.get_write_buffer_size() <= self._low:
            self._is_held = False
            self._protocol.resume_writing()

    # The end

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._lose(None)

    def abort(self) -> None:
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        self._is_gone = True
        self._arrived.clear()
        self._size = 0
        self._protocol.connection_lost(error)
        self.other._end()

    # What else is asked of a transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": self.name, "peername": self.peer_name}.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol


class _Listening:
    """A server, as `aiohttp` sees it."""

    def __init__(self, serving: dict[int, Factory], port: int) -> None:
        self._serving, self._port = serving, port

    @property
    def sockets(self) -> list[_Listening]:
        return [self]

    def getsockname(self) -> tuple[str, int]:
        return HOST, self._port

    def close(self) -> None:
        self._serving.pop(self._port, None)

    async def wait_closed(self) -> None: ...


class _Jumps(selectors.DefaultSelector):
    """Waits for nothing: where the loop would wait, time jumps."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> Any:
        if timeout == 0:
            return []
        if found := super().select(0):  # such as Ctrl-C
            return found
        self._jump(timeout)
        return []
