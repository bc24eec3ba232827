"""Who has asked one stream for what, and what has to be asked for upstream: the union of all lists. Pure.

Every client has a list of its own. Upstream there is one, in which a symbol is for as long as anybody
has it in theirs; what is asked for is the difference to what was asked for before, and no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, TypeVar

from feeds.alpaca.wants import LIMITED, Channels, minus

K = TypeVar("K", bound=Hashable)

Pair = tuple[str, str]
"""A channel and one of its symbols."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be said upstream: `less` first, so that a change of symbols never needs room for both."""

    less: Channels
    more: Channels


class Board(Generic[K]):
    """The lists of one stream's clients. Owned by the proxy's loop.

    `limit` is how many quotes and trades all clients together may have (0: any).
    """

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self._lists: dict[K, frozenset[Pair]] = {}
        self._counts: Counter[Pair] = Counter()
        self._upstream: frozenset[Pair] = frozenset()

    def has_room(self, client: K, channels: Mapping[str, AbstractSet[str]]) -> bool:
        """Return whether a client may have this list beside the others' lists."""
        own, before = _pairs(channels), self._lists.get(client, _NONE)
        if not self.limit or not (_limited(own) - before):  # what is had is had, and less is always possible
            return True
        others = {pair for pair, count in self._counts.items() if count > (pair in before)}
        counted = _limited(own | others)
        return len(counted) <= self.limit and not any(symbol == "*" for _, symbol in counted)

    def put(self, client: K, channels: Mapping[str, AbstractSet[str]]) -> None:
        """Take this for the whole list of a client."""
        own, before = _pairs(channels), self._lists.pop(client, _NONE)
        self._counts.update(own - before)
        self._counts.subtract(before - own)
        self._counts += Counter()  # without what nobody has any more
        if own:
            self._lists[client] = own

    def remove(self, client: K) -> None:
        """Forget a client."""
        self.put(client, {})

    @property
    def union(self) -> Channels:
        """All that anybody has in a list."""
        return _channels(self._counts)

    @property
    def upstream(self) -> Channels:
        """What has been asked for so far."""
        return _channels(self._upstream)

    @property
    def subscriptions(self) -> int:
        """How many symbols of channels anybody has."""
        return len(self._counts)

    @property
    def is_changed(self) -> bool:
        """Whether `change` has anything."""
        return self._counts.keys() != self._upstream

    def change(self) -> Change:
        """Return what is to be said upstream now, and take it for said."""
        union, before = frozenset(self._counts), self._upstream
        self._upstream = union
        return Change(_channels(before - union), _channels(union - before))

    def by_owners(self, channels: Channels) -> list[Channels]:
        """Return these in parts, each of what the same clients have: a refusal of one is no matter of the others."""
        parts: dict[frozenset[K], set[Pair]] = {}
        for pair in sorted(_pairs(channels)):
            parts.setdefault(frozenset(self._owners(pair)), set()).add(pair)
        return [_channels(pairs) for pairs in parts.values()]

    def refused(self, channels: Channels) -> list[K]:
        """Take what upstream will not give out of all lists; return whose lists it was in."""
        gone = _pairs(channels)
        losers = [client for client, own in self._lists.items() if own & gone]
        for client in losers:
            self.put(client, minus(_channels(self._lists[client]), channels))
        self._upstream -= gone
        return losers

    def _owners(self, pair: Pair) -> list[K]:
        return [client for client, own in self._lists.items() if pair in own]


_NONE: frozenset[Pair] = frozenset()


def _pairs(channels: Mapping[str, AbstractSet[str]]) -> frozenset[Pair]:
    return frozenset((name, symbol) for name, symbols in channels.items() for symbol in symbols)


def _channels(pairs: AbstractSet[Pair] | Counter[Pair]) -> Channels:
    found: dict[str, set[str]] = {}
    for name, symbol in pairs:
        found.setdefault(name, set()).add(symbol)
    return {name: frozenset(symbols) for name, symbols in found.items()}


def _limited(pairs: AbstractSet[Pair]) -> set[Pair]:
    return {pair for pair in pairs if pair[0] in LIMITED}
