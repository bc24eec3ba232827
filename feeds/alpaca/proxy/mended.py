"""How each break in a recording was made good: what history was asked, and what became of the question. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from feeds.alpaca.proxy.recording import Answered, Asked, Lost, Made, Paged, Record, Started

Break = tuple[str, int]
"""A stream, and how many times its line had been made by the end of the break, all starts together."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What history said after a break. `is_void` where the line was lost again before it had said all."""

    pages: tuple[Paged, ...] = ()
    is_void: bool = False


NONE = Answer()


class Mended:
    """Sorts history's answers by the breaks that they are for."""

    def __init__(self) -> None:
        self._answers: dict[Break, Answer] = {}
        self._made: dict[str, int] = {}
        self._before: dict[str, int] = {}  # how often until the last start
        self._open: dict[Break, int] = {}  # how many questions wait for their answers

    @property
    def answers(self) -> Mapping[Break, Answer]:
        """What became of each break after which history was asked and said anything, or was not heard any more."""
        return self._answers

    def take(self, record: Record) -> None:
        """Take the next record."""
        match record:
            case Made(_, stream):
                self._made[stream] = self._made.get(stream, 0) + 1
            case Asked(_, stream, made) if not self._is_void(place := self._place(stream, made)):
                self._open[place] = self._open.get(place, 0) + 1
            case Paged(_, stream, made) if (place := self._place(stream, made)) in self._open:
                self._answers[place] = Answer((*self._answers.get(place, NONE).pages, record))
            case Answered(_, stream, made) if (place := self._place(stream, made)) in self._open:
                self._open[place] -= 1
                if not self._open[place]:
                    del self._open[place]
            case Lost(_, stream):
                for place in [each for each in self._open if each[0] == stream]:
                    del self._open[place]
                    self._answers[place] = Answer(is_void=True)
            case Started():
                self._before = dict(self._made)
                self._open.clear()

    def _is_void(self, place: Break) -> bool:
        return self._answers.get(place, NONE).is_void

    def _place(self, stream: str, made: int) -> Break:
        return stream, self._before.get(stream, 0) + made
