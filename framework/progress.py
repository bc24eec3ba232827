"""A bar that shows how far a run is. It looks on from a thread of its own, so that the loop pays nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

_PATIENCE = 1.0
"""Seconds after which a run counts as long."""

_EVERY = 0.1
"""Seconds between looks."""


@contextlib.contextmanager
def watched(total: int, played: Callable[[], int], wanted: bool | None) -> Iterator[None]:
    """Show `played()` of `total` bars while the block runs: at once where wanted, in a terminal if it takes long."""
    if wanted is False or (wanted is None and not _is_terminal()):
        yield
        return
    done = threading.Event()
    looks = (total, played, done, bool(wanted))
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


def _watch(total: int, played: Callable[[], int], done: threading.Event, at_once: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    if not at_once and done.wait(_PATIENCE):
        return
    columns = ("bars", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        while not done.wait(_EVERY):
            bar.update(task, completed=played())
        bar.update(task, completed=played())
