"""The live display of a trading function's session: a picture in a terminal, plain lines anywhere else.

A thread of its own draws it, and alone writes to the terminal, so that neither a slow terminal nor an error in
what is drawn ever holds up the session.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.live import Live as Screen

from framework.app.functions.board import Board
from framework.app.functions.panels import drawn
from framework.app.functions.plain import PlainLines
from framework.app.said import KEPT, said
from framework.live.publishing import FAREWELL
from framework.live.screen import LEAST

__all__ = ["FunctionDisplay", "drawn"]

log = logging.getLogger("switchback.live")

FASTEST, SLOWEST = 0.05, 60.0
"""Seconds between two pictures."""


class FunctionDisplay:
    """Shows what `board` returns every `refresh` seconds, for as long as the block lasts.

    `board` is called in the display's own thread, and a last time when the block ends. In a terminal what is
    printed meanwhile is among the messages, and printed again when the terminal is given back; then the last
    picture stays.
    """

    def __init__(
        self, board: Callable[[], Board], refresh: float = 0.5, most: int = 15, console: Console | None = None
    ) -> None:
        self._board, self._most = board, most
        self._refresh = min(max(FASTEST, refresh), SLOWEST)
        self._given = console
        self._said: deque[str] = deque(maxlen=KEPT)
        self._over = threading.Event()
        self._block = ExitStack()
        self._last: Board | None = None
        self._warned: set[type[Exception]] = set()

    def __enter__(self) -> Self:
        console = self._given or Console(file=sys.stdout or io.StringIO(), force_jupyter=False)
        console.file = console.file  # not what stands in for standard output meanwhile
        is_drawn = self._tried(lambda: _is_drawn_on(console))
        shown = self._pictures if is_drawn else self._lines
        thread = threading.Thread(target=self._run, args=(shown, console), name="switchback-display", daemon=True)
        thread.start()
        self._block.callback(thread.join, FAREWELL)  # a terminal that hangs keeps no session from its end
        self._block.callback(self._over.set)
        if is_drawn:
            self._block.enter_context(said(self._said.append))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._block.close()

    # -- what runs in the display's thread

    def _run(self, shown: Callable[[Console], None], console: Console) -> None:
        def show() -> None:
            with _lenient(console.file):
                shown(console)

        self._tried(show)

    def _pictures(self, console: Console) -> None:
        self._tried(lambda: self._screen(console))
        self._tried(lambda: self._leave(console))

    def _screen(self, console: Console) -> None:
        """Draw on the terminal's other screen until the block ends."""
        with Screen(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False,
            vertical_overflow="crop",
        ) as screen:  # fmt: skip
            shown: object = None
            while True:
                shown = self._tried(lambda: self._draw(screen, shown))  # noqa: B023  (it is called at once)
                if self._over.wait(self._refresh):
                    break

    def _draw(self, screen: Screen, shown: object) -> object:
        """Draw, where it is not what is shown already; return what is shown now."""
        console, board = screen.console, self._now()
        seconds = None if board.remaining is None else float(round(board.remaining))
        printed = tuple(self._said)[-LEAST:]
        now = replace(board, remaining=seconds, messages=(*printed, *board.messages)), console.size
        if now != shown:
            screen.update(drawn(now[0], console.width, console.height, self._most), refresh=True)
        return now

    def _leave(self, console: Console) -> None:
        """Print what was printed meanwhile, and the last picture."""
        for each in tuple(self._said):
            console.print(each, markup=False, highlight=False, soft_wrap=True)
        self._tried(self._now)
        if self._last is not None:
            console.print(drawn(self._last, console.width, None, self._most))

    def _lines(self, console: Console) -> None:
        lines = PlainLines()
        while not self._over.wait(self._refresh):
            self._tried(lambda: self._tell(console, lines))
        self._tried(lambda: self._tell(console, lines, is_over=True))

    def _tell(self, console: Console, lines: PlainLines, *, is_over: bool = False) -> None:
        for each in lines.take(self._now(), time.time(), is_over=is_over):
            console.file.write(f"{each}\n")
        console.file.flush()

    def _now(self) -> Board:
        self._last = self._board()
        return self._last

    def _tried(self, show: Callable[[], object]) -> object:
        """Show something; warn where that fails, once of each kind of error."""
        try:
            return show()
        except Exception as error:  # whatever a display does, the session has money in it
            if type(error) not in self._warned:
                log.warning("what is shown of the session is not complete: %s: %s", type(error).__name__, error)
            self._warned.add(type(error))
            return None


def _is_drawn_on(console: Console) -> bool:
    """Return whether it is a terminal that can be drawn on, whatever a build server wishes for its colours."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


@contextmanager
def _lenient(stream: IO[str]) -> Iterator[None]:
    """Let a stream write a question mark for what its encoding lacks (a tick, on some systems), not raise."""
    if not isinstance(stream, io.TextIOWrapper) or stream.encoding.lower().startswith("utf"):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="replace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)
