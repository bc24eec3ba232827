"""Phoenix channels v2, as the sandbox's end frames them, whole and broken. Pure.

A message is an array of five: join_ref, ref, topic, event, payload. Source: Phoenix's serializer of version 2.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Frame = str | bytes

NEW_SIGNALS = "new_signals"

GARBAGE = ("text", "shape", "object", "payload", "binary", "push")
"""Kinds of frames that nobody expects: not JSON, an array that is too short, an object, signals whose payload is a
list, bytes that mean nothing, and a broadcast in Phoenix's binary framing, which is right but not AlphaHub's."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a client said. Its refs are its own, and come back as they are."""

    join_ref: Any
    ref: Any
    topic: str
    event: str
    payload: Any


def decoded(frame: Frame) -> Said | None:
    """Read a client's frame; None is what Phoenix's serializer would crash on."""
    try:
        join_ref, ref, topic, event, payload = json.loads(frame)
    except (ValueError, TypeError):
        return None
    is_right = isinstance(topic, str) and isinstance(event, str)
    return Said(join_ref, ref, topic, event, payload) if is_right else None


def message(join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> str:
    """Return a message as a frame."""
    return json.dumps([join_ref, ref, topic, event, payload], separators=(",", ":"))


def reply(join_ref: Any, ref: Any, topic: str, **refusal: str) -> str:
    """Return the answer to what a client said: ok, or an error with its `reason`."""
    status = "error" if refusal else "ok"
    return message(join_ref, ref, topic, "phx_reply", {"response": refusal, "status": status})


def ended(join_ref: Any, topic: str, event: str) -> str:
    """Return "phx_error" or "phx_close" of a channel: Phoenix puts its join_ref in both places."""
    return message(join_ref, join_ref, topic, event, {})


def broadcast(topic: str, payload: Any) -> str:
    """Return what is told to everyone on a topic: no refs."""
    return message(None, None, topic, NEW_SIGNALS, payload)


def garbage(kind: str, topic: str) -> Frame:
    """Return a frame of one of the kinds of `GARBAGE`."""
    match kind:
        case "text":
            return f'[null,null,"{topic}","new_sig'
        case "shape":
            return f'["{topic}","{NEW_SIGNALS}"]'
        case "object":
            return json.dumps({"topic": topic, "event": NEW_SIGNALS, "payload": {}})
        case "payload":
            return broadcast(topic, ["open", "close"])
        case "binary":
            return bytes(range(255, 215, -1))
        case _:
            sizes = bytes([2, len(topic), len("chart")])  # 2 is a broadcast
            return sizes + topic.encode() + b"chart" + b"\x89PNG"


def half(frame: str) -> bytes:
    """Return the first half of an unmasked websocket frame that says a text, as RFC 6455 lays it out."""
    text = frame.encode()
    size = len(text)
    whole = b"\x81" + (_short(size) if size < 1 << 16 else b"\x7f" + size.to_bytes(8)) + text
    return whole[: len(whole) // 2]


def _short(size: int) -> bytes:
    return bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2)
