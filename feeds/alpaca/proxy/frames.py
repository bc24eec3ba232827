"""A stream's frames taken apart into messages, and put together again for whoever wants which. Pure.

Of a message only its type and symbol are looked at, once. It is handed on in the bytes in which it came;
for clients of the other encoding it is written anew, once for all of them. Times keep their nanoseconds
both ways: MessagePack's own timestamps there, RFC 3339 text here.
"""

from __future__ import annotations

import enum
import json
import re
from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgpack

from feeds.alpaca.messages import stamp


class Codec(enum.Enum):
    """How a client's messages are encoded: its value is the websocket's opcode."""

    JSON = 1
    MSGPACK = 2


_MSGPACK = Codec.MSGPACK

TIME = "t"
"""The field in which a message has its time."""

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class Message:
    """One message of a stream. `kind` is its type and `symbol` whose it is, empty where it has none."""

    __slots__ = ("_packed", "_text", "kind", "symbol")

    def __init__(self, kind: str, symbol: str, came: bytes, codec: Codec) -> None:
        self.kind, self.symbol = kind, symbol
        self._packed, self._text = (came, b"") if codec is _MSGPACK else (b"", came)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Message:
        """Make a message of a row, whose time may be of any kind."""
        return cls(str(row.get("T", "")), str(row.get("S", "")), _packed(row), Codec.MSGPACK)

    def encoded(self, codec: Codec) -> bytes:
        """Return it in an encoding."""
        if codec is _MSGPACK:
            self._packed = self._packed or _packed(self.row())
            return self._packed
        self._text = self._text or _text(self.row())
        return self._text

    def row(self) -> dict[str, Any]:
        """Read the whole of it."""
        row: dict[str, Any] = msgpack.unpackb(self._packed) if self._packed else json.loads(self._text)
        return row


class Batch:
    """Messages that go out together, as one frame of a websocket in each encoding that anybody has."""

    __slots__ = ("_packed", "_text", "messages")

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self._packed = self._text = b""  # no dictionary: this is asked for each client

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Batch:
        """Make a frame of one row."""
        return cls((Message.of(row),))

    def frame(self, codec: Codec) -> bytes:
        """Return the frame of a websocket, its header included."""
        found = self._packed if codec is _MSGPACK else self._text
        if not found:
            found = framed(payload(self.messages, codec), codec)
            if codec is _MSGPACK:
                self._packed = found
            else:
                self._text = found
        return found

    def single(self, at: int, codec: Codec) -> bytes:
        """Return one message as a frame of its own."""
        return self.frame(codec) if len(self.messages) == 1 else Batch((self.messages[at],)).frame(codec)


class Splitter:
    """Takes one stream's frames apart, one after the other."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker()  # kept: to make one costs as much as to read a message

    def split(self, frame: str | bytes) -> list[Message]:
        """Return a frame's messages; raise `ValueError` for a frame that is no array of objects."""
        if isinstance(frame, str):
            return list(_split_text(frame))
        try:
            return self._packed(frame)
        except (msgpack.UnpackException, IndexError, ValueError) as error:
            self._unpacker = msgpack.Unpacker()  # what is left of this frame is not the next one's
            raise ValueError(f"a frame of {len(frame)} bytes is no array in MessagePack: {error}") from error

    def _packed(self, frame: bytes) -> list[Message]:
        unpacker = self._unpacker
        before = unpacker.tell()
        unpacker.feed(frame)
        left = unpacker.read_array_header()
        start, messages = unpacker.tell() - before, []
        for _ in range(left):
            if known := _beginning(frame, start):
                unpacker.skip()
            else:
                known = _named(unpacker.unpack())
            end = unpacker.tell() - before
            messages.append(Message(*known, frame[start:end], _MSGPACK))
            start = end
        if start != len(frame):
            raise ValueError("something follows it")
        return messages


def framed(content: bytes, codec: Codec) -> bytes:
    """Return what is in it as a whole frame of a server's (RFC 6455, section 5.2: not masked, not compressed)."""
    size, head = len(content), 0x80 | codec.value
    if size < 126:
        return bytes((head, size)) + content
    if size < 1 << 16:
        return bytes((head, 126)) + size.to_bytes(2, "big") + content
    return bytes((head, 127)) + size.to_bytes(8, "big") + content


_FIRST = re.compile(rb"[\x82-\x8f]\xa1T\xa1([!-~])\xa1S([\xa0-\xbf])")
"""How a message begins that has a type of one letter, and then a symbol: a map, and texts of less than 32 bytes."""


def _beginning(frame: bytes, start: int) -> tuple[str, str] | None:
    """Return type and symbol where a message begins with them, as Alpaca's do; None where it has to be read."""
    if not (found := _FIRST.match(frame, start)):
        return None
    first = found.end()
    return chr(frame[start + 4]), frame[first : first + frame[first - 1] - 0xA0].decode()


def _split_text(frame: str) -> Iterator[Message]:
    rows = json.loads(frame)
    if not isinstance(rows, list):
        raise ValueError(f"a frame of {len(frame)} characters is no array")
    for row in rows:
        yield Message(*_named(row), _text(row), Codec.JSON)


def _named(row: Any) -> tuple[str, str]:
    if not isinstance(row, dict):
        raise ValueError(f"a message that is no object, but a {type(row).__name__}")
    return str(row.get("T", "")), str(row.get("S", ""))


def payload(messages: Sequence[Message], codec: Codec) -> bytes:
    """Return messages as an array."""
    items = [each.encoded(codec) for each in messages]
    if codec is Codec.JSON:
        return b"[" + b",".join(items) + b"]"
    size = len(items)
    if size < 16:
        return bytes((0x90 | size,)) + b"".join(items)
    head = b"\xdc" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xdd" + size.to_bytes(4, "big")
    return head + b"".join(items)


def _text(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, separators=(",", ":"), default=_rfc3339, ensure_ascii=False).encode()


def _rfc3339(at: Any) -> str:
    if isinstance(at, datetime):
        return stamp(at)
    if not isinstance(at, msgpack.Timestamp):
        raise TypeError(f"{type(at).__name__} has no text")
    whole = datetime.fromtimestamp(at.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return whole + (f".{at.nanoseconds:09}".rstrip("0") if at.nanoseconds else "") + "Z"


def _packed(row: Mapping[str, Any]) -> bytes:
    at = row.get(TIME)
    if isinstance(at, str) and (time := timestamp(at)):
        row = {**row, TIME: time}
    packed: bytes = msgpack.packb(row, datetime=True)
    return packed


def nanoseconds(row: Mapping[str, Any]) -> int:
    """Return a row's time in nanoseconds since 1970; what has none that can be read is as old as can be."""
    at = row.get(TIME)
    if isinstance(at, str):
        at = timestamp(at)
    return at.to_unix_nano() if isinstance(at, msgpack.Timestamp) else 0


def timestamp(text: str) -> msgpack.Timestamp | None:
    """Return a time as MessagePack has it, None where the text is no RFC 3339."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    whole, fraction, zone = found.groups()
    seconds = timegm(datetime.fromisoformat(whole + zone).astimezone(UTC).timetuple())
    return msgpack.Timestamp(seconds, int((fraction or "0").ljust(9, "0")))
