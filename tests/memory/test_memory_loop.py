"""The loop itself: time that jumps, lines of memory, no threads."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from memory.loop import HOST, WINDOW, Stuck, run


def test_time_jumps_to_the_next_timer() -> None:
    """A day of waiting takes no time, and each sleeper wakes at its own instant."""

    async def main() -> list[float]:
        loop, woken = asyncio.get_running_loop(), []

        async def sleeper(seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append(loop.time())

        await asyncio.gather(*map(sleeper, (86_400.0, 0.5, 60.0)))
        return woken

    began = time.monotonic()
    assert run(main()) == [0.5, 60.0, 86_400.0]
    assert time.monotonic() - began < 5


def test_time_limit_is_of_the_same_time() -> None:
    """What takes too long is cut off when its time is over."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(main()) == 30.0


def test_what_can_never_come_is_said() -> None:
    """Everybody waits and no timer runs: that is an error, not a test that hangs."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="nobody sleeps"):
        run(main())


def test_what_is_for_a_thread_is_done_at_once() -> None:
    """In this thread, so that nothing depends on who is faster; its error is the caller's."""

    async def main() -> None:
        assert await asyncio.to_thread(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)

    run(main())


def test_line_carries_bytes_both_ways_and_ends() -> None:
    """What is written is read in order; after the last byte comes the end."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    async def main() -> bytes:
        await asyncio.start_server(echo, HOST, 7)
        reader, writer = await asyncio.open_connection(HOST, 7)
        writer.writelines([b"one ", b"two\n"])
        said = await reader.read()
        writer.close()
        return said

    assert run(main()) == b"ONE TWO\n"


def test_writer_waits_for_a_reader_that_does_not_read() -> None:
    """The line holds so much; then `drain` waits, until it is read."""

    async def main() -> None:
        lines = asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
        await asyncio.start_server(lambda *line: lines.put_nowait(line), HOST, 7)
        _, writer = await asyncio.open_connection(HOST, 7)
        reader, far = await lines.get()
        writer.write(bytes(WINDOW * 4))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 10)
        await asyncio.gather(writer.drain(), reader.readexactly(WINDOW * 4))
        for each in (writer, far):
            each.close()
        for each in (writer, far):
            await each.wait_closed()

    run(main())


def test_cut_line_ends_for_both() -> None:
    """The other side reads the end, and what it writes then goes nowhere."""

    async def main() -> None:
        lines = asyncio.Queue[asyncio.StreamWriter]()
        await asyncio.start_server(lambda _, writer: lines.put_nowait(writer), HOST, 7)
        reader, writer = await asyncio.open_connection(HOST, 7)
        far = await lines.get()
        far.transport.abort()
        assert await reader.read() == b""
        writer.write(b"anyone?")
        await asyncio.sleep(0)
        with pytest.raises(ConnectionResetError):
            await writer.drain()

    run(main())


def test_port_where_nobody_listens_refuses() -> None:
    """As a socket's does; and one that is taken cannot be had twice."""

    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, 7)
        await asyncio.start_server(lambda *_: None, HOST, 7)
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(lambda *_: None, HOST, 7)

    run(main())
