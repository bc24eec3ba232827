"""Runs on a Dask cluster: the job goes to each worker once, then a number a run. An extra: `switchback[dask]`."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from framework.errors import ConfigError
from framework.research.executors import MOST_DEATHS, died
from framework.research.job import Job
from framework.research.rows import failed, one_line
from framework.research.shipping import Packed, packed, unpacked

_AHEAD = 4
"""Runs on their way for each thread of the cluster: none waits for work, and little is lost with the driver."""

_ALONE = threading.Lock()
"""Runs of one process take turns: Backtrader is not made for threads, and they would not be faster."""


class Cluster:
    """The workers that a `distributed.Client` leads to; see `Executor`.

    A worker that dies is Dask's to replace, and its runs to hand out again. What died with too many is a row with
    an error. Where the job itself went down with its last holder, it is sent anew.
    """

    def __init__(self, client: Any) -> None:
        if client.asynchronous:
            raise ConfigError("workers=Client(asynchronous=True) cannot be waited for; use a plain Client(...)")
        self._client = client

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        each, left = packed(job), dict.fromkeys(numbers)
        for _ in range(MOST_DEATHS):
            for number, row in self._round(each, list(left)):
                del left[number]
                yield number, row
            if not left:
                return
        yield from ((number, failed(died("the cluster lost it"))) for number in left)

    def _round(self, each: Packed, numbers: list[int]) -> Iterator[tuple[int, str]]:
        """Yield rows; what was lost on the way is left out."""
        from distributed import as_completed

        (shared,) = self._client.scatter([each], broadcast=True, hash=False)
        waiting = iter(numbers)
        number_of: dict[Any, int] = {}
        coming: Any = as_completed()  # type: ignore[no-untyped-call]
        try:
            for _ in range(_AHEAD * max(1, sum(self._client.nthreads().values()))):
                self._send(shared, waiting, number_of, coming)
            for future in coming:
                number = number_of.pop(future)
                row = _came(future)
                self._send(shared, waiting, number_of, coming)
                if row is not None:
                    yield number, row
        finally:
            self._client.cancel(list(number_of))

    def _send(self, shared: Any, waiting: Iterator[int], number_of: dict[Any, int], coming: Any) -> None:
        number = next(waiting, None)
        if number is not None:
            future = self._client.submit(_row, shared, number, pure=False)
            number_of[future] = number
            coming.add(future)


def _came(future: Any) -> str | None:
    """Return a run's row, None where it was lost; raise `ConfigError` where the cluster cannot make it."""
    from distributed import KilledWorker

    if future.status == "finished":
        row: str = future.result()
        return row
    if future.status != "error":  # cancelled or lost: what it needed is gone
        return None
    error = future.exception()
    if isinstance(error, KilledWorker):
        return failed(died("Dask gave it up"))
    raise ConfigError(
        f"a worker of the cluster cannot begin: {one_line(error)}; it needs Switchback, and what the strategy imports"
    )


def _row(each: Packed, number: int) -> str:
    """Make a run; in the cluster's worker."""
    with _ALONE:
        return _job(each).row(number)


@functools.lru_cache(maxsize=1)
def _job(each: Packed) -> Job:
    return unpacked(each)
