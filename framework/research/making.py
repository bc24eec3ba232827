"""What `sweep`, `walk_forward` and `search` have in common: arguments checked, a job, and runs made or found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import backtrader as bt

from framework.errors import ConfigError
from framework.page import PathLike
from framework.research.executors import Executor, InProcess, Rows
from framework.research.grid import Parameters
from framework.research.held import HeldBars, HeldSignals, Ruled
from framework.research.job import Job, Span
from framework.research.processes import Processes, cores
from framework.research.rows import row
from framework.runner import arguments

if TYPE_CHECKING:
    from framework.research.store import Store

_ONLY_RUN = ("live", "background")


def checked(
    strategy: type[bt.Strategy], source: Any, how: Mapping[str, Any], first: Parameters, where: str
) -> dict[str, Any]:
    """Return `run`'s arguments by name, for the first run: if `run` takes its parameters, it takes the others'.

    `where` is what the parameters are given in, for messages. Raise `ConfigError`.
    """
    given = arguments(strategy, {**how, "source": source, "params": _params(how, first, where)})
    for name in _ONLY_RUN:
        if given[name]:
            raise ConfigError(f"{name}={how[name]!r} is for a live session; a sweep is made of backtests")
    return given


def _params(how: Mapping[str, Any], first: Parameters, where: str) -> dict[str, Any]:
    fixed = how.get("params") or {}
    for name in first:
        if name in fixed:
            raise ConfigError(f"parameter {name} is given in the {where} and fixed in params; give it once")
    return {**fixed, **first}


def job_of(
    strategy: type[bt.Strategy],
    source: Iterable[HeldBars | HeldSignals],
    how: Mapping[str, Any],
    sets: Sequence[Parameters],
    spans: Sequence[Span] = (),
) -> Job:
    """Return the job of these parameter sets over what was loaded."""
    others = {name: value for name, value in how.items() if name not in ("params", *_ONLY_RUN)}
    if others.get("venue") is not None:
        others["venue"] = Ruled(others["venue"].rules)
    return Job(strategy, tuple(source), others, how.get("params") or {}, sets, spans)


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


def fill(
    rows: dict[int, str], job: Job, executor: Executor, store: PathLike | None, keys: Callable[[], Sequence[str]]
) -> None:
    """Put the row of each of the job's runs into `rows`; where there is a store, make those that are not in it.

    `keys` gives the runs' keys: they are asked for only where there is a store.
    """
    if store is None:
        rows.update(executor.rows(job, range(len(job.sets))))
        return
    from framework.research.store import opened

    by_key: dict[str, list[int]] = {}
    for number, key in enumerate(keys()):
        by_key.setdefault(key, []).append(number)
    with opened(store) as place:
        once(rows, place, by_key, lambda left: executor.rows(job, left), job.strategy, job.sets)


def once(
    rows: dict[int, str],
    store: Store | None,
    by_key: Mapping[str, Sequence[int]],
    make: Rows,
    strategy: type[bt.Strategy],
    sets: Sequence[Parameters],
) -> None:
    """Put the rows of these runs into `rows`: from the store where they are in it, else made, each key once."""
    if store is not None:
        for key, text in store.found(by_key).items():
            rows.update(dict.fromkeys(by_key[key], text))
    key_of = {numbers[0]: key for key, numbers in by_key.items() if numbers[0] not in rows}
    if not key_of:
        return
    for number, text in make(list(key_of)):
        rows.update(dict.fromkeys(by_key[key_of[number]], text))
        if store is not None and not row(text).error:
            store.keep(key_of[number], strategy.__name__, repr(dict(sets[number])), text)
