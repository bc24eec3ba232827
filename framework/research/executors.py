"""Where runs are made: the one thing that an executor does, and the simplest of them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from framework.research.job import Job

Rows = Callable[[Sequence[int]], Iterator[tuple[int, str]]]
"""Yields the number and the row of each run asked for, as they come; it may be called again when all have."""


class Executor(Protocol):
    """Makes runs. Which executor it is changes no row, nor does the order in which they come."""

    def opened(self, job: Job, most: int) -> AbstractContextManager[Rows]:
        """Be ready for runs of a job, of which so many at most are asked for at once; leaving the block ends the work.

        A run whose worker dies is made again, and is a row with an error where that happens each time.
        Raise `ConfigError` where no worker can make any run.
        """

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield the number and the row of each run asked for, as they come; closing the iterator ends the work."""


class InProcess:
    """One run after the other, in this process."""

    @contextlib.contextmanager
    def opened(self, job: Job, most: int) -> Iterator[Rows]:
        with tidied() as tidy:
            yield lambda numbers: _made(job, numbers, tidy)

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        with self.opened(job, len(numbers)) as rows:
            yield from rows(numbers)


def _made(job: Job, numbers: Sequence[int], tidy: Callable[[], object]) -> Iterator[tuple[int, str]]:
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
