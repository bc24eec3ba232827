"""`switchback search`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from feeds import SampleBars
from framework import search
from framework.app.main import EXIT_WRONG_INPUT, main
from framework.app.search import condition, objective_of, space_of
from framework.errors import ConfigError
from strategies.sma_cross import SmaCross

pytest.importorskip("optuna")

BARS = ["--symbols", "ACME", "--start", "2026-01-05", "--end", "2026-01-16", "--timeframe", "30Min", "--workers", "1"]
CROSS = "strategies.sma_cross:SmaCross"


def source() -> SampleBars:
    return SampleBars("ACME", "2026-01-05", "2026-01-16", timeframe="30Min")


def test_the_best_trials_are_shown_and_all_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The file has the table that `search` gives for the same call."""
    words = ["-s", "fast=2:9", "-s", "slow=10..30", "--where", "fast < slow", "--where", "lot==5000", "-p", "lot=5000"]
    words += ["--trials", "10", "--objective", "final_equity", "--constraint", "fills>1", "--top", "2"]
    files = ["--csv", str(tmp_path / "all.csv"), "--plot", str(tmp_path / "axes.png")]
    assert main(["search", CROSS, *words, *BARS, *files]) == 0
    space = {"fast": range(2, 9), "slow": (10, 30)}
    how: dict[str, Any] = {"trials": 10, "objective": "final_equity", "workers": 1, "lot": 5000}
    found = search(SmaCross, source=source(), space=space, constraints=lambda run: run["fills"] > 1, **how)
    table = pd.read_csv(tmp_path / "all.csv")
    assert table["slow"].tolist() == found.table["slow"].tolist()
    assert table["met"].tolist() == found.table["met"].tolist()
    shown = capsys.readouterr().out.splitlines()
    assert "SmaCross, 10 trials, the best by final_equity" in shown
    assert str(found.deflated()) in shown
    best = found.ranked().iloc[0]
    assert shown[-2].split()[:3] == [str(best["fast"]), str(best["slow"]), f"{best['final_equity']:,.2f}"]
    assert (tmp_path / "axes.png").stat().st_size > 1000


def test_of_several_objectives_the_front_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """With a column for each of them."""
    words = ["-s", "fast=2:9", "--trials", "8", "--objective", "total_return,fills:smallest"]
    assert main(["search", CROSS, *words, *BARS]) == 0
    goals = {"total_return": "greatest", "fills": "smallest"}
    found = search(SmaCross, source=source(), space={"fast": range(2, 9)}, trials=8, objective=goals, workers=1)
    shown = capsys.readouterr().out.splitlines()
    assert f"of which {len(found.pareto)} are beaten" in shown[0]
    assert [each.split()[0] for each in shown[-len(found.pareto) :]] == found.pareto["fast"].astype(str).tolist()


def test_a_store_is_filled_and_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The second command shows what the first one does."""
    words = ["search", CROSS, "-s", "fast=5,10", "--trials", "4", *BARS, "--store", str(tmp_path / "store.db")]
    assert main([*words, "--objective", "total_return"]) == 0
    first = capsys.readouterr().out
    assert main([*words, "--objective", "total_return"]) == 0
    assert capsys.readouterr().out == first


class Kinds:
    """Parameters of every kind, as a strategy's."""

    class params:
        @staticmethod
        def _getitems() -> Any:
            return {"fast": 10, "factor": 0.5, "name": "x", "is_on": True, "other": None}.items()


READINGS = [
    ("fast=5:20:5", range(5, 16, 5)),
    ("fast=5:8", range(5, 8)),
    ("fast=5:6", [5]),
    ("fast=5..20", (5, 20)),
    ("fast=1..1000:log", (1, 1000, "log")),
    ("fast=5, 10,20", [5, 10, 20]),
    ("factor=1..2", (1.0, 2.0)),
    ("factor=-0.5..1e-2", (-0.5, 0.01)),
    ("factor=0.1:0.4:0.1", [0.1, 0.2, 0.3]),
    ("name=a..b,5", ["a..b", "5"]),
    ("is_on=yes,no", [True, False]),
    ("other=1..2.5", (1, 2.5)),
]


@pytest.mark.parametrize(("text", "what"), READINGS)
def test_a_space_is_read_as_the_parameters_default_is(text: str, what: Any) -> None:
    """Both ends of a pair of dots are included; a range stops before its end."""
    (found,) = space_of(argparse.Namespace(space=[text]), Kinds).values()  # type: ignore[arg-type]
    assert repr(found) == repr(what)


WRONG = [
    (["fast"], "write it as NAME=WHAT"),
    (["fast=5:9", "fast=6:9"], "fast is given twice"),
    (["fast=5:4:1"], "-s fast=5:4:1: there is nothing from 5 to below 4"),
    (["fast=ten"], "it is a number, such as 10"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_a_space_that_cannot_be_read(words: list[str], said: str) -> None:
    """In one line, with what was typed."""
    with pytest.raises(ConfigError, match=said):
        space_of(argparse.Namespace(space=words), Kinds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "holds"),
    [("a<b", True), ("a >= b", False), ("a<=1", True), ("b == 2.0", True), ("b!=2", False), ("a>-1e-3", True)],
)
def test_conditions_compare_names_and_numbers(text: str, holds: bool) -> None:
    """In whichever way."""
    assert condition(text, "--where", ["a", "b"])({"a": 1, "b": 2}) is holds


def test_directions_are_greatest_unless_said() -> None:
    """After a colon."""
    assert objective_of("sharpe, turnover:smallest") == {"sharpe": "greatest", "turnover": "smallest"}


BAD = [
    (["-s", "fst=5:9"], "did you mean fast?"),
    (["-s", "fast=5:9", "--objective", "sharp"], "did you mean sharpe?"),
    (
        ["-s", "fast=5:9", "--where", "fst<slow"],
        "--where 'fst<slow': fst is no number and no name (did you mean fast?)",
    ),
    (["-s", "fast=5:9", "--constraint", "fast"], "compare a name with a number or another name"),
    (["-s", "fast=5:9", "--trials", "0"], "trials=0"),
    (["-s", "fast=5:9", "--csv", "no/folder/all.csv"], "there is no folder"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_what_only_the_user_can_put_right(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line, and the exit code for it."""
    assert main(["search", CROSS, *words, *BARS]) == EXIT_WRONG_INPUT
    assert said in capsys.readouterr().err
