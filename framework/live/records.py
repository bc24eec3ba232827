"""What a session writes into its journal: the kinds, and when each is on the disk.

An intent is on the disk before its request leaves (`commit`). Everything else (`append`) is written with
the next intent, or when the engine has had a moment to itself: what a crash takes of it, the venue still knows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from framework.live.journal import SqliteJournal

START, STOP = "start", "stop"
INTENT, CANCEL, REPLACE = "intent", "cancel", "replace"
UPDATE, POSITION = "update", "position"
BARS, REVISION, LINK, REMARK = "bars", "revision", "link", "remark"

Record = tuple[str, str, Mapping[str, Any]]


class Records:
    """A journal that does not make its writers wait (`framework.ports.Journal`). Any thread may use it."""

    def __init__(self, journal: SqliteJournal) -> None:
        self._journal = journal
        self._waiting: list[Record] = []
        self._lock = threading.Lock()

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Write a record soon."""
        with self._lock:
            self._waiting.append((kind, key, body))

    def commit(self, records: Iterable[Record] = ()) -> None:
        """Write these records and all that wait, in their order; return when they are on the disk."""
        with self._lock:
            waiting, self._waiting = [*self._waiting, *records], []
        if waiting:
            self._journal.append_many(waiting)

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be written."""
        return bool(self._waiting)
