"""A session's picture in the terminal while it runs: what `switchback live` shows where there is a terminal."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TextIO

from rich.console import Console, RenderableType
from rich.live import Live as Screen
from rich.text import Text

from framework.app.said import KEPT, said
from framework.live.screen import screen
from framework.live.status import Message, Status

A_SECOND = 2
"""How often it is drawn."""


class Display(logging.Handler):
    """Shows the latest status; what is printed or warned of meanwhile is among its messages.

    Give `show` to the session as `Live(watch=...)`.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console
        self._status: Status | None = None
        self._at = time.monotonic()
        self._said: deque[Message] = deque(maxlen=KEPT)

    def show(self, status: Status) -> None:
        """Take a status. Any thread."""
        self._status, self._at = status, time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "line", None) is None:  # lines are in the status
            self.say(record.getMessage(), is_warning=True)

    def say(self, text: str, *, is_warning: bool = False) -> None:
        """Take what was printed, or a warning, for a message. Any thread."""
        at = datetime.now(UTC) if self._status is None else self._status.at
        self._said.append(Message(at, "", text, is_warning))

    def picture(self, height: int | None = None) -> RenderableType:
        """Return what there is to see."""
        if self._status is None:
            return Text("starting", style="dim")
        said = tuple(self._said)[-20:]
        messages = sorted((*self._status.messages, *said), key=lambda each: each.at)
        age = time.monotonic() - self._at
        return screen(replace(self._status, messages=tuple(messages)), self._console.width, height, age)

    def printed(self) -> list[str]:
        """Return what was printed while it was shown."""
        return [each.text for each in self._said]


@contextmanager
def displayed(stream: TextIO) -> Iterator[Display]:
    """Show a session on a terminal for as long as the block lasts; leave a plain last picture of it."""
    console = Console(file=stream)
    display = Display(console)
    with ExitStack() as stack:
        live = Screen(
            get_renderable=lambda: display.picture(console.height), console=console, screen=console.is_terminal,
            refresh_per_second=A_SECOND, redirect_stdout=False, redirect_stderr=False, transient=True,
            vertical_overflow="crop",
        )  # fmt: skip
        stack.callback(_leave, console, display)
        stack.enter_context(live)
        if console.is_terminal:
            stack.enter_context(said(display.say))
        yield display


def _leave(console: Console, display: Display) -> None:
    if console.is_terminal:
        for each in display.printed():
            console.print(each, markup=False, highlight=False, soft_wrap=True)
    console.print(display.picture())
