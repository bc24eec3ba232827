"""What became of each minute of each symbol: the completeness ledger of a live feed. Pure.

A day of a symbol is one letter a minute, written in runs ("388r1b1e"), so that a whole session is one
short line of the journal.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from feeds.gaps import Certified, Handed, News, Origin
from feeds.minutes import MINUTE, Minutes, Window
from framework.columns import Columns, moment
from framework.errors import ConfigError
from framework.model import Revision

KIND = "minutes"
"""The kind of the ledger's entries in a journal."""


class Mark(enum.Enum):
    """What became of a minute; the value is its letter."""

    OUT = "-"
    """Before the session followed the symbol."""
    OPEN = "."
    """Not known yet."""
    RECEIVED = "r"
    BACKFILLED = "b"
    REVISED = "u"
    EMPTY = "e"
    """The venue was asked for it when it was final, and had no bar."""


_MARKS = {mark.value: mark for mark in Mark}
_RUN = re.compile(r"(\d+)([^\d])")


@dataclass(frozen=True, slots=True)
class Missing:
    """Minutes of a symbol of which nothing is known: those with `after` < end <= `until`."""

    symbol: str
    after: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """How complete the bars of some symbols are: how many minutes have each mark, and which are open."""

    counts: Mapping[str, Mapping[Mark, int]]
    missing: tuple[Missing, ...]

    @property
    def total(self) -> Mapping[Mark, int]:
        """The counts of all symbols together."""
        return sum((Counter(each) for each in self.counts.values()), Counter())

    @property
    def is_complete(self) -> bool:
        """Whether every minute is accounted for."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Entry:
    """One day of one symbol, as the journal keeps it; the last entry of a day is the one that counts."""

    symbol: str
    day: date
    runs: str

    @property
    def key(self) -> str:
        """The key of the entry in the journal."""
        return f"{self.symbol} {self.day}"

    def body(self) -> Mapping[str, Any]:
        """Return the entry as the journal's body."""
        return {"symbol": self.symbol, "day": str(self.day), "minutes": self.runs}

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Entry:
        """Return the entry of a body."""
        return cls(body["symbol"], date.fromisoformat(body["day"]), body["minutes"])


class Ledger:
    """Keeps the marks. Owned by the I/O thread.

    `since` tells from which time on (exclusive, aware UTC) each symbol is followed.
    """

    def __init__(self, minutes: Minutes, since: Mapping[str, datetime]) -> None:
        self.minutes = minutes
        self._since: dict[str, datetime] = {}
        self._days: dict[tuple[str, date], bytearray] = {}  # a letter is a byte: there are as many as minutes
        self._changed: dict[tuple[str, date], None] = {}
        self.add(since)

    def add(self, since: Mapping[str, datetime]) -> None:
        """Follow these symbols too."""
        self._since = {**since, **self._since}

    def record(self, news: Iterable[News]) -> None:
        """Take what the gaps told."""
        for each in news:
            match each:
                case Handed(bar, origin):
                    self._mark(bar.symbol, bar.end, Mark.RECEIVED if origin is Origin.LIVE else Mark.BACKFILLED)
                case Revision(bar, _):
                    self._mark(bar.symbol, bar.end, Mark.REVISED)
                case Certified(symbol, ends):
                    for end in ends:
                        self._mark(symbol, end, Mark.EMPTY)

    def account(self, symbol: str, after: datetime, until: datetime, bars: Columns) -> None:
        """Take history, asked for when it was final: the bars with `after` < end <= `until`, the whole of them.

        It fills what is open, as where a session goes on after a crash.
        """
        found = {moment(end) for end in bars.end}
        for end in self.minutes.between(after, until):
            if self.mark(symbol, end) is Mark.OPEN:
                self._mark(symbol, end, Mark.BACKFILLED if end in found else Mark.EMPTY)

    def mark(self, symbol: str, end: datetime) -> Mark:
        """Return what became of a minute."""
        window = self.minutes.window(end)
        return _MARKS[chr(self._letters(symbol, window)[window.place(end)])] if window else Mark.OUT

    def changed(self) -> list[Entry]:
        """Return the days that have changed since this was asked last: what the journal is to be given."""
        changed, self._changed = self._changed, {}
        return [Entry(symbol, day, _runs(self._days[symbol, day].decode())) for symbol, day in changed]

    def restore(self, entry: Entry) -> None:
        """Take a day from the journal, of a session that goes on now; raise `ConfigError` where it is no such day."""
        letters = "".join(letter * int(count) for count, letter in _RUN.findall(entry.runs))
        window = self.minutes.day(entry.day)
        if window is None or len(letters) != len(window) or not _MARKS.keys() >= set(letters):
            raise ConfigError(
                f"the journal's minutes of {entry.key} are not those of that day; was the calendar another?"
            )
        self._days[entry.symbol, entry.day] = bytearray(letters, "ascii")
        followed = next((at for at, letter in enumerate(letters) if letter != Mark.OUT.value), len(letters))
        since = window.end(followed) - MINUTE
        self._since[entry.symbol] = min(since, self._since.get(entry.symbol, since))

    def summary(self, until: datetime) -> Summary:
        """Return how complete the minutes are that have ended by a time."""
        counts: dict[str, Counter[Mark]] = {symbol: Counter() for symbol in self._since}
        missing: list[Missing] = []
        for symbol, since in self._since.items():
            for window in self.minutes.days(since, until):
                ended = self._letters(symbol, window)[: max((until - window.opens) // MINUTE, 0)].decode()
                counts[symbol].update(_MARKS[each] for each in ended if each != Mark.OUT.value)
                missing.extend(_missing(symbol, window, ended))
        return Summary(counts, tuple(missing))

    def _mark(self, symbol: str, end: datetime, mark: Mark) -> None:
        window = self.minutes.window(end)
        if window is None:
            return
        key = (symbol, window.day)
        self._days[key] = self._letters(symbol, window)
        self._days[key][window.place(end)] = ord(mark.value)
        self._changed[key] = None

    def _letters(self, symbol: str, window: Window) -> bytearray:
        """Return a day's letters; all open where nothing is known of it yet."""
        if (symbol, window.day) in self._days:
            return self._days[symbol, window.day]
        out = min(max((self._since[symbol] - window.opens) // MINUTE, 0), len(window))
        return bytearray(Mark.OUT.value * out + Mark.OPEN.value * (len(window) - out), "ascii")


def _runs(letters: Iterable[str]) -> str:
    return "".join(f"{len(list(run))}{letter}" for letter, run in groupby(letters))


def _missing(symbol: str, window: Window, letters: str) -> Iterable[Missing]:
    at = 0
    for letter, run in groupby(letters):
        first, at = at, at + len(list(run))
        if letter == Mark.OPEN.value:
            yield Missing(symbol, window.end(first) - MINUTE, window.end(at - 1))
