"""How a session is asked to end: by `Stop` from any thread, by the first Ctrl-C; the second interrupts it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """Asks a session to end in order, whether it has begun to trade yet or not. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal may come while it is held
        self._tell: Callable[[], None] | None = None
        self.is_asked = False

    def ask(self) -> None:
        """Let the session end when it has dealt with what it is at."""
        with self._lock:
            self.is_asked = True
            if self._tell is not None:
                self._tell()

    def reaches(self, tell: Callable[[], None]) -> None:
        """Say how the session hears of it; where it was asked already, it hears at once."""
        with self._lock:
            self._tell = tell
            if self.is_asked:
                tell()


@contextmanager
def ended_by_interrupt(ask: Callable[[], None]) -> Iterator[None]:
    """Call `ask` at the first Ctrl-C within the block; from then on it is as it was before.

    An interrupt in the middle of things could leave a fill journalled and not booked. In another thread
    than the main one there are no interrupts, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def once(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        ask()

    before = signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
