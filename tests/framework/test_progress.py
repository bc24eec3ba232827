"""The bar that shows how far a run is."""

from __future__ import annotations

import threading

import backtrader as bt
import pytest
from tape import Tape

from framework import run
from framework.progress import watched


def test_a_run_shows_its_bar_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """`progress=True` shows all bars played, on standard error."""
    run(bt.Strategy, source=Tape({"A": range(1, 31), "B": [1] * 40}), progress=True)
    shown = capsys.readouterr()
    assert "40/40" in shown.err
    assert shown.out == ""


def test_without_a_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe, a log or a test there is no bar unless it is asked for."""
    run(bt.Strategy, source=Tape({"A": range(1, 31)}))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("wanted", [True, False])
def test_no_thread_outlives_the_run(wanted: bool) -> None:
    """An error in the run ends the bar too, and reaches the caller."""
    with pytest.raises(ZeroDivisionError), watched(10, lambda: 1, wanted):
        _ = 1 / 0
    assert "switchback-progress" not in [thread.name for thread in threading.enumerate()]
