"""Bars up to now: what a live session's warm-up is made of, as a `Source` whose start is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from framework.calendar import Calendar
from framework.columns import Columns
from framework.model import Timeframe
from framework.ports import LiveSource, Warmup


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
