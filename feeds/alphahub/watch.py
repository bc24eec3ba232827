"""When to look: the times at which history is asked, and those by which a signal should have come. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_SATURDAY = 5


def is_weekday(day: date) -> bool:
    """Return whether a day is none of a weekend."""
    return day.weekday() < _SATURDAY


@dataclass(frozen=True, slots=True)
class Watch:
    """What is expected of an algorithm, by the clock of `zone`.

    History is asked each `every`, and each `often` from `around` before the `usual` time to as long after it. On a
    day that `is_day` a signal should have come `by` then. Either time may be None.
    """

    zone: tzinfo = UTC
    usual: time | None = None
    by: time | None = None
    every: timedelta = timedelta(minutes=4)
    often: timedelta = timedelta(seconds=30)
    around: timedelta = timedelta(minutes=15)
    is_day: Callable[[date], bool] = is_weekday

    def next_look(self, last: datetime) -> datetime:
        """Return when history is asked again, where it was asked last at `last`."""
        at = last + self.every
        for begin, end in self._windows(last):
            if begin <= last < end:
                return min(at, last + self.often)
            if last < begin:
                at = min(at, begin)
        return at

    def next_alarm(self, after: datetime) -> datetime | None:
        """Return the next instant by which a signal should have come, None where nobody said."""
        if self.by is None:
            return None
        today = after.astimezone(self.zone).date()
        days = (today + timedelta(days=number) for number in range(15))
        due = (self._at(day, self.by) for day in days if self.is_day(day))
        return next((each for each in due if each > after), None)

    def day_of(self, at: datetime) -> date:
        """Return the day that an instant belongs to."""
        return at.astimezone(self.zone).date()

    def _windows(self, near: datetime) -> list[tuple[datetime, datetime]]:
        if self.usual is None:
            return []
        today = self.day_of(near)
        middles = [self._at(today + timedelta(days=number), self.usual) for number in (-1, 0, 1)]
        return [(each - self.around, each + self.around) for each in middles]

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)
