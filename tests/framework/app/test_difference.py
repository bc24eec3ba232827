"""What the demo says of two runs: compared row by row, and nothing passed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import run
from framework.app import demo, show
from framework.app.difference import differences
from framework.app.sandbox import Sandbox
from framework.result import Result
from strategies.scalper import SmaCrossScalper

SYMBOLS = ("ACME", "GLOBEX")
DAY = "2026-09-01"


def backtest() -> Result:
    return run(SmaCrossScalper, source=SampleBars(SYMBOLS, DAY, DAY), venue=AlpacaVenue(), warmup=0, lot=20_000)


@pytest.fixture(scope="module")
def found() -> Result:
    return backtest()


def changed(found: Result, table: str, column: str, value: Any) -> Result:
    """Return a run with one cell that is another."""
    rows = getattr(found, table).copy()
    rows.loc[3, column] = value
    return replace(found, **{table: rows})


def test_the_same_run_twice_has_no_difference(found: Result) -> None:
    """Though Backtrader numbers the second one's orders on."""
    again = backtest()
    assert list(again.orders["ref"]) != list(found.orders["ref"])
    assert differences(found, again) == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("trades", "pnl", 1e-9), ("fills", "price", 1.0), ("orders", "status", "Canceled"), ("trades", "size", 1.0)],
)
def test_one_cell_that_differs_is_told(found: Result, table: str, column: str, value: Any) -> None:
    """However little, with its row's number."""
    (told,) = differences(found, changed(found, table, column, value))
    assert told.startswith(f"{table.removesuffix('s')} 4: ")


def test_a_row_too_few_is_told(found: Result) -> None:
    """A run that stopped early is not the same run."""
    told = differences(found, replace(found, trades=found.trades.iloc[:-1]))
    assert told == [f"{len(found.trades)} trade rows against {len(found.trades) - 1}"]


def test_many_differences_are_counted(found: Result) -> None:
    """The first five are told one by one."""
    told = differences(found, replace(found, equity=pd.Series(found.equity + 1)))
    assert len(told) == 6
    assert told[-1] == f"and {len(found.equity) - 5} more value of the account rows"


def test_a_difference_is_shown_and_is_the_demos_exit_code(
    found: Result, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo is honest: a row that differs is marked, told, and the demo fails."""
    other = replace(changed(found, "trades", "pnl", -1.0), session="s")
    monkeypatch.setattr(demo, "_both", lambda strategy: (found, other))
    assert not demo._flip(SmaCrossScalper)
    assert "They differ in 1 things" in capsys.readouterr().out
    assert show.both(found, found) == []
    assert "Their difference: none" in capsys.readouterr().out


def test_a_line_that_drops_with_a_fill_on_its_way_changes_nothing_in_lock_step(found: Result) -> None:
    """The clock waits for the line; orders that expire do so with their symbol's next bar, on both sides."""
    with Sandbox(SampleBars(SYMBOLS, DAY, DAY)) as sandbox:
        sandbox.fault("drop", stream="trade_updates", after=9, match={"event": "fill"})
        source = AlpacaBars(SYMBOLS, **sandbox.access)
        venue = AlpacaVenue(**sandbox.access)
        live = run(SmaCrossScalper, source=source, venue=venue, live=True, warmup=0, lot=20_000)
        assert sandbox.state()["faults"]["made"] == {"drop": 1}
    assert (live.orders["status"] == "Expired").sum() >= 3
    assert differences(found, live) == []
