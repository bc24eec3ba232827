"""The I/O thread: one event loop, in which everything asynchronous of a session lives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

T = TypeVar("T")


class Io(Protocol):
    """Where a session's coroutines run."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something there and wait for its result; raise what it raises."""


class IoThread:
    """An event loop in a thread of its own, for as long as the block lasts."""

    def __init__(self, name: str = "switchback-io") -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the thread and wait for its result; raise what it raises.

        Interrupted (Ctrl-C), what is asked for is cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(_over(asyncio.all_tasks(self.loop)))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())


async def _over(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel what an interrupt has left."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
