"""Runs on a Dask cluster: the job goes to each worker once, then a number a run. An extra: `switchback[dask]`."""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar

from framework.errors import ConfigError, SwitchbackError
from framework.research import executors
from framework.research.job import Job
from framework.research.rows import failed, one_line
from framework.research.shipping import Packed, packed, unpacked

T = TypeVar("T")
Rows = Generator[tuple[int, str], None, T]

_AHEAD = 4
"""Runs on their way for each thread of the cluster: none waits for work, and little is lost with the driver."""

_LOOK, _PATIENCE = 5.0, 120.0
"""Seconds between looks at whether there are workers, and how long a cluster may be without any."""

_ALONE = threading.Lock()
"""Runs of one process take turns: Backtrader is not made for threads, and they would not be faster."""


class Cluster:
    """The workers that a `distributed.Client` leads to; see `Executor`.

    A worker that dies is Dask's to replace, and its runs to hand out again. Those that Dask gives up are made again
    one at a time: which of them is at fault is then known.
    """

    def __init__(self, client: Any) -> None:
        if client.asynchronous:
            raise ConfigError("workers=Client(asynchronous=True) cannot be waited for; use a plain Client(...)")
        self._client = client

    @contextlib.contextmanager
    def opened(self, job: Job, most: int) -> Iterator[executors.Rows]:
        shared = self._shared(packed(job))
        yield lambda numbers: self._made(shared, list(numbers))

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        with self.opened(job, len(numbers)) as rows:
            yield from rows(numbers)

    def _made(self, shared: Any, left: list[int]) -> Iterator[tuple[int, str]]:
        while left:
            lost, left = yield from self._round(shared, left)
            for number in lost:
                yield from self._alone(shared, number)

    def _shared(self, each: Packed) -> Any:
        """Return the job as what the cluster can make again: what is scattered is gone with the last that held it."""
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            return self._client.submit(_same, each, pure=False)

    def _alone(self, shared: Any, number: int) -> Rows[None]:
        lost, _ = yield from self._round(shared, [number])
        if lost:
            yield number, failed("its worker died each time, and Dask gave it up")

    def _round(self, shared: Any, numbers: Sequence[int]) -> Rows[tuple[list[int], list[int]]]:
        """Yield rows until some are given up; return those, and those that were not sent."""
        waiting, lost = iter(numbers), list[int]()
        number_of: dict[Any, int] = {}
        ahead = _AHEAD * max(1, sum(self._client.nthreads().values()))
        try:
            while True:
                for number in () if lost else itertools.islice(waiting, ahead - len(number_of)):
                    number_of[self._client.submit(_row, shared, number, pure=False)] = number
                if not number_of:
                    return lost, list(waiting)
                for future in self._ended(list(number_of)):
                    number, row = number_of.pop(future), _came(future)
                    if row is None:
                        lost.append(number)
                    else:
                        yield number, row
        finally:
            self._client.cancel(list(number_of))

    def _ended(self, futures: list[Any]) -> list[Any]:
        """Wait until some are no longer on their way, and return them; raise where nobody is left to work on them."""
        from distributed import wait

        seen = time.monotonic()
        while not (ended := [each for each in futures if each.status != "pending"]):
            with contextlib.suppress(TimeoutError):
                wait(futures, timeout=_LOOK, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]
            if self._client.nthreads():
                seen = time.monotonic()
            elif time.monotonic() - seen > _PATIENCE:
                raise SwitchbackError(f"the Dask cluster has had no worker for {_PATIENCE:.0f} s; start some")
        return ended


def _came(future: Any) -> str | None:
    """Return a run's row, None where it was lost; raise `ConfigError` where the cluster cannot make it."""
    from distributed import KilledWorker

    if future.status == "finished":
        row: str = future.result()
        return row
    if future.status != "error":  # cancelled, or lost with all that held it
        return None
    error = future.exception()
    if isinstance(error, KilledWorker):  # it died with too many, perhaps in the company of the one at fault
        return None
    raise ConfigError(
        f"a worker of the cluster cannot begin: {one_line(error)}; it needs Switchback, and what the strategy imports"
    )


def _same(each: Packed) -> Packed:
    return each


def _row(each: Packed, number: int) -> str:
    """Make a run; in the cluster's worker."""
    with _ALONE:
        return _job(each).row(number)


@functools.lru_cache(maxsize=1)
def _job(each: Packed) -> Job:
    return unpacked(each)
