"""Where runs are made: the one thing that an executor does, and the simplest of them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from framework.research.job import Job


class Executor(Protocol):
    """Makes runs. Which executor it is changes no row, nor does the order in which they come."""

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield the number and the row of each run asked for, as they come; closing the iterator ends the work.

        A run whose worker dies is made again, and is a row with an error where that happens each time.
        Raise `ConfigError` where no worker can make any run.
        """


class InProcess:
    """One run after the other, in this process."""

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        with tidied() as tidy:
            for number in numbers:
                yield number, job.row(number)
                tidy()


@contextlib.contextmanager
def tidied() -> Iterator[Callable[[], object]]:
    """Yield what frees a run's lines and orders, which refer to one another: at once, not when chance has it.

    What was there before is left out: to look through it after each run would cost more than what a run leaves.
    """
    is_ours = gc.get_freeze_count() == 0
    if is_ours:
        gc.collect()
        gc.freeze()
    try:
        yield gc.collect
    finally:
        if is_ours:
            gc.unfreeze()
