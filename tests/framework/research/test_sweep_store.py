"""The result store: what was computed once is not computed again, whoever was killed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import swept
from swept import DAY, Dip, counted, in_drills

from brokers import AlpacaVenue
from feeds import SampleBars
from framework import sweep
from framework.errors import ConfigError, SwitchbackError
from framework.research.outcome import Sweep


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder in which each run that is begun leaves a file."""
    folder = tmp_path / "begun"
    folder.mkdir()
    return folder


def swept_into(begun: Path, **how: Any) -> Sweep:
    store = begun.parent / "store"
    fixed = {"source": DAY, "workers": 1, "store": store, "params": {"mishap": "count", "folder": str(begun)}}
    return sweep(Dip, **{**fixed, "grid": {"period": [3, 4, 5]}, **how})


def test_what_is_in_the_store_is_not_computed_again(begun: Path) -> None:
    """The second sweep is the first one's table, its seconds too, without a run."""
    one, two = swept_into(begun), swept_into(begun)
    assert counted(begun) == 3
    assert two.table.equals(one.table)


def test_a_larger_grid_computes_what_is_new(begun: Path) -> None:
    """Although the warm-up that is loaded is then a longer one."""
    swept_into(begun)
    swept_into(begun, grid={"period": [2, 3, 4, 5, 50], "lot": [10]})
    assert counted(begun) == 5


def test_a_parameter_set_that_comes_twice_is_computed_once(begun: Path) -> None:
    """Both rows are there."""
    table = swept_into(begun, grid={"period": [3, 4, 3]}).table
    assert counted(begun) == 2
    assert table["final_equity"][0] == table["final_equity"][2]


OTHERS: list[dict[str, Any]] = [
    {"commission": 0.001},
    {"cash": 99_999},
    {"sizer": 3},
    {"lot": 4},
    {"venue": AlpacaVenue()},
    {"warmup": 60},
    {"resample": ["5Min"]},
    {"quicknotify": False},
    {"source": SampleBars("ACME", "2026-01-07", "2026-01-08")},
    {"source": SampleBars("ACME", "2026-01-07", "2026-01-07", seed=1)},
    {"source": SampleBars("GLOBEX", "2026-01-07", "2026-01-07")},
]


@pytest.mark.parametrize("how", OTHERS, ids=lambda how: str(*how))
def test_another_run_is_another_row(begun: Path, how: dict[str, Any]) -> None:
    """Whatever may change a result makes another key."""
    swept_into(begun)
    swept_into(begun, **how)
    assert counted(begun) == 6


@pytest.mark.parametrize("how", [{"cash": 100_000}, {"progress": False}, {"workers": 2}, {"venue": None}, {"lot": 10}])
def test_the_same_run_is_the_same_row(begun: Path, how: dict[str, Any]) -> None:
    """A default that is written out, and what no result depends on, change no key."""
    swept_into(begun)
    swept_into(begun, **how)
    assert counted(begun) == 3


def test_another_strategys_code_is_another_row(begun: Path) -> None:
    """The same name does not make the same run."""

    def subclass(factor: float) -> type[Dip]:
        class Mine(Dip):
            def next(self) -> None:
                if self.data.close[0] < factor * self.average[0]:
                    self.buy()

        return Mine

    fixed = {"mishap": "count", "folder": str(begun)}
    for each in (0.999, 0.999, 0.998):
        sweep(subclass(each), source=DAY, grid={"period": [3]}, workers=1, store=begun.parent / "store", params=fixed)
    assert counted(begun) == 2


def test_rows_that_were_written_in_another_way_are_computed_anew(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not misread, and stay for whoever wrote them."""
    with monkeypatch.context() as earlier:
        earlier.setattr("framework.research.keys.FORMAT", 1)
        swept_into(begun)
    swept_into(begun)
    assert counted(begun) == 6
    assert kept(begun.parent / "store") == 6


def test_a_run_that_failed_is_tried_again(begun: Path) -> None:
    """What it lacked may be there by then."""
    store = begun.parent / "store"
    for _ in range(2):
        sweep(Dip, source=DAY, grid={"mishap": ["init", ""]}, workers=1, store=store)
    with sqlite3.connect(store) as database:
        assert database.execute("SELECT count(*) FROM rows").fetchone() == (1,)
    database.close()


DRIVER = """
import sys
from framework import sweep
from framework.research.store import Store
from swept import DAY, Dip
keep = Store.keep
def told(*row):
    keep(*row)
    print("kept", flush=True)
Store.keep = told
folder, store, workers = sys.argv[1:]
params = {"mishap": "count", "folder": folder}
sweep(Dip, source=DAY, grid={"period": range(3, 63)}, workers=int(workers), store=store, params=params)
"""


@pytest.mark.parametrize("workers", [pytest.param(1, marks=in_drills), 2])
def test_a_driver_that_is_killed_goes_on_where_it_stopped(begun: Path, workers: int) -> None:
    """It loses the runs in flight at most, and the table is the one of a sweep that nobody disturbed."""
    store = begun.parent / "store"
    words = [sys.executable, "-c", DRIVER, str(begun), str(store), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(Path(swept.__file__).parent), "TMPDIR": str(begun.parent)}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stderr is not None
        assert len(list(islice((line for line in driver.stdout if line == "kept\n"), 10))) == 10
        driver.kill()
        driver.stderr.read()  # it ends when its workers are gone too, which clean up after it
    assert not list(begun.parent.glob("switchback-*"))
    assert 10 <= kept(store) < 60
    again = swept_into(begun, grid={"period": range(3, 63)})
    assert counted(begun) <= 60 + workers
    assert again.digest == sweep(Dip, source=DAY, grid={"period": range(3, 63)}, workers=1).digest


def kept(store: Path) -> int:
    with closing(sqlite3.connect(store, timeout=10)) as database:
        return int(database.execute("SELECT count(*) FROM rows").fetchone()[0])


def test_a_store_that_cannot_be_written_ends_the_sweep(begun: Path) -> None:
    """What was kept stays; nothing is computed only to be lost."""
    swept_into(begun)
    with sqlite3.connect(begun.parent / "store") as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON rows BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    database.close()
    with pytest.raises(SwitchbackError, match=r"cannot be written \(disk is full\)"):
        swept_into(begun, grid={"period": [3, 6, 7]})
    assert counted(begun) == 4


def test_another_kind_of_file_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into what is not a store."""
    for name, content in (("text", b"some text, long enough to have a header in front of it" * 4), ("base", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        else:
            with sqlite3.connect(tmp_path / name) as database:
                database.execute("CREATE TABLE mine (x)")
            database.close()
        before = (tmp_path / name).read_bytes()
        with pytest.raises(ConfigError, match=r"name another file|name a new one"):
            sweep(Dip, source=DAY, grid={"period": [3]}, workers=1, store=tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_a_store_needs_a_folder(tmp_path: Path) -> None:
    """It is not made: a misspelt path would be found out much later."""
    with pytest.raises(ConfigError, match="there is no folder"):
        sweep(Dip, source=DAY, grid={"period": [3]}, workers=1, store=tmp_path / "no" / "store")
