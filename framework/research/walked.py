"""What came of a walk-forward: `WalkForward`, a row a window, and the account as the test parts make it, joined."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from framework import stats
from framework.calendar import Calendar
from framework.errors import ConfigError
from framework.figures import Stats
from framework.research.outcome import KEYS, Sweep
from framework.research.overfitting import moments
from framework.research.rows import Row
from framework.research.windows import Window

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from framework.result import Result

_SHOWN = ("total_return", "sharpe", "max_drawdown", "trades")


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A window: every run of its train part, the number of the chosen one, and its run on the test part.

    Where none could be chosen `error` says why; where the test run failed, that has its error.
    """

    window: Window
    train: Sweep
    chosen: int | None
    test: Sweep | None = None
    error: str = ""

    @property
    def tested(self) -> Row | None:
        """The row of the test run; None where there is none, or it failed."""
        return self.test.rows[0] if self.test and not self.test.rows[0].error else None

    @property
    def why_not(self) -> str:
        """Why there is no test run, or an empty string."""
        return self.error or (self.test.rows[0].error if self.test else "")


@dataclass(frozen=True, eq=False, repr=False)
class WalkForward:
    """The windows of a walk-forward in order. `parameters` are the names that were chosen by `objective`.

    The account begins with `cash`, in its currency; days are those of `calendar`.
    """

    steps: Sequence[Step]
    parameters: tuple[str, ...]
    objective: str
    cash: float
    calendar: Calendar

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a window: first and last day of its parts, what was chosen, and its figures on both parts.

        The columns are train_start, train_end, test_start, test_end (days of the exchange, both included), the
        parameters, then train_ and test_ of the objective and of the most used figures, the test part's fills, and
        error: why nothing was chosen, or why the test run failed; else it is empty. All figures of a window
        are in `steps[number].train.table` and `steps[number].test.table`.
        """
        rows = [self._row(each) for each in self.steps]
        found = pd.DataFrame(rows)
        for name in (self.steps[0].train.column(each) for each in self.parameters):
            if found[name].isna().any():  # a whole number stays one beside a window without any
                found[name] = pd.Series([each[name] for each in rows], dtype=object)
        return found

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures of the table, the objective first."""
        return tuple(dict.fromkeys([self.objective, *_SHOWN]))

    @cached_property
    def returns(self) -> pd.Series:
        """The test parts' daily returns, joined, as fractions. A window without a test run held nothing: 0 a day.

        Raise `ConfigError` where no window has a test run.
        """
        tested = [each.tested for each in self.steps]
        if not any(tested):
            raise ConfigError(f"no window has a test run: {self.steps[0].why_not}")
        pairs = zip(self.steps, tested, strict=True)
        parts = [found.returns() if found else self._idle(each.window) for each, found in pairs]
        return pd.concat([each for each in parts if len(each)]).fillna(0.0)

    @cached_property
    def equity(self) -> pd.Series:
        """The account's value at the end of each test day: `cash`, compounded by `returns`.

        So the windows are chained by their returns. Each was run with `cash` of its own: sizes in it are those of an
        account that has so much, and what its last day still holds is valued at its last price, not carried on.
        """
        return (self.cash * (1 + self.returns).cumprod()).rename("equity")

    @cached_property
    def stats(self) -> Stats:
        """The key figures of the joined test parts, under the names of `Result.stats`.

        Those of the account are worked out from `equity` by days (so is the drawdown), those of trades from the
        windows' own. What cannot be told of windows joined (Sortino can, the holding time cannot) is NaN, a dash.
        """
        return Stats(dict.fromkeys(KEYS, math.nan) | self._account() | self._trades())

    @property
    def probability(self) -> float:
        """How probable it is that the true Sharpe ratio of the joined test parts is above 0, as a fraction.

        The probabilistic Sharpe ratio of `returns`: nothing was chosen by these days, so that there is nothing to
        deflate. What a window chose is deflated by `steps[number].train.deflated()`.
        """
        return moments(self.returns).probability()

    def result(self, number: int) -> Result:
        """Make the test run of a window again, and return its whole `Result`; raise `ConfigError` without one."""
        if not 0 <= number < len(self):
            raise ConfigError(f"there is no window {number}; there are 0 to {len(self) - 1}")
        step = self.steps[number]
        if step.test is None or step.why_not:
            raise ConfigError(f"window {number} has no test run: {step.why_not}")
        return step.test.result(0)

    def plot(self) -> Figure:
        """Draw the joined equity with its windows, and the objective of each on its train and its test part."""
        from framework.research.walk_pictures import picture

        return picture(self)

    @property
    def title(self) -> str:
        """One line: the strategy, how many windows, how many have no test run."""
        lacking = sum(each.tested is None for each in self.steps)
        name = self.steps[0].train.job.strategy.__name__
        return f"{name}, {len(self):,} windows" + (f", {lacking:,} without a test run" if lacking else "")

    def _row(self, step: Step) -> dict[str, Any]:
        train, test = step.window.train, step.window.test
        days = {"train_start": train.first, "train_end": train.last, "test_start": test.first, "test_end": test.last}
        row: dict[str, Any] = {name: pd.Timestamp(day) for name, day in days.items()}
        for name in self.parameters:
            row[step.train.column(name)] = None if step.chosen is None else step.train.job.sets[step.chosen][name]
        trained = None if step.chosen is None else step.train.rows[step.chosen]
        for name in self.figures:
            row[f"train_{name}"], row[f"test_{name}"] = figure_of(trained, name), figure_of(step.tested, name)
        return row | {"fills": step.tested.fills if step.tested else 0, "error": step.why_not}

    def _idle(self, window: Window) -> pd.Series:
        days = self.calendar.sessions.days
        inside = days[(days >= np.datetime64(window.test.first)) & (days <= np.datetime64(window.test.last))]
        return pd.Series(0.0, index=pd.DatetimeIndex(inside, name="day"), name="return")

    def _account(self) -> dict[str, Any]:
        returns, equity, year = self.returns, self.equity, stats.days_a_year(self.calendar)
        total = stats.total_return(float(equity.iloc[-1]), self.cash)
        growth = stats.cagr(total, len(returns), year)
        deepest = stats.max_drawdown(stats.drawdowns(equity, self.cash))
        return {
            "start": equity.index[0].tz_localize(self.calendar.zone),
            "end": equity.index[-1].tz_localize(self.calendar.zone),
            "days": len(returns),
            "starting_equity": self.cash,
            "final_equity": float(equity.iloc[-1]),
            "total_return": total,
            "cagr": growth,
            "best_day": stats.best(returns),
            "worst_day": stats.worst(returns),
            "volatility": stats.volatility(returns, year),
            "sharpe": stats.sharpe(returns, year),
            "sortino": stats.sortino(returns, year),
            "calmar": stats.calmar(growth, deepest),
            "max_drawdown": deepest,
            "max_drawdown_length": stats.drawdown_length(equity, self.cash),
            "longest_drawdown": stats.longest_drawdown(equity, self.cash),
        }

    def _trades(self) -> dict[str, Any]:
        tested = [each.tested.values() for each in self.steps if each.tested]
        counts = np.array([each["trades"] for each in tested])
        return {
            "trades": int(counts.sum()),
            "win_rate": _mean(tested, "win_rate", counts),
            "average_trade": _mean(tested, "average_trade", counts),
            "best_trade": stats.best([each["best_trade"] for each in tested]),
            "worst_trade": stats.worst([each["worst_trade"] for each in tested]),
            "commission": math.fsum(each["commission"] for each in tested),
        }

    def __repr__(self) -> str:
        return f"<WalkForward: {self.title}>"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.title)}</b></p>{self.table.to_html(max_rows=20)}"


def figure_of(found: Row | None, name: str) -> Any:
    """Return a figure of a run, NaN where there is none."""
    if found is None:
        return math.nan
    return found.fills if name == "fills" else found.values()[name]


def _mean(tested: Sequence[Mapping[str, Any]], name: str, counts: Any) -> float:
    """Return the mean over all round trips, from each window's own."""
    if not counts.sum():
        return math.nan
    total = math.fsum(each[name] * count for each, count in zip(tested, counts, strict=True) if count)
    return total / int(counts.sum())
