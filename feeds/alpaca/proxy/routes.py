"""Whose each message is: every client gets what is in its own list, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from feeds.alpaca.proxy.frames import Batch, Message
from feeds.alpaca.subscriptions import KINDS, WITH_TRADES
from feeds.alpaca.wants import Channels

K = TypeVar("K", bound=Hashable)

Audience = tuple[K, ...]

CHANNELS = {kind: "trades" if name in WITH_TRADES else name for name, kind in KINDS.items()}
"""The channel that a message's type belongs to: corrections and cancels come with trades."""


class Routes(Generic[K]):
    """What each client of one stream is sent. Owned by the proxy's loop."""

    def __init__(self) -> None:
        self._lists: dict[K, Channels] = {}
        self._who: dict[tuple[str, str], dict[K, None]] = {}
        self._known: dict[tuple[str, str], Audience[K]] = {}
        self._alike: dict[Audience[K], Audience[K]] = {}

    def put(self, client: K, channels: Channels) -> None:
        """Send a client this from now on, and nothing else."""
        for name, symbols in self._lists.pop(client, {}).items():
            for symbol in symbols:
                self._who[name, symbol].pop(client)
        if channels:
            self._lists[client] = channels
        for name, symbols in channels.items():
            for symbol in symbols:
                self._who.setdefault((name, symbol), {})[client] = None
        self._known.clear()
        self._alike.clear()

    def of(self, client: K) -> Channels:
        """Return what a client is sent."""
        return self._lists.get(client, {})

    def audience(self, kind: str, symbol: str) -> Audience[K]:
        """Return who is sent messages of a type and symbol; the same object for the same clients."""
        found = self._known.get((kind, symbol))
        if found is None:
            channel = CHANNELS.get(kind, "")
            who = {**self._who.get((channel, symbol), {}), **self._who.get((channel, "*"), {})}
            ordered = tuple(client for client in self._lists if client in who)
            found = self._known[kind, symbol] = self._alike.setdefault(ordered, ordered)
        return found

    def spread(self, messages: Sequence[Message]) -> Iterator[tuple[Audience[K], Batch]]:
        """Yield who is sent which of a frame's messages; a client is in one audience at the most."""
        audiences = [self.audience(each.kind, each.symbol) for each in messages]
        first = audiences[0] if audiences else ()
        if all(each is first for each in audiences):
            if first:
                yield first, Batch(messages)
            return
        parts: dict[K, list[int]] = {}
        for at, audience in enumerate(audiences):
            for client in audience:
                parts.setdefault(client, []).append(at)
        together: dict[tuple[int, ...], list[K]] = {}
        for client, places in parts.items():
            together.setdefault(tuple(places), []).append(client)
        for at_these, clients in together.items():
            yield tuple(clients), Batch([messages[at] for at in at_these])
