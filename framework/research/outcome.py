"""What came of a sweep: `Sweep`, one row a run, and the way from a row to its whole `Result`."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pandas as pd

from framework.errors import ConfigError, nearest
from framework.figures import FIGURES
from framework.research.job import Job
from framework.research.overfitting import Deflated, deflated
from framework.research.rows import Row, row, row_of
from framework.stats import days_a_year

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framework.result import Result

KEYS = tuple(key for group in FIGURES.values() for key, _, _ in group)
"""The key figures, in the order of `Result.stats`."""

_SHOWN = ("total_return", "sharpe", "max_drawdown", "trades")


def figure(name: str, asked: str = "by") -> str:
    """Return a figure's name; raise `ConfigError`, naming the keyword it was `asked` with, where there is none such."""
    if name not in (*KEYS, "fills"):
        hint = nearest(name, KEYS)
        raise ConfigError(f"{asked}={name!r} is no figure{hint}; such as sharpe, total_return, final_equity")
    return name


def objective_of(name: str) -> str:
    """Return the name of a figure that may be great or small; raise `ConfigError` where it is none, or a time."""
    if figure(name, "objective") in ("start", "end"):
        raise ConfigError(f"objective={name!r} is a time, the same of all; try sharpe, total_return or final_equity")
    return name


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """The runs of a sweep, in the order of its grid. `parameters` are the names that were swept."""

    job: Job
    parameters: tuple[str, ...]
    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a run: its parameters, the key figures of `Result.stats` (`final_equity` among them), fills, error,
        seconds.

        A parameter that is called as a figure is has the column "p.name". `error` is empty where the run was
        made; else the figures are NaN. `seconds` is how long the run took in its worker.
        """
        columns = [*map(self._column, self.parameters), *KEYS, "fills", "error", "seconds"]
        return pd.DataFrame(
            [self._values(*each) for each in zip(self.job.sets, self.rows, strict=True)], columns=columns
        )

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Daily returns by exchange day as fractions: a column a run, by the number of its row; failed runs have none.

        A day that is in some runs and not in another (its warm-up lasted longer) is 0 in that one: it held nothing.
        """
        made = {number: each.returns() for number, each in enumerate(self.rows) if not each.error}
        return pd.DataFrame(made).fillna(0.0) if made else pd.DataFrame()

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits that tell the table, but for its `seconds`: the same wherever the runs were made."""
        told = "\n".join(
            f"{dict(params)!r} {each.same()}" for params, each in zip(self.job.sets, self.rows, strict=True)
        )
        return blake2b(told.encode(), digest_size=16).hexdigest()

    def result(self, number: int) -> Result:
        """Make the run of a row of the table again, and return its whole `Result`."""
        if not 0 <= number < len(self):
            raise ConfigError(f"there is no row {number}; there are 0 to {len(self) - 1}")
        found = self.job.result(number)
        if row(row_of(found, 0.0)).same() == self.rows[number].same():
            return found
        note = "this run is not the one in the table: the strategy, or what it reads, is not the same each time"
        return replace(found, notes=(*found.notes, note))

    def best(self, by: str = "sharpe", *, smallest: bool = False) -> Result:
        """Return the run with the greatest figure, the first of those alike, as a whole `Result`.

        Raise `ConfigError` where no run has that figure.
        """
        return self.result(int(self.ranked(by, smallest=smallest).index[0]))

    def ranked(self, by: str = "sharpe", *, smallest: bool = False) -> pd.DataFrame:
        """Return the table from the greatest figure down, without the runs that do not have it."""
        known = self.table.dropna(subset=[figure(by)])
        known = known[known["error"] == ""]
        if known.empty:
            failed = next((each.error for each in self.rows if each.error), "no run has it; try total_return")
            raise ConfigError(f"there is no best run by {by}: {failed}")
        return known.sort_values(by, ascending=smallest, kind="stable")

    def deflated(self, by: str = "sharpe", *, smallest: bool = False, trials: float | None = None) -> Deflated:
        """Return what the best run is worth, considering how many were tried: the best of many looks good on noise too.

        `trials` is how many independent ones they count for: all, unless given. Prints as a line. Raise `ConfigError`
        where there is no best run.
        """
        number = int(self.ranked(by, smallest=smallest).index[0])
        return deflated(self.returns, number, days_a_year(self.job.calendar), trials)

    def plot(self, by: str = "sharpe", over: str | Sequence[str] | None = None, *, kind: str | None = None) -> Figure:
        """Draw a figure over one parameter as a line, over two as a heat map.

        `over` names them where more were swept: the median over the others is drawn. kind="parallel" draws all of them,
        an axis each, and a line a run in the colour of its figure; "grid" is the other one. Raise `ConfigError`.
        """
        from framework.research.parallel import parallel
        from framework.research.pictures import picture

        if kind not in (None, "grid", "parallel"):
            hint = nearest(str(kind), ("grid", "parallel"))
            raise ConfigError(f"kind={kind!r} is no kind of picture{hint}; say grid or parallel")
        return (parallel if kind == "parallel" else picture)(self, by, over)

    def column(self, parameter: str) -> str:
        """Return the name of a parameter's column."""
        if parameter not in self.parameters:
            known = ", ".join(self.parameters)
            raise ConfigError(f"{parameter!r} was not swept{nearest(parameter, self.parameters)}; there is {known}")
        return self._column(parameter)

    def _column(self, parameter: str) -> str:
        return f"p.{parameter}" if parameter in (*KEYS, "fills", "met", "error", "seconds") else parameter

    def _values(self, params: Any, found: Row) -> dict[str, Any]:
        swept = {self._column(name): params[name] for name in self.parameters}
        return swept | found.values() | {"fills": found.fills, "error": found.error, "seconds": found.seconds}

    @property
    def title(self) -> str:
        """One line: the strategy, how many runs, how many failed."""
        failed = sum(bool(each.error) for each in self.rows)
        return f"{self.job.strategy.__name__}, {len(self):,} runs" + (f", {failed:,} failed" if failed else "")

    def __repr__(self) -> str:
        return f"<Sweep: {self.title}>"

    def _repr_html_(self) -> str:
        names = [*map(self._column, self.parameters), *_SHOWN, "fills", "error"]
        return f"<p><b>{html.escape(self.title)}</b></p>{self.table[names].to_html(max_rows=20)}"
