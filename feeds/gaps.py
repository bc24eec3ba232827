"""What a stream left out, and how it is made good: each symbol's bars in order, each once. Pure.

A venue's streams have no replay and no numbers, so what is missing is seen on the calendar alone: a
minute that has ended without a bar was empty, or lost. REST is asked which; until it has answered, later
bars of the symbol are held. Every `now` is the venue's time, aware UTC.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from feeds.minutes import MINUTE, Minutes
from framework.columns import Columns, moment
from framework.errors import ConfigError
from framework.model import Bar, Revision

SETTLE = timedelta(seconds=10)
"""How long after its end a minute is final: its bar is in the stream after a second, and in history."""

REMEMBERED = 500
"""How many bars of a symbol are remembered, to tell a revision from a bar that comes twice: more than a day's."""


class Origin(enum.Enum):
    """How a bar came."""

    LIVE = "received"
    BACKFILLED = "backfilled"


@dataclass(frozen=True, slots=True)
class Revised:
    """A bar that was told before, made again with the trades that were reported late."""

    bar: Bar


@dataclass(frozen=True, slots=True)
class Handed:
    """A bar in its turn: later than all that were handed on of its symbol."""

    bar: Bar
    origin: Origin


@dataclass(frozen=True, slots=True)
class Certified:
    """Minutes of a symbol without a bar: the venue was asked for them when they were final, and had none."""

    symbol: str
    ends: tuple[datetime, ...]


News = Handed | Revision | Certified


@dataclass(frozen=True, slots=True)
class Range:
    """What is to be asked of REST: the bars of `symbols` with `after` < end <= `until`, as a `BarsQuery` has them."""

    symbols: tuple[str, ...]
    after: datetime
    until: datetime


@dataclass(slots=True)
class _Track:
    """One symbol: `turn` is the minute that comes next, and `held` is what came before its turn.

    `passed` are minutes that were not waited for any longer, and whose bars may still be found.
    """

    since: datetime
    turn: datetime
    held: dict[datetime, Handed] = field(default_factory=dict)
    told: dict[datetime, Bar] = field(default_factory=dict)
    passed: set[datetime] = field(default_factory=set)

    @property
    def first(self) -> datetime:
        """The first minute of which nothing is known."""
        return min(self.passed, default=self.turn)


class Gaps:
    """Puts live and backfilled bars of many symbols together. Owned by the I/O thread.

    `since` tells, for each symbol, the end of the last bar that it has already (of its history).
    `settle`, a minute at the most, is how long after its end REST is asked for a minute without a bar, and believed.
    `counts` has what was left out: "duplicate", "outside" of the hours kept, and "old", from before `since`.
    """

    def __init__(self, minutes: Minutes, since: Mapping[str, datetime], settle: timedelta = SETTLE) -> None:
        if not timedelta() < settle <= MINUTE:
            raise ConfigError(f"settle {settle} is not between nothing and a minute; try {SETTLE.seconds} seconds")
        self.minutes, self.settle = minutes, settle
        self.counts: Counter[str] = Counter()
        self._tracks: dict[str, _Track] = {}
        self.add(since)

    def add(self, since: Mapping[str, datetime]) -> None:
        """Follow these symbols too."""
        for symbol, at in since.items():
            self._tracks.setdefault(symbol, _Track(at, self.minutes.following(at)))

    def told_until(self, symbol: str) -> datetime:
        """Return up to when a symbol's bars have been handed on, or passed."""
        return self._tracks[symbol].turn - MINUTE

    def complete(self, until: datetime, bars: Columns) -> datetime:
        """Return up to when REST's answer for the time until then tells all: what is final, or has a bar."""
        final = (until - self.settle).replace(second=0, microsecond=0)
        return max(final, moment(bars.end[-1])) if len(bars) else final

    @property
    def held(self) -> int:
        """How many bars wait for what is before them."""
        return sum(len(each.held) for each in self._tracks.values())

    def receive(self, bar: Bar) -> list[News]:
        """Take a live bar; return what is handed on, nothing where something is missing before it."""
        track = self._tracks[bar.symbol]
        if not self._counts(track, bar):
            return []
        # A plain bar never changes what was told: news of a minute come as a revision, or from REST.
        if bar.end in track.held or bar.end in track.told:
            self.counts["duplicate"] += 1
            return []
        return self._take(track, Handed(bar, Origin.LIVE))

    def revise(self, bar: Bar) -> list[News]:
        """Take a bar that was made again; one that is still held is replaced, and told once."""
        track = self._tracks[bar.symbol]
        if not self._counts(track, bar):
            return []
        before = track.held.get(bar.end)
        return self._take(track, Handed(bar, before.origin if before else Origin.LIVE))

    def wanted(self, now: datetime, *, at_once: bool = False) -> Range | None:
        """Return what REST is to be asked for, None where nothing is missing.

        That is a minute that is final without a bar, or before one that is held; with `at_once`, as after a
        connection, every minute that has ended. Ask one range at a time; what fails may be asked again.
        """
        behind = {symbol: track for symbol, track in self._tracks.items() if self._is_missing(track, now, at_once)}
        if not behind:
            return None
        # A bar that was told shows how late it is at the venue, should the clock here be slow.
        until = max([now, *(end for track in behind.values() for end in track.held)])
        return Range(tuple(behind), min(track.first for track in behind.values()) - MINUTE, until)

    def deadline(self) -> datetime | None:
        """Return when `wanted` will next have something if no bar comes."""
        return min((track.first + self.settle for track in self._tracks.values()), default=None)

    def mend(self, asked: Range, bars: Mapping[str, Columns]) -> list[News]:
        """Take REST's answer to a range that was `wanted`. What was final and is not in it is certified empty."""
        final = asked.until - self.settle
        news: list[News] = []
        for symbol in asked.symbols:
            track = self._tracks[symbol]
            for bar in _bars(symbol, bars.get(symbol, Columns.empty())):
                news.extend(self._backfill(track, bar))
            empty = sorted(end for end in track.passed if asked.after < end <= final)
            track.passed.difference_update(empty)
            # An answer that begins later says nothing of a minute whose turn it is.
            news.extend(self._drain(track, empty, final if asked.after < track.turn else None))
            if empty:
                news.append(Certified(symbol, tuple(empty)))
        return news

    def skip(self) -> list[News]:
        """Go on without what is missing before held bars: REST does not answer. It is wanted still, and stays open."""
        news: list[News] = []
        for track in self._tracks.values():
            if track.held:
                skipped: list[datetime] = []
                news.extend(self._drain(track, skipped, max(track.held)))
                track.passed.update(skipped)
        return news

    def _is_ours(self, track: _Track, bar: Bar) -> bool:
        return bar.end > track.since and self.minutes.window(bar.end) is not None

    def _counts(self, track: _Track, bar: Bar) -> bool:
        """Return whether a live bar is one of ours; count one that is not."""
        is_ours = self._is_ours(track, bar)
        if not is_ours:
            self.counts["old" if bar.end <= track.since else "outside"] += 1
        return is_ours

    def _take(self, track: _Track, handed: Handed) -> list[News]:
        if handed.bar.end < track.turn:
            return self._late(track, handed.bar)
        track.held[handed.bar.end] = handed
        return list(self._drain(track, [], None))

    def _is_missing(self, track: _Track, now: datetime, at_once: bool) -> bool:
        wait = timedelta() if at_once else self.settle
        return bool(track.held) or track.first + wait <= now

    def _backfill(self, track: _Track, bar: Bar) -> Iterator[News]:
        """Take a bar of REST, which knows better than what came before it."""
        if not self._is_ours(track, bar):
            return
        if bar.end < track.turn:
            if track.told.get(bar.end) != bar:
                yield from self._late(track, bar)
            return
        live = track.held.get(bar.end)
        if live is None or live.bar != bar:
            track.held[bar.end] = Handed(bar, live.origin if live else Origin.BACKFILLED)

    def _late(self, track: _Track, bar: Bar) -> list[News]:
        """Return a bar whose turn has gone, as a revision; one from beyond memory cannot be told from a duplicate."""
        was = track.told.get(bar.end)
        forgotten = len(track.told) >= REMEMBERED and bar.end < next(iter(track.told))
        if was == bar or (forgotten and bar.end not in track.passed):
            self.counts["duplicate"] += 1
            return []
        track.passed.discard(bar.end)
        track.told[bar.end] = bar
        return [Revision(bar, was)]

    def _drain(self, track: _Track, without: list[datetime], final: datetime | None) -> Iterator[News]:
        """Hand on the bars whose turn it is; a minute up to `final` that has none is passed, and added to `without`."""
        while track.turn in track.held or (final is not None and track.turn <= final):
            if handed := track.held.pop(track.turn, None):
                self._remember(track, handed.bar)
                yield handed
            else:
                without.append(track.turn)
            track.turn = self.minutes.following(track.turn)

    def _remember(self, track: _Track, bar: Bar) -> None:
        track.told[bar.end] = bar
        while len(track.told) > REMEMBERED:
            del track.told[next(iter(track.told))]


def _bars(symbol: str, found: Columns) -> Iterator[Bar]:
    values = (getattr(found, name).tolist() for name in ("open", "high", "low", "close", "volume"))
    for end, open_, high, low, close, volume in zip(found.end, *values, strict=True):
        yield Bar(symbol, moment(end), open_, high, low, close, volume)
