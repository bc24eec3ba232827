"""`search`: good parameters looked for in a space."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
import swept
from swept import DAY, Dip, counted, in_drills

from feeds import SampleBars
from framework import Search, run, search, sweep
from framework.errors import ConfigError, SwitchbackError
from framework.research.executors import InProcess
from framework.research.rows import row, row_of
from framework.research.store import Store
from framework.result import Result

optuna = pytest.importorskip("optuna")

SPACE = {"period": range(2, 40), "lot": (1, 100, "log")}
BARS = SampleBars("ACME", "2026-01-05", "2026-01-16", timeframe="30Min")


def searched(**how: Any) -> Search:
    fixed: dict[str, Any] = {"source": BARS, "space": SPACE, "trials": 24, "objective": "final_equity", "workers": 1}
    return search(Dip, **{**fixed, **how})


@pytest.fixture(scope="module")
def found() -> Search:
    return searched()


def same(one: Result, other: Result) -> bool:
    return row(row_of(one, 0)).same() == row(row_of(other, 0)).same()


def test_each_trial_is_what_run_gives(found: Search) -> None:
    """To the last bit, with its own warm-up."""
    assert len(found) == len(found.table) == 24
    for number in (0, 11, 23):
        alone = run(Dip, source=BARS, **found.job.sets[number])
        assert found.rows[number].same() == row(row_of(alone, 0)).same()
        assert found.table["period"][number] == alone.strategy.p.period


def test_a_search_is_better_than_chance() -> None:
    """The later half of its trials is better than the first ones, which are drawn by lot."""
    found = searched(trials=48, objective="fills").table["fills"]
    assert found[24:].mean() > 1.2 * found[:10].mean()


def test_the_best_is_opened_as_a_whole_result(found: Search) -> None:
    """By the objective, in its direction, unless another figure is asked for."""
    table = found.table
    assert same(found.best(), found.result(int(table["final_equity"].idxmax())))
    assert same(found.best("fills"), found.result(int(table["fills"].idxmax())))
    few = searched(objective={"fills": "smallest"}, trials=10)
    assert few.best().stats["trades"] <= few.table["trades"].max()
    assert len(few.best().fills) == few.table["fills"].min()


def test_the_same_seed_makes_the_same_trials_whoever_runs_them(found: Search) -> None:
    """By two processes, which end their runs in whatever order, as by this one."""
    assert searched(workers=2).digest == found.digest
    assert searched(seed=1, trials=4).job.sets != found.job.sets[:4]


def test_more_trials_go_on_where_fewer_ended(found: Search) -> None:
    """Also where the last batch was not a whole one."""
    assert searched(trials=13).job.sets == found.job.sets[:13]


def test_what_is_not_allowed_is_never_run(tmp_path: Path) -> None:
    """Nor is it a trial."""
    params = {"mishap": "count", "folder": str(tmp_path)}
    found = searched(where=lambda each: each["period"] % 3 == 0, params=params, trials=12)
    periods = found.table["period"]
    assert (periods % 3 == 0).all()
    assert {int(each.name.partition("-")[0]) for each in tmp_path.iterdir()} == set(periods)


def test_a_constraint_is_about_figures_and_parameters() -> None:
    """What does not meet it is in the table and never the best; the search turns away from there."""
    found = searched(trials=32, constraints=[lambda run: run["fills"] < 60, lambda run: run["period"] > 5])
    table = found.table
    assert ((table["fills"] < 60) & (table["period"] > 5)).tolist() == table["met"].tolist()
    assert set(found.ranked()["met"]) == {True}
    assert not table["met"].all()
    assert table["met"][16:].mean() >= table["met"][:10].mean()


def test_a_constraint_that_no_trial_meets() -> None:
    """The table is there, a best one is not."""
    found = searched(trials=3, constraints=lambda run: False)
    with pytest.raises(ConfigError, match="none of 3 trials meets the constraints; loosen them, or try more"):
        found.best()
    assert found.pareto.empty


def test_several_objectives_have_a_front(found: Search) -> None:
    """Of those trials that no other one beats; the best by the first objective is one of them."""
    both = searched(objective={"final_equity": "greatest", "fills": "smallest"}, trials=32)
    front, table = both.pareto, both.table
    for number, each in table.iterrows():
        better = (table["final_equity"] >= each["final_equity"]) & (table["fills"] <= each["fills"])
        better &= (table["final_equity"] > each["final_equity"]) | (table["fills"] < each["fills"])
        is_repeated = (table[["period", "lot"]].loc[: number - 1] == each[["period", "lot"]]).all(axis=1).any()
        assert (number in front.index) == (not better.any() and not is_repeated)
    assert front["final_equity"].is_monotonic_decreasing
    assert front.index[0] == both.ranked().index[0]


def test_a_list_of_objectives_are_all_to_be_great() -> None:
    """The short way to say so."""
    assert searched(objective=["sharpe", "fills"], trials=2).goals == {"sharpe": False, "fills": False}


def test_a_set_that_comes_again_is_not_run_again(tmp_path: Path) -> None:
    """It is a trial all the same, and is counted once where the best is deflated."""
    params = {"mishap": "count", "folder": str(tmp_path)}
    found = searched(space={"period": [3, 5]}, params=params, objective="total_return")
    assert len(found) == 24
    assert counted(tmp_path) == 2
    assert found.returns.shape[1] == 2
    assert found.deflated().trials == 2


def test_a_trial_that_fails_is_a_row_with_its_error() -> None:
    """The others go on, and only they are ranked."""
    found = searched(space={"mishap": ["", "init"], "period": (2, 9)}, trials=16)
    failed = found.table["mishap"] == "init"
    assert set(found.table["error"][failed]) == {"RuntimeError: unlucky"}
    assert not found.table["met"][failed].any()
    assert found.title == f"Dip, 16 trials, {failed.sum()} failed"
    assert (found.ranked()["mishap"] == "").all()


def test_a_store_has_what_was_done(tmp_path: Path) -> None:
    """Nothing is run again, whatever stopped the search; the table is that of a search that nobody stopped."""
    folder = tmp_path / "begun"
    folder.mkdir()
    how: dict[str, Any] = {"store": tmp_path / "store", "params": {"mishap": "count", "folder": str(folder)}}
    how["trials"] = 14
    with pytest.MonkeyPatch.context() as patch:
        keep, kept = Store.keep, []

        def full(store: Store, *row: str) -> None:
            keep(store, *row)
            kept.append(row)
            if len(kept) == 9:
                raise SwitchbackError("the power is off")

        patch.setattr(Store, "keep", full)
        with pytest.raises(SwitchbackError, match="the power is off"):
            searched(**how)
    assert counted(folder) == 9
    again = searched(**how)
    distinct = len({repr(each) for each in again.job.sets})
    assert counted(folder) == distinct
    assert searched(**how).digest == again.digest == searched(params=how["params"], trials=14).digest


def test_rows_are_shared_with_sweeps(tmp_path: Path) -> None:
    """A run has the same key whoever asked for it."""
    folder = tmp_path / "begun"
    folder.mkdir()
    how: dict[str, Any] = {"source": BARS, "workers": 1, "store": tmp_path / "store"}
    how["params"] = {"mishap": "count", "folder": str(folder)}
    sweep(Dip, grid={"period": range(2, 6), "lot": [7]}, **how)
    assert counted(folder) == 4
    search(Dip, space={"period": (2, 5), "lot": [7]}, trials=16, objective="fills", **how)
    assert counted(folder) == 4


DRIVER = """
import sys
from framework import search
from framework.research.store import Store
from swept import DAY, Dip
keep = Store.keep
def told(*row):
    keep(*row)
    print("kept", flush=True)
Store.keep = told
folder, store = sys.argv[1:]
params = {"mishap": "count", "folder": folder}
space = {"period": (3, 63), "lot": (1, 100)}
search(Dip, source=DAY, space=space, trials=200, objective="fills", workers=2, store=store, params=params)
"""


@in_drills
def test_a_driver_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """It loses the runs in flight at most."""
    folder, store = tmp_path / "begun", tmp_path / "store"
    folder.mkdir()
    words = [sys.executable, "-c", DRIVER, str(folder), str(store)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(swept.__file__).parent), *sys.path])}
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as driver:
        assert driver.stdout is not None
        assert len(list(islice((line for line in driver.stdout if line == "kept\n"), 10))) == 10
        driver.kill()
    params = {"mishap": "count", "folder": str(folder)}
    how: dict[str, Any] = {"source": DAY, "space": {"period": (3, 63), "lot": (1, 100)}, "trials": 40}
    again = search(Dip, **how, objective="fills", workers=1, store=store, params=params)
    assert counted(folder) <= len({repr(each) for each in again.job.sets}) + 2
    assert again.digest == search(Dip, **how, objective="fills", workers=1, params=params).digest


class Middling(Dip):
    """Needs more history in the middle of its space than at the ends."""

    def __init__(self) -> None:
        super().__init__()
        self.other = bt.ind.SMA(period=60 - abs(self.p.lot - 50))


def test_a_trial_that_needs_more_history_than_the_corners_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are started anew with more, and each trial is still what `run` gives."""
    opened: list[int] = []
    real = InProcess.opened
    monkeypatch.setattr(InProcess, "opened", lambda self, job, most: (opened.append(most), real(self, job, most))[1])
    how: dict[str, Any] = {"source": BARS, "trials": 4, "batch": 2, "objective": "fills", "workers": 1}

    def where(each: Any) -> bool:
        return 40 < each["lot"] < 60 if opened else each["lot"] < 10

    found = search(Middling, space={"lot": (1, 99)}, where=where, **how)
    assert opened == [2, 2]
    assert (found.table["error"] == "").all()
    alone = run(Middling, source=BARS, **found.job.sets[3])
    assert found.rows[3].same() == row(row_of(alone, 0)).same()


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r'search needs Optuna; type: pip install "switchback\[search\]"'):
        searched()


def test_optuna_keeps_its_log_to_itself(capfd: pytest.CaptureFixture[str]) -> None:
    """And logs as before for whoever uses it beside."""
    before = optuna.logging.get_verbosity()
    searched(trials=2)
    assert "study" not in capfd.readouterr().err
    assert optuna.logging.get_verbosity() == before


def test_a_search_shows_its_bar_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """Of trials."""
    searched(trials=2, progress=True)
    assert "trials" in capsys.readouterr().err


def broken(_: Any) -> bool:
    raise KeyError("slow")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"space": {}}, "names no parameter"),
    ({"space": {"perod": (1, 5)}}, r"no parameter 'perod' \(did you mean period\?\)"),
    ({"params": {"period": 4}}, "period is given in the space and fixed in params"),
    ({"objective": "sharp"}, r"objective='sharp' is no figure \(did you mean sharpe\?\)"),
    ({"objective": []}, "objective names no figure"),
    ({"objective": {"sharpe": "gratest"}}, r"to be 'gratest' \(did you mean greatest\?\); say greatest or smallest"),
    ({"objective": "end"}, "is a time"),
    ({"trials": 0}, "trials=0 is no number from 1 up"),
    ({"batch": 0}, "batch=0 is no number from 1 up"),
    ({"seed": None}, "seed=None is no number from 0 up"),
    ({"constraints": ["fills < 3"]}, "constraints has 'fills < 3'; try lambda run"),
    ({"where": lambda each: False}, "where= is true of none of 1,000 parameter sets"),
    ({"where": broken}, "where failed on period=.*: KeyError: 'slow'"),
    ({"constraints": broken}, "constraints failed on period=.*: KeyError: 'slow'"),
    ({"live": True}, "live=True is for a live session"),
]


@pytest.mark.parametrize(("how", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_said(how: dict[str, Any], said: str) -> None:
    """In one line, with what to try."""
    with pytest.raises(ConfigError, match=said) as raised:
        searched(**how)
    assert "\n" not in str(raised.value)
