"""The result store: rows by key in one SQLite file. A row that `keep` returned for is there for the next sweep.

SQLite and not pieces of Parquet: a run ends every tenth of a second or so, and each row is on its own the moment it
is there, without thousands of small files; and several sweeps may use one store at the same time. Only the
driver writes. A killed process loses nothing that was kept; a power failure at most the last rows.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from framework.errors import ConfigError, SwitchbackError
from framework.page import PathLike

_OURS = 0x53575253  # "SWRS", in the file's header
_VERSION = 1
_CHUNK = 500
_PATIENCE = 30.0

_TABLE = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS rows (
    key TEXT PRIMARY KEY, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    strategy TEXT NOT NULL, parameters TEXT NOT NULL, row TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_OURS};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_KEEP = "INSERT OR REPLACE INTO rows (key, strategy, parameters, row) VALUES (?, ?, ?, ?)"


class Store:
    """An open store."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def found(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the rows of those keys that are there."""
        known: dict[str, str] = {}
        wanted = list(keys)
        for at in range(0, len(wanted), _CHUNK):
            some = wanted[at : at + _CHUNK]
            marks = ",".join("?" * len(some))
            known.update(self._database.execute(f"SELECT key, row FROM rows WHERE key IN ({marks})", some))
        return known

    def keep(self, key: str, strategy: str, parameters: str, row: str) -> None:
        """Write a row, now; `strategy` and `parameters` are for who looks into the file."""
        try:
            self._database.execute(_KEEP, (key, strategy, parameters, row))
        except sqlite3.Error as error:
            raise SwitchbackError(f"the store cannot be written ({error}); what is in it stays") from error


@contextmanager
def opened(path: PathLike) -> Iterator[Store]:
    """Open a store, made where it is not there yet; raise `ConfigError` where it is not one, or cannot be."""
    place = Path(path).expanduser()
    if not place.parent.is_dir():
        raise ConfigError(f"store={str(path)!r}: there is no folder {place.parent}; make it first")
    with contextlib.ExitStack() as stack:
        try:
            database = stack.enter_context(closing(sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None)))
            _check(database, place)
        except sqlite3.Error as error:
            raise ConfigError(f"store={str(path)!r} cannot be used ({error}); name another file") from error
        yield Store(database)


def _check(database: sqlite3.Connection, place: Path) -> None:
    (whose,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (whose, version) != (_OURS, _VERSION) and (tables or whose):
        raise ConfigError(f"store={str(place)!r} is another kind of file, or of another version; name a new one")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(_TABLE)
