"""A session that goes on beside what else the program does: `run(..., live=True, background=True)`."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from framework.live.ending import Stop

if TYPE_CHECKING:
    from framework.live.status import Status
    from framework.result import Result

Watch = Callable[["Status"], None]

log = logging.getLogger("switchback.live")

FAREWELL = 30.0
"""Seconds for which the end of the program waits for the end of its sessions."""


class Running:
    """A live session in a thread of its own. It ends with `stop()`, by itself, or in order when the program ends.

    `play` runs it; it is given how it is asked to end, and what takes its status. `watch` is told of that too: in a
    notebook, a display below the cell that made this (`framework.live.notebook.shown`).
    """

    def __init__(self, play: Callable[[Stop, Watch], Result], name: str, watch: Sequence[Watch] = ()) -> None:
        self._play, self._stop, self._watch = play, Stop(), tuple(watch)
        self._status: Status | None = None
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"switchback-{name}", daemon=True)
        self._name = name
        atexit.register(self._leave)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Running: {self._name}, {self._state}>"

    @property
    def is_running(self) -> bool:
        """Whether the session goes on."""
        return self._thread.is_alive()

    @property
    def status(self) -> Status | None:
        """How the session stood when it was seen last, about a second ago; None before it has begun."""
        return self._status

    @property
    def error(self) -> BaseException | None:
        """What broke the session off, None where nothing has."""
        return self._error

    def stop(self, timeout: float | None = None) -> None:
        """Ask the session to end as Ctrl-C does, and wait until it has; `timeout` is in seconds, 0 does not wait.

        Orders that open positions are cancelled, those that protect them stay. Raise `TimeoutError`.
        """
        self._stop.ask()
        if timeout != 0:
            self._wait(timeout)

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the session's end and return what came of it; raise what broke it off, or `TimeoutError`.

        An interrupt (Ctrl-C, the notebook's stop button) ends the waiting, not the session.
        """
        self._wait(timeout)
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    @property
    def _state(self) -> str:
        if self.is_running:
            return "running"
        return f"broken off: {self._error}" if self._error else "over"

    def _wait(self, timeout: float | None) -> None:
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"session {self._name} has not ended within {timeout:g} s; it goes on")

    def _run(self) -> None:
        try:
            self._result = self._play(self._stop, self._seen)
        except BaseException as error:
            self._error = error
            log.error("session %s broke off: %s", self._name, error)
        finally:
            atexit.unregister(self._leave)

    def _seen(self, status: Status) -> None:
        self._status = status
        for each in self._watch:
            each(status)

    def _leave(self) -> None:
        self._stop.ask()
        self._thread.join(FAREWELL)
