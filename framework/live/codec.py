"""Values to JSON and back, for the journal: plain values, and the frozen values and enums of `framework.model`. Pure.

What JSON has no word for is an object with one key that begins with `$`: `{"$Bar": {...}}`,
`{"$Side": "buy"}`, `{"$at": "2026-..."}` (an instant, UTC), `{"$span": [days, seconds, microseconds]}`,
`{"$tuple": [...]}`, `{"$float": "nan"}`. A mapping of one's own with a key that begins so is
`{"$mapping": [[key, value], ...]}`.
A field that a later version adds with a default does not make an older record unreadable.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from framework import model
from framework.errors import ConfigError

VALUES: Mapping[str, Any] = {
    each.__name__: each
    for each in (
        model.Bar, model.Fill, model.Halt, model.Link, model.OrderGroup, model.OrderRequest, model.OrderUpdate,
        model.Position, model.Quote, model.QuoteBar, model.Remark, model.Revision, model.Signal, model.Signals,
        model.Snapshot, model.Split, model.Timeframe, model.Trade,
    )
}  # fmt: skip
ENUMS: Mapping[str, type[enum.Enum]] = {
    each.__name__: each
    for each in (
        model.GroupKind, model.OrderStatus, model.OrderType, model.Side, model.SignalAction,
        model.TimeInForce, model.Unit,
    )
}  # fmt: skip


_PLAIN = frozenset({type(None), bool, str, int})
_NAMES = {each: tuple(field.name for field in dataclasses.fields(each)) for each in VALUES.values()}


def dumps(body: Mapping[str, Any]) -> str:
    """Return a body as one line of JSON; raise `ConfigError` where it holds what has no place in it."""
    return json.dumps(encode(body), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(text: str) -> dict[str, Any]:
    """Return the body that a line of JSON holds; raise `ConfigError` where it is none."""
    try:
        body = decode(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"a record does not read as one of ours ({error}); was it written by a later version?"
        ) from None
    if not isinstance(body, dict):
        raise ConfigError(f"a record holds a {type(body).__name__} where a mapping should be")
    return body


def encode(value: Any) -> Any:
    """Return a value as what JSON has words for."""
    # By exact type, and few calls: an order waits while its intent is written.
    kind = type(value)
    if kind in _PLAIN:
        return value
    encoder = _ENCODERS.get(kind)
    return _other(value) if encoder is None else encoder(value)


def _other(value: Any) -> Any:
    """Return a value of a type that has no word of its own: one derived from such, or refused."""
    match value:
        case str() | int() | bool() if not isinstance(value, enum.Enum):
            return value
        case float():
            return _float(value)
        case datetime():
            return _at(value)
        case timedelta():
            return _span(value)
        case list():
            return _list(value)
        case tuple():
            return _tuple(value)
        case Mapping():
            return _mapping(value)
    name = type(value).__name__
    raise ConfigError(f"a record cannot hold a {name}; give plain values, instants, or those of framework.model")


def _float(value: float) -> Any:
    return float(value) if math.isfinite(value) else {"$float": str(float(value))}


def _at(value: datetime) -> Any:
    return {"$at": _utc(value).isoformat()}


def _span(value: timedelta) -> Any:
    return {"$span": [value.days, value.seconds, value.microseconds]}


def _list(value: Iterable[Any]) -> Any:
    return [encode(each) for each in value]


def _tuple(value: Iterable[Any]) -> Any:
    return {"$tuple": [encode(each) for each in value]}


def _enum(value: enum.Enum) -> Any:
    return {f"${type(value).__name__}": value.value}


def _fields(value: Any) -> Any:
    kind = type(value)
    fields = {name: getattr(value, name) for name in _NAMES[kind]}
    return {
        f"${kind.__name__}": {name: each if type(each) in _PLAIN else encode(each) for name, each in fields.items()}
    }


def decode(value: Any) -> Any:
    """Return the value that `encode` made this of."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    tag, inner = next(iter(value.items()), ("", None))
    return _tagged(tag[1:], inner) if tag.startswith("$") else {key: decode(each) for key, each in value.items()}


def _tagged(tag: str, inner: Any) -> Any:
    match tag:
        case "at":
            return datetime.fromisoformat(inner)
        case "span":
            return timedelta(*inner)
        case "tuple":
            return tuple(decode(each) for each in inner)
        case "float":
            return float(inner)
        case "mapping":
            return {key: decode(each) for key, each in inner}
    if tag in ENUMS:
        return ENUMS[tag](inner)
    return VALUES[tag](**{key: decode(each) for key, each in inner.items()})


def _mapping(value: Mapping[Any, Any]) -> Any:
    for key in value:
        if not isinstance(key, str) or isinstance(key, enum.Enum):
            raise ConfigError(f"a record cannot hold the key {key!r}; keys are texts")
    if any(key.startswith("$") for key in value):
        return {"$mapping": [[key, encode(each)] for key, each in value.items()]}
    return {key: encode(each) for key, each in value.items()}


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ConfigError(f"a record cannot hold {at.isoformat()}: it has no time zone; give an aware datetime")
    return at.astimezone(UTC)


_ENCODERS: Mapping[Any, Callable[[Any], Any]] = {
    float: _float, datetime: _at, timedelta: _span, list: _list, tuple: _tuple, dict: _mapping,
    **dict.fromkeys(ENUMS.values(), _enum), **dict.fromkeys(VALUES.values(), _fields),
}  # fmt: skip
