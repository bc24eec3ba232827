"""Bars of one instant, collected into one slice: what reaches the engine as one `next`. Pure; time is an argument.

A backtest knows all bars of an instant; live they come one by one. A slice goes when every series has
come that is awaited, or after the grace period; a bar that comes later makes a slice of its own.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile

from framework.errors import ConfigError
from framework.model import MINUTE, Bar, Timeframe

GRACE = 0.25
"""Seconds for which an instant waits for its other bars, from its first."""

REMEMBERED = 500
"""How many instants that have gone are remembered, to know a bar that comes twice."""

Series = tuple[str, Timeframe]
"""A symbol's bars of one length."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slice:
    """The bars that end at one instant, in the order of the slicer's series.

    `is_late` where the instant's slice, or that of a later instant, had gone before these came.
    """

    at: datetime
    bars: tuple[Bar, ...]
    is_late: bool = False

    def bar(self, symbol: str) -> Bar | None:
        """Return a symbol's bar; its shortest, where it has bars of several lengths."""
        return next((each for each in self.bars if each.symbol == symbol), None)


@dataclass(slots=True)
class _Instant:
    """An instant that waits: until when, for which series still, and what has come."""

    until: float
    awaited: set[Series]
    bars: dict[Series, Bar] = field(default_factory=dict)


class Slicer:
    """Collects bars into slices, instants strictly in order. Owned by one thread, whichever it is.

    `series` are symbols (of minute bars) or pairs of symbol and timeframe. Longer bars are awaited only
    at instants that are a multiple of their length; elsewhere (at an early close) they are taken along
    if they come in time. `grace` is in seconds, and every `now` in seconds of one clock that never goes back.

    `late` and `duplicates` count what came after its slice had gone, and what came twice.
    """

    def __init__(self, series: Iterable[str | Series], grace: float = GRACE) -> None:
        if not 0 <= grace < float("inf"):
            raise ConfigError(f"grace {grace} is no waiting time; try grace={GRACE} (seconds)")
        self.grace = grace
        self.late = self.duplicates = 0
        self._series: dict[Series, int] = {}
        self._keys: dict[Series, Series] = {}  # one of each, for it is remembered with every instant
        self._waiting: dict[datetime, _Instant] = {}  # as they came, and so by their time to go
        self._order: list[datetime] = []
        self._gone: dict[datetime, set[Series]] = {}
        self._excused: dict[str, datetime] = {}
        self._latest: datetime | None = None
        self.expect(series)

    def expect(self, series: Iterable[str | Series]) -> None:
        """Await these series too, from the next instant on."""
        for each in series:
            named = (each, MINUTE) if isinstance(each, str) else each
            self._series.setdefault(named, len(self._series))
        lengths = [each.length for _, each in self._series if each.length]
        self._shortest = min(lengths, default=None)
        self._is_mixed = len({timeframe for _, timeframe in self._series}) > 1

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols of all series."""
        return frozenset(symbol for symbol, _ in self._series)

    def add(self, bar: Bar, now: float) -> list[Slice]:
        """Take a bar; return the slices that go now, earliest first (a late one is alone, before them)."""
        key = self._keys.setdefault((bar.symbol, bar.timeframe), (bar.symbol, bar.timeframe))
        if self._has(bar.end, key):
            self.duplicates += 1
            return self.due(now)
        if self._latest is not None and bar.end <= self._latest:
            self.late += 1
            self._remember(bar.end, {key})
            return [Slice(bar.end, (bar,), is_late=True), *self.due(now)]
        waiting = self._waiting.get(bar.end) or self._begin(bar.end, now)
        waiting.bars[key] = bar
        waiting.awaited.discard(key)
        return self.due(now)

    def excuse(self, symbol: str, since: datetime, now: float) -> list[Slice]:
        """Await no bar of a symbol that begins at a time or later: it is halted; return the slices that go now.

        A bar that comes all the same is taken along. `expect_again` ends it.
        """
        self._excused[symbol] = since
        for at, waiting in self._waiting.items():
            waiting.awaited = self._not_excused(waiting.awaited, at)
        return self.due(now)

    def expect_again(self, symbol: str) -> None:
        """Await a symbol again, from the next instant on."""
        self._excused.pop(symbol, None)

    def due(self, now: float) -> list[Slice]:
        """Return the slices that go now: the complete, and those that have waited for long enough."""
        until = self._waited(now)
        gone = []
        while self._order and self._goes(self._order[0], until):
            gone.append(self._go(self._order.pop(0)))
        return gone

    def deadline(self) -> float | None:
        """Return when `due` will next have something if nothing comes, None where nothing waits."""
        return next((each.until for each in self._waiting.values()), None)

    def _waited(self, now: float) -> datetime | None:
        """Return the last instant that has waited for long enough; earlier ones that have not go along with it."""
        waited = (at for at, _ in takewhile(lambda each: each[1].until <= now, self._waiting.items()))
        return max(waited, default=None)

    def _goes(self, at: datetime, until: datetime | None) -> bool:
        return not self._waiting[at].awaited or (until is not None and at <= until)

    def _go(self, at: datetime) -> Slice:
        bars = self._waiting.pop(at).bars
        self._latest = at
        self._remember(at, set(bars))
        ranked = sorted(bars, key=lambda key: self._series.get(key, len(self._series)))
        return Slice(at, tuple(bars[key] for key in ranked))

    def _begin(self, at: datetime, now: float) -> _Instant:
        awaited = set(self._series)
        if self._is_mixed:
            awaited = {each for each in self._series if self._is_awaited(each[1], at)}
        self._waiting[at] = begun = _Instant(now + self.grace, self._not_excused(awaited, at))
        insort(self._order, at)
        return begun

    def _not_excused(self, series: set[Series], at: datetime) -> set[Series]:
        if not self._excused:
            return series
        return {each for each in series if (since := self._excused.get(each[0])) is None or _begun(at, each[1]) < since}

    def _is_awaited(self, timeframe: Timeframe, at: datetime) -> bool:
        length = timeframe.length
        if length is None:
            return self._shortest is None
        return length == self._shortest or not (at - _EPOCH) % length

    def _has(self, at: datetime, key: Series) -> bool:
        waiting = self._waiting.get(at)
        return key in self._gone.get(at, ()) or (waiting is not None and key in waiting.bars)

    def _remember(self, at: datetime, keys: set[Series]) -> None:
        self._gone.setdefault(at, set()).update(keys)
        while len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]


def _begun(at: datetime, timeframe: Timeframe) -> datetime:
    """Return when a bar that ends at a time has begun; one of no fixed length counts as begun long ago."""
    return _EPOCH if timeframe.length is None else at - timeframe.length
