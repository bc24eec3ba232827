"""Where runs are made: the one thing that an executor does, and the simplest of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        for number in numbers:
            yield number, job.row(number)
