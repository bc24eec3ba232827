"""The status file, `<session>.status.json` beside the journal: how another terminal sees a session that runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from framework.errors import ConfigError
from framework.live.status import Status

SUFFIX = ".status.json"


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, as they are and as JSON writes them."""
    for each in filter(None, secrets):
        text = text.replace(each, "***").replace(json.dumps(each, ensure_ascii=False)[1:-1], "***")
    return text


@dataclass(frozen=True, slots=True)
class StatusFile:
    """Writes and reads one; what is written never holds one of `secrets`."""

    path: Path
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, folder: Path, session: str, secrets: Iterable[str] = ()) -> StatusFile:
        """Return the status file of a session."""
        return cls(folder / f"{session}{SUFFIX}", frozenset(secrets))

    def write(self, status: Status) -> None:
        """Put a status in the place of the one before: whoever reads sees the one or the other, whole."""
        new = self.path.with_name(f"{self.path.name}.new")
        private = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(private, "w", encoding="utf-8") as file:
            file.write(hide(status.json(), self.secrets) + "\n")
        new.replace(self.path)  # not fsync'd: after a power cut the journal tells

    def read(self) -> Status | None:
        """Return what it holds, None where there is none that can be read: the journal tells the rest."""
        try:
            return Status.read(self.path.read_text(encoding="utf-8"))
        except (OSError, ConfigError):
            return None

    def age(self) -> float | None:
        """Return how many seconds ago it was written, None where there is none."""
        try:
            return max(time.time() - self.path.stat().st_mtime, 0.0)
        except OSError:
            return None
