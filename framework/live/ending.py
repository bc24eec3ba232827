"""Ctrl-C: the first asks a session to end when it has dealt with what it is at, the second interrupts it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
