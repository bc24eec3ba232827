"""What an algorithm publishes in the sandbox, as a user writes it and as AlphaHub tells it. Pure.

A user writes `{"symbol": "SPY", "side": "buy"}`. AlphaHub's items have price, side, symbol and timestamp,
sometimes weight and type. Its timestamps have no time zone; the sandbox's are UTC, which is a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from framework.errors import ConfigError, nearest

Item = Mapping[str, Any]
Price = Callable[[str, datetime], float | None]
"""What a symbol was last traded at by a time, None where that is not known."""

SIDES = ("buy", "sell", "hold")
"""Those of the order that is meant; "hold" stands in either list, where nothing is to be done."""

QUIRKS = {
    "stray_space": "a space before the T of the first item's timestamp, in each list",
    "spaced_key": "the key ' symbol' in place of 'symbol' in the last item of each list",
}
"""Oddities of AlphaHub's own example: by their position, as there, other items of the message being clean."""

_WRITTEN = ("algorithm", "open", "close", "quirks")
_NUMBERS = ("price", "weight")


@dataclass(frozen=True, slots=True)
class Publication:
    """What algorithm `algorithm` publishes at `at` (aware): items to open and items to close.

    An item has `symbol` and `side`, and may have `price`, `weight`, `type`, `timestamp` or anything else. A list
    that is None is left out of the message; an empty one is in it. `quirks` names oddities to publish with.
    Raise `ConfigError` for what cannot be published.
    """

    algorithm: int
    at: datetime
    open: Sequence[Item] | None = None
    close: Sequence[Item] | None = None
    quirks: Iterable[str] = ()

    def __post_init__(self) -> None:
        _check(self)

    @property
    def topic(self) -> str:
        """The channel that it is told on."""
        return f"algorithms:{self.algorithm}"

    def filled(self, price: Price) -> Publication:
        """Return it with what its items leave out: the last price, the time. Raise `ConfigError` without a price."""
        filled = {name: [self._item(each, price) for each in items] for name, items in self._lists()}
        return replace(self, open=filled.get("open"), close=filled.get("close"))

    def payload(self) -> dict[str, Any]:
        """Return what is pushed: keys in the order of the alphabet, as Elixir's maps have them."""
        odd = frozenset(self.quirks)
        return {name: _odd([dict(each) for each in items], odd) for name, items in self._lists()}

    def rows(self) -> list[dict[str, Any]]:
        """Return its items as REST tells them: newest first, flat, nothing saying which open and which close.

        Closes come first in a message, so they are last here. That no quirk is in them is a guess.
        """
        return [dict(each) for each in reversed([*(self.close or ()), *(self.open or ())])]

    def body(self) -> dict[str, Any]:
        """Return it as the state file keeps it; `read` reads it."""
        lists = {name: list(items) for name, items in self._lists()}
        return {"algorithm": self.algorithm, "at": self.at.isoformat(), **lists, "quirks": sorted(self.quirks)}

    def _lists(self) -> list[tuple[str, Sequence[Item]]]:
        return [(name, items) for name, items in (("close", self.close), ("open", self.open)) if items is not None]

    def _item(self, item: Item, price: Price) -> Item:
        found = {"timestamp": stamp(self.at), **item}
        if found.get("price") is None:
            found["price"] = price(item["symbol"], self.at)
        if found["price"] is None:
            raise ConfigError(f"algorithm {self.algorithm}: the tape has no price of {item['symbol']}; give a price")
        return dict(sorted(found.items()))


def stamp(at: datetime) -> str:
    """Return a time as AlphaHub writes it: whole seconds, no zone."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def day(row: Item, published_at: datetime) -> str:
    """Return the day of an item, as YYYY-MM-DD: that of its timestamp, else the one it was published on."""
    text = str(row.get("timestamp", "")).strip()[:10]
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d}"
    except ValueError:
        return stamp(published_at)[:10]


def read(body: Mapping[str, Any], at: datetime) -> Publication:
    """Read `{"algorithm": 16, "open": [...], "close": [...], "quirks": [...]}`; raise `ConfigError`."""
    for key in body:
        if key not in _WRITTEN:
            raise ConfigError(f"{key!r} is not part of a signal{nearest(key, _WRITTEN)}; it has {', '.join(_WRITTEN)}")
    if "algorithm" not in body:
        raise ConfigError('a signal needs its algorithm: {"algorithm": 16, "open": [{"symbol": "SPY", "side": "buy"}]}')
    return Publication(body["algorithm"], at, body.get("open"), body.get("close"), body.get("quirks", ()))


def kept(body: Mapping[str, Any]) -> Publication:
    """Return what the state file keeps."""
    at = datetime.fromisoformat(body["at"])
    return read({key: value for key, value in body.items() if key in _WRITTEN}, at)


def _check(publication: Publication) -> None:
    algorithm = publication.algorithm
    if isinstance(algorithm, bool) or not isinstance(algorithm, int) or algorithm < 1:
        raise ConfigError(f"{algorithm!r} is not an algorithm of AlphaHub's; they are numbers, such as 16")
    if publication.at.tzinfo is None:
        raise ConfigError(f"algorithm {algorithm} publishes at {publication.at}, in no time zone; give tzinfo=UTC")
    if publication.open is None and publication.close is None:
        raise ConfigError(f"algorithm {algorithm} publishes neither open nor close; give a list, which may be empty")
    for name in ("open", "close"):
        _check_items(algorithm, name, getattr(publication, name))
    if isinstance(publication.quirks, str):
        raise ConfigError(f"quirks are a list, such as [{publication.quirks!r}]; they are {', '.join(QUIRKS)}")
    for quirk in publication.quirks:
        if quirk not in QUIRKS:
            raise ConfigError(f"there is no quirk {quirk!r}{nearest(str(quirk), QUIRKS)}; they are {', '.join(QUIRKS)}")


def _check_items(algorithm: int, name: str, items: Sequence[Item] | None) -> None:
    if items is not None and (not isinstance(items, Sequence) or isinstance(items, str)):
        raise ConfigError(f"{name} of algorithm {algorithm} is {items!r}; give a list of items")
    for item in items or ():
        if not isinstance(item, Mapping) or not isinstance(item.get("symbol"), str):
            raise ConfigError(f'{name} of algorithm {algorithm} has {item!r}; try {{"symbol": "SPY", "side": "buy"}}')
        if item.get("side") not in SIDES:
            side = str(item.get("side"))
            raise ConfigError(f"{item['symbol']} has side {side}{nearest(side, SIDES)}; give one of {', '.join(SIDES)}")
        for key in _NUMBERS:
            _check_number(item, key)


def _check_number(item: Item, key: str) -> None:
    value = item.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if value is not None and not is_number:
        raise ConfigError(f"{item['symbol']} has {key} {value!r}; give a number, or leave it out")


def _odd(items: list[dict[str, Any]], quirks: frozenset[str]) -> list[dict[str, Any]]:
    if items and "stray_space" in quirks:
        items[0]["timestamp"] = str(items[0]["timestamp"]).replace("T", " T", 1)
    if items and "spaced_key" in quirks:
        items[-1] = {f" {key}" if key == "symbol" else key: value for key, value in items[-1].items()}
    return items
