"""The way out of the engine's thread for what an operator sees: a thread that writes files and feeds displays.

The engine hands a value over and goes on; a slow disk or terminal never holds up an order.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from framework.live.status import Execution, Status

log = logging.getLogger("switchback.live")


FAREWELL = 5.0
"""Seconds that the end of a session waits, at most, for what is still being shown."""


class Publisher:
    """Hands each status to `shown`, and each execution to `booked`, for as long as the block lasts.

    A status that is overtaken by a newer one is left out; the last one, and every execution, are handed on.
    What fails to take one is warned of once, and the session goes on.
    """

    def __init__(
        self,
        shown: Iterable[Callable[[Status], None]] = (),
        booked: Iterable[Callable[[Sequence[Execution]], None]] = (),
    ) -> None:
        self._shown, self._booked = tuple(shown), tuple(booked)
        self._stirred = threading.Condition()
        self._status: Status | None = None
        self._executions: list[Execution] = []
        self._is_over = False
        self._failed: set[Any] = set()
        self._thread = threading.Thread(target=self._run, name="switchback-status", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._stirred:
            self._is_over = True
            self._stirred.notify()
        self._thread.join(FAREWELL)  # a display that hangs keeps no session from its end

    def show(self, status: Status) -> None:
        """Hand a status over. Any thread."""
        with self._stirred:
            self._status = status
            self._stirred.notify()

    def book(self, executions: Sequence[Execution]) -> None:
        """Hand executions over. Any thread."""
        with self._stirred:
            self._executions += executions
            self._stirred.notify()

    def _run(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Hand on what is there, waiting for it; return whether there may be more."""
        with self._stirred:
            self._stirred.wait_for(lambda: self._status or self._executions or self._is_over)
            status, self._status = self._status, None
            executions, self._executions = self._executions, []
            is_over = self._is_over
        for each in self._booked if executions else ():
            self._tried(each, executions)
        for every in self._shown if status else ():
            self._tried(every, status)
        return not is_over

    def _tried(self, take: Callable[[Any], None], what: Any) -> None:
        try:
            take(what)
        except Exception as error:  # whatever a display or a full disk does, the session has money in it
            if take not in self._failed:
                log.warning("what is shown of the session is not complete: %s: %s", type(error).__name__, error)
            self._failed.add(take)
        else:
            self._failed.discard(take)
