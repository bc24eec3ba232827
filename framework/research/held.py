"""Sources that were loaded once: every run of a sweep asks them, and no disk and no network again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from framework.calendar import Calendar
from framework.columns import Columns, instant
from framework.errors import ConfigError
from framework.model import Signals, Timeframe
from framework.ports import Rules, SignalSource, Source, Warmup


@dataclass(frozen=True, slots=True, eq=False)
class HeldBars:
    """The bars of a source, with the longest warm-up that was asked for: as a `Source`, it answers what the other did.

    `end` is no later than when they were loaded: what is complete then stays so, however long the sweep takes.
    """

    symbols: tuple[str, ...]
    timeframe: Timeframe
    calendar: Calendar
    start: datetime | None
    end: datetime | None
    bars: Mapping[str, Columns]
    reach: Warmup

    def history(self, warmup: Warmup = 0) -> dict[str, Columns]:
        """Return each symbol's bars, preceded by `warmup` earlier ones; views, not copies."""
        if is_further(warmup, self.reach):
            raise ConfigError(
                f"a warm-up of {warmup} was asked for, and {self.reach} was loaded; does __init__ change?"
            )
        return {symbol: bars[self._first(bars, warmup) :] for symbol, bars in self.bars.items()}

    def before(self, warmup: Warmup) -> dict[str, Columns]:
        """Return each symbol's warm-up alone."""
        if self.start is None:
            return {symbol: Columns.empty() for symbol in self.symbols}
        return {symbol: bars.between(None, self.start) for symbol, bars in self.history(warmup).items()}

    def after(self) -> dict[str, Columns]:
        """Return each symbol's bars without any warm-up."""
        return {symbol: bars.between(self.start, None) for symbol, bars in self.bars.items()}

    def within(self, start: datetime, end: datetime) -> HeldBars:
        """Return a source from `start` to `end`: what is before is its history, and what is after it does not have."""
        bars = {symbol: each.between(None, end) for symbol, each in self.bars.items()}
        return replace(self, start=start, end=end, bars=bars)

    def _first(self, bars: Columns, warmup: Warmup) -> int:
        if self.start is None:
            return 0
        if isinstance(warmup, timedelta):
            return int(np.searchsorted(bars.end, instant(self.start - warmup), side="right"))
        return max(0, int(np.searchsorted(bars.end, instant(self.start), side="right")) - warmup)


class LoadedBars:
    """A source that is asked for more only where more is needed than is there; `asked` is the last warm-up."""

    def __init__(self, source: Source) -> None:
        self.symbols, self.timeframe, self.calendar = source.symbols, source.timeframe, source.calendar
        self.start, self.end = source.start, _past(source.end)
        self.asked: Warmup = 0
        self._source = source
        self._held: HeldBars | None = None

    def history(self, warmup: Warmup = 0) -> dict[str, Columns]:
        """Return what the source has, as `Source.history` does."""
        self.asked = warmup
        if self._held is None or is_further(warmup, self._held.reach):
            bars = self._source.history() if self.start is None else self._source.history(warmup)
            what = (self.symbols, self.timeframe, self.calendar, self.start, self.end)
            self._held = HeldBars(*what, dict(bars), warmup)
        return self._held.history(warmup)

    @property
    def held(self) -> HeldBars:
        """What was loaded."""
        assert self._held is not None
        return self._held


class PartOfBars:
    """What another source has from `start` to `end`: it may ask that one for more history, never for what is later."""

    def __init__(self, whole: LoadedBars, start: datetime, end: datetime) -> None:
        self.symbols, self.timeframe, self.calendar = whole.symbols, whole.timeframe, whole.calendar
        self.start, self.end = start, end
        self._whole = whole

    def history(self, warmup: Warmup = 0) -> dict[str, Columns]:
        """Return what the other has, as `Source.history` does."""
        self._whole.history(warmup)
        return self._whole.held.within(self.start, self.end).history(warmup)


def is_further(warmup: Warmup, reach: Warmup) -> bool:
    """Return whether a warm-up may need bars that are before those of `reach`."""
    if isinstance(warmup, timedelta):
        return not isinstance(reach, timedelta) or warmup > reach
    return warmup > (0 if isinstance(reach, timedelta) else reach)


def _past(end: datetime | None) -> datetime | None:
    return None if end is None else min(end, datetime.now(UTC))


@dataclass(frozen=True, slots=True, eq=False)
class HeldSignals:
    """The signals of a source, as a `SignalSource` of its own."""

    publisher: str
    algorithms: tuple[str, ...]
    told: tuple[Signals, ...]

    def history(self, after: datetime | None = None, until: datetime | None = None) -> Sequence[Signals]:
        """Return what was received with `after` < at <= `until`."""
        return [
            each for each in self.told if (after is None or each.at > after) and (until is None or each.at <= until)
        ]


class LoadedSignals:
    """A source of signals that is asked once: every run of a sweep asks it for the same span."""

    def __init__(self, source: SignalSource) -> None:
        self.publisher, self.algorithms = source.publisher, source.algorithms
        self._source = source
        self._held: HeldSignals | None = None

    def history(self, after: datetime | None = None, until: datetime | None = None) -> Sequence[Signals]:
        """Return what the source has, as `SignalSource.history` does."""
        if self._held is None:
            self._held = HeldSignals(self.publisher, self.algorithms, tuple(self._source.history(after, until)))
        return self._held.history(after, until)

    @property
    def held(self) -> HeldSignals:
        """What was loaded."""
        assert self._held is not None
        return self._held


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a backtest needs of a venue: its rules. Its keys stay where they are."""

    rules: Rules
