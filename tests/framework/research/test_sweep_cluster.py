"""Dask: the same rows from a cluster, and workers that die there."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from swept import DAY, Dip

from framework import sweep
from framework.errors import ConfigError
from framework.research.cluster import Cluster
from framework.research.rows import row

dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")

# Dask closes its loops and sockets in its own time.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster of one worker process on this machine, with two threads."""
    folder = str(tmp_path_factory.mktemp("dask"))
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None, "local_directory": folder}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),  # each costs a second
        distributed.LocalCluster(silence_logs=logging.CRITICAL, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


GRID = {"period": range(3, 9), "mishap": ["", "init"]}


def test_the_table_is_the_same_from_a_cluster(client: Any) -> None:
    """Hash for hash, failing rows too."""
    assert (
        sweep(Dip, source=DAY, grid=GRID, workers=client).digest == sweep(Dip, source=DAY, grid=GRID, workers=1).digest
    )


def test_a_clusters_worker_that_dies_has_its_runs_made_again(client: Any, tmp_path: Path) -> None:
    """Also where it was the only one, and the bars went down with it."""
    found = sweep(
        Dip, source=DAY, grid={"period": [3, 4], "mishap": ["die once", ""]}, workers=client, folder=str(tmp_path)
    )
    assert len(list(tmp_path.glob("died-*"))) == 2
    assert found.table["error"].unique().tolist() == [""]


def test_a_run_that_kills_a_clusters_workers_is_a_row(client: Any) -> None:
    """The runs in its company are made."""
    table = sweep(Dip, source=DAY, grid={"mishap": ["", "die", "", ""], "lot": [3]}, workers=client).table
    assert table["error"].tolist() == ["", "its worker died each time, and Dask gave it up", "", ""]


def test_a_worker_killed_from_outside(client: Any) -> None:
    """`kill -9` half way: the table is what it would have been."""
    whole = sweep(Dip, source=DAY, grid={"period": range(3, 33)}, workers=1)
    rows = Cluster(client).rows(whole.job, range(30))
    found = dict([next(rows)])
    os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
    found.update(rows)
    assert [row(found[number]).same() for number in range(30)] == [each.same() for each in whole.rows]


def test_an_asynchronous_client_is_refused() -> None:
    """There is nobody to wait for it."""

    class Asynchronous(distributed.Client):
        asynchronous = True

        def __init__(self) -> None: ...

        def __del__(self) -> None: ...

    Asynchronous.__module__ = "distributed.client"
    with pytest.raises(ConfigError, match="use a plain Client"):
        sweep(Dip, source=DAY, grid=GRID, workers=Asynchronous())
