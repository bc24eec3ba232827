"""What is printed while a picture is on the terminal: taken line by line, so that it does not tear the picture."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO

KEPT = 1000
"""How many lines are printed again when the picture is gone."""


class Said(io.TextIOBase):
    """Stands in for a stream, such as standard output; hands each line to `say`, in the thread that prints.

    Once closed it is that stream again: a logger that was begun meanwhile keeps it for good.
    """

    def __init__(self, say: Callable[[str], object], stream: IO[str]) -> None:
        self._say, self._stream, self._rest = say, stream, ""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Hand on what was printed without a line's end."""
        if self._rest:
            self.write("\n")
        super().close()

    def flush(self) -> None:
        if self.closed:
            self._stream.flush()

    def write(self, text: str) -> int:
        if self.closed:
            return self._stream.write(text)
        *lines, rest = (self._rest + text).split("\n")
        self._rest = rest[rest.rfind("\r", 0, -1) + 1 :]  # of what is written over and over, such as a bar, the last
        for each in lines:
            self._say(each)
        return len(text)


@contextmanager
def said(say: Callable[[str], object]) -> Iterator[None]:
    """Hand what is printed to `say`, for as long as the block lasts."""
    with Said(say, sys.stdout) as out, Said(say, sys.stderr) as err, redirect_stdout(out), redirect_stderr(err):
        yield
