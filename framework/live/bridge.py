"""The one crossing between the I/O thread and the engine thread.

News go one way (`post`, `wait`), commands the other (`send`). All channels share one condition, so that
whatever arrives wakes the engine at once; nothing else is shared between the two.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from framework.errors import SwitchbackError

AT_A_TIME = 10
"""How many commands are begun before the I/O thread does what they lead to."""


class Bridge:
    """News for the engine, in their order, and commands for the I/O thread.

    `post` and `fail` are for the I/O thread, `wait` and `send` for the engine's.
    """

    def __init__(self) -> None:
        self._stirred = threading.Condition()
        self._news: deque[Any] = deque()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._obey: Callable[[Any], None] | None = None
        self._at_a_time: int | None = AT_A_TIME
        self._commands: deque[tuple[int, int, Any]] = deque()
        self._sent = 0
        self._is_called = False
        self.posted = 0
        """How many news have been posted; read in the I/O thread."""
        self.taken = 0
        """How many news have been taken; read in the engine thread."""
        self.known = 0
        """How many news had been taken when the command was sent that is carried out now; read in the I/O thread."""
        self.batch = 0
        """The number of the `send` that it came with, 0 for none; read in the I/O thread."""

    def attach(
        self, loop: asyncio.AbstractEventLoop, obey: Callable[[Any], None], at_a_time: int | None = AT_A_TIME
    ) -> None:
        """Say who carries commands out, in which loop; `at_a_time` None is for all that were sent at once."""
        self._loop, self._obey, self._at_a_time = loop, obey, at_a_time

    def post(self, news: Any) -> None:
        """Tell the engine; it wakes at once."""
        with self._stirred:
            self._news.append(news)
            self.posted += 1
            self._stirred.notify()

    def fail(self, error: BaseException) -> None:
        """Let the engine's next `wait` raise this, once it has taken all that came before; the first error counts."""
        with self._stirred:
            self._error = self._error or error
            self._stirred.notify()

    def wait(self, seconds: float | None = None) -> Any | None:
        """Return the next news, None where none came in `seconds`; raise what ended the I/O side."""
        with self._stirred:
            if not self._news and self._error is None:
                self._stirred.wait(seconds)
            if self._news:
                self.taken += 1
                return self._news.popleft()
            if self._error is not None:
                raise self._error
            return None

    @property
    def is_quiet(self) -> bool:
        """Whether no news wait for the engine; they may come at any moment."""
        return not self._news

    @property
    def is_behind(self) -> bool:
        """Whether commands that were sent are still to be begun."""
        return self._is_called

    def send(self, *commands: Any) -> None:
        """Have commands carried out in the I/O thread, together; raise what ended it, where it has ended."""
        if self._loop is None or self._obey is None:
            raise SwitchbackError("the I/O thread has not begun; nothing was sent")
        with self._stirred:
            self._sent += 1
            self._commands.extend((self.taken, self._sent, each) for each in commands)
            is_called, self._is_called = self._is_called, True
        if is_called and not self._loop.is_closed():
            return  # waking a thread costs more than a command: once is enough for all that wait
        try:
            self._loop.call_soon_threadsafe(self._carry_out)
        except RuntimeError:
            raise self._error or SwitchbackError("the I/O thread has ended; nothing was sent") from None

    def _carry_out(self) -> None:
        """Carry out what was sent, in its order, some at a time: the first of a burst are on the wire meanwhile."""
        assert self._loop is not None
        with self._stirred:
            count = len(self._commands)
            commands = [self._commands.popleft() for _ in range(min(count, self._at_a_time or count))]
            self._is_called = bool(self._commands)
        for each in commands:
            self._loop.call_soon(self._carry, *each)  # one that fails does not take the others along
        if self._is_called:
            self._loop.call_soon(self._carry_out)

    def _carry(self, known: int, batch: int, command: Any) -> None:
        assert self._obey is not None
        self.known, self.batch = known, batch
        self._obey(command)
