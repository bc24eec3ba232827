"""Runs on the cores of this machine: worker processes of our own, each of which reads the columns once.

Not `concurrent.futures`: there one dead process ends the pool and all its runs, which of them was at fault is not
known, and a script without `if __name__ == "__main__"` starts itself over and over. Here a thread tends each worker,
gives it one run at a time, and when it dies puts that run back and starts another.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import IO

from framework.errors import ConfigError
from framework.research.executors import Rows
from framework.research.job import Job
from framework.research.rows import failed
from framework.research.shipping import packed, written
from framework.research.worker import OVER, READY

Done = SimpleQueue["tuple[int, str] | Exception"]

_MOST_DEATHS = 3
"""How many workers a run may take with it; each time it is alone in its worker."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """As many worker processes at once; see `Executor`."""

    def __init__(self, count: int) -> None:
        self._count = count

    @contextlib.contextmanager
    def opened(self, job: Job, most: int) -> Iterator[Rows]:
        with TemporaryDirectory(prefix="switchback-", ignore_cleanup_errors=True) as name:
            written(packed(job), Path(name))
            crew = _Crew(Path(name), min(self._count, most))
            try:
                yield crew.rows
            finally:
                crew.end()

    def rows(self, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        with self.opened(job, len(numbers)) as rows:
            yield from rows(numbers)


class _Crew:
    """Workers, and the threads that tend them. What is to be done and what is done goes through two queues."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._deaths = folder, Counter[int]()
        self._todo: SimpleQueue[int | None] = SimpleQueue()
        self._done: Done = SimpleQueue()
        self._over = threading.Event()
        self._workers: set[Worker] = set()
        self._threads = [
            threading.Thread(target=self._tend, name="switchback-sweep", daemon=True) for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def rows(self, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield the rows of these runs as they come; raise what a thread ran into."""
        for number in numbers:
            self._todo.put(number)
        for _ in numbers:
            done = self._done.get()
            if isinstance(done, Exception):
                raise done
            yield done

    def end(self) -> None:
        """End all workers, whatever they do."""
        self._over.set()
        for _ in self._threads:
            self._todo.put(None)
        for worker in list(self._workers):
            worker.kill()
        for thread in self._threads:
            thread.join()

    def _tend(self) -> None:
        """Keep one worker busy until all is done; in a thread of its own."""
        worker = None
        try:
            while not self._over.is_set():
                worker = self._started()
                number = self._busy(worker)
                self._ended(worker)
                if number is None:
                    return
                self._lost(number, worker.why)
        except Exception as error:
            self._done.put(error)
        finally:
            if worker is not None:
                self._ended(worker)

    def _busy(self, worker: Worker) -> int | None:
        """Give a worker runs; return the one that it died with, None where all is done."""
        while (number := self._todo.get()) is not None and not self._over.is_set():
            row = worker.row(number)
            if row is None:
                return number
            self._done.put((number, row))
        return None

    def _lost(self, number: int, why: str) -> None:
        self._deaths[number] += 1  # only one thread at a time has a run
        if self._deaths[number] < _MOST_DEATHS:
            self._todo.put(number)
        else:
            self._done.put((number, failed(f"its worker died {_MOST_DEATHS} times ({why})")))

    def _started(self) -> Worker:
        """Return a worker that has opened the job; one that dies before it has is replaced, as any that dies is."""
        for _ in range(_MOST_DEATHS):
            worker = Worker(self._folder)
            self._workers.add(worker)
            if self._over.is_set():
                worker.kill()  # `end` may not have seen it
                return worker
            if (said := worker.begun()) == READY:
                return worker
            self._ended(worker)
            if said:
                break
        raise ConfigError(
            f"a worker cannot begin: {said or f'its process ended ({worker.why})'}; "
            "put what it needs where it can be imported, or use workers=1"
        )

    def _ended(self, worker: Worker) -> None:
        worker.end()
        self._workers.discard(worker)


class Worker:
    """A worker process. It finds modules where this process does, and has no part of its `__main__`."""

    def __init__(self, folder: Path) -> None:
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from framework.research.worker import main; main({str(folder)!r})"
        )
        optimized = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
        self._process = subprocess.Popen(
            [sys.executable, *optimized, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii"
        )

    def begun(self) -> str | None:
        """Wait until the job is open: return `READY`, or what was wrong with it, None where the process died."""
        return self._said()

    def row(self, number: int) -> str | None:
        """Return the row of a run, None where the process died."""
        with contextlib.suppress(OSError):
            print(number, file=self._stdin, flush=True)
            return self._said()
        return None

    @property
    def why(self) -> str:
        """How the process ended."""
        code = self._process.wait()
        return f"signal {-code}, such as for want of memory" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Let the process end, and wait until it has."""
        with contextlib.suppress(OSError, ValueError):  # it is gone, or was ended before
            print(OVER, file=self._stdin)
            self._stdin.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _said(self) -> str | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return line[:-1] if line.endswith("\n") else None  # a part of a line is its last word

    @property
    def _stdin(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin
