"""Runs on Ray: the job lies in its object store, and each worker reads it once. An extra: `switchback[ray]`."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from framework.errors import ConfigError
from framework.research.executors import Rows
from framework.research.job import Job
from framework.research.rows import failed, one_line
from framework.research.shipping import Packed, packed, unpacked

_AHEAD = 4
"""Runs on their way for each core: none waits for work, and little is lost with the driver."""

_AGAIN = 2
"""How often a run whose worker died is made again: it is alone in its worker, so three deaths are its own."""


class Ray:
    """The workers of the Ray that this process is connected to; see `Executor`."""

    def __init__(self) -> None:
        try:
            import ray
        except ImportError:
            raise ConfigError('workers="ray" needs Ray; type: pip install "switchback[ray]"') from None
        if not ray.is_initialized():
            raise ConfigError('workers="ray" is the Ray that this program is connected to; call ray.init(...) before')
        self._ray = ray

    @contextlib.contextmanager
    def opened(self, job: Job, most: int) -> Iterator[Rows]:
        each = packed(job)
        shared = self._ray.put(_mapped(each))
        yield lambda numbers: self._made(each.digest, shared, numbers)

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        with self.opened(job, len(numbers)) as rows:
            yield from rows(numbers)

    def _made(self, digest: str, shared: Any, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        ray = self._ray
        made = ray.remote(max_retries=_AGAIN, num_cpus=1)(_row)
        ahead = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting, number_of = iter(numbers), dict[Any, int]()
        try:
            while True:
                for number in itertools.islice(waiting, ahead - len(number_of)):
                    # In a list, for what is given as it is would be read anew for each run.
                    number_of[made.remote(digest, [shared], number)] = number
                if not number_of:
                    return
                for future in ray.wait(list(number_of), num_returns=1)[0]:
                    yield number_of.pop(future), self._came(future)
        finally:
            for future in number_of:
                ray.cancel(future, force=True)

    def _came(self, future: Any) -> str:
        """Return a run's row; raise `ConfigError` where no worker can make it."""
        from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError

        try:
            row: str = self._ray.get(future)
        except (WorkerCrashedError, OutOfMemoryError):
            return failed(f"its worker died {1 + _AGAIN} times")
        except RayTaskError as error:
            raise ConfigError(
                f"a worker of Ray cannot begin: {one_line(error.cause)}; "
                "it needs Switchback, and what the strategy imports"
            ) from None
        return row


def _mapped(each: Packed) -> Packed:
    """Return a job whose arrays all workers of a machine have in the same pages of memory."""
    return replace(each, arrays=[np.frombuffer(array, np.uint8) for array in each.arrays])


def _row(digest: str, shared: Sequence[Any], number: int) -> str:
    """Make a run; in a worker of Ray's."""
    return _job(digest, tuple(shared)).row(number)


@functools.lru_cache(maxsize=1)
def _job(digest: str, shared: tuple[Any, ...]) -> Job:
    import ray

    return unpacked(ray.get(shared[0]))
