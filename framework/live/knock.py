"""Whether a stream lets us in: connect, log in, say goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from framework.live.clock import WallClock
from framework.live.socket import Socket
from framework.live.stream import Link, LinkState, Pace, StreamProtocol

E = TypeVar("E")


def knock(name: str, protocol: StreamProtocol[E], turned_away: Callable[[E], str], seconds: float) -> str:
    """Connect once, log in and leave; return why we were not let in within `seconds`, or an empty string. Blocks.

    `name` is the other side's in errors, `turned_away` returns why an event keeps us out, or an empty string. Raise
    what the protocol raises where waiting cannot cure it, such as `AuthenticationError`.
    """
    return asyncio.run(_knocked(name, protocol, turned_away, seconds))


async def _knocked(name: str, protocol: StreamProtocol[E], turned_away: Callable[[E], str], seconds: float) -> str:
    heard = asyncio.get_running_loop().create_future()

    async def consume(item: E | Link) -> None:
        if isinstance(item, Link):
            _tell(heard, "" if item.state is LinkState.CONNECTED else item.reason)
        elif why := turned_away(item):
            _tell(heard, why)

    socket = asyncio.create_task(Socket(name, protocol, WallClock(), consume, Pace(connect=seconds)).run())
    await asyncio.wait((socket, heard), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    is_over = socket.done()
    socket.cancel()
    await asyncio.wait((socket,))  # it says goodbye, and with that the place is free
    if is_over:
        socket.result()
    return str(heard.result()) if heard.done() else f"{name} did not let us in within {seconds:g} s"


def _tell(heard: asyncio.Future[str], why: str) -> None:
    if not heard.done():
        heard.set_result(why)
