"""Worker processes: the same rows, whoever dies, and strategies that only this process knows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import backtrader as bt
import psutil
import pytest
import swept
from swept import DAY, Dip, counted, in_drills

from feeds import SampleBars
from framework import sweep
from framework.app import naming
from framework.errors import ConfigError
from framework.research.executors import InProcess
from framework.research.processes import Processes, Worker
from framework.research.rows import row
from framework.research.shipping import opened, packed, written


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No worker, no thread and no folder of a sweep outlives it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    assert not list(tmp_path.glob("switchback-*"))
    assert workers() == []
    assert "switchback-sweep" not in [thread.name for thread in threading.enumerate()]


def workers() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "framework.research" in " ".join(each.cmdline())]


def test_the_table_is_the_same_from_worker_processes() -> None:
    """Hash for hash, failing rows too, and whatever the strategy prints."""
    grid = {"period": range(3, 9), "mishap": ["", "init", "exit"]}
    one, two = (sweep(Dip, source=DAY, grid=grid, workers=each) for each in (1, 2))
    assert one.digest == two.digest
    assert two.table.drop(columns="seconds").equals(one.table.drop(columns="seconds"))


def test_a_worker_that_dies_has_its_run_made_again(tmp_path: Path) -> None:
    """The one run that it was at, and no other."""
    where = {"folder": str(tmp_path), "source": DAY}
    found = sweep(Dip, grid={"period": range(3, 9), "mishap": ["die once"]}, workers=2, **where)
    assert len(list(tmp_path.glob("died-*"))) == 6
    assert found.table["error"].unique().tolist() == [""]


def test_a_worker_that_is_killed_from_outside_costs_nothing(tmp_path: Path) -> None:
    """`kill -9` half way: the table is what it would have been."""
    whole = sweep(Dip, source=DAY, grid={"period": range(3, 33)}, workers=1)
    rows = Processes(2).rows(whole.job, range(30))
    found = dict([next(rows), next(rows)])
    victim = workers()[0]
    os.kill(victim.pid, signal.SIGKILL)
    found.update(rows)
    again = [whole.rows[number].same() for number in sorted(found)]
    assert [each.same() for each in map(row, (found[number] for number in range(30)))] == again


def test_a_worker_that_is_killed_before_it_has_begun_costs_nothing() -> None:
    """Another is started, as for one that dies at a run."""
    whole = sweep(Dip, source=DAY, grid={"period": range(3, 6)}, workers=1)
    rows = Processes(1).rows(whole.job, range(3))
    killer = threading.Thread(target=kill_the_first)
    killer.start()
    assert sorted(number for number, _ in rows) == [0, 1, 2]
    killer.join()


def kill_the_first() -> None:
    """As soon as there is one: long before its imports are done."""
    while not (found := workers()):
        pass
    os.kill(found[0].pid, signal.SIGKILL)


@in_drills
def test_a_run_that_kills_every_worker_is_a_row() -> None:
    """It is not tried for ever, and the runs beside it are made."""
    table = sweep(Dip, source=DAY, grid={"period": [3, 4], "mishap": ["die", ""]}, workers=2).table
    assert table["error"].tolist() == ["its worker died 3 times (signal 9, such as for want of memory)", ""] * 2


def test_a_sweep_that_is_left_half_way_ends_its_workers() -> None:
    """As Ctrl-C would."""
    job = sweep(Dip, source=DAY, grid={"period": range(3, 33)}, workers=1).job
    rows = Processes(2).rows(job, range(30))
    next(rows)
    assert len(workers()) == 2
    rows.close()  # type: ignore[attr-defined]


def test_a_strategy_of_a_notebook_runs_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the indicators, bases, helpers and constants of its cells, which no other process can import."""
    notebook = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    exec(CELL, vars(notebook))
    how = {"source": DAY, "grid": {"period": range(3, 7)}, "commission": notebook.Costs(commission=0.05, extra=0.2)}
    one, two = (sweep(notebook.Mine, workers=each, **how) for each in (1, 2))
    assert one.table["fills"].max() > 0
    assert one.digest == two.digest


CELL = """
import backtrader as bt

LOT = 3

def lots(): return LOT

class Average(bt.Indicator):
    lines = ("average", "double")
    params = (("period", 5),)
    def __init__(self):
        self.lines.average = bt.ind.SMA(self.data, period=self.p.period)
        self.lines.double = self.lines.average * 2

class Costs(bt.CommInfoBase):
    params = (("extra", 0.0), ("stocklike", True), ("commtype", bt.CommInfoBase.COMM_PERC))
    def _getcommission(self, size, price, pseudoexec):
        return super()._getcommission(size, price, pseudoexec) + self.p.extra

class Base(bt.Strategy):
    params = (("period", 4),)
    def __init__(self):
        super().__init__()
        self.average = Average(period=self.p.period)

class Mine(Base):
    params = dict(lot=0)
    def next(self):
        if not self.position and self.data.close[0] * 2 < self.average.double[0]:
            self.buy(size=self.p.lot or lots())
        elif self.position and self.data.close[0] > self.average[0]:
            self.close()
"""


def test_a_strategy_of_a_file_runs_in_workers(tmp_path: Path) -> None:
    """As the command line loads it, with what lies beside it."""
    (tmp_path / "beside_the_swept.py").write_text("PERIOD = 4\n")
    path = tmp_path / "mine.py"
    path.write_text("from beside_the_swept import PERIOD\n" + CELL.replace('"period", 4', '"period", PERIOD'))
    strategy = naming.strategy(f"{path}:Mine")
    one, two = (sweep(strategy, source=DAY, grid={"lot": [1, 2]}, workers=each) for each in (1, 2))
    assert one.digest == two.digest


@in_drills
def test_a_script_without_a_main_guard_is_not_started_again(tmp_path: Path) -> None:
    """A worker has no part of the script that sweeps."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=_found())
    assert done.stdout.split() == ["started", "4"]


def _found() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(swept.__file__).parent)}


SCRIPT = """
print("started")
from framework import sweep
from swept import DAY, Dip
print(len(sweep(Dip, source=DAY, grid={"period": range(3, 7)}, workers=2)))
"""


def test_what_cannot_be_sent_is_said_in_one_line() -> None:
    """With what to do."""
    with pytest.raises(ConfigError, match=r"cannot be sent to a worker \(TypeError: .*use workers=1") as raised:
        sweep(Dip, source=DAY, grid={"period": [3, 4]}, workers=2, at_close=Locked())
    assert "\n" not in str(raised.value)


class Locked:
    """Something to call, which has a lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, strategy: bt.Strategy) -> None:
        pass


def test_a_module_that_has_changed_since_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker would import the new one: its rows would be of another strategy than the one at hand."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "edited_since.py"
    path.write_text(CELL)
    import edited_since  # type: ignore[import-not-found]

    path.write_text(CELL.replace("< self.average.double[0]", "<= self.average.double[0]"))
    with pytest.raises(ConfigError, match="Mine is not as it was imported, edited_since has changed since"):
        sweep(edited_since.Mine, source=DAY, grid={"lot": [1, 2]}, workers=2)


def test_a_worker_that_cannot_begin_leaves_the_others_the_job(tmp_path: Path) -> None:
    """Each says what is wrong with the job itself, whichever of them ends first."""
    (tmp_path / "job").write_bytes(b"no job at all")
    first, second = Worker(tmp_path), Worker(tmp_path)
    said = first.begun()
    first.end()
    assert (tmp_path / "job").exists()
    assert said
    assert second.begun() == said
    second.end()


def test_a_workers_arrays_are_mapped_and_read_only(tmp_path: Path) -> None:
    """The columns are no copies: all workers have the same pages of one file."""
    job = sweep(Dip, source=DAY, grid={"period": [3]}, workers=1).job
    written(packed(job), tmp_path)
    close = opened(tmp_path).source[0].bars["ACME"].close  # type: ignore[union-attr]
    assert not close.flags.writeable
    assert not close.flags.owndata
    assert (close == job.source[0].bars["ACME"].close).all()  # type: ignore[union-attr]


@in_drills
def test_a_workers_memory_stays_flat(tmp_path: Path) -> None:
    """Over some hundred runs it is at the end what it was after the first fifty, but for a few MiB."""
    week = SampleBars("ACME", "2026-01-05", "2026-01-09")
    grid = {"period": range(3, 103), "lot": [1, 2, 3]}
    sweep(Dip, source=week, grid=grid, workers=2, mishap="memory", folder=str(tmp_path))
    for path in tmp_path.iterdir():
        used = [int(each) for each in path.read_text().split()]
        assert len(used) > 100
        assert max(used[-20:]) - max(used[50:70]) < 4 * 2**20


def test_in_process_is_one_after_the_other(tmp_path: Path) -> None:
    """Nothing is begun before the row before it was taken."""
    how = {"source": DAY, "mishap": "count", "folder": str(tmp_path), "workers": 1}
    job = sweep(Dip, grid={"period": [3, 4, 5]}, **how).job
    next(iter(InProcess().rows(job, [0, 1, 2])))
    assert counted(tmp_path) == 3 + 1
