"""Bars up to now: what a live session's warm-up is made of, and what of a source's range counts live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from framework.calendar import Calendar
from framework.columns import Columns
from framework.feeding import Auto, Feed, MinimumPeriods, fed
from framework.model import Timeframe
from framework.ports import LiveSource, QuoteSource, Warmup


@dataclass(frozen=True, slots=True)
class UpTo:
    """A live source as it is at an instant: all of its bars are warm-up."""

    source: LiveSource
    at: datetime

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.source.symbols

    @property
    def timeframe(self) -> Timeframe:
        return self.source.timeframe

    @property
    def calendar(self) -> Calendar:
        return self.source.calendar

    @property
    def start(self) -> datetime:
        return self.at

    @property
    def end(self) -> datetime:
        return self.at

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return each symbol's last bars."""
        return self.source.before(self.at, warmup)


def warmed(
    sources: Sequence[LiveSource],
    at: datetime,
    longer: Sequence[Timeframe],
    warmup: Warmup | Auto,
    need: MinimumPeriods,
) -> list[Feed]:
    """Return the feeds of a session that begins at a time; a source's `start` begins the warm-up, if that is longer."""
    quoted = [each for each in sources if isinstance(each, QuoteSource)]
    upto = [UpTo(source, at) for source in sources if source not in quoted]
    fresh = [_unquoted(source, symbol, at) for source in quoted for symbol in source.symbols]
    return [*_with_history(upto, at, longer, warmup, need), *fresh] if upto else fresh


def _unquoted(source: QuoteSource, symbol: str, at: datetime) -> Feed:
    """Return the feed of quotes that are still to come."""
    return Feed(symbol, source.timeframe, source.calendar, Columns.empty(), at, beats=source.beats)


def _with_history(
    upto: Sequence[UpTo], at: datetime, longer: Sequence[Timeframe], warmup: Warmup | Auto, need: MinimumPeriods
) -> list[Feed]:
    feeds = fed(upto, longer, warmup, need)
    sources = [each.source for each in upto]
    starts = [source.start for source in sources if source.start is not None and source.start < at]
    if not starts:
        return feeds
    since = fed(upto, longer, at - min(starts), need)
    return max(since, feeds, key=lambda each: sum(feed.warm for feed in each))


def unheeded(sources: Sequence[LiveSource], at: datetime) -> list[str]:
    """Return what was asked of the sources that counts for nothing live, in sentences."""
    told = []
    for source in sources:
        name = ", ".join(source.symbols)
        if source.end is not None:
            told.append(f"{name}: end={source.end:%Y-%m-%d} is a backtest's; the session goes on until it is stopped")
        if source.start is not None and source.start >= at:
            told.append(f"{name}: start={source.start:%Y-%m-%d} is still to come; the session begins now")
    return told
