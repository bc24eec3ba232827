"""`switchback compare`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import backtrader as bt
import pandas as pd
import pytest
from tape import Prices, Tape

from brokers import AlpacaVenue
from brokers.alpaca.settings import Settings
from feeds import AlpacaBars
from framework import Live, compare, run
from framework.app import naming
from framework.app.main import EXIT_WRONG_INPUT, main
from framework.app.sandbox import Sandbox

OPENS = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
WIDE = (100.0, 101.0, 99.0, 100.0)

CODE = """
import backtrader as bt

class Dips(bt.Strategy):
    params = (("size", 10),)

    def next(self):
        if len(self) == 2:
            self.buy(size=self.p.size)
        elif len(self) == 5:
            self.close()
"""


@pytest.fixture
def strategy(tmp_path: Path) -> type[bt.Strategy]:
    """A strategy of a user's file."""
    path = tmp_path / "dips.py"
    path.write_text(CODE)
    return naming.strategy(f"{path}:Dips")


def session(strategy: type[bt.Strategy], name: str = "dips", prices: Prices = (WIDE,) * 8, **options: object) -> None:
    """Trade it with a slippage of 0.1 %: ten shares in and out at 100 are 2 dollars."""
    source = Tape({"SPY": prices}, opens=OPENS, start=OPENS)
    with Sandbox(source, settings=Settings(slippage=0.001)) as sandbox:
        bars = AlpacaBars("SPY", cache=False, **sandbox.access)
        live = Live(session=name, durable="OFF")
        run(strategy, source=bars, venue=AlpacaVenue(**sandbox.access), live=live, params=options)


def test_a_session_is_compared_by_its_name(strategy: type[bt.Strategy], capsys: pytest.CaptureFixture[str]) -> None:
    """Strategy, parameters and venue are the journal's: the sums by cause, and the rows with most money."""
    session(strategy, size=20)
    assert main(["compare", "dips"]) == 0
    shown = capsys.readouterr().out
    assert "Session dips, run 1, until 2026-10-05 13:38 UTC" in shown
    words = [line.split() for line in shown.splitlines()]
    assert ["difference", "-4.00"] in words
    assert ["fill", "price", "-4.00"] in words
    assert "10-05 13:32  SPY" in shown
    assert "venue" not in shown


def test_all_differences_are_written(strategy: type[bt.Strategy], tmp_path: Path) -> None:
    """The file has the table of the comparison, however few rows are shown."""
    session(strategy)
    assert main(["compare", "--session", "dips", "--top", "0", "--csv", str(tmp_path / "all.csv")]) == 0
    written = pd.read_csv(tmp_path / "all.csv")
    found = compare("dips", strategy, venue=AlpacaVenue())
    assert written["money"].tolist() == found.table["money"].tolist()
    assert written["cause"].tolist() == ["fill price"] * 2


def test_strategy_and_parameters_may_be_named(
    strategy: type[bt.Strategy], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With half the size the session's orders are of another."""
    session(strategy)
    words = ["compare", "dips", f"{tmp_path / 'dips.py'}:Dips", "-p", "size=5", "--venue", "none"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "10 asked for" in shown
    assert "the backtest keeps to no venue's rules" in shown


def test_final_bars_come_from_where_they_are_named(
    strategy: type[bt.Strategy], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that has a bar more than the session got: it is counted as missing."""
    session(strategy, prices=(WIDE, WIDE, WIDE, WIDE, None, WIDE, WIDE, WIDE))
    minutes = pd.date_range(OPENS, periods=8, freq="1min")
    names = ("open", "high", "low", "close")
    table = pd.DataFrame({"timestamp": minutes, **dict(zip(names, WIDE, strict=True)), "volume": 1_000.0})
    table.to_csv(tmp_path / "final.csv", index=False)
    assert main(["compare", "dips", "--bars", str(tmp_path / "final.csv"), "--symbols", "SPY"]) == 0
    assert "Bars that did not come as they should have: 1 missing bar\n" in capsys.readouterr().out


WRONG = {
    "no session": ([], "name one session"),
    "too many": (["a", "b:C", "c"], "name one session"),
    "none of it": (["dibs"], "there is no session dibs"),
    "no such run": (["dips", "--run", "4"], "dips has no run 4"),
    "no such file": (["dips", "nothing.py:Dips"], "there is no file"),
    "a folder that is not there": (["dips", "--csv", "nowhere/at/all.csv"], "nowhere"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line(
    what: str, strategy: type[bt.Strategy], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Said by what was asked and found, and with the code for a user's input."""
    monkeypatch.chdir(tmp_path)
    session(strategy)
    words, why = WRONG[what]
    assert main(["compare", *words]) == EXIT_WRONG_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line


def test_a_strategys_file_that_has_gone_is_asked_for(
    strategy: type[bt.Strategy], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal tells where it was."""
    session(strategy)
    (tmp_path / "dips.py").unlink()
    assert main(["compare", "dips"]) == EXIT_WRONG_INPUT
    assert "name the strategy: switchback compare SESSION [STRATEGY]" in capsys.readouterr().err
