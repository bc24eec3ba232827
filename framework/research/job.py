"""The work of a sweep: what all runs share, and how each is made. It is what a worker is given, once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framework.research.grid import Parameters
from framework.research.held import HeldBars, HeldSignals
from framework.research.rows import failed, row_of
from framework.runner import run

if TYPE_CHECKING:
    import backtrader as bt

    from framework.result import Result


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Runs of one strategy over the same bars, one for each parameter set.

    `how` holds `run`'s other keywords, and `fixed` the parameters that all sets have. `code` is the digest of the
    strategy's code where a worker imports it by its name, for it must find the same; else it is empty.
    """

    strategy: type[bt.Strategy]
    source: Sequence[HeldBars | HeldSignals]
    how: Mapping[str, Any]
    fixed: Parameters
    sets: Sequence[Parameters]
    code: str = ""

    def result(self, number: int) -> Result:
        """Make a run: `run` itself, over the bars that were loaded."""
        params = {**self.fixed, **self.sets[number]}
        result: Result = run(self.strategy, source=self.source, progress=False, params=params, **self.how)
        return result

    def row(self, number: int) -> str:
        """Make a run and return its row, whatever happens in it."""
        began = time.perf_counter()
        try:
            result = self.result(number)
            return row_of(result, time.perf_counter() - began)
        except (Exception, SystemExit) as error:
            return failed(error, time.perf_counter() - began)
