"""The file in which everything that came is kept: what it looks like, byte for byte. Pure.

A file is `MAGIC`, and then one MessagePack array after another, in the order in which things came; it is only
ever added to. The first two values of each are its kind and its time, in microseconds since 1970 (UTC):

    ["start", at]                        somebody began to record, here or once more
    ["frame", at, stream, frame]         a frame's messages of channels: bytes are MessagePack, text is JSON
    ["lost", at, stream, reason]         the line of a stream broke, or an attempt at it failed
    ["made", at, stream]                 it is there (again)
    ["asked", at, stream, made]          history is asked for what was missed until the line was made so many times
    ["page", at, stream, made, path, body]   a part of its answer: the path that was asked, and the JSON that came
    ["answered", at, stream, made]       that is all that it said, or would say
    ["skipped", at, count]               so many messages could not be written: the disk was full, say

A stream is its path, such as /v2/iex; how often its line was made is counted from the last start. Logins, keys and
what is said about subscriptions are never in it. A record is whole or it is the last one and cut off: what was
written when the machine or the process died.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any

import msgpack

VERSION = 1

_NAME = b"\x92\xb4switchback recording"

MAGIC = _NAME + bytes((VERSION,))
"""What a file begins with: in MessagePack, the array of a name and a version."""

LONGEST = 1 << 26
"""Bytes that a record may have; a frame has a quarter of it at the most (`framework.live.stream.Pace`)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody began to record. `at` is the receipt's time here and below: aware UTC, in whole microseconds."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Framed:
    """A frame's messages of channels, as they came: bytes are MessagePack, text is JSON."""

    at: datetime
    stream: str
    frame: str | bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """The line of a stream broke, or an attempt at it failed."""

    at: datetime
    stream: str
    reason: str


@dataclass(frozen=True, slots=True)
class Made:
    """The line of a stream is there, for the first time or again."""

    at: datetime
    stream: str


@dataclass(frozen=True, slots=True)
class Asked:
    """History is asked for what was missed until the line was `made` for so many times since the start."""

    at: datetime
    stream: str
    made: int


@dataclass(frozen=True, slots=True)
class Paged:
    """A part of its answer: the path that was asked, and the JSON that came."""

    at: datetime
    stream: str
    made: int
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """That is all that it said, or would say."""

    at: datetime
    stream: str
    made: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """So many messages are not in the file, though they came."""

    at: datetime
    count: int


Record = Started | Framed | Lost | Made | Asked | Paged | Answered | Skipped

_KINDS: dict[str, tuple[type[Any], tuple[type[Any] | UnionType, ...]]] = {
    "start": (Started, ()),
    "frame": (Framed, (str, str | bytes)),
    "lost": (Lost, (str, str)),
    "made": (Made, (str,)),
    "asked": (Asked, (str, int)),
    "page": (Paged, (str, int, str, bytes)),
    "answered": (Answered, (str, int)),
    "skipped": (Skipped, (int,)),
}
"""What makes a record of each kind, and what it is made of."""


class NoRecording(ValueError):
    """A file is of another kind or version, or damaged; the text says which, without the file's name."""


def encoded(record: Record) -> bytes:
    """Return a record as it is written."""
    packed: bytes = msgpack.packb(_values(record))
    return packed


def _values(record: Record) -> tuple[Any, ...]:
    at = (record.at - _EPOCH) // _MICROSECOND
    match record:
        case Framed(_, stream, frame):
            return "frame", at, stream, frame
        case Lost(_, stream, reason):
            return "lost", at, stream, reason.encode(errors="replace").decode()  # it may quote anything
        case Made(_, stream):
            return "made", at, stream
        case Asked(_, stream, made):
            return "asked", at, stream, made
        case Paged(_, stream, made, path, body):
            return "page", at, stream, made, path, body
        case Answered(_, stream, made):
            return "answered", at, stream, made
        case Skipped(_, count):
            return "skipped", at, count
        case Started():
            return "start", at


def is_begun(head: bytes) -> bool:
    """Return whether a file's first bytes are `MAGIC`, False where it is empty or was cut off before it was whole.

    `head` is as many bytes as that has, or all there are. Raise `NoRecording` for a file of another kind or version.
    """
    if head == MAGIC:
        return True
    if MAGIC.startswith(head):
        return False
    if head.startswith(_NAME):
        raise NoRecording(f"a recording of version {head[-1]}, and this program reads version {VERSION}")
    raise NoRecording("no recording of switchback proxy's")


class Reader:
    """Takes what follows `MAGIC`, in pieces of any size. `end` is where the last whole record ends."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(max_buffer_size=LONGEST)
        self.end = len(MAGIC)

    def feed(self, piece: bytes) -> Iterator[Record]:
        """Yield the records that are whole now; raise `NoRecording` where one is none, however much follows."""
        try:
            self._unpacker.feed(piece)
            while True:
                values = self._unpacker.unpack()
                record = _record(values)
                self.end = len(MAGIC) + self._unpacker.tell()
                yield record
        except msgpack.OutOfData:
            return
        except (msgpack.UnpackException, ValueError, OverflowError, TypeError) as error:
            raise NoRecording(f"damaged at byte {self.end}") from error


def _record(values: Any) -> Record:
    if not isinstance(values, list) or len(values) < 2 or not isinstance(values[0], str):
        raise ValueError("no array of a kind and a time")
    kind, at, *rest = values
    make, types = _KINDS.get(kind, (None, ()))
    if make is None or len(rest) != len(types) or not all(map(isinstance, rest, types)):
        raise ValueError(f"no record of kind {kind}")
    record: Record = make(_EPOCH + timedelta(microseconds=at), *rest)
    return record
