"""What is wanted of a stream, what was asked for, and what of it is had. Pure.

A subscription adds to what there is, its answer is the whole of it, and an error answers the oldest
question: so questions are kept in their order. A symbol that joins what is had already is asked for by itself,
until it is answered for: what is wrong with it then costs it alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

Channels = Mapping[str, frozenset[str]]
"""The symbols of each channel."""

LIMITED = ("quotes", "trades")
"""The channels whose symbols a plan counts; they are asked for last, so that a limit costs no bars."""

EXTRAS = ("statuses",)
"""The channels that a feed can do without; they are asked for by themselves, so that a refusal costs nothing else."""

TRIES = 3
"""On how many connections a symbol that joins is asked for in vain: each of them may have ended because of it."""

AT_ONCE = 1_000
"""How many symbols one subscription names at the most: a frame stays small."""


class Wants:
    """The subscriptions of one stream. Owned by its conversation; what is wanted outlives a connection."""

    def __init__(self) -> None:
        self.wanted: Channels = {}
        self.had: Channels = {}
        self._asked: deque[Channels] = deque()
        self._joining: dict[str, int] = {}  # how often each was asked for

    def begin(self) -> None:
        """Begin with a new connection, on which nothing is had."""
        self.had = {}
        self._asked.clear()

    def add(self, channels: Channels) -> Channels:
        """Want these too; return what of them is new."""
        more = minus(channels, self.wanted)
        self.wanted = {name: self._of(name) | channels.get(name, _NONE) for name in {*self.wanted, *channels}}
        return more

    def join(self, symbol: str, channels: Iterable[str]) -> None:
        """Want these channels of one more symbol, which is asked for by itself; nothing where it is wanted already."""
        if self.add({name: frozenset({symbol}) for name in channels}):
            self._joining.setdefault(symbol, 0)

    @property
    def joining(self) -> list[str]:
        """The symbols that joined and are not answered for, in the order in which they came."""
        return list(self._joining)

    @property
    def settled(self) -> Channels:
        """What is wanted of all others."""
        return minus(self.wanted, dict.fromkeys(self.wanted, frozenset(self._joining)))

    @property
    def hopeless(self) -> Channels:
        """What is wanted of symbols that were asked for in vain too often."""
        return self.of({symbol for symbol, times in self._joining.items() if times >= TRIES})

    def of(self, symbols: Iterable[str]) -> Channels:
        """Return what is wanted of some symbols."""
        return minus(self.wanted, minus(self.wanted, dict.fromkeys(self.wanted, frozenset(symbols))))

    def ask_apart(self, symbol: str) -> list[Channels]:
        """Return the questions that ask for a symbol that joins: as `ask` does."""
        self._joining[symbol] += 1
        return self.ask(self.of({symbol}))

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

    @property
    def is_asking_apart(self) -> bool:
        """Whether the oldest question is for a symbol that joins, or for its leave."""
        return bool(self._asked) and _symbols(self._asked[0]) <= self._joining.keys()

    def is_skipped(self, had: Channels) -> bool:
        """Return whether this answers a later question: nothing of the oldest is had, and something of another."""
        oldest, *later = self._asked or [{}]
        return bool(oldest) and not _overlap(oldest, had) and any(_overlap(each, had) for each in later)

    def answer(self, had: Channels) -> Channels:
        """Take the answer to the oldest question, all that is had; return what of the question is not in it."""
        self.had = had
        return minus(self._answered(), had) if self._asked else {}

    def refused(self) -> Channels:
        """Return the oldest question, which was answered by an error."""
        return self._answered()

    def drop(self, channels: Channels) -> None:
        """Want these no more."""
        self.wanted = minus(self.wanted, channels)
        for symbol in _symbols(channels):
            if not self.has(symbol):
                self._joining.pop(symbol, None)

    def give_back(self, channels: Channels) -> None:
        """Want these no more, and take them for not had: what is asked for again is had when that is answered."""
        self.drop(channels)
        self.had = minus(self.had, channels)
        self.expect_answer()

    def leave(self, symbol: str) -> Channels:
        """Want nothing of a symbol any more; return what was wanted."""
        left = self.of({symbol})
        self.drop(left)
        return left

    def expect_answer(self) -> None:
        """Note that something was said that asks for nothing, and is answered all the same."""
        self._asked.append({})

    def has(self, symbol: str) -> bool:
        """Return whether anything of a symbol is wanted."""
        return any(symbol in symbols for symbols in self.wanted.values())

    @property
    def is_limited(self) -> bool:
        """Whether quotes or trades are had, which come all the time."""
        return any(self.had.get(name) for name in LIMITED)

    def _of(self, channel: str) -> frozenset[str]:
        return self.wanted.get(channel, _NONE)

    def _answered(self) -> Channels:
        """Return the oldest question; who is in no other has joined."""
        question = self._asked.popleft()
        for symbol in _symbols(question) - _NONE.union(*map(_symbols, self._asked)):
            self._joining.pop(symbol, None)
        return question


_NONE: frozenset[str] = frozenset()


def minus(channels: Channels, others: Channels) -> Channels:
    """Return what of some channels is not in others, without channels that are empty."""
    left = {name: symbols - others.get(name, _NONE) for name, symbols in channels.items()}
    return {name: symbols for name, symbols in left.items() if symbols}


def _overlap(channels: Channels, others: Channels) -> bool:
    return any(symbols & others.get(name, _NONE) for name, symbols in channels.items())


def _symbols(channels: Channels) -> frozenset[str]:
    return _NONE.union(*channels.values())


def _parts(channels: Channels) -> list[Channels]:
    """Return a question in parts that are not too large; one part wherever it can be."""
    size = max(1, AT_ONCE // max(1, len(channels)))
    longest = max(map(len, channels.values()), default=0)
    ranked = {name: sorted(symbols) for name, symbols in channels.items()}
    parts = ({name: frozenset(each[at : at + size]) for name, each in ranked.items()} for at in range(0, longest, size))
    return [minus(part, {}) for part in parts]
