"""`walk_forward`: parameters chosen on the past, tried on what came next, window after window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, TypeVar, cast

import backtrader as bt
import numpy as np

from framework.calendar import Calendar, Days
from framework.columns import Instants, moment
from framework.errors import ConfigError
from framework.page import PathLike
from framework.ports import SignalSource, Source
from framework.progress import watched
from framework.research.executors import Executor
from framework.research.grid import Grid, Parameters, sets_of
from framework.research.held import LoadedBars, LoadedSignals, PartOfBars
from framework.research.job import Job
from framework.research.keys import keys
from framework.research.loading import loaded, loaded_for, needs_of
from framework.research.making import checked, executor_of, fill, job_of
from framework.research.outcome import Sweep, objective_of
from framework.research.rows import row
from framework.research.walked import Step, WalkForward
from framework.research.windows import Part, Sessions, Window, sessions_in, windows_of
from framework.runner import Prepared, prepared
from framework.stats import exchange_days

T = TypeVar("T")


def walk_forward(
    strategy: type[bt.Strategy],
    *,
    source: Source | Sequence[Source | SignalSource],
    grid: Grid,
    train: Sessions = "60D",
    test: Sessions = "10D",
    anchored: bool = False,
    objective: str = "sharpe",
    smallest: bool = False,
    workers: int | Any | None = None,
    store: PathLike | None = None,
    progress: bool | None = None,
    **how: Any,
) -> WalkForward:
    """Choose parameters on some trading days and try them on the next ones, over and over.

        walk_forward(SmaCross, source=bars, grid={"fast": range(5, 30)}, train="60D", test="10D").equity

    strategy   a `bt.Strategy` subclass, as for `sweep`
    source     as for `run`; it is asked once
    grid       the values to try of each parameter, as for `sweep`: all are run on each train part
    train      on how many trading sessions of the exchange parameters are chosen: "60D" and 60 are both sixty
               sessions of the calendar of the first source of bars, some three months, and not sixty days.
               A session without bars counts; days are those of the exchange's zone
    test       on how many sessions after them the best are run; the last window has those that are left
    anchored   False: the train part moves on with the test part; True: it always begins with the first session
    objective  the figure that is best where it is greatest, a column of `sweep`'s table;
               of parameter sets alike the first in the grid is taken
    smallest   the smallest is best, not the greatest
    workers, store, progress   as for `sweep`; train and test runs are kept alike
    how        `run`'s other keywords, and the parameters that all runs have

    Each run of a window is what `run` gives over a source of that window's days alone: it begins with `cash` and
    nothing held, the bars before are its warm-up (in which nothing trades), and it sees nothing that is later. A window
    in which no train run has the objective is a row that says so, and trades nothing. Raise `ConfigError` where
    something is wrong before anything runs, and as the source does.
    """
    lengths = sessions_in(train, "train"), sessions_in(test, "test")
    objective_of(objective)
    sets = sets_of(grid)
    given = checked(strategy, source, how, sets[0], "grid")
    walk = _Walk(strategy, how, given, _loading(prepared(given)), tuple(grid), sets, executor_of(workers), store)
    windows = walk.windows(*lengths, anchored=anchored)
    trained, tested = dict[int, str](), dict[int, str]()
    total = len(windows) * (len(sets) + 1)
    with watched(total, lambda: len(trained) + len(tested), progress, "runs"):
        sweeps = walk.sweeps([(each.train, range(len(sets))) for each in windows], trained)
        begun = [_chosen(*each, objective, smallest) for each in zip(windows, sweeps, strict=True)]
        best = [(each.window.test, [each.chosen]) for each in begun if each.chosen is not None]
        tests = iter(walk.sweeps(best, tested) if best else [])
    steps = [each if each.chosen is None else replace(each, test=next(tests)) for each in begun]
    return WalkForward(steps, tuple(grid), objective, given["cash"], walk.ready.sources[0].calendar)


def _loading(ready: Prepared) -> Prepared:
    """Return the same with sources that are asked once, by however many windows."""
    sources = [LoadedBars(each) for each in ready.sources]
    return replace(ready, sources=sources, signals=[LoadedSignals(each) for each in ready.signals])


def _chosen(window: Window, train: Sweep, objective: str, smallest: bool) -> Step:
    """Return the window with the best of its train runs, or with why there is none."""
    try:
        return Step(window, train, int(train.ranked(objective, smallest=smallest).index[0]))
    except ConfigError as error:
        return Step(window, train, None, error=str(error))


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """What all windows share. `ready` has sources that load once; runs are told by their numbers in `sets`."""

    strategy: type[bt.Strategy]
    how: Mapping[str, Any]
    given: Mapping[str, Any]
    ready: Prepared
    names: tuple[str, ...]
    sets: Sequence[Parameters]
    executor: Executor
    store: PathLike | None

    def windows(self, train: int, test: int, *, anchored: bool) -> list[Window]:
        """Load all bars, and return the windows that their days make."""
        have = loaded(self.ready, self.sets).bars
        ends = np.concatenate([bars.end for each in have for bars in each.after().values()])
        calendar, since = have[0].calendar, have[0].start
        until = have[0].end or moment(ends.max())  # a day that ends later is half done: no longer bar is made of it
        days = _days(ends, calendar)
        return windows_of(days, calendar, train, test, anchored=anchored, since=since, until=until)

    def sweeps(self, parts: Sequence[tuple[Part, Sequence[int]]], rows: dict[int, str]) -> list[Sweep]:
        """Make the runs of these numbers over each part; `rows` is filled as they come."""
        within = [self._within(part) for part, _ in parts]
        needs = needs_of(within[0], self.sets)
        have = [
            loaded_for(ready, [needs[each] for each in numbers])
            for ready, (_, numbers) in zip(within, parts, strict=True)
        ]
        jobs = [self._job(*each) for each in parts]
        whole = replace(jobs[0], sets=_joined(each.sets for each in jobs), spans=_joined(each.spans for each in jobs))
        pairs = list(zip(jobs, have, strict=True))
        fill(rows, whole, self.executor, self.store, lambda: _joined(keys(*each, self.given) for each in pairs))
        made = iter([row(rows[number]) for number in range(len(whole.sets))])
        return [Sweep(each, self.names, list(islice(made, len(each.sets)))) for each in jobs]

    def _within(self, part: Part) -> Prepared:
        bars = cast(Sequence[LoadedBars], self.ready.sources)
        return replace(self.ready, sources=[PartOfBars(each, part.start, part.end) for each in bars])

    def _job(self, part: Part, numbers: Sequence[int]) -> Job:
        """Return the job of a part; what was loaded for all of them is in it."""
        loads = cast(Sequence[LoadedBars | LoadedSignals], [*self.ready.sources, *self.ready.signals])
        source, sets = [each.held for each in loads], [self.sets[each] for each in numbers]
        return job_of(self.strategy, source, self.how, sets, [(part.start, part.end)] * len(sets))


def _joined(each: Iterable[Sequence[T]]) -> list[T]:
    return list(chain.from_iterable(each))


def _days(ends: Instants, calendar: Calendar) -> Days:
    """Return the trading days from that of the first bar to that of the last."""
    first, last = exchange_days(np.array([ends.min(), ends.max()]), calendar)
    sessions = calendar.sessions.days
    days: Days = sessions[(sessions >= first) & (sessions <= last)]
    return days
