"""What is printed while a picture is on the terminal: taken line by line, so that it does not tear the picture."""

from __future__ import annotations

import io
from collections.abc import Callable

KEPT = 1000
"""How many lines are printed again when the picture is gone."""


class Said(io.TextIOBase):
    """Stands in for standard output; hands each line to `say`, in the thread that prints."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say, self._rest = say, ""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Hand on what was printed without a line's end."""
        if self._rest:
            self.write("\n")
        super().close()

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for each in lines:
            self._say(each)
        return len(text)
