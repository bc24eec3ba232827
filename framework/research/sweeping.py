"""`sweep`: a strategy once for each set of parameters, on one core, on all of them, or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import backtrader as bt

from framework.errors import ConfigError
from framework.page import PathLike
from framework.ports import SignalSource, Source
from framework.progress import watched
from framework.research.executors import Executor, InProcess
from framework.research.grid import Grid, Parameters, sets_of
from framework.research.held import Ruled
from framework.research.job import Job
from framework.research.loading import Loaded, loaded
from framework.research.outcome import Sweep
from framework.research.processes import Processes, cores
from framework.research.rows import row
from framework.runner import arguments, prepared

if TYPE_CHECKING:
    from framework.research.store import Store

_ONLY_RUN = ("live", "background")


def sweep(
    strategy: type[bt.Strategy],
    *,
    source: Source | Sequence[Source | SignalSource],
    grid: Grid,
    workers: int | Any | None = None,
    store: PathLike | None = None,
    progress: bool | None = None,
    **how: Any,
) -> Sweep:
    """Run a strategy for every combination of parameters, and return what came of each.

        sweep(SmaCross, source=bars, grid={"fast": range(5, 30), "slow": [50, 100]}, commission=0.0005).table

    strategy  a `bt.Strategy` subclass, from a module or from a notebook's cell
    source    as for `run`; it is asked once, and all runs share what it has. Each run sees what it would see alone,
              its own warm-up included: each row is to the last bit what `run` gives
    grid      the values to try of each parameter; the table has every combination, the last parameter
              changing fastest
    workers   processes to run in; None is one a core, 1 none but this one; or a `distributed.Client` (Dask), or
              "ray": the Ray that this program is connected to
    store     a file in which rows are kept: what is in it is not computed again, whatever ended the sweep before.
              A run that failed is not kept
    progress  show a bar: None for long sweeps in a terminal, True and False always and never
    how       `run`'s other keywords, and the parameters that all runs have

    A parameter set whose run fails is a row with its error. Raise `ConfigError` where something is wrong before
    anything runs, and as the source does.
    """
    sets = sets_of(grid)
    given = arguments(strategy, {**how, "source": source, "params": _params(grid, sets[0], how)})
    _check(how, given)
    ready = prepared(given)
    have = loaded(ready, sets)
    job = _job(strategy, have, how, sets, grid)
    executor = executor_of(workers)
    rows: dict[int, str] = {}
    with watched(len(sets), lambda: len(rows), progress, "runs"):
        _fill(rows, job, executor, store, have, given)
    return Sweep(job, tuple(grid), tuple(row(rows[number]) for number in range(len(sets))))


def _params(grid: Grid, first: Parameters, how: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first run's parameters: if `run` takes them, it takes the others'."""
    fixed = how.get("params") or {}
    for name in grid:
        if name in fixed:
            raise ConfigError(f"parameter {name} is given in the grid and fixed in params; give it once")
    return {**fixed, **first}


def _check(how: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    for name in _ONLY_RUN:
        if given[name]:
            raise ConfigError(f"{name}={how[name]!r} is for a live session; a sweep is made of backtests")


def _job(
    strategy: type[bt.Strategy], have: Loaded, how: Mapping[str, Any], sets: Sequence[Parameters], grid: Grid
) -> Job:
    others = {name: value for name, value in how.items() if name not in ("params", *_ONLY_RUN)}
    if others.get("venue") is not None:
        others["venue"] = Ruled(others["venue"].rules)
    return Job(strategy, (*have.bars, *have.signals), others, how.get("params") or {}, sets)


def executor_of(workers: Any) -> Executor:
    """Return what `workers` means; raise `ConfigError` where it means nothing."""
    if workers is None:
        return _processes(cores())
    if isinstance(workers, int) and not isinstance(workers, bool):
        if workers < 1:
            raise ConfigError(f"workers={workers} can run nothing; try 1, or None for one a core")
        return _processes(workers)
    if workers == "ray":
        from framework.research.ray_cluster import Ray

        return Ray()
    if type(workers).__module__.partition(".")[0] == "distributed":
        from framework.research.cluster import Cluster

        cluster: Executor = Cluster(workers)
        return cluster
    raise ConfigError(
        f'workers={workers!r} is not known; it is a number of processes, None, a distributed.Client, or "ray"'
    )


def _processes(count: int) -> Executor:
    return InProcess() if count == 1 else Processes(count)


def _fill(
    rows: dict[int, str],
    job: Job,
    executor: Executor,
    store: PathLike | None,
    have: Loaded,
    given: Mapping[str, Any],
) -> None:
    """Make the runs; where there is a store, those that are not in it."""
    if store is None:
        rows.update(executor.rows(job, range(len(job.sets))))
        return
    from framework.research.keys import keys
    from framework.research.store import opened

    by_key: dict[str, list[int]] = {}
    for number, key in enumerate(keys(job, have, given)):
        by_key.setdefault(key, []).append(number)
    with opened(store) as place:
        _stored(rows, job, executor, place, by_key)


def _stored(
    rows: dict[int, str], job: Job, executor: Executor, store: Store, by_key: Mapping[str, Sequence[int]]
) -> None:
    for key, text in store.found(by_key).items():
        rows.update(dict.fromkeys(by_key[key], text))
    key_of = {numbers[0]: key for key, numbers in by_key.items() if numbers[0] not in rows}
    for number, text in executor.rows(job, list(key_of)):
        rows.update(dict.fromkeys(by_key[key_of[number]], text))
        if not row(text).error:
            store.keep(key_of[number], job.strategy.__name__, repr(dict(job.sets[number])), text)
