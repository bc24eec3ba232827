"""A progress bar for downloads that take a while; nothing where there is nobody to look at it."""

from __future__ import annotations

from typing import Any


class ProgressBar:
    """Shows, on stderr, which part of a download is done; appears with the first report, so never for a short one.

    `shown` True or False decides; None shows it where stderr is a terminal or in a notebook.
    """

    def __init__(self, title: str, shown: bool | None) -> None:
        self._title = title
        self._shown = shown
        self._bar: Any = None
        self._task: Any = None

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def report(self, done: float, note: str) -> None:
        """Show that the share `done` (0 to 1) is done, and a note of where it is."""
        if self._bar is None:
            self._bar = self._begin()
        if self._bar is not None:
            self._bar.update(self._task, completed=min(done, 1.0), note=note)

    def _begin(self) -> Any:
        if self._shown is False:
            return None
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        console = Console(stderr=True, force_terminal=self._shown)
        if self._shown is None and not (console.is_terminal or console.is_jupyter):
            self._shown = False
            return None
        parts = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        bar = Progress(*parts, TextColumn("{task.fields[note]}"), console=console, transient=True)
        self._task = bar.add_task(self._title, total=1.0, note="")
        bar.start()
        return bar
