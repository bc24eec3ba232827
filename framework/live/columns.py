"""Tables that always fit: columns are left out before a figure is cut, and only texts are cut, with an ellipsis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

GAP = 2
"""Spaces between two columns."""

SHORTEST = 40
"""What is left of a text column at the least."""

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title and cells. `rank` says which columns go first where there is no room (0 stays always).

    `is_text` is for what may be cut and takes what room is left; everything else is as wide as it needs to be.
    """

    title: str
    cells: Sequence[Cell]
    rank: int = 0
    is_right: bool = False
    is_text: bool = False

    @property
    def width(self) -> int:
        """How wide it has to be for nothing of it to be cut."""
        return max([cell_len(self.title), *(_length(each) for each in self.cells)])

    @property
    def least(self) -> int:
        """How wide it has to be at the least."""
        return min(self.width, SHORTEST) if self.is_text else self.width


def fitting(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """Return the columns that fit into a width, and how wide each is; those of the highest rank go first."""
    kept = list(columns)
    while _taken([each.least for each in kept]) > width and any(each.rank for each in kept):
        kept.remove(max(kept, key=lambda each: each.rank))
    room = width - _taken([0 if each.is_text else each.width for each in kept])
    found = []
    for each in kept:
        wide = max(min(each.width, room), 1) if each.is_text else each.width
        room -= wide if each.is_text else 0
        found.append((each, wide))
    return found


def table(columns: Sequence[Column], width: int) -> Table:
    """Return columns as a table that is at most so wide."""
    shown = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    kept = fitting(columns, width)
    for column, wide in kept:
        justify = "right" if column.is_right else "left"
        shown.add_column(column.title, width=wide, no_wrap=True, overflow="ellipsis", justify=justify)  # type: ignore[arg-type]
    for cells in zip(*(column.cells for column, _ in kept), strict=True):
        shown.add_row(*(Text(clean(each)) if isinstance(each, str) else each for each in cells))  # a text is no markup
    return shown


def clean(text: str) -> str:
    """Return a text, which may be a venue's, without what would move the cursor."""
    return "".join(each if each.isprintable() else " " for each in text)


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(len(widths) - 1, 0)


def _length(cell: Cell) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(clean(cell))
