"""The kill switch: a file beside the journals, which any process may write and no restart forgets.

A session that finds it sends no order that opens a position. It is looked for before each such order, so
that it works at once, whatever else the session is busy with.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from framework.errors import ConfigError
from framework.live.journal import keep_name

ALL = "halt.json"
"""The file's name for every session; one session's is `NAME.halt.json`."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """The switch as it was pulled: when (UTC), whether positions are to be closed, and why, in the operator's words.

    `session` is empty where it holds for all.
    """

    at: datetime
    flatten: bool = False
    reason: str = ""
    session: str = ""

    def __str__(self) -> str:
        what = "halted and flattened" if self.flatten else "halted"
        why = f" ({self.reason})" if self.reason else ""
        return f"{what} since {self.at:%Y-%m-%d %H:%M} UTC{why}"


class KillSwitch:
    """One session's view of the switch. `pulled` may be asked for each order: it looks at the files' times only."""

    def __init__(self, folder: Path, session: str) -> None:
        self._paths = (folder / ALL, _path(folder, session))
        self._seen: dict[Path, tuple[int, Pulled]] = {}

    def pulled(self) -> Pulled | None:
        """Return how it was pulled, None where it was not; one that asks to flatten comes before one that does not."""
        found = [each for path in self._paths if (each := self._read(path)) is not None]
        return max(found, key=lambda each: each.flatten, default=None)

    def _read(self, path: Path) -> Pulled | None:
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        except OSError:
            changed = -1  # it is there, or may be: when in doubt, the session stops
        if path not in self._seen or self._seen[path][0] != changed:
            self._seen[path] = changed, _pulled(path)
        return self._seen[path][1]


def pull(folder: Path, pulled: Pulled) -> Path:
    """Write the switch, so that not even a power cut takes it back; return its file. Raise `ConfigError`."""
    path = _path(folder, pulled.session)
    body = asdict(pulled) | {"at": pulled.at.isoformat()}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, json.dumps(body))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); the sessions were NOT halted") from None
    return path


def lift(folder: Path, session: str) -> Pulled | None:
    """Take the switch away, of one session or (empty) of all; return how it was pulled, None where it was not."""
    path = _path(folder, session)
    if not path.exists():
        return None
    was = _pulled(path)
    path.unlink()
    return was


def all_pulled(folder: Path) -> list[Pulled]:
    """Return every switch that is pulled, that of all sessions first."""
    paths = [folder / ALL, *sorted(folder.glob("*.halt.json"))]
    return [_pulled(path) for path in paths if path.exists()]


def _path(folder: Path, session: str) -> Path:
    return folder / (f"{session}.{ALL}" if session else ALL)


def _pulled(path: Path) -> Pulled:
    """Read the file; one that cannot be read is a switch that was pulled."""
    name = path.name.removesuffix(ALL).removesuffix(".")
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        at = datetime.fromisoformat(body["at"]).astimezone(UTC)
        return Pulled(at, bool(body["flatten"]), str(body["reason"]), name)
    except (OSError, ValueError, KeyError, TypeError):
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else datetime.now(UTC)
        return Pulled(at, reason=f"{path.name} cannot be read, and counts as pulled", session=name)


def _write(path: Path, text: str) -> None:
    """Replace a file by one that is whole, and on the disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    keep_name(path)
