"""What clients have asked for and were not answered yet: an answer waits until upstream has what was asked for. Pure.

So a client that is told that it has a symbol misses nothing of it from then on. It does not wait for ever:
while the connection is down, it is told after a while that it will have what it asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from feeds.alpaca.messages import Row
from feeds.alpaca.wants import Channels, minus

K = TypeVar("K", bound=Hashable)

PATIENCE = 2.0
"""Seconds that an answer waits; the Go client gives up after three."""


@dataclass(slots=True)
class Question:
    """A client's new list and until when it may wait, or an answer (`row`) that only waits for its turn.

    `awaited` is what of the list the client has not given back since.
    """

    wanted: Channels
    awaited: Channels
    until: float
    row: Row | None = None


class Questions(Generic[K]):
    """Each client's questions in their order. Owned by the proxy's loop."""

    def __init__(self, has: Callable[[str, str], bool]) -> None:
        self._has = has
        self._waiting: dict[K, deque[Question]] = {}

    def ask(self, client: K, wanted: Channels, now: float) -> None:
        """Let a new list wait for its answer."""
        questions = self._waiting.setdefault(client, deque())
        for each in questions:
            each.awaited = both(each.awaited, wanted)
        questions.append(Question(wanted, wanted, now + PATIENCE))

    def say(self, client: K, row: Row) -> None:
        """Let an answer wait for those before it."""
        self._waiting.setdefault(client, deque()).append(Question({}, {}, 0.0, row))

    def is_asked(self, client: K) -> bool:
        """Return whether a client waits for an answer."""
        return client in self._waiting

    def lose(self, client: K, channels: Channels) -> None:
        """Take what is not to be had out of a client's questions."""
        for each in self._waiting.get(client, ()):
            each.wanted, each.awaited = minus(each.wanted, channels), minus(each.awaited, channels)

    def forget(self, client: K) -> None:
        """Drop a client's questions."""
        self._waiting.pop(client, None)

    def answered(self, now: float) -> Iterator[tuple[K, Question]]:
        """Yield the questions that can be answered now, each client's in their order."""
        for client in list(self._waiting):
            questions = self._waiting[client]
            while questions and self._is_answered(questions[0], now):
                yield client, questions.popleft()
            if not questions:
                del self._waiting[client]

    def _is_answered(self, question: Question, now: float) -> bool:
        if question.row is not None or now >= question.until:
            return True
        return all(self._has(name, symbol) for name, symbols in question.awaited.items() for symbol in symbols)


def both(channels: Channels, others: Channels) -> Channels:
    """Return what of some channels is in others too."""
    return minus(channels, minus(channels, others))
