"""Dask: the same rows from a cluster, and workers that die there."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from swept import DAY, Dip, in_drills

from framework import search, sweep
from framework.errors import ConfigError, SwitchbackError
from framework.research.cluster import Cluster
from framework.research.rows import row

dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")

# Dask closes its loops and sockets in its own time.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def cluster_of(workers: int, failures: int, folder: Path) -> Iterator[Any]:
    """Lead to so many worker processes on this machine; Dask gives a run up after so many deaths and one."""
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "local_directory": str(folder)}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": failures}),
        distributed.LocalCluster(silence_logs=logging.CRITICAL, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that Dask could not bring back is an error soon."""
    monkeypatch.setattr("framework.research.cluster._PATIENCE", 20.0)


GRID = {"period": range(3, 9), "mishap": ["", "init"]}


def test_the_table_is_the_same_from_a_cluster(tmp_path: Path) -> None:
    """Hash for hash, failing rows too."""
    with cluster_of(2, 3, tmp_path) as client:
        found = sweep(Dip, source=DAY, grid=GRID, workers=client)
    assert found.digest == sweep(Dip, source=DAY, grid=GRID, workers=1).digest


@in_drills
def test_a_search_makes_the_same_trials_on_a_cluster(tmp_path: Path) -> None:
    """The job goes there once, and a number a run; a number is a parameter set."""
    pytest.importorskip("optuna")
    how: dict[str, Any] = {
        "source": DAY,
        "space": {"period": (2, 40), "lot": [1, 2]},
        "trials": 20,
        "objective": "fills",
    }
    with cluster_of(2, 3, tmp_path) as client:
        found = search(Dip, workers=client, **how)
    assert found.digest == search(Dip, workers=1, **how).digest


@in_drills
def test_a_clusters_worker_that_dies_has_its_runs_made_again(tmp_path: Path) -> None:
    """Those that were on their way to it, too."""
    grid = {"mishap": ["", "die once", "", ""]}
    with cluster_of(2, 3, tmp_path) as client:
        found = sweep(Dip, source=DAY, grid=grid, workers=client, folder=str(tmp_path))
    assert len(list(tmp_path.glob("died-*"))) == 1
    assert found.table["error"].unique().tolist() == [""]


@in_drills
def test_a_run_that_kills_a_clusters_workers_is_a_row(tmp_path: Path) -> None:
    """The runs in its company are made."""
    with cluster_of(2, 0, tmp_path) as client:
        table = sweep(Dip, source=DAY, grid={"mishap": ["", "die", "", ""]}, workers=client).table
    assert table["error"].tolist() == ["", "its worker died each time, and Dask gave it up", "", ""]


@in_drills
def test_the_only_worker_of_a_cluster_may_be_killed(tmp_path: Path) -> None:
    """`kill -9` half way, and the bars go down with it: the table is what it would have been."""
    whole = sweep(Dip, source=DAY, grid={"period": range(3, 33)}, workers=1)
    with cluster_of(1, 3, tmp_path) as client:
        rows = Cluster(client).rows(whole.job, range(30))
        found = dict([next(rows)])
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        found.update(rows)
    assert [row(found[number]).same() for number in range(30)] == [each.same() for each in whole.rows]


@in_drills
def test_a_cluster_without_workers_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may grow; where it does not, that is said."""
    monkeypatch.setattr("framework.research.cluster._PATIENCE", 0.1)
    monkeypatch.setattr("framework.research.cluster._LOOK", 0.1)
    with cluster_of(0, 3, tmp_path) as client, pytest.raises(SwitchbackError, match="has had no worker for 0 s"):
        sweep(Dip, source=DAY, grid=GRID, workers=client)


def test_an_asynchronous_client_is_refused() -> None:
    """There is nobody to wait for it."""

    class Asynchronous(distributed.Client):
        asynchronous = True

        def __init__(self) -> None: ...

        def __del__(self) -> None: ...

    Asynchronous.__module__ = "distributed.client"
    with pytest.raises(ConfigError, match="use a plain Client"):
        sweep(Dip, source=DAY, grid=GRID, workers=Asynchronous())
