"""`sweep`: a strategy once for each set of parameters, on one core, on all of them, or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import backtrader as bt

from framework.page import PathLike
from framework.ports import SignalSource, Source
from framework.progress import watched
from framework.research.grid import Grid, sets_of
from framework.research.keys import keys
from framework.research.loading import loaded
from framework.research.making import checked, executor_of, fill, job_of
from framework.research.outcome import Sweep
from framework.research.rows import row
from framework.runner import prepared


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
    given = checked(strategy, source, how, sets[0], "grid")
    have = loaded(prepared(given), sets)
    job = job_of(strategy, (*have.bars, *have.signals), how, sets)
    executor = executor_of(workers)
    rows: dict[int, str] = {}
    with watched(len(sets), lambda: len(rows), progress, "runs"):
        fill(rows, job, executor, store, lambda: keys(job, have, given))
    return Sweep(job, tuple(grid), tuple(row(rows[number]) for number in range(len(sets))))
