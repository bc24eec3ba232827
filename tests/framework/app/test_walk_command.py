"""`switchback walk`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from feeds import SampleBars
from framework import walk_forward
from framework.app.main import EXIT_WRONG_INPUT, main
from strategies.sma_cross import SmaCross

BARS = ["--symbols", "ACME", "--start", "2026-01-05", "--end", "2026-01-30", "--timeframe", "30Min", "--workers", "1"]
CROSS = "strategies.sma_cross:SmaCross"
GRID = ["-g", "fast=3,5", "-g", "slow=10:21:10"]


def test_windows_are_shown_and_what_is_asked_for_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The files have what `walk_forward` gives."""
    words = [*GRID, "--train", "8D", "--test", "5", "--anchored", "--objective", "total_return", "--smallest"]
    files = [
        "--csv",
        str(tmp_path / "all.csv"),
        "--equity",
        str(tmp_path / "equity.csv"),
        "--plot",
        str(tmp_path / "p.png"),
    ]
    assert main(["walk", CROSS, *words, *BARS, *files]) == 0
    source = SampleBars("ACME", "2026-01-05", "2026-01-30", timeframe="30Min")
    grid = {"fast": [3, 5], "slow": [10, 20]}
    how = {"anchored": True, "objective": "total_return", "smallest": True, "workers": 1}
    found = walk_forward(SmaCross, source=source, grid=grid, train=8, test=5, **how)
    table = pd.read_csv(tmp_path / "all.csv", dtype=str)
    assert table["test_total_return"].map(float).tolist() == found.table["test_total_return"].tolist()
    assert table["train_start"].tolist() == ["2026-01-05"] * 3
    written = pd.read_csv(tmp_path / "equity.csv", dtype=str)
    assert written["equity"].map(float).tolist() == found.equity.tolist()
    assert (tmp_path / "p.png").stat().st_size > 1000
    shown = capsys.readouterr().out
    assert "SmaCross, 3 windows" in shown
    first = next(line for line in shown.splitlines() if line.startswith("2026-01-15 to 01-22"))
    assert first.split()[3:5] == [str(found.table["fast"][0]), str(found.table["slow"][0])]
    assert f"probability of a true Sharpe ratio above 0: {found.probability:.2f}" in shown
    assert found.stats.written("final_equity") in shown


def test_a_window_without_a_test_run_shows_why(capsys: pytest.CaptureFixture[str]) -> None:
    """And the command says that nothing can be joined, where none has one."""
    assert main(["walk", CROSS, "-g", "fast=0", "--train", "8", "--test", "5", *BARS]) == EXIT_WRONG_INPUT
    shown = capsys.readouterr()
    assert "SmaCross, 3 windows, 3 without a test run" in shown.out
    assert "no window has a test run: there is no best run by sharpe: " in shown.err


BAD = [
    (["-g", "fst=5"], "did you mean fast?"),
    (["-g", "fast=5", "--train", "6W"], "train='6W' is no number of trading sessions"),
    (["-g", "fast=5", "--objective", "sharp"], "did you mean sharpe?"),
    (["-g", "fast=5", "--train", "300"], "19 trading sessions are too few to train on 300"),
    (["-g", "fast=5", "--equity", "no/folder/all.csv"], "there is no folder"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_what_only_the_user_can_put_right(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line, and the exit code for it."""
    assert main(["walk", CROSS, *words, *BARS]) == EXIT_WRONG_INPUT
    assert said in capsys.readouterr().err
