"""`switchback sweep`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from feeds import SampleBars
from framework import sweep
from framework.app.main import EXIT_WRONG_INPUT, main
from framework.app.sweep import grid_of
from framework.errors import ConfigError
from strategies.sma_cross import SmaCross

OF_A_DAY = ["--symbols", "ACME", "--start", "2026-01-07", "--end", "2026-01-07", "--workers", "1"]
CROSS = "strategies.sma_cross:SmaCross"


def test_the_best_rows_are_shown_and_the_table_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The file has all that `sweep` gives, in the grid's order."""
    words = ["-g", "fast=5:20:5", "-g", "slow=20,30", "-p", "lot=5000", "--commission", "0.001"]
    files = ["--csv", str(tmp_path / "all.csv"), "--plot", str(tmp_path / "map.png")]
    assert main(["sweep", CROSS, *words, *OF_A_DAY, *files, "--by", "final_equity", "--top", "2"]) == 0
    grid = {"fast": [5, 10, 15], "slow": [20, 30]}
    source = SampleBars("ACME", "2026-01-07", "2026-01-07")
    found = sweep(SmaCross, source=source, grid=grid, workers=1, lot=5000, commission=0.001)
    table = pd.read_csv(tmp_path / "all.csv", dtype=str)
    assert table["final_equity"].map(float).tolist() == found.table["final_equity"].tolist()
    shown = capsys.readouterr().out.splitlines()
    best = found.ranked("final_equity").iloc[0]
    assert "SmaCross, 6 runs, the best by final_equity" in shown
    assert str(found.deflated("final_equity")) in shown
    assert shown[-2].split()[:3] == [str(best["fast"]), str(best["slow"]), f"{best['final_equity']:,.2f}"]
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_a_store_is_filled_and_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The second command shows what the first one does."""
    words = ["sweep", CROSS, "-g", "fast=5,10", *OF_A_DAY, "--store", str(tmp_path / "store.db"), "--by", "fills"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert main(words) == 0
    assert capsys.readouterr().out == first


class Kinds:
    """Parameters of every kind, as a strategy's."""

    class params:
        @staticmethod
        def _getitems() -> Any:
            return {"fast": 10, "factor": 0.5, "name": "x", "is_on": True, "other": None}.items()


READINGS = [
    ("fast=5:20:5", [5, 10, 15]),
    ("fast=5:8", [5, 6, 7]),
    ("fast=5:12:5", [5, 10]),
    ("fast=20:9:-5", [20, 15, 10]),
    ("fast=20:5:-5", [20, 15, 10]),
    ("fast=5, 10,20", [5, 10, 20]),
    ("factor=0.1:0.4:0.1", [0.1, 0.2, 0.3]),
    ("name=a:b,5", ["a:b", "5"]),
    ("is_on=yes,no", [True, False]),
    ("other=1,two", [1, "two"]),
]


@pytest.mark.parametrize(("text", "values"), READINGS)
def test_values_are_read_as_the_parameters_default_is(text: str, values: list[Any]) -> None:
    """A range stops before its end, as Python's does; its steps are exact."""
    (found,) = grid_of(argparse.Namespace(grid=[text]), Kinds).values()  # type: ignore[arg-type]
    assert [(type(each), each) for each in found] == [(type(each), each) for each in values]


WRONG = [
    (["fast"], "write it as NAME=VALUES"),
    (["fast=5", "fast=6"], "fast is given twice"),
    (["fast=5:4:1"], "there is nothing from 5 to below 4"),
    (["fast=5:4:2"], "there is nothing from 5 to below 4 in steps of 2"),
    (["fast=5:9:0"], "there is nothing from 5 to below 9 in steps of 0"),
    (["fast=a:b"], "a range is three numbers"),
    (["fast=ten"], "it is a number, such as 10"),
    (["is_on=perhaps"], "it is a yes or a no"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_values_that_cannot_be_read(words: list[str], said: str) -> None:
    """In one line, with what was typed."""
    with pytest.raises(ConfigError, match=said):
        grid_of(argparse.Namespace(grid=words), Kinds)  # type: ignore[arg-type]


BAD = [
    (["-g", "fst=5"], "did you mean fast?"),
    (["-g", "fast=5", "--by", "sharp"], "did you mean sharpe?"),
    (["-g", "fast=5", "--csv", "no/folder/all.csv"], "there is no folder"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_what_only_the_user_can_put_right(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line, and the exit code for it."""
    assert main(["sweep", CROSS, *words, *OF_A_DAY]) == EXIT_WRONG_INPUT
    assert said in capsys.readouterr().err


def test_failed_runs_are_counted_and_the_first_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the best of the others."""
    assert main(["sweep", CROSS, "-g", "fast=0,5", *OF_A_DAY, "--by", "total_return"]) == 0
    shown = capsys.readouterr().out
    assert "2 runs, 1 failed" in shown
    assert "the first error: " in shown


def test_a_scheduler_that_is_not_there(capsys: pytest.CaptureFixture[str], unused: str) -> None:
    """The address is named, and what to start."""
    options = [word for word in OF_A_DAY if word not in ("--workers", "1")]
    assert main(["sweep", CROSS, "-g", "fast=5", *options, "--dask", unused]) == EXIT_WRONG_INPUT
    assert f"--dask {unused}: there is no scheduler" in capsys.readouterr().err


@pytest.fixture
def unused() -> str:
    """An address that is not understood, so that nothing is waited for."""
    pytest.importorskip("distributed")
    return "nowhere://127.0.0.1:1"
