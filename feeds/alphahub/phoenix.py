"""Phoenix channels, version 2 of the wire: frames to messages and back. Pure.

Sources: Phoenix's guide to channels and its V2 serializer. A text frame is a JSON array
`[join_ref, ref, topic, event, payload]`. A binary frame begins with its kind (0 push, 1 reply, 2 broadcast),
then the sizes of its texts in a byte each, the texts, and the payload as it is.

The client names each of its messages by a `ref`, which the reply echoes. The ref of a join names that
membership too: as `join_ref` it stands in whatever is said within it. A broadcast has neither.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VERSION = "2.0.0"
SOCKET = "phoenix"
"""The topic of the socket itself, where the heart beats."""

JOIN, LEAVE, REPLY, ERROR, CLOSE = "phx_join", "phx_leave", "phx_reply", "phx_error", "phx_close"
HEARTBEAT = "heartbeat"

PUSHED, REPLIED, BROADCAST = 0, 1, 2
"""The kinds of binary frames."""

_BLANK = r"[ \t\r\n]*"
_TEXT = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_REF = rf"(null|{_TEXT}|-?[0-9]{{1,18}})"
_ENVELOPE = re.compile(
    _BLANK.join(["", r"\[", _REF, ",", _REF, ",", f"({_TEXT})", ",", f"({_TEXT})", ",", r"(.*)\]", r"\Z"]), re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `payload` is the JSON text of a text frame, as it came, or the bytes of a binary one.

    It is read by whoever makes something of it, so that a payload that cannot be read is still known by its topic.
    `status` is that of a binary reply; in a text frame it is in the payload.
    """

    topic: str
    event: str
    payload: str | bytes = "{}"
    ref: str | None = None
    join_ref: str | None = None
    status: str = ""

    @property
    def text(self) -> str:
        """The payload as a text; bytes that are none stay recognizable, and are no JSON any more."""
        return self.payload if isinstance(self.payload, str) else self.payload.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply says: `is_ok`, and the reason where it is not."""

    is_ok: bool
    reason: str = ""


def references() -> Iterator[str]:
    """Give one ref after another. They are not begun anew with a connection: a late reply meets nobody."""
    return map(str, itertools.count(1))


def as_text(message: Message) -> str:
    """Return the text frame of a message whose payload is a JSON text."""
    envelope = [message.join_ref, message.ref, message.topic, message.event]
    return f"{json.dumps(envelope, separators=(',', ':'))[:-1]},{message.text}]"


def as_binary(message: Message) -> bytes:
    """Return the binary frame in which a server says this; raise `ValueError` where a text is too long for it.

    A message with a status is a reply, one with a join ref a push, another a broadcast.
    """
    join_ref, ref = message.join_ref or "", message.ref or ""
    if message.status:
        return _packed(REPLIED, (join_ref, ref, message.topic, message.status), message.payload)
    if message.join_ref is not None:
        return _packed(PUSHED, (join_ref, message.topic, message.event), message.payload)
    return _packed(BROADCAST, (message.topic, message.event), message.payload)


def _packed(kind: int, texts: tuple[str, ...], payload: str | bytes) -> bytes:
    words = [text.encode() for text in texts]
    data = payload.encode() if isinstance(payload, str) else payload
    return bytes([kind, *map(len, words)]) + b"".join(words) + data


def read(frame: str | bytes) -> Message:
    """Read a frame that a server sent; raise `ValueError` where it is no message."""
    return _from_binary(frame) if isinstance(frame, bytes) else _from_text(frame)


def _from_text(frame: str) -> Message:
    found = _ENVELOPE.match(frame)
    if found is None:
        raise ValueError("no array of a join ref, a ref, a topic, an event and a payload")
    join_ref, ref, topic, event = (json.loads(each) for each in found.groups()[:4])
    return Message(topic, event, found[5].strip(" \t\r\n"), _ref(ref), _ref(join_ref))


def _ref(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _from_binary(frame: bytes) -> Message:
    match frame[:1]:
        case b"\x00":
            (join_ref, topic, event), data = _texts(frame, 3)
            return Message(topic, event, data, None, join_ref or None)
        case b"\x01":
            (join_ref, ref, topic, status), data = _texts(frame, 4)
            return Message(topic, REPLY, data, ref or None, join_ref or None, status)
        case b"\x02":
            (topic, event), data = _texts(frame, 2)
            return Message(topic, event, data)
    raise ValueError(f"a binary frame of {f'the kind {frame[0]}' if frame else 'no bytes'}; there are 0, 1 and 2")


def _texts(frame: bytes, count: int) -> tuple[list[str], bytes]:
    """Return the texts at the head of a binary frame, and what follows them."""
    sizes = frame[1 : 1 + count]
    ends = list(itertools.accumulate(sizes, initial=1 + count))
    if len(sizes) < count or ends[-1] > len(frame):
        raise ValueError(f"a binary frame of {len(frame)} bytes that ends before its texts do")
    try:
        return [frame[at:end].decode() for at, end in itertools.pairwise(ends)], frame[ends[-1] :]
    except UnicodeDecodeError:
        raise ValueError("a binary frame whose names are no UTF-8") from None


def read_reply(message: Message) -> Reply:
    """Read a reply; raise `ValueError` where it says neither ok nor error."""
    status, response = (message.status, None) if message.status else _answer(message.text)
    if status not in ("ok", "error"):
        raise ValueError(f"a reply of the status {status!r}")
    return Reply(status == "ok", "" if status == "ok" else _reason(response))


def _answer(text: str) -> tuple[Any, Any]:
    try:
        body = json.loads(text)
    except RecursionError:
        raise ValueError("a reply that is nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("a reply that is no object")
    return body.get("status"), body.get("response")


def _reason(response: Any) -> str:
    reason = response.get("reason") if isinstance(response, dict) else response
    return shown(reason) if reason else "no reason given"


def shown(value: object, most: int = 120) -> str:
    """Return what was received as one short line, for a person to read."""
    text = " ".join(str(value).split()).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else text[:most] + "..."
