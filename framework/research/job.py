"""The work of a sweep: what all runs share, and how each is made. It is what a worker is given, once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from framework.calendar import Calendar
from framework.research.grid import Parameters
from framework.research.held import HeldBars, HeldSignals
from framework.research.rows import failed, row_of
from framework.runner import run

if TYPE_CHECKING:
    import backtrader as bt

    from framework.result import Result


Span = tuple[datetime, datetime]
"""From when until when a run trades (aware)."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Runs of one strategy over the same bars, one for each parameter set.

    `spans` is empty where each run is over all bars; else each has a span of its own, and sees nothing after it.
    `how` holds `run`'s other keywords, and `fixed` the parameters that all sets have. `code` is the digest of the
    strategy's code where a worker imports it by its name, for it must find the same; else it is empty.
    """

    strategy: type[bt.Strategy]
    source: Sequence[HeldBars | HeldSignals]
    how: Mapping[str, Any]
    fixed: Parameters
    sets: Sequence[Parameters]
    spans: Sequence[Span] = ()
    code: str = ""

    @property
    def calendar(self) -> Calendar:
        """The calendar whose days `Result.returns` has: that of the first source of bars."""
        return next(each.calendar for each in self.source if isinstance(each, HeldBars))

    def result(self, number: int) -> Result:
        """Make a run: `run` itself, over the bars that were loaded."""
        params = {**self.fixed, **self.sets[number]}
        result: Result = run(self.strategy, source=self._source(number), progress=False, params=params, **self.how)
        return result

    def _source(self, number: int) -> Sequence[HeldBars | HeldSignals]:
        if not self.spans:
            return self.source
        start, end = self.spans[number]
        return [each.within(start, end) if isinstance(each, HeldBars) else each for each in self.source]

    def row(self, number: int) -> str:
        """Make a run and return its row, whatever happens in it."""
        began = time.perf_counter()
        try:
            result = self.result(number)
            return row_of(result, time.perf_counter() - began)
        except (Exception, SystemExit) as error:
            return failed(error, time.perf_counter() - began)
