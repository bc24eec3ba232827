"""Runs of days, and what is missing between them: the arithmetic of the bar cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from framework.calendar import Days

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The days from `first` to `last`, both included, in the exchange's zone."""

    first: date
    last: date

    def without(self, other: Span) -> list[Span]:
        """Return what is left of this span (none, one or two) when the days of the other are taken out."""
        before = Span(self.first, min(self.last, other.first - _DAY))
        after = Span(max(self.first, other.last + _DAY), self.last)
        return [left for left in (before, after) if left.first <= left.last]

    def within(self, other: Span) -> Span | None:
        """Return the days that both have, None where there are none."""
        both = Span(max(self.first, other.first), min(self.last, other.last))
        return both if both.first <= both.last else None

    def by_year(self) -> list[Span]:
        """Return this span, cut where the years meet."""
        years = range(self.first.year, self.last.year + 1)
        cut = (self.within(Span(date(year, 1, 1), date(year, 12, 31))) for year in years)
        return [span for span in cut if span is not None]

    def trimmed(self, days: Days) -> Span | None:
        """Return this span from its first to its last day among `days` (sorted), None where it has none."""
        first = int(np.searchsorted(days, np.datetime64(self.first)))
        last = int(np.searchsorted(days, np.datetime64(self.last), side="right")) - 1
        return Span(days[first].item(), days[last].item()) if first <= last else None


def missing(wanted: Span, held: Iterable[Span]) -> list[Span]:
    """Return what of `wanted` is in none of `held`, in order. One run of days that do not overlap."""
    left = [wanted]
    for span in held:
        left = [rest for each in left for rest in each.without(span)]
    return sorted(left)
