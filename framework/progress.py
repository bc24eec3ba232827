"""A bar that shows how far a run is. It looks on from a thread of its own, so that the loop pays nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

_PATIENCE = 1.0
"""Seconds after which a run counts as long."""

_EVERY = 0.1
"""Seconds between looks."""


@contextlib.contextmanager
def watched(total: int, played: Callable[[], int], wanted: bool | None, what: str = "bars") -> Iterator[None]:
    """Show `played()` of `total` while the block runs: at once where wanted, in a terminal if it takes long.

    Beside it are the rate and the time left; `what` names what is counted.
    """
    if wanted is False or (wanted is None and not _is_terminal()):
        yield
        return
    done = threading.Event()
    looks = (total, played, done, bool(wanted), what)
    onlooker = threading.Thread(target=_watch, args=looks, name="switchback-progress", daemon=True)
    onlooker.start()
    try:
        yield
    finally:
        done.set()
        onlooker.join()


def _is_terminal() -> bool:
    from rich.console import Console

    return Console(stderr=True).is_terminal


def _watch(total: int, played: Callable[[], int], done: threading.Event, at_once: bool, what: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not at_once and done.wait(_PATIENCE):
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = (what, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, rate="")
        while not done.wait(_EVERY):
            bar.update(task, completed=played(), rate=_rate(played(), time.monotonic() - began))
        bar.update(task, completed=played(), rate=_rate(played(), time.monotonic() - began))


def _rate(count: int, seconds: float) -> str:
    """Return how many a second, in as many digits as it takes: "12,300/s", "3.4/s", "0.05/s"."""
    each = count / seconds if seconds > 0 else 0.0
    return f"{each:,.{0 if each >= 100 else 1 if each >= 1 else 2}f}/s" if each else ""
