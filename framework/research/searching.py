"""`search`: parameters looked for in a space that is too large for a grid, each batch where the last ones were best."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import backtrader as bt

from framework.errors import ConfigError
from framework.page import PathLike
from framework.ports import SignalSource, Source, Warmup
from framework.progress import watched
from framework.research.executors import Executor, Rows
from framework.research.goals import Condition, Objective, conditions_of, goals_of, met, run_of, values_of
from framework.research.grid import Parameters
from framework.research.held import HeldBars, HeldSignals, LoadedBars, LoadedSignals
from framework.research.job import Job
from framework.research.keys import keys
from framework.research.loading import Loaded, Needs, loaded, loaded_for, needs_of
from framework.research.making import checked, executor_of, job_of, once
from framework.research.rows import Row, row
from framework.research.sampler import Sampler
from framework.research.searched import Search
from framework.research.space import Space, Spaces, space_of
from framework.research.store import Store, opened
from framework.runner import Prepared, prepared

_CORNERS = 64
"""Parameter sets that are asked for their warm-up before the first trial: one that needs more starts workers anew."""

_TRIES = 1_000


def search(
    strategy: type[bt.Strategy],
    *,
    source: Source | Sequence[Source | SignalSource],
    space: Spaces,
    trials: int = 100,
    objective: Objective = "sharpe",
    where: Condition | None = None,
    constraints: Condition | Iterable[Condition] = (),
    seed: int = 0,
    batch: int = 8,
    workers: int | Any | None = None,
    store: PathLike | None = None,
    progress: bool | None = None,
    **how: Any,
) -> Search:
    """Look for good parameters: try some, then more of what was good (Optuna's TPE sampler).

        search(SmaCross, source=bars, space={"fast": range(3, 50), "slow": range(10, 200)},
               where=lambda each: each["fast"] < each["slow"]).table

    strategy     a `bt.Strategy` subclass, as for `sweep`
    source       as for `run`; each trial is to the last bit what `run` gives
    space        what each parameter may be: range(5, 105) or (5, 104) a whole number, (0.1, 2.0) any number between,
                 (1, 1000, "log") by orders of magnitude, ["a", "b"] one of these
    trials       how many parameter sets to try; one that comes again is not run again
    objective    a figure of `sweep`'s table that is to be great; or several, {"sharpe": "greatest",
                 "turnover": "smallest"}: then see `pareto`
    where        called with parameters by name: what it is not true for is never run
    constraints  one or more, called with a run's figures and parameters by name: a trial for which one is not true is
                 never the best, and the search turns away from there
    seed         another one makes another search
    batch        trials that are proposed together, before any of them is known; so many workers have work at most.
                 The same seed and batch make the same trials, wherever and by however many workers they are run,
                 with the same version of Optuna
    workers, progress   as for `sweep`
    store        as for `sweep`, and shared with it. A search that was stopped or killed is called again as it was: it
                 proposes the same trials, and runs those that are not in the store; with more `trials` it goes on
    how          `run`'s other keywords, and the parameters that all runs have

    A trial that fails, or has no such figure, tells the search nothing. Raise `ConfigError` where something is wrong
    before anything runs, where Optuna is not installed, and as the source does.
    """
    room, goals, conditions = space_of(space), goals_of(objective), conditions_of(constraints)
    for name, number, least in (("trials", trials, 1), ("batch", batch, 1), ("seed", seed, 0)):
        if not isinstance(number, int) or number < least:
            raise ConfigError(f"{name}={number!r} is no number from {least} up; try {name}=8")
    corners = room.corners(_CORNERS)
    given = checked(strategy, source, how, corners[0], "space")
    executor, sampler = executor_of(workers), Sampler(room, list(goals.values()), seed)
    found: list[_Trial] = []
    with contextlib.ExitStack() as stack, watched(trials, lambda: len(found), progress, "trials"):
        kept = stack.enter_context(opened(store)) if store is not None else None
        piece = _Piece(strategy, how, given, room, executor, kept, batch)
        runs = stack.enter_context(contextlib.closing(_Runs(piece, prepared(given), corners)))
        while len(found) < trials:
            asked = [_allowed(sampler, where) for _ in range(min(batch, trials - len(found)))]
            found += _told(sampler, asked, runs, goals, conditions)
    job = replace(runs.job, sets=[each.params for each in found])
    return Search(job, tuple(room.dimensions), [each.row for each in found], goals, [each.met for each in found])


@dataclass(frozen=True, slots=True)
class _Trial:
    params: Parameters
    row: Row
    met: bool


def _allowed(sampler: Sampler, where: Condition | None) -> tuple[Any, Parameters]:
    """Return a proposal that is to be run."""
    for _ in range(_TRIES):
        trial, params = sampler.ask()
        if where is None or all(met([where], params, "where")):
            return trial, params
        sampler.tell(trial, None)
    raise ConfigError(f"where= is true of none of {_TRIES:,} parameter sets of the space; is it what you mean?")


def _told(
    sampler: Sampler,
    asked: Sequence[tuple[Any, Parameters]],
    runs: _Runs,
    goals: Mapping[str, bool],
    conditions: Sequence[Condition],
) -> list[_Trial]:
    """Make a batch, and tell the sampler what came of it: in the order in which it proposed."""
    rows = runs.made([params for _, params in asked])
    found = []
    for (trial, params), each in zip(asked, rows, strict=True):
        values = values_of(each, goals)
        holds = [] if values is None else met(conditions, run_of(params, each), "constraints")
        sampler.tell(trial, values, holds)
        found.append(_Trial(params, each, values is not None and all(holds)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """What all trials share."""

    strategy: type[bt.Strategy]
    how: Mapping[str, Any]
    given: Mapping[str, Any]
    room: Space
    executor: Executor
    store: Store | None
    most: int


class _Runs:
    """Makes runs, batch after batch, by workers that stay; or finds them where they were made before."""

    def __init__(self, piece: _Piece, ready: Prepared, corners: Sequence[Parameters]) -> None:
        self._piece = piece
        self._loads: list[LoadedBars | LoadedSignals] = [LoadedBars(each) for each in ready.sources]
        sources, signals = list(self._loads), [LoadedSignals(each) for each in ready.signals]
        self._ready = replace(ready, sources=cast(Sequence[Source], sources), signals=signals)
        self._loads += signals
        loaded(self._ready, corners)
        self._asked: dict[Needs, tuple[Warmup, ...]] = {}
        self._known: dict[int, str] = {}
        self._open = contextlib.ExitStack()
        self._rows: Rows | None = None
        self.job = self._job()

    def made(self, sets: Sequence[Parameters]) -> list[Row]:
        """Return the rows of these runs."""
        numbers = [self._piece.room.number(each) for each in sets]
        new = [each for each in dict.fromkeys(numbers) if each not in self._known]
        if new:
            once(self._known, self._piece.store, self._keyed(new), self._make, self._piece.strategy, self.job.sets)
        return [row(self._known[each]) for each in numbers]

    def close(self) -> None:
        """End the workers."""
        self._open.close()

    def _keyed(self, numbers: Sequence[int]) -> dict[str, list[int]]:
        """Return the runs by their keys; look that there is enough history for them."""
        sets = [self._piece.room[each] for each in numbers]
        asked = tuple(self._warmups(need) for need in needs_of(self._ready, sets))
        if self._piece.store is None:
            return {str(each): [each] for each in numbers}
        held = [each.held for each in self._loads]
        bars = tuple(each for each in held if isinstance(each, HeldBars))
        have = Loaded(bars, tuple(each for each in held if isinstance(each, HeldSignals)), asked)
        found: dict[str, list[int]] = {}
        for number, key in zip(numbers, keys(replace(self.job, sets=sets), have, self._piece.given), strict=True):
            found.setdefault(key, []).append(number)
        return found

    def _warmups(self, need: Needs) -> tuple[Warmup, ...]:
        if need not in self._asked:
            (self._asked[need],) = loaded_for(self._ready, [need]).asked
        return self._asked[need]

    def _make(self, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Have runs made; by new workers where those that are there have too little history."""
        held = [each.held for each in self._loads]
        if self._rows is None or any(one is not other for one, other in zip(self.job.source, held, strict=True)):
            self._open.close()
            self.job = self._job()
            self._rows = self._open.enter_context(self._piece.executor.opened(self.job, self._piece.most))
        return self._rows(numbers)

    def _job(self) -> Job:
        sets = cast(Sequence[Parameters], self._piece.room)  # asked for single ones only
        return job_of(self._piece.strategy, [each.held for each in self._loads], self._piece.how, sets)
