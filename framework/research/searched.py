"""What came of a search: `Search`, a sweep whose runs were chosen one batch after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from framework.columns import Floats
from framework.errors import ConfigError
from framework.research.goals import values_of
from framework.research.outcome import Sweep
from framework.research.overfitting import Deflated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framework.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Search(Sweep):
    """The trials of a search in order; all that a `Sweep` can do.

    `goals` are the objectives, and whether the smallest is best. `met` says of each trial whether it has them all and
    meets the constraints: only such a trial is ranked, or the best.
    """

    goals: Mapping[str, bool]
    met: Sequence[bool]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a trial: as of a `Sweep`, and whether the constraints are met. A set that came again has two rows."""
        found = super().table
        found.insert(found.columns.get_loc("error"), "met", list(self.met))
        return found

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Daily returns as of a `Sweep`; a parameter set that came again has no column of its own."""
        first = {repr(dict(params)): number for number, params in reversed(list(enumerate(self.job.sets)))}
        found = super().returns
        return found[[each for each in found if each in first.values()]]

    @cached_property
    def pareto(self) -> pd.DataFrame:
        """The trials that no other one beats in an objective without being worse in another, and meets the constraints.

        In the order of the first objective, the best first; a parameter set once.
        """
        signs = np.array([1 if smallest else -1 for smallest in self.goals.values()])
        known = {at: signs * values for at, values in self._values_met() if values is not None}
        best = [at for at, each in known.items() if not any(_beats(other, each) for other in known.values())]
        table = self.table.loc[sorted(best, key=lambda at: tuple(known[at]))]
        return self._once(table)

    def best(self, by: str | None = None, *, smallest: bool | None = None) -> Result:
        """Return the trial that is best by the first objective, or by another figure, as a whole `Result`."""
        return super().best(*self._by(by), smallest=self._smallest(by, smallest))

    def ranked(self, by: str | None = None, *, smallest: bool | None = None) -> pd.DataFrame:
        """Return the table of the trials that meet the constraints, the best first; a parameter set once."""
        found = super().ranked(*self._by(by), smallest=self._smallest(by, smallest))
        found = found[found["met"]]
        if found.empty:
            raise ConfigError(f"none of {len(self)} trials meets the constraints; loosen them, or try more")
        return self._once(found)

    def deflated(self, by: str | None = None, *, smallest: bool | None = None, trials: float | None = None) -> Deflated:
        """Return what the best trial is worth, considering how many parameter sets were tried; see `Sweep.deflated`."""
        return super().deflated(*self._by(by), smallest=self._smallest(by, smallest), trials=trials)

    def plot(
        self, by: str | None = None, over: str | Sequence[str] | None = None, *, kind: str | None = None
    ) -> Figure:
        """Draw the trials as a `Sweep` does, by the first objective and with parallel axes unless said otherwise."""
        return super().plot(*self._by(by), over, kind=kind or "parallel")

    @property
    def title(self) -> str:
        """One line: the strategy, how many trials, how many failed."""
        return super().title.replace(" runs", " trials")

    def _once(self, table: pd.DataFrame) -> pd.DataFrame:
        return table[~table[[self.column(each) for each in self.parameters]].astype(str).duplicated()]

    def _by(self, by: str | None) -> tuple[str]:
        return (by or next(iter(self.goals)),)

    def _smallest(self, by: str | None, smallest: bool | None) -> bool:
        return self.goals.get(*self._by(by), False) if smallest is None else smallest

    def _values_met(self) -> list[tuple[int, Sequence[float] | None]]:
        each = enumerate(zip(self.rows, self.met, strict=True))
        return [(at, values_of(row, self.goals) if met else None) for at, (row, met) in each]

    def __repr__(self) -> str:
        return f"<Search: {self.title}>"


def _beats(one: Floats, other: Floats) -> bool:
    return bool((one <= other).all() and (one < other).any())
