"""A session's lines in the terminal, as they happen: what `switchback live` prints while it runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TextIO

from framework.live.story import Line, day_of

ROOT, SESSION = "switchback", "switchback.live"

_YELLOW, _DIM, _PLAIN = "\x1b[33m", "\x1b[2m", "\x1b[0m"


class Lines(logging.Handler):
    """Writes lines, and a line of its own where a day begins; colours where it writes to a terminal."""

    def __init__(self, stream: TextIO, *, is_verbose: bool = False) -> None:
        super().__init__()
        self._stream, self._is_verbose = stream, is_verbose
        self._is_coloured = stream.isatty()
        self._day: date | None = None

    def emit(self, record: logging.LogRecord) -> None:
        line: Line | None = getattr(record, "line", None)
        if line is not None:
            self._write(line)
        elif self._is_verbose or record.levelno >= logging.WARNING:
            name = record.name.removeprefix(f"{ROOT}.")
            self._print(f"{'':8}  {name:<8} {record.getMessage()}", _DIM if self._is_verbose else _YELLOW)

    def _write(self, line: Line) -> None:
        if line.at.date() != self._day:
            self._day = line.at.date()
            self._print(day_of(line), _DIM)
        self._print(str(line), _YELLOW if line.is_warning else "")

    def _print(self, text: str, colour: str) -> None:
        shown = f"{colour}{text}{_PLAIN}" if colour and self._is_coloured else text
        print(shown, file=self._stream, flush=True)


def lines(*, is_quiet: bool = False, is_verbose: bool = False) -> Lines:
    """Return what prints a session's lines on standard error: quiet only warnings, verbose all that is sent too."""
    handler = Lines(sys.stderr, is_verbose=is_verbose)
    handler.setLevel(logging.WARNING if is_quiet else logging.NOTSET)
    return handler


@contextmanager
def heard(*handlers: logging.Handler, is_verbose: bool = False) -> Iterator[None]:
    """Let handlers have what a session tells, for as long as the block lasts."""
    root = logging.getLogger(ROOT)
    before = root.level, root.propagate
    for each in handlers:
        root.addHandler(each)
    levels = [max(each.level, logging.DEBUG if is_verbose else logging.INFO) for each in handlers]
    root.setLevel(min([*levels, logging.WARNING]))
    root.propagate = False
    try:
        yield
    finally:
        for each in handlers:
            root.removeHandler(each)
            each.close()
        root.level, root.propagate = before
        root.setLevel(before[0])
