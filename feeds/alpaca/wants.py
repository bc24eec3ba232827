"""What is wanted of a stream, what was asked for, and what of it is had. Pure.

A subscription adds to what there is, its answer is the whole of it, and an error answers the oldest
question: so questions are kept in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

Channels = Mapping[str, frozenset[str]]
"""The symbols of each channel."""

LIMITED = ("quotes", "trades")
"""The channels whose symbols a plan counts; they are asked for last, so that a limit costs no bars."""

EXTRAS = ("statuses",)
"""The channels that a feed can do without; they are asked for by themselves, so that a refusal costs nothing else."""

AT_ONCE = 1_000
"""How many symbols one subscription names at the most: a frame stays small."""


class Wants:
    """The subscriptions of one stream. Owned by its conversation; what is wanted outlives a connection."""

    def __init__(self) -> None:
        self.wanted: Channels = {}
        self.had: Channels = {}
        self._asked: deque[Channels] = deque()

    def begin(self) -> None:
        """Begin with a new connection, on which nothing is had."""
        self.had = {}
        self._asked.clear()

    def add(self, channels: Channels) -> Channels:
        """Want these too; return what of them is new."""
        more = minus(channels, self.wanted)
        self.wanted = {name: self._of(name) | channels.get(name, _NONE) for name in {*self.wanted, *channels}}
        return more

    def ask(self, channels: Channels) -> list[Channels]:
        """Return the questions that ask for these; each is to be sent, and will be answered, in this order."""
        kinds: list[dict[str, frozenset[str]]] = [{}, {}, {}]
        for name, symbols in channels.items():
            kinds[1 if name in EXTRAS else 2 if name in LIMITED else 0][name] = symbols
        questions = [part for kind in kinds for part in _parts(kind)]
        self._asked.extend(questions)
        return questions

    @property
    def is_asking(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._asked)

    @property
    def is_asking_for_extras(self) -> bool:
        """Whether the oldest question is for nothing that matters."""
        return bool(self._asked) and self._asked[0].keys() <= set(EXTRAS)

    def answer(self, had: Channels) -> Channels:
        """Take the answer to the oldest question, all that is had; return what of the question is not in it."""
        self.had = had
        return minus(self._asked.popleft(), had) if self._asked else {}

    def refused(self) -> Channels:
        """Return the oldest question, which was answered by an error."""
        return self._asked.popleft()

    def drop(self, channels: Channels) -> None:
        """Want these no more."""
        self.wanted = minus(self.wanted, channels)

    def has(self, symbol: str) -> bool:
        """Return whether anything of a symbol is wanted."""
        return any(symbol in symbols for symbols in self.wanted.values())

    @property
    def is_limited(self) -> bool:
        """Whether quotes or trades are had, which come all the time."""
        return any(self.had.get(name) for name in LIMITED)

    def _of(self, channel: str) -> frozenset[str]:
        return self.wanted.get(channel, _NONE)


_NONE: frozenset[str] = frozenset()


def minus(channels: Channels, others: Channels) -> Channels:
    """Return what of some channels is not in others, without channels that are empty."""
    left = {name: symbols - others.get(name, _NONE) for name, symbols in channels.items()}
    return {name: symbols for name, symbols in left.items() if symbols}


def _parts(channels: Channels) -> list[Channels]:
    """Return a question in parts that are not too large; one part wherever it can be."""
    size = max(1, AT_ONCE // max(1, len(channels)))
    longest = max(map(len, channels.values()), default=0)
    ranked = {name: sorted(symbols) for name, symbols in channels.items()}
    parts = ({name: frozenset(each[at : at + size]) for name, each in ranked.items()} for at in range(0, longest, size))
    return [minus(part, {}) for part in parts]
