"""The state file: what the venue did, one line of JSON each, on disk before any answer leaves.

The venue is deterministic, so what it was told (orders, cancels, instants played) is enough to make the
same book again. A last line that was cut off by a crash was never acknowledged, and is dropped.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from framework.errors import ConfigError
from framework.exclusive import is_taken


class Ledger:
    """An append-only file of records (kind, body); without a path it keeps nothing.

    `append` is immediate and gives the order; `synced` waits until all that was appended is on disk.
    Appends that wait together share one write to disk. Raise `ConfigError` where the file is another
    tape's or is damaged before its last line.
    """

    def __init__(self, path: str | Path | None, identity: Mapping[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self._file: IO[bytes] | None = None
        self._written = self._durable = 0
        self._lock = asyncio.Lock()
        self.records: list[tuple[str, dict[str, Any]]] = []
        if self.path is not None:
            self._open(self.path, identity)

    def append(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write a record; it may be told of only after `synced`."""
        if self._file is not None:
            self._file.write(json.dumps([kind, body], separators=(",", ":")).encode() + b"\n")
            self._written += 1

    async def synced(self) -> None:
        """Wait until every record so far is on disk."""
        wanted = self._written
        while self._file is not None and self._durable < wanted:
            async with self._lock:
                if self._durable < wanted:
                    written = self._written
                    self._file.flush()
                    await asyncio.to_thread(os.fsync, self._file.fileno())
                    self._durable = written

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _open(self, path: Path, identity: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        try:
            self._take_over(self._file, path, identity)
        except ConfigError:
            self._file.close()
            raise

    def _take_over(self, file: IO[bytes], path: Path, identity: Mapping[str, Any]) -> None:
        if not is_taken(file.fileno()):
            raise ConfigError(f"state file {path} is in use by another sandbox; stop that one, or name another file")
        whole = path.read_bytes()
        size = whole.rfind(b"\n") + 1
        self.records = list(_records(path, whole[:size]))
        file.truncate(size)
        if not self.records:
            self.append("tape", identity)
            file.flush()
            os.fsync(file.fileno())
            _sync_folder(path.parent)
            return
        kind, found = self.records.pop(0)
        differs = sorted(key for key in {*identity, *found} if identity.get(key) != found.get(key))
        if kind != "tape" or differs:
            raise ConfigError(
                f"state file {path} belongs to another market (its {', '.join(differs) or 'first line'} differs); "
                "start with the same options, or name another file"
            )


def _records(path: Path, whole: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            kind, body = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"state file {path}, line {number} is damaged: {error}; name another file") from None
        yield kind, body


def _sync_folder(folder: Path) -> None:
    """Put the file's name on disk too, where a system has folders that can be opened."""
    if sys.platform == "win32":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
