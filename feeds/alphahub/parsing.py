"""What AlphaHub's algorithms publish, read into `framework.model.Signal`s, as tolerantly as money allows. Pure.

A payload is `{"open": [...], "close": [...]}`, one of them or both, each item with price, side, symbol and
timestamp, perhaps with a weight. Tolerated: space and case in the names of fields and in words, a space
beside the T of a time, numbers in quotation marks, a missing price, weight or time, fields that we do not know.
Not tolerated is what would have to be guessed at to be traded: that is an `Unreadable`, a value, which says why.
An item that cannot be read costs only itself, and no message raises anything.

`side` is that of the ORDER, in a close too: a buy in `close` covers a short position. `hold` is to do nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from feeds.alphahub.phoenix import shown
from framework.errors import ConfigError
from framework.model import Side, Signal, SignalAction, nothing

_SIDES: Mapping[str, Side | None] = {"buy": Side.BUY, "sell": Side.SELL, "hold": None}
_LISTS = (SignalAction.CLOSE, SignalAction.OPEN)
"""What closes comes first: it frees the capital for what opens."""
_KNOWN = frozenset({"symbol", "side", "price", "weight", "timestamp"})
DEPTH = 16
"""How deep a message may be nested; what is published is three deep."""
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./\-]{0,23}")
_AROUND_T = re.compile(r"\s*[Tt]\s*")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that was published and cannot be read: a piece of it to recognize it by, and why."""

    text: str
    why: str


Read = Signal | Unreadable


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read: the zone of times that name none, and the names of today for symbols that are out of date."""

    zone: tzinfo
    names: Mapping[str, str] = field(default_factory=nothing)

    @classmethod
    def of(cls, tz: str | tzinfo | None, names: Mapping[str, str] = MappingProxyType({})) -> Reading:
        """Return how to read in the zone `tz`, "UTC" say; raise `ConfigError` where it, or a symbol, is none.

        `names` maps a symbol as it is published to the one to trade: {"MYL": "VTRS"}.
        """
        return cls(_zone(tz), {_name(old): _name(new) for old, new in names.items()})


def _zone(tz: str | tzinfo | None) -> tzinfo:
    if isinstance(tz, tzinfo):
        return tz
    advice = 'say which they are in: tz="UTC", or tz="America/New_York"'
    if not tz:
        raise ConfigError(f"AlphaHub's times bear no time zone, and none is assumed; {advice}")
    try:
        return ZoneInfo(tz)
    except (ValueError, OSError, LookupError, TypeError):
        raise ConfigError(f"tz={tz!r} is no time zone that is known; {advice}") from None


def _name(symbol: str) -> str:
    if (name := _ticker(symbol)) is None:
        raise ConfigError(f'the map of symbols has {symbol!r}, which is none; try {{"MYL": "VTRS"}}')
    return name


def read_published(payload: str, algorithm: str, at: datetime, how: Reading) -> tuple[Read, ...]:
    """Read what was pushed, closes first; `at` is when it was received, aware UTC. Nothing is raised.

    The weight of an item that has none is 1 of the number of its list's items that are not holds, those that
    cannot be read among them, so that one bad item does not make the others larger. A hold weighs nothing.
    """
    try:
        body = load(payload)
    except ValueError as wrong:
        return (Unreadable(shown(payload), str(wrong)),)
    return read_message(body, algorithm, at, how)


def read_message(body: Mapping[str, Any], algorithm: str, at: datetime, how: Reading) -> tuple[Read, ...]:
    """Read a message whose names are folded, as `read_published` does."""
    try:
        lists = {action: _items(body, action) for action in _LISTS if action.value in body}
        if not lists:
            raise ValueError(f"neither open nor close, but {shown(sorted(body)) if body else 'nothing'}")
    except ValueError as wrong:
        return (Unreadable(shown(dict(body)), str(wrong)),)
    common = {key: value for key, value in body.items() if key not in ("open", "close")}
    return tuple(
        read
        for action, items in lists.items()
        for read in _list(items, common, _Source(algorithm, at, action, how, _share(items)))
    )


def load(text: str) -> dict[str, Any]:
    """Return a JSON object with its names folded; raise `ValueError` where it is none, or says two things of one name.

    Numbers that are none (NaN, infinity) are refused: JSON has none, and the journal keeps none.
    """
    try:
        body = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_number)
    except json.JSONDecodeError as wrong:
        raise ValueError(f"no JSON ({wrong})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError(f"no object, but {shown(body)}")
    _check(body, DEPTH)
    return folded(body)


def _check(value: Any, left: int) -> None:
    """Refuse what a journal could not keep: a text that is none (half a surrogate pair), or what is too deep."""
    if isinstance(value, str) and not value.isascii():
        value.encode()
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    if inner and not left:
        raise ValueError("nested too deeply")
    for each in inner:
        _check(each, left - 1)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if seen.setdefault(_fold(name), value) != value:
            raise ValueError(f"two values of {_fold(name)!r}: {shown(seen[_fold(name)])} and {shown(value)}")
    return dict(pairs)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{shown(text)} is no number")
    return value


def _fold(name: str) -> str:
    return "".join(name.split()).lower()


def folded(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the names of its fields in lower case and without space."""
    return {_fold(name): value for name, value in body.items()}


def _items(body: Mapping[str, Any], action: SignalAction) -> Sequence[Any]:
    items = body[action.value]
    if not isinstance(items, list | None):
        raise ValueError(f"{action.value} is no list, but {shown(items)}")
    return [folded(each) if isinstance(each, dict) else each for each in items or ()]


def _share(items: Sequence[Any]) -> float:
    """Return the weight of an item that has none: 1 of those that are to be traded."""
    traded = sum(not (isinstance(each, dict) and _word(each.get("side")) == "hold") for each in items)
    return 1.0 / max(traded, 1)


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class _Source:
    """What an item does not say itself."""

    algorithm: str
    at: datetime
    action: SignalAction
    how: Reading
    share: float


def _list(items: Sequence[Any], common: Mapping[str, Any], source: _Source) -> Iterator[Read]:
    for item in items:
        yield read_item(item, source.algorithm, source.at, source.action, source.how, source.share, common)


def read_item(
    item: object,
    algorithm: str,
    at: datetime,
    action: SignalAction,
    how: Reading,
    share: float,
    common: Mapping[str, Any] = MappingProxyType({}),
) -> Read:
    """Read one item, whose names are folded; `share` is its weight where it has none, `common` what all have."""
    try:
        if not isinstance(item, dict):
            raise ValueError("no object")
        side = _side(item)
        return Signal(
            algorithm=algorithm,
            symbol=_symbol(item, how),
            at=at,
            action=action,
            side=side,
            weight=_weight(item, 0.0 if side is None else share),
            price=_price(item, side),
            published=_published(item, how),
            extra={**common, **{name: value for name, value in item.items() if name not in _KNOWN}},
        )
    except ValueError as wrong:
        return Unreadable(shown(item), str(wrong))


def _side(item: Mapping[str, Any]) -> Side | None:
    word = _word(item.get("side"))
    if word not in _SIDES:
        raise ValueError(f"side {shown(item.get('side'))} is neither buy nor sell nor hold")
    return _SIDES[word]


def _symbol(item: Mapping[str, Any], how: Reading) -> str:
    if (symbol := _ticker(item.get("symbol"))) is None:
        raise ValueError(f"symbol {shown(item.get('symbol'))} is none")
    return how.names.get(symbol, symbol)


def _ticker(value: object) -> str | None:
    """Return a symbol in its usual form. Only of ASCII: the capital of ß is SS, which is another stock."""
    name = value.strip().upper() if isinstance(value, str) and value.isascii() else ""
    return name if _SYMBOL.fullmatch(name) else None


def _weight(item: Mapping[str, Any], share: float) -> float:
    weight = _float(item, "weight")
    if weight is None:
        return share
    if not 0 <= weight <= 1:
        raise ValueError(f"weight {weight} is no share from 0 to 1")
    return weight


def _price(item: Mapping[str, Any], side: Side | None) -> float | None:
    price = _float(item, "price")
    if price is not None and price <= 0:
        if side is None:
            return None  # a hold trades nothing, so it may as well have no price
        raise ValueError(f"price {price} is none")
    return price


def _float(item: Mapping[str, Any], name: str) -> float | None:
    value = item.get(name)
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} {shown(value)} is no number")
    return number


def _published(item: Mapping[str, Any], how: Reading) -> datetime | None:
    """Read the time that is written on it."""
    text = item.get("timestamp")
    return None if text is None or text == "" else read_time("timestamp", text, how.zone)


def read_time(name: str, text: object, zone: tzinfo) -> datetime:
    """Return a time, in UTC; `zone` is its own where it names none. Raise `ValueError`, which bears `name`.

    The README's own example has a space before the T of one.
    """
    try:
        at = datetime.fromisoformat(_AROUND_T.sub("T", text.strip()) if isinstance(text, str) else "")
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} {shown(text)} is no time") from None
