"""Ray: the same rows, and runs that kill their workers there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from swept import DAY, Dip, in_drills

from framework import sweep
from framework.errors import ConfigError

# Ray closes its sockets and its files in its own time.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

GRID = {"period": range(3, 9), "mishap": ["", "init"]}


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Two workers on this machine; they find modules where this process does."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    found = pytest.importorskip("ray")
    path = os.pathsep.join(each for each in sys.path if each)
    options = {"num_cpus": 2, "include_dashboard": False, "log_to_driver": False, "_node_ip_address": "127.0.0.1"}
    found.init(runtime_env={"env_vars": {"PYTHONPATH": path}}, **options)
    yield found
    found.shutdown()


@in_drills
def test_the_table_is_the_same_from_ray(ray: Any) -> None:
    """Hash for hash, failing rows too."""
    found = sweep(Dip, source=DAY, grid=GRID, workers="ray")
    assert found.digest == sweep(Dip, source=DAY, grid=GRID, workers=1).digest


@in_drills
def test_a_worker_of_rays_that_dies_has_its_run_made_again(ray: Any, tmp_path: Path) -> None:
    """The one run that it was at."""
    found = sweep(Dip, source=DAY, grid={"mishap": ["", "die once", ""]}, workers="ray", folder=str(tmp_path))
    assert len(list(tmp_path.glob("died-*"))) == 1
    assert found.table["error"].unique().tolist() == [""]


@in_drills
def test_a_run_that_kills_rays_workers_is_a_row(ray: Any) -> None:
    """And those beside it are made."""
    table = sweep(Dip, source=DAY, grid={"mishap": ["", "die", ""]}, workers="ray").table
    assert table["error"].tolist() == ["", "its worker died 3 times", ""]


@in_drills
def test_a_strategy_of_a_notebook_goes_along(ray: Any) -> None:
    """By its code, for no worker finds it."""
    cell = ModuleType("__main__")
    exec("import backtrader as bt\nclass Mine(bt.Strategy):\n    params = (('lot', 1),)", vars(cell))
    assert sweep(cell.Mine, source=DAY, grid={"lot": [1, 2]}, workers="ray").table["error"].unique().tolist() == [""]


def test_ray_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to type, or to call."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r'needs Ray; type: pip install "switchback\[ray\]"'):
        sweep(Dip, source=DAY, grid=GRID, workers="ray")
    idle = ModuleType("ray")
    idle.is_initialized = lambda: False  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", idle)
    with pytest.raises(ConfigError, match=r"call ray\.init\(\.\.\.\) before"):
        sweep(Dip, source=DAY, grid=GRID, workers="ray")
