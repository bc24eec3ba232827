"""The `switchback` command, run as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from feeds import SampleBars
from framework.app.main import main
from framework.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    ProtocolError,
    RateLimited,
    SwitchbackError,
    Unsupported,
)
from framework.live.clock import WallClock
from framework.live.journal import SqliteJournal

STRATEGY = """
import backtrader as bt

class Holds(bt.Strategy):
    params = (("size", 10), ("name", "x"), ("patient", True))

    def next(self):
        if not self.position:
            self.buy(size=self.p.size)
        elif len(self) % 50 == 0:
            self.close()
"""


@pytest.fixture
def strategy(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(STRATEGY)
    return path


def short(*more: str) -> list[str]:
    return ["--source", "sample", "--start", "2026-01-05", "--end", "2026-01-06", *more]


def wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that cannot work; return the one line that it says."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_backtest_shows_trades_and_figures(strategy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trades' table, the figures and the engine are on the screen."""
    assert main(["backtest", f"{strategy}:Holds", *short("--symbols", "AAA", "-p", "size=7")]) == 0
    shown = capsys.readouterr().out
    assert "times of America/New_York" in shown
    assert "Holds on AAA, 1Min bars" in shown
    assert "Sharpe ratio" in shown


def test_a_file_of_bars_is_backtested(strategy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--bars` with two symbols of a Parquet file, and everything that can be written."""
    bars = SampleBars(["SPY", "IBM"], "2026-01-05", "2026-01-05").history()
    rows = pd.concat(
        pd.DataFrame({"symbol": symbol, "timestamp": each.end, **{name: getattr(each, name) for name in NUMBERS}})
        for symbol, each in bars.items()
    )
    rows.to_parquet(tmp_path / "bars.parquet")
    out = [f"--{name}={tmp_path / file}" for name, file in WRITTEN.items()]
    where = ["--bars", str(tmp_path / "bars.parquet"), "--stamp", "end", "--tz", "UTC", "--symbols", "SPY,IBM"]
    assert main(["backtest", str(strategy), *where, *out]) == 0
    assert "Holds on SPY, IBM" in capsys.readouterr().out
    assert all((tmp_path / file).stat().st_size > 100 for file in WRITTEN.values())


NUMBERS = ("open", "high", "low", "close", "volume")
WRITTEN = {"chart": "chart.html", "report": "report.html", "plot": "plot.png", "trades": "trades.csv"}


def test_the_only_strategy_of_a_file_needs_no_name(strategy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`my.py` alone will do where it holds one strategy."""
    assert main(["backtest", str(strategy), *short()]) == 0
    assert "Holds on ACME" in capsys.readouterr().out


def test_a_module_may_be_named_with_dots(capsys: pytest.CaptureFixture[str]) -> None:
    """`module:Class` is found as Python finds modules."""
    assert main(["backtest", "strategies.sma_cross:SmaCross", *short("-p", "lot=5000", "--venue", "alpaca")]) == 0
    assert "SmaCross on ACME" in capsys.readouterr().out


def test_the_demo_leaves_a_chart_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With no account and no network: trades, figures, two files, and the same trades live."""
    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "SmaCrossScalper" in shown
    assert "Round trips" in shown
    assert "Their difference: none" in shown
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["chart.html", "report.html"]


def test_a_folder_called_strategies_does_not_hide_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo names its strategy's file, so a user's own `strategies` package does no harm."""
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "__init__.py").write_text("raise RuntimeError('mine')")
    command = [sys.executable, "-m", "framework.app.main", "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "switchback-demo" / "report.html").exists()


def test_help_and_version_need_no_pandas() -> None:
    """`switchback --help` answers at once: nothing heavy is imported for it."""
    code = (
        "import sys, contextlib, io\n"
        "from framework.app.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(sys.argv[1:])\n"
        "print(sorted({'pandas', 'numpy', 'backtrader', 'rich', 'matplotlib'} & set(sys.modules)))"
    )
    for words in (["--help"], ["--version"], ["backtest", "--help"], ["live", "--help"], ["journal", "--help"], []):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine.py:Hodls", r"no strategy 'Hodls' in .*mine.py \(did you mean Holds\?\); it has: Holds"),
        ("mien.py:Holds", r"there is no file .*mien.py \(did you mean mine.py\?\)"),
        ("none.py", r"no class named in .*none.py; it has: no bt.Strategy subclass"),
        ("broken.py:X", r"broken.py does not import: SyntaxError: .*, line 2"),
        ("raises.py:X", r"raises.py does not import: ZeroDivisionError: division by zero, line 3"),
    ],
)
def test_a_strategy_that_cannot_be_had_is_one_line(
    name: str, message: str, strategy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong class, a wrong file, a file that does not import: what, where, and the nearest."""
    import re

    folder = strategy.parent
    (folder / "none.py").write_text("x = 1\n")
    (folder / "broken.py").write_text("x = 1\nclass X(:\n")
    (folder / "raises.py").write_text("\nx = 1\ny = x / 0\n")
    assert re.search(message, wrong(["backtest", f"{folder}/{name}", *short()], capsys))


def test_a_missing_module_says_where_its_package_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's own folder may hide a package: the error shows which one was found."""
    line = wrong(["backtest", "strategies.scalpre:X", *short()], capsys)
    assert "there is no module strategies.scalpre (package strategies is at " in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "siez=3"], "no parameter 'siez' (did you mean size?)"),
        (["-p", "size"], "-p size: write it as NAME=VALUE"),
        (["-p", "size=ten"], "-p size=ten: it is a number, such as 10"),
        (["-p", "patient=maybe"], "-p patient=maybe: it is a yes or a no"),
        (["--bars", "nowhere.parquet"], "nowhere.parquet"),
        (["--source", "alpaca", "--start", "2026-10-01"], "give --symbols SPY,IBM"),
        (["--start", "2026-02-01", "--end", "2026-01-01"], "start"),
        (["--start", "yesterday"], "yesterday"),
        (["--report", "no/such/folder/report.html"], "no/such/folder"),
        (["--trades", "no/such/folder/trades.csv"], "no/such/folder"),
        (["--plot", "plot.xyz"], "--plot plot.xyz: a picture is one of .png"),
    ],
)
def test_bad_options_are_one_line(
    words: list[str], message: str, strategy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback for a user's slip."""
    assert message in wrong(["backtest", f"{strategy}:Holds", *words], capsys)


def test_an_exception_in_the_strategy_keeps_its_traceback(tmp_path: Path) -> None:
    """A fault in the user's own code is shown as Python shows it, with the line."""
    (tmp_path / "faulty.py").write_text(STRATEGY + "\n    def stop(self):\n        1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        main(["backtest", f"{tmp_path}/faulty.py", *short()])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a slip"), 2),
        (Unsupported("no such order"), 2),
        (AuthenticationError("alpaca", "a wrong key"), 2),
        (ConnectionLost("alpaca", "no answer"), 1),
        (RateLimited("alpaca", "too many", 30.0), 1),
        (ProtocolError("alpaca", "what is this?"), 1),
        (SwitchbackError("the disk is full"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_code_says_whether_to_try_again(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 is for what only the user can put right, 1 for what may have gone at the next start; each is one line."""

    def fail(options: object) -> None:
        raise error

    monkeypatch.setattr("framework.app.journal.main", fail)
    assert main(["journal"]) == code
    assert capsys.readouterr().err == f"switchback: {str(error) or 'interrupted'}\n"


def test_a_reader_that_has_seen_enough_is_no_error(sessions_folder: Path) -> None:
    """`switchback journal mine --csv | head` ends quietly."""
    SqliteJournal(sessions_folder / "mine.sqlite", WallClock()).close()
    command = [sys.executable, "-m", "framework.app.main", "journal", "mine", "--csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
