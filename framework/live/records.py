"""What a session writes into its journal: the kinds, and when each is on the disk.

An intent is on the disk before its request leaves (`commit`). Everything else (`append`) is written with
the next intent, or when the engine has had a moment to itself: what a crash takes of it, the venue still knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from framework.live.journal import Dated, Entry, Record, SqliteJournal

START, STOP = "start", "stop"
INTENT, CANCEL, REPLACE, REFUSED = "intent", "cancel", "replace", "refused"
UPDATE, POSITION, FLAT = "update", "position", "flat"
BARS, REVISION, LINK, REMARK = "bars", "revision", "link", "remark"
HALT, SPLIT = "halt", "split"
FRAME, SIGNALS, TOLD, CHECKED = "frame", "signals", "told", "checked"
"""Of a feed of signals: a frame as it came; signals before they are handed on; that they were; history's answer."""
HISTORY = "history"
"""The bars of a symbol that a run began with, its timeframe and calendar."""
ADDED = "added"
"""A symbol was added to the session's feeds, its timeframe and calendar in the body."""
DAY = "day"
"""A trading day began, its date is the key; its body has the `value` that the session had then, and what was `lost`
when that became too much."""

Tell = Callable[[datetime, Record], None]
"""What hears of each record, at the session's time."""


class Records:
    """A journal that does not make its writers wait (`framework.ports.Journal`). Any thread may use it.

    `tell` hears of each record in its order, for the log; of an intent after its request has left.
    """

    def __init__(self, journal: SqliteJournal, tell: Tell | None = None) -> None:
        self._journal, self._tell = journal, tell
        self._waiting: list[Dated] = []
        self._untold: list[Dated] = []
        self._lock = threading.Lock()

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Write a record soon."""
        with self._lock:
            self._waiting += self._noted([(kind, key, body)])
        self.tell()

    def commit(self, records: Iterable[Record] = ()) -> None:
        """Write these records and all that wait, in their order; return when they are on the disk."""
        with self._lock:
            waiting, self._waiting = [*self._waiting, *self._noted(records)], []
        if waiting:
            self._journal.append_dated(waiting)

    def entries(self, kind: str, key: str | None = None) -> Iterator[Entry]:
        """Yield the records of a kind, and of a key where it is given, oldest first; what waits is written before."""
        self.commit()
        return self._journal.entries(kind, key)

    def now(self) -> datetime:
        """Return the session's time, by which records are dated."""
        return self._journal.now()

    def tell(self) -> None:
        """Tell what has not been told yet."""
        if self._tell is None:
            return
        with self._lock:
            untold, self._untold = self._untold, []
            for at, record in untold:
                self._tell(at, record)

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be written."""
        return bool(self._waiting)

    def _noted(self, records: Iterable[Record]) -> list[Dated]:
        """Return records with their time: when they were made, whenever they are written."""
        at = self._journal.now()
        noted = [(at, record) for record in records]
        if self._tell is not None:
            self._untold += noted
        return noted
