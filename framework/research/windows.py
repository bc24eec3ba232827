"""The windows of a walk-forward: trading days to choose parameters on, and those after them to try these on. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from framework.calendar import Calendar, Days
from framework.errors import ConfigError

Sessions = str | int
"""So many trading sessions of the exchange: 60, or "60D"."""


@dataclass(frozen=True, slots=True)
class Part:
    """Trading days from `first` to `last`, both included: the bars with `start` < end <= `end` (aware)."""

    first: date
    last: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """The part on which parameters are chosen, and the one after it on which they are tried."""

    train: Part
    test: Part


def sessions_in(asked: Sessions, name: str) -> int:
    """Return a number of trading sessions; raise `ConfigError`, naming the keyword, where it is none."""
    found = re.fullmatch(r"\s*(\d+)\s*[Dd]?\s*", asked) if isinstance(asked, str) else None
    count = int(found[1]) if found else asked
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ConfigError(f'{name}={asked!r} is no number of trading sessions; try {name}="20D", or 20')
    return count


def windows_of(
    days: Days,
    calendar: Calendar,
    train: int,
    test: int,
    *,
    anchored: bool,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Window]:
    """Return the windows over these trading days, each test part right after the one before.

    The first trains on the first `train` days. Then all moves on by `test` days; `anchored` leaves the beginning of
    the train part where it is. The last test part has what days are left. No part begins before `since`, or ends after
    `until`. Raise `ConfigError` where not one day is left to test on.
    """
    if len(days) <= train:
        raise ConfigError(
            f"{len(days)} trading sessions are too few to train on {train} and test on the next; "
            "give the source more, or take a shorter train part"
        )
    found = []
    for first in range(train, len(days), test):
        begin, after = 0 if anchored else first - train, min(first + test, len(days))
        parts = [_part(days, calendar, *each) for each in ((begin, first), (first, after))]
        found.append(Window(*(_within(each, since, until) for each in parts)))
    return found


def _part(days: Days, calendar: Calendar, first: int, after: int) -> Part:
    """Return the days from one number on to before another; it ends when the next one begins, and leaves no gap."""
    opens, last = days[first].item(), days[after - 1].item()
    end = days[after].item() if after < len(days) else last + timedelta(days=1)
    return Part(opens, last, calendar.midnight(opens), calendar.midnight(end))


def _within(part: Part, since: datetime | None, until: datetime | None) -> Part:
    return replace(part, start=max(part.start, since or part.start), end=min(part.end, until or part.end))
