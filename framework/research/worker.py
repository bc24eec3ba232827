"""A worker process: it opens the job once, then makes a run for each number it reads, until nothing more comes.

It is told on its standard input and answers on its standard output, a line each. What a strategy prints goes to
standard error.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sys
from pathlib import Path

from framework.research.rows import one_line

READY = "ready"
OVER = "over"
"""The driver's last word, which one that was killed does not say."""


def main(folder: str) -> None:
    """Work on the job in a folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's, which ends its workers
    asked, answers = _private()
    is_over = False
    with contextlib.suppress(BrokenPipeError):  # the driver is gone
        is_over = _work(Path(folder), asked, answers)
    if not is_over:
        shutil.rmtree(folder, ignore_errors=True)  # a driver that was killed could not


def _work(folder: Path, asked: io.TextIOWrapper, answers: io.TextIOWrapper) -> bool:
    """Return whether the driver ended it: the folder is the driver's then, and another worker may be about to read."""
    from framework.research.executors import tidied
    from framework.research.shipping import opened

    try:
        job = opened(folder)
    except Exception as error:
        print(one_line(error), file=answers, flush=True)
        return OVER in asked.read()
    print(READY, file=answers, flush=True)
    with tidied() as tidy:
        for line in asked:
            if line.strip() == OVER:
                return True
            print(job.row(int(line)), file=answers, flush=True)
            tidy()
    return False


def _private() -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    """Return both ends of the talk with the driver; nobody else in this process can read or write there."""
    asked, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(asked, "r", encoding="ascii"), os.fdopen(answers, "w", encoding="ascii")
