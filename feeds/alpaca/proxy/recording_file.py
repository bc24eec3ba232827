"""A recording on the disk: looked through before it is played, and added to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import IO

from feeds.alpaca.proxy.mended import Answer, Break, Mended
from feeds.alpaca.proxy.recording import (
    MAGIC,
    Framed,
    NoRecording,
    Reader,
    Record,
    is_begun,
)
from framework.errors import ConfigError
from framework.exclusive import is_taken

PIECE = 1 << 18
"""Bytes that are read at once."""


Binary = IO[bytes] | FileIO


@dataclass(frozen=True, slots=True)
class Contents:
    """What a look through a file has found.

    `size` is in bytes and up to the end of the last whole record, `streams` are those that have frames, `first`
    and `last` the times of the first and last record, `answers` what history said of each break.
    """

    path: Path
    size: int
    streams: frozenset[str]
    first: datetime | None
    last: datetime | None
    answers: Mapping[Break, Answer] = field(repr=False)

    def records(self) -> Iterator[Record]:
        """Yield all records, those that were added since left out."""
        with _opened(self.path) as file:
            if file.read(len(MAGIC)) != MAGIC:
                return
            reader, left = Reader(), self.size - len(MAGIC)
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield from reader.feed(piece)


def looked_through(path: Path) -> Contents:
    """Read a file from end to end, a piece at a time; raise `ConfigError` where it is no recording, or damaged."""
    with _opened(path) as file:
        return _contents(path, file)


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as failure:
        raise ConfigError(f"recording {path} cannot be read: {failure.strerror}") from None


def _contents(path: Path, file: Binary) -> Contents:
    streams, mended, reader = set[str](), Mended(), Reader()
    first = last = None
    try:
        if not is_begun(file.read(len(MAGIC))):
            return Contents(path, 0, frozenset(), None, None, {})
        for record in _whole(file, reader):
            first, last = first or record.at, record.at
            mended.take(record)
            if isinstance(record, Framed):
                streams.add(record.stream)
    except NoRecording as fault:
        raise ConfigError(f"{path} is {fault}; name another file") from None
    return Contents(path, reader.end, frozenset(streams), first, last, mended.answers)


def _whole(file: Binary, reader: Reader) -> Iterator[Record]:
    """Yield the records of a file; what a system left of it that lost its power is as if it had been cut off."""
    try:
        while piece := file.read(PIECE):
            yield from reader.feed(piece)
    except NoRecording:
        file.seek(reader.end)
        if any(piece.strip(b"\0") for piece in iter(lambda: file.read(PIECE), b"")):
            raise


class RecordingFile:
    """A recording that is added to, by one process at a time.

    What was cut off at its end is cut away. Raise `ConfigError` where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(path, "r+" if path.exists() else "x+")
        except OSError as failure:
            raise _unwritable(path, failure) from None
        try:
            self._size = self._taken_over()
        except BaseException:
            self._file.close()
            raise

    def write(self, data: bytes) -> None:
        """Add whole records; raise `OSError` where there is no room.

        What of them was written then is no part of the file: the next write begins where this one did.
        """
        self._file.seek(self._size)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) or 0 :]
        self._size += len(data)

    def close(self) -> None:
        """Cut away what was not written whole, and have the rest put on the disk; raise `OSError` where that fails."""
        try:
            self._file.truncate(self._size)
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def _taken_over(self) -> int:
        if not is_taken(self._file.fileno()):
            raise ConfigError(f"--record {self.path} is being written by another proxy; name another file")
        try:
            size = _contents(self.path, self._file).size
            self._file.truncate(size)
            if not size:
                self._file.seek(0)
                self._file.write(MAGIC)
            return size or len(MAGIC)
        except OSError as failure:
            raise _unwritable(self.path, failure) from None


def _unwritable(path: Path, failure: OSError) -> ConfigError:
    return ConfigError(f"--record {path} cannot be written: {failure.strerror}; name another file")
