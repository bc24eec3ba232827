"""From sources to feeds: every symbol's bars, the longer bars made of them, and the warm-up before them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from framework import resample
from framework.calendar import Calendar
from framework.columns import Columns, instant, joined, moment
from framework.errors import ConfigError
from framework.model import Timeframe, Unit
from framework.ports import QuoteSource, Source, Warmup
from framework.quoting import Beats, QuoteColumns, Quotes, looked_at
from framework.warmup import check_warmup, earlier

Auto = Literal["auto"]

MinimumPeriods = Callable[[Sequence[tuple[str, Timeframe]]], list[int]]
"""How many bars each feed (symbol, timeframe) must have before a strategy's first `next`."""

Periods = Mapping[tuple[str, Timeframe], int]

_LOOKS = 4
"""How often a source is asked for a longer history where thin symbols lack bars; each doubles the reach."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What one Backtrader data feed is made of. Bars that end by `opens_at` are warm-up (None: none are).

    Of quotes there are `beats`, the instants at which they are looked at, and what stood then; `bars` are its middle.
    """

    symbol: str
    timeframe: Timeframe
    calendar: Calendar
    bars: Columns
    opens_at: datetime | None
    is_resampled: bool = False
    beats: Beats | None = None
    quotes: QuoteColumns | None = None

    @property
    def name(self) -> str:
        """The feed's name in Backtrader: the symbol, and the timeframe where the feed is resampled."""
        return f"{self.symbol} {self.timeframe}" if self.is_resampled else self.symbol

    @property
    def warm(self) -> int:
        """How many of the bars are warm-up."""
        return 0 if self.opens_at is None else len(self.bars.between(None, self.opens_at))


def fed(
    sources: Sequence[Source], longer: Sequence[Timeframe], warmup: Warmup | Auto, need: MinimumPeriods
) -> list[Feed]:
    """Return the feeds of a run: each symbol's own bars first, then each longer timeframe of each symbol."""
    _check(sources, longer)
    if warmup != "auto":
        check_warmup(warmup)
    periods: Periods = {}
    if is_auto(sources, warmup):
        kinds = kinds_of(sources, longer)
        periods = dict(zip(kinds, need(kinds), strict=True))
    flat = [feed for source in sources for feed in _of_source(source, longer, warmup, periods)]
    return sorted(flat, key=lambda feed: longer.index(feed.timeframe) + 1 if feed.is_resampled else 0)


def at_least_one(warmup: Warmup | Auto, need: MinimumPeriods) -> tuple[Warmup | Auto, MinimumPeriods]:
    """Ask for a bar before the first: what was held before has a price, and a signal need not wait for one."""
    return warmup or 1, lambda kinds: [max(periods, 2) for periods in need(kinds)]


def is_auto(sources: Sequence[Source], warmup: Warmup | Auto) -> bool:
    """Return whether the history before the start depends on what the strategy needs."""
    return warmup == "auto" and any(source.start is not None for source in sources)


def beats_of(feeds: Iterable[Feed]) -> Beats | None:
    """Return the instants that a run's clock has, None where it goes by its bars."""
    return next((feed.beats for feed in feeds if feed.beats is not None), None)


def kinds_of(sources: Sequence[Source], longer: Sequence[Timeframe]) -> list[tuple[str, Timeframe]]:
    """Return each feed's symbol and timeframe, the symbols' own bars first."""
    own = [(symbol, source.timeframe) for source in sources for symbol in source.symbols]
    return own + [(symbol, target) for target in longer for symbol, _ in own]


def waiting(feeds: Sequence[Feed], periods: Periods) -> str:
    """Return what `next` waits for at the start, such as "XYZ: 3 of 21 bars", or an empty string."""
    return ", ".join(
        f"{feed.name}: {feed.warm} of {periods[feed.symbol, feed.timeframe]} bars"
        for feed in feeds
        if feed.opens_at is not None and feed.warm + (not feed.is_resampled) < periods[feed.symbol, feed.timeframe]
    )


def _check(sources: Sequence[Source], longer: Sequence[Timeframe]) -> None:
    symbols = [symbol for source in sources for symbol in source.symbols]
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)} comes from more than one source; give each symbol one source")
    if len(set(longer)) < len(longer):
        raise ConfigError(f"resample names a timeframe twice: {', '.join(map(str, longer))}")
    if len([each for each in sources if isinstance(each, QuoteSource)]) > 1:
        raise ConfigError("a run has one clock, and so one source of quotes; give it all of the symbols")
    for source in sources:
        for target in longer:
            _check_longer(source, target)


def _check_longer(source: Source, target: Timeframe) -> None:
    if isinstance(source, QuoteSource):
        raise ConfigError(f"resample={target}: quotes are not made into bars; leave resample out, or give bars")
    resample.check(source.timeframe, target)


def _of_source(source: Source, longer: Sequence[Timeframe], warmup: Warmup | Auto, periods: Periods) -> list[Feed]:
    if isinstance(source, QuoteSource):
        return _of_quotes(source, source.quoted())
    if source.start is None:
        return _feeds(source, longer, source.history())
    if warmup == "auto":
        return _reaching(source, longer, periods) if longer else _minimal(source, periods)
    return _feeds(source, longer, _cut(source, source.history(warmup), dict.fromkeys(source.symbols, warmup)))


def _of_quotes(source: QuoteSource, quoted: Mapping[str, Quotes]) -> list[Feed]:
    """Look at quotes at the source's instants; raise `ConfigError` where there are none."""
    columns = looked_at(quoted, source.beats)
    lacking = [symbol for symbol, found in columns.items() if not len(found)]
    if lacking:
        raise ConfigError(f"there are no quotes of {', '.join(lacking)}; try other days, or quotes of bars: BarQuotes")
    what = (source.timeframe, source.calendar)
    return [
        Feed(symbol, *what, found.mids(), source.start, beats=source.beats, quotes=found)
        for symbol, found in columns.items()
    ]


def _minimal(source: Source, periods: Periods) -> list[Feed]:
    """Ask for as many bars before the start as let `next` begin with the first bar after it."""
    before = {symbol: periods[symbol, source.timeframe] - 1 for symbol in source.symbols}
    return _feeds(source, (), _cut(source, source.history(max(before.values())), before))


def _reaching(source: Source, longer: Sequence[Timeframe], periods: Periods) -> list[Feed]:
    """Ask for as much history as makes every longer timeframe's bars enough, and again where it was not."""
    assert source.start is not None
    days = max(_days(timeframe, period, source.calendar) for (_, timeframe), period in periods.items())
    feeds: list[Feed] = []
    history: Mapping[str, Columns] = {}
    for look in range(_LOOKS):
        lead = source.start - _days_before(source.start, days * 2**look, source.calendar)
        history = source.history(lead)
        found = _feeds(source, longer, history)
        grew = not feeds or sum(feed.warm for feed in found) > sum(feed.warm for feed in feeds)
        feeds = found
        if not grew or not waiting(feeds, periods):
            break
    first = min((_needed_after(feed, periods) for feed in feeds), default=None, key=_earliest)
    return _feeds(source, longer, {symbol: bars.between(first, None) for symbol, bars in history.items()})


def _needed_after(feed: Feed, periods: Periods) -> datetime | None:
    """Return the end of the bar before the first that a feed's warm-up needs; None where all are needed."""
    spare = feed.warm - periods[feed.symbol, feed.timeframe]
    return moment(feed.bars.end[spare - 1]) if spare > 0 else None


def _earliest(at: datetime | None) -> datetime:
    return at or datetime.min.replace(tzinfo=UTC)


def _days(timeframe: Timeframe, bars: int, calendar: Calendar) -> int:
    """Return how many trading days hold that many bars, and one more for where the first begins."""
    if timeframe.length is None:
        return 1 + bars * timeframe.amount * {Unit.DAY: 1, Unit.WEEK: 5, Unit.MONTH: 23}[timeframe.unit]
    windows = calendar.windows
    typical = np.median((windows.closes - windows.opens).astype(np.int64)) / 1e6
    return 1 + math.ceil(bars * timeframe.length.total_seconds() / typical)


def _days_before(start: datetime, days: int, calendar: Calendar) -> datetime:
    windows = calendar.windows
    index = int(np.searchsorted(windows.closes, instant(start), side="right")) - days
    return moment(windows.opens[max(index, 0)])


def _feeds(source: Source, longer: Sequence[Timeframe], history: Mapping[str, Columns]) -> list[Feed]:
    until = _until(source, history)
    own = [Feed(symbol, source.timeframe, source.calendar, history[symbol], source.start) for symbol in source.symbols]
    made = [
        replace(
            feed,
            timeframe=target,
            bars=resample.resampled(feed.bars, feed.timeframe, target, feed.calendar, until),
            is_resampled=True,
        )
        for target in longer
        for feed in own
    ]
    return own + made


def _until(source: Source, history: Mapping[str, Columns]) -> datetime:
    """Return the instant up to which the history is complete, so that no longer bar is delivered half done."""
    last = max(
        (moment(bars.end[-1]) for bars in history.values() if len(bars)), default=datetime.min.replace(tzinfo=UTC)
    )
    return last if source.end is None else max(last, min(source.end, datetime.now(UTC)))


def _cut(source: Source, history: Mapping[str, Columns], before: Mapping[str, Warmup]) -> dict[str, Columns]:
    """Keep no more warm-up of each symbol than was asked for."""
    return {
        symbol: joined([earlier(bars, source.start, before[symbol]), bars.between(source.start, None)])
        for symbol, bars in history.items()
    }
