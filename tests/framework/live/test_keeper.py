"""What a session does by itself while it runs."""

import asyncio
from typing import Any

from framework.live.clock import VirtualClock
from framework.live.keeper import watch_requests
from framework.wire import Priority


class Stub:
    """A hub that notes what is emitted, and a transport whose queue is what the test says."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.waiting: dict[Priority, int] = {}

    def emit(self, news: Any) -> None:
        self.told.append(news.text)


def test_requests_that_wait_are_told_once_until_they_wait_no_more() -> None:
    """A burst that is over at the next look is none; what stays in the queue is told, and again when it comes back."""

    async def steps() -> list[int]:
        clock, stub = VirtualClock(), Stub()
        watch = asyncio.ensure_future(watch_requests(stub, stub, clock, 200))  # type: ignore[arg-type]
        counts = []
        for waiting in ({}, {Priority.ENTRY: 3}, {}, {Priority.ENTRY: 3}, {Priority.EXIT: 1}, {Priority.ENTRY: 9}, {}):
            stub.waiting = waiting
            await clock.advance(1.0)
            counts.append(len(stub.told))
        watch.cancel()
        assert stub.told == ["1 requests wait, 1 of them exits and cancels: 200 a minute are allowed"]
        return counts

    assert asyncio.run(steps()) == [0, 0, 0, 0, 1, 1, 1]
