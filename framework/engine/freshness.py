"""How old prices are: which instants are played late, and what a strategy is told of those that were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from framework.engine.live_data import LiveData, ended_at
from framework.engine.translate import symbol_of
from framework.live.clock import pace
from framework.live.missed import Missed
from framework.ports import Clock


class Freshness:
    """Owned by the engine's thread. `stale` is for how many seconds after its end a bar's prices are those of now.

    `latest` is the last instant of bars that was played.
    """

    def __init__(self, clock: Clock, stale: float) -> None:
        self.latest: datetime | None = None
        self._clock, self._stale = clock, stale
        self._at: datetime | None = None
        self._down: set[str] = set()
        self._missed = Missed()

    @contextmanager
    def playing(self, at: datetime, *, is_new: bool = True) -> Iterator[None]:
        """Let the prices be those of an instant; one that is not new is told of once more."""
        before, self._at = self._at, at
        if is_new:
            self.latest = at
        try:
            yield
        finally:
            self._at = before

    def note(self, at: datetime, rows: Iterable[LiveData]) -> bool:
        """Let feeds know whether these bars are those of now; return whether they are too late."""
        datas, late = list(rows), self.late(at)
        for data in datas:
            data.become(LiveData.DELAYED if late > 0 else LiveData.LIVE)
        if late > 0 and datas:
            self._missed = self._missed.with_instant(at, [symbol_of(data) for data in datas])
            return True
        return False

    def link(self, stream: str, is_up: bool) -> bool:
        """Note that a stream of prices went up or down; return whether all are up now."""
        (self._down.discard if is_up else self._down.add)(stream)
        return not self._down

    def missed(self) -> Missed:
        """Take what was played late and has not been told."""
        missed, self._missed = self._missed, Missed()
        return missed

    def late(self, at: datetime) -> float:
        """Return how many seconds too old is what ended at `at`; 0 where it is fresh."""
        age = (self._clock.now() - at).total_seconds()
        return age if age > self._stale * max(pace(self._clock), 1.0) else 0.0

    def age(self, data: Any) -> float:
        """Return by how many seconds a feed's prices are too old to open a position on, 0 where they are new."""
        if self._at is not None:
            return self.late(self._at)
        if self.latest is None:
            return self._age_of_history(data)
        return max((self._clock.now() - self.latest).total_seconds(), 1.0) if self._down else 0.0

    def _age_of_history(self, data: Any) -> float:
        """Before the first bar: the next one after the history's last has to be due, at most."""
        if not len(data):
            return float("inf")
        length = data.unit.length or timedelta()
        return self.late(ended_at(data) + length)
