"""The trade log: a CSV file with a row for each fill, made again from the journal when a session starts."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from framework.errors import ConfigError
from framework.live.journal import Entry
from framework.live.standing import Standing
from framework.live.status import Execution

_OWN = tuple(each.name for each in fields(Execution) if each.name != "at")
COLUMNS = ("at", "local", "session", *_OWN)
"""`at` is UTC, `local` the exchange's time; the others are those of `framework.live.status.Execution`."""


@dataclass(frozen=True, slots=True)
class TradeLog:
    """Writes the fills of a session into a file that only its owner may read."""

    path: Path
    session: str
    zone: str = "UTC"

    def make(self, entries: Iterable[Entry]) -> None:
        """Write the file anew with all that the journal tells: nothing is lost or doubled by a crash.

        Raise `ConfigError` where it cannot be written.
        """
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with _private(new, os.O_TRUNC) as file:
                write(file, self.session, entries)
            new.replace(self.path)
        except OSError as error:
            raise ConfigError(
                f"the trade log {self.path} cannot be written ({error.strerror}); give another file"
            ) from None

    def book(self, executions: Sequence[Execution]) -> None:
        """Add fills; they are in the file when this returns."""
        with _private(self.path, os.O_APPEND) as file:
            csv.writer(file, lineterminator="\n").writerows(_row(each, self.session, self.zone) for each in executions)


def write(file: TextIO, session: str, entries: Iterable[Entry]) -> None:
    """Write a header and the fills of a journal."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows(session, entries))


def rows(session: str, entries: Iterable[Entry]) -> Iterator[Sequence[object]]:
    """Yield the rows that a journal makes."""
    standing = Standing()
    for entry in entries:
        if (told := standing.take(entry.at, entry.kind, entry.key, entry.body)) is not None:
            yield _row(told, session, str(standing.story.zone))


def _row(told: Execution, session: str, zone: str) -> Sequence[object]:
    local = told.at.astimezone(ZoneInfo(zone)).isoformat()
    own = (getattr(told, name) for name in _OWN)
    return (told.at.astimezone(UTC).isoformat(), local, session, *map(_figure, own))


def _figure(value: str | float) -> str:
    """Return a figure without the noise of its last bits."""
    return value if isinstance(value, str) else f"{round(value, 8) + 0.0:.8f}".rstrip("0").rstrip(".")


def _private(path: Path, flag: int) -> TextIO:
    """Open a file for writing that nobody else can read."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600), "w", encoding="utf-8", newline="")
