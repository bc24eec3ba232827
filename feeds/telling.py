"""What a session is told of a live feed: each symbol's bars in order, each once, and all of it accounted for."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from feeds.gaps import SETTLE, Certified, Gaps, Handed, News, Range, Revised
from feeds.ledger import KIND, Ledger, Mark
from feeds.minutes import Minutes
from framework.columns import Columns
from framework.model import Bar, Quote, Revision, Trade
from framework.ports import Clock, Emit, Journal

RECENT, FEW = 64, 3
"""How many of the last bars tell how far this machine's clock is ahead; a few may all be late by themselves."""

log = logging.getLogger("switchback.bars")


class Telling:
    """Puts the stream's bars and history's together and emits them. Owned by the I/O thread.

    `since` is the end of the last bar that each symbol has already; one that is not in it begins now.
    `usual` is how late a bar may be; one that is later than that by this machine's clock shows that it is ahead.
    `settle` is how long after its end a minute without a bar is asked for (see `Gaps`).
    `counts` has how many bars were "revised"; what else was left out is counted by `gaps`.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        minutes: Minutes,
        clock: Clock,
        emit: Emit,
        since: Mapping[str, datetime],
        usual: timedelta = timedelta(seconds=2),
        settle: timedelta = SETTLE,
    ) -> None:
        now = clock.now()
        begins = {symbol: since.get(symbol, now) for symbol in symbols}
        self.gaps, self.ledger = Gaps(minutes, begins, settle), Ledger(minutes, begins)
        self.counts: Counter[str] = Counter()
        self._clock, self._emit, self._usual = clock, emit, usual
        self._late: deque[timedelta] = deque(maxlen=RECENT)
        self._places = {symbol: place for place, symbol in enumerate(symbols)}
        self._latest = min(begins.values(), default=now)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that are followed."""
        return tuple(self._places)

    def follows(self, symbol: str) -> bool:
        """Return whether a symbol is followed."""
        return symbol in self._places

    def follow(self, symbol: str, since: datetime) -> None:
        """Follow one more symbol, whose bars up to a time are had already."""
        self._places.setdefault(symbol, len(self._places))
        self.gaps.add({symbol: since})
        self.ledger.add({symbol: since})

    def now(self) -> datetime:
        """Return venue time, as far as bars show it: a minute that is not over there must not be certified empty."""
        return max(self._clock.now() - self.ahead, self._latest)

    @property
    def ahead(self) -> timedelta:
        """How far the clock is ahead of the venue's: every bar of late came so much later than bars do."""
        return max(min(self._late, default=timedelta()) - self._usual, timedelta())

    @property
    def is_sure(self) -> bool:
        """Whether more than a few bars show how far it is ahead."""
        return len(self._late) > FEW

    def take(self, value: Bar | Revised | Quote | Trade) -> None:
        """Take what the stream brought."""
        match value:
            case Bar():
                self._latest = max(self._latest, value.end)
                self._late.append(self._clock.now() - value.end)
                self._tell(self.gaps.receive(value))
            case Revised(bar):
                self._tell(self.gaps.revise(bar))
            case _:
                self._emit(value)

    def wanted(self, *, at_once: bool = False) -> Range | None:
        """Return what history is to be asked for; `at_once` after a connection."""
        return self.gaps.wanted(self.now(), at_once=at_once)

    def mend(self, asked: Range, bars: Mapping[str, Columns]) -> list[News]:
        """Take history's answer to what was wanted; return what it brought."""
        news = self.gaps.mend(asked, bars)
        self._tell(news)
        return news

    def skip(self) -> None:
        """Go on without what is missing: history does not answer."""
        self._tell(self.gaps.skip())

    def write(self, journal: Journal) -> None:
        """Write down the days that have changed."""
        for entry in self.ledger.changed():
            journal.append(KIND, entry.key, entry.body())

    def close(self, journal: Journal) -> None:
        """Write down the last of it, and say in the log how complete it was."""
        self.write(journal)
        summary = self.ledger.summary(self.now())
        shown = ", ".join(f"{summary.total[mark]} {mark.name.lower()}" for mark in Mark if mark in summary.total)
        log.info("minutes: %s; stretches not known: %d", shown or "none", len(summary.missing))

    def _tell(self, news: Sequence[News]) -> None:
        told = [each for each in news if not isinstance(each, Certified)]
        self.ledger.record(news)
        # By time, then by symbol: what belongs to one instant comes together.
        for each in sorted(told, key=lambda each: (each.bar.end, self._places[each.bar.symbol])):
            self.counts["revised"] += isinstance(each, Revision)
            self._emit(each.bar if isinstance(each, Handed) else each)
