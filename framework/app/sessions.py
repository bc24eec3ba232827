"""The sessions of this machine, as the commands find them: by their status files where they run, else by journals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from framework.config import sessions_folder
from framework.errors import ConfigError, nearest
from framework.live.journal import JournalReader, is_written
from framework.live.standing import Standing, repriced
from framework.live.status import OVER, RUNNING, Status, plain
from framework.live.status_file import StatusFile

CUT_SHORT = "cut short"
"""The state of a session whose process went without a word."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A session as it is seen from outside; `age` is how many seconds ago its process told of itself."""

    status: Status
    is_running: bool
    age: float = 0.0

    @property
    def body(self) -> Mapping[str, Any]:
        """What `--json` prints."""
        return {**plain(self.status), "is_running": self.is_running, "age": round(self.age, 1)}


def names() -> list[str]:
    """Return the names of the sessions there are, the one written last at the end."""
    return [path.stem for path in sorted(sessions_folder().glob("*.sqlite"), key=lambda each: each.stat().st_mtime)]


def chosen(name: str | None) -> str:
    """Return the session that is meant: by its name, or the only one that runs."""
    if name is not None:
        return known(name)
    there = running()
    if len(there) != 1:
        found = f"{len(there)} sessions run ({', '.join(there)})" if there else "no session runs"
        raise ConfigError(f"{found}; name the one that is meant, switchback status --all lists them")
    return there[0]


def known(name: str) -> str:
    """Return a session's name; raise `ConfigError` where there is none of it."""
    if not (sessions_folder() / f"{name}.sqlite").is_file():
        hint = nearest(name, names())
        raise ConfigError(f"there is no session {name} in {sessions_folder()}{hint}; switchback journal lists them")
    return name


def running() -> list[str]:
    """Return the names of the sessions that a process is running now."""
    return [each for each in names() if is_written(sessions_folder() / f"{each}.sqlite")]


def seen(name: str) -> Seen:
    """Return a session as it is."""
    path = sessions_folder() / f"{name}.sqlite"
    file = StatusFile.of(sessions_folder(), name)
    if is_written(path):
        status = file.read()
        if status is not None:
            return Seen(status, True, file.age() or 0.0)
        return Seen(_read(path).status(_now(), state=RUNNING), True)
    return Seen(_gone(_read(path), file.read()), False)


def _gone(standing: Standing, last: Status | None) -> Status:
    """Return a session that no process runs, by its journal; prices are those that it knew last."""
    if last is not None and last.state == OVER and last.run == standing.story.runs:
        status, state, reason = last, OVER, last.reason
    else:
        status = standing.status(standing.last or _now())
        status = status if last is None else repriced(status, last)
        state, reason = (OVER, standing.ended_by) if standing.ended_by else (CUT_SHORT, f"at {_end(standing)}")
    state, reason = (state, "") if reason == "ended" else (state, reason)
    return replace(status, state=state, reason="; ".join(filter(None, [reason, _left(len(standing.working()))])))


def _left(count: int) -> str:
    return f"{count} order{'s' * (count != 1)} may still be open at the venue" if count else ""


def _end(standing: Standing) -> str:
    at = standing.last or _now()
    return f"{at.astimezone(ZoneInfo(str(standing.story.zone))):%Y-%m-%d %H:%M:%S}"


def _read(path: Path) -> Standing:
    with JournalReader(path) as journal:
        standing = Standing.of(journal.entries())
    standing.story.name = standing.story.name or path.stem
    return standing


def _now() -> datetime:
    from framework.live.clock import WallClock

    return WallClock().now()
