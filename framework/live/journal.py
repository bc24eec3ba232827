"""The session's memory: one append-only table in one SQLite file. What `append` returned for is on the disk.

    seq INTEGER, at TEXT (ISO, UTC), kind TEXT, key TEXT, body TEXT (JSON, see `framework.live.codec`)

A new need is a new kind, never a new table. One process writes; others may read at the same time.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from framework.errors import ConfigError, SwitchbackError
from framework.live.codec import dumps, loads
from framework.ports import Clock

_OURS = 0x53574A4C  # "SWJL", in the file's header
_VERSION = 1
_CHUNK = 500  # rows fetched under one lock

_TABLE = f"""
BEGIN IMMEDIATE;
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX journal_by_key ON journal (kind, key, seq);
CREATE TRIGGER journal_keeps BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_holds BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
PRAGMA application_id = {_OURS};
PRAGMA user_version = {_VERSION};
COMMIT;
"""

Record = tuple[str, str, Mapping[str, Any]]
"""A kind, a key, a body."""

Dated = tuple[datetime, Record]
"""A record and when it was made."""

Synchronous = Literal["FULL", "NORMAL", "OFF"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the journal; `at` is aware UTC, by the session's clock."""

    seq: int
    at: datetime
    kind: str
    key: str
    body: Mapping[str, Any]


class JournalReader:
    """Reads a journal, also while a session writes it. Any thread; close it, or use it in a `with`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        if not self.path.is_file():
            raise ConfigError(f"there is no journal {self.path}; check the session's name")
        self._database = self._opened()
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def entries(self, kind: str | None = None, key: str | None = None, start: int = 1) -> Iterator[Entry]:
        """Yield the records from seq `start` on, oldest first, of one kind and of one key where these are given."""
        while rows := self._rows("seq >= ?", kind, key, start, f"ASC LIMIT {_CHUNK}"):
            yield from rows
            start = rows[-1].seq + 1

    def newest(self) -> Entry | None:
        """Return the latest record of all."""
        rows = self._rows("seq >= ?", None, None, 0, "DESC LIMIT 1")
        return rows[0] if rows else None

    def last(self, kind: str, key: str | None = None) -> Entry | None:
        """Return the latest record of a kind, and of a key where it is given."""
        rows = self._rows("seq >= ?", kind, key, 0, "DESC LIMIT 1")
        return rows[0] if rows else None

    def check_pages(self) -> None:
        """Raise `ConfigError` where SQLite finds that the file is damaged."""
        ((found,),) = self._ask("PRAGMA quick_check(1)")
        if found != "ok":
            raise self._damaged(sqlite3.DatabaseError(found))

    def _rows(self, condition: str, kind: str | None, key: str | None, seq: int, order: str) -> list[Entry]:
        asked = {"kind = ?": kind, "key = ?": key}
        conditions = [condition, *(each for each, value in asked.items() if value is not None)]
        values = [seq, *(value for value in asked.values() if value is not None)]
        rows = self._ask(
            f"SELECT seq, at, kind, key, body FROM journal WHERE {' AND '.join(conditions)} ORDER BY seq {order}",
            values,
        )
        return [self._entry(*row) for row in rows]

    def _entry(self, seq: int, at: str, kind: str, key: str, body: str) -> Entry:
        try:
            return Entry(seq, datetime.fromisoformat(at), kind, key, loads(body))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self.path}, record {seq}: {error}") from None

    def _ask(self, statement: str, values: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._database.execute(statement, tuple(values)).fetchall()
            except sqlite3.DatabaseError as error:
                raise self._damaged(error) from None

    def _opened(self) -> sqlite3.Connection:
        # Without its -wal file (nobody writes, the last writer left in good order) it may lie where nothing can be
        # written; SQLite then reads it only if it is told that it does not change.
        is_alone = not Path(f"{self.path}-wal").exists() and not os.access(self.path.parent, os.W_OK)
        return _connect(f"{self.path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_alone else ''}")

    def _check(self) -> None:
        """Raise `ConfigError` where the file is no journal, or one of a later version."""
        try:
            (ours,), (version,) = self._ask("PRAGMA application_id") + self._ask("PRAGMA user_version")
            if ours != _OURS:
                raise ConfigError(
                    f"{self.path} is a SQLite file, but no journal of ours; give the session another name"
                )
            if version != _VERSION:
                raise ConfigError(
                    f"{self.path} is a journal of version {version}, this is {_VERSION}; update Switchback"
                )
        except BaseException:
            self.close()
            raise

    def _damaged(self, error: sqlite3.Error) -> ConfigError:
        return ConfigError(
            f"{self.path} cannot be read as a journal ({error}); keep it, and give the session another name, "
            "or restore it from a copy"
        )


class SqliteJournal(JournalReader):
    """The one writer of a journal (`framework.ports.Journal`); made where there is none.

    `clock` dates the records. `synchronous` FULL survives a power cut, NORMAL and OFF a crash of the
    process only. What holds one of `secrets` is refused. Any thread may append. Raise `ConfigError`
    where another session writes it, or where the file is damaged or something else.
    """

    def __init__(
        self, path: str | Path, clock: Clock, *, synchronous: Synchronous = "FULL", secrets: Iterable[str] = ()
    ) -> None:
        self._clock = clock
        self._secrets: tuple[str, ...] = ()
        self.keep_out(*secrets)
        path = Path(path)
        self._claim = _claim(path)
        try:
            if not path.exists() or not path.stat().st_size:
                _make(path)
            super().__init__(path)
            self._write_mode(synchronous)
        except BaseException:
            self._claim.close()
            raise

    def close(self) -> None:
        """Let the file go, and let another session write it."""
        super().close()
        self._claim.close()

    def now(self) -> datetime:
        """Return the session's time: what a record that is written now is dated by."""
        return self._clock.now()

    def keep_out(self, *secrets: str) -> None:
        """Refuse from now on what holds one of these texts."""
        for each in filter(None, secrets):
            # As it is in a kind or a key, and as JSON writes it in a body.
            self._secrets = (*self._secrets, each, json.dumps(each, ensure_ascii=False)[1:-1])

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> int:
        """Write one record and return its seq, when it is on the disk."""
        return self.append_many([(kind, key, body)])[0]

    def append_many(self, records: Iterable[Record]) -> list[int]:
        """Write records (kind, key, body) together, all or none, and return their seqs, when they are on the disk."""
        at = self.now()
        return self.append_dated((at, record) for record in records)

    def append_dated(self, records: Iterable[Dated]) -> list[int]:
        """Write records that were made earlier, as `append_many` does."""
        written = [(at, self._clean(kind, key, dumps(body))) for at, (kind, key, body) in records]
        with self._lock:
            try:
                with self._database:
                    self._database.execute("BEGIN IMMEDIATE")
                    return [self._insert(_text(at), *each) for at, each in written]
            except sqlite3.DatabaseError as error:
                raise SwitchbackError(f"{self.path} could not be written ({error}); check the disk") from None

    def _insert(self, at: str, kind: str, key: str, body: str) -> int:
        done = self._database.execute(
            "INSERT INTO journal (at, kind, key, body) VALUES (?, ?, ?, ?)", (at, kind, key, body)
        )
        assert done.lastrowid is not None
        return done.lastrowid

    def _clean(self, kind: str, key: str, body: str) -> tuple[str, str, str]:
        if self._is_secret(f"{kind}\n{key}\n{body}"):
            shown = "..." if self._is_secret(kind) else kind
            raise ConfigError(f"a record of kind {shown} holds a secret; leave it out")
        return kind, key, body

    def _is_secret(self, text: str) -> bool:
        return any(secret in text for secret in self._secrets)

    def _opened(self) -> sqlite3.Connection:
        return _connect(f"{self.path.absolute().as_uri()}?mode=rw")

    def _write_mode(self, synchronous: Synchronous) -> None:
        try:
            self.check_pages()
            self._ask("PRAGMA journal_mode = WAL")
            self._ask(f"PRAGMA synchronous = {synchronous}")
        except BaseException:
            self._database.close()
            raise


def is_written(path: Path) -> bool:
    """Return whether a process is writing this journal now."""
    lock = Path(f"{path}.lock")
    if not lock.exists():
        return False
    with closing(sqlite3.connect(f"{lock.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as claim:
        try:
            claim.execute("SELECT 1 FROM sqlite_master").fetchall()
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        return False


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5)


def _claim(path: Path) -> sqlite3.Connection:
    """Return the lock of the one writer: an empty database beside the journal, held in a transaction.

    It goes with the process, also where that is killed, and it is the same on every system.
    """
    claim: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A moment's patience is for `is_written`, which looks at the lock and lets it go.
        claim = sqlite3.connect(f"{path}.lock", isolation_level=None, check_same_thread=False, timeout=0.25)
        claim.execute("BEGIN EXCLUSIVE")
        return claim
    except (sqlite3.Error, OSError) as error:
        if claim is not None:
            claim.close()
        if "locked" in str(error):
            raise ConfigError(
                f"{path} is being written by another session; end it, or name this one otherwise"
            ) from None
        raise ConfigError(f"{path} cannot be written ({error}); check the folder") from None


def _make(path: Path) -> None:
    """Make an empty journal: whole, or not at all, and its name on the disk."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as database:
        database.executescript(_TABLE)
    new.replace(path)
    keep_name(path)


def keep_name(path: Path) -> None:
    """Have the name of a file on the disk, where a folder can be asked for that."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
