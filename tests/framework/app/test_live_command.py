"""`switchback live` and `switchback journal`, as a user types them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feeds import SampleBars
from framework.app.main import main
from framework.app.sandbox import Sandbox
from framework.live.clock import WallClock
from framework.live.journal import SqliteJournal

STRATEGY = """
import backtrader as bt

class Trades(bt.Strategy):
    params = (("size", 10),)

    def next(self):
        if len(self) == 5:
            self.buy(size=self.p.size)
        if len(self) == 10:
            self.close()
        if len(self) == 15:
            self.buy(size=1, exectype=bt.Order.Limit, price=1.0)
"""


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's keys are at hand."""
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def strategy(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(STRATEGY)
    return f"{path}:Trades"


@pytest.fixture
def bars(tmp_path: Path) -> str:
    """Twenty-five minutes of two symbols in a file."""
    import pandas as pd

    history = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-05").history()
    names = ("open", "high", "low", "close", "volume")
    rows = [
        pd.DataFrame({"symbol": s, "timestamp": b.end[:25], **{n: getattr(b, n)[:25] for n in names}})
        for s, b in history.items()
    ]
    path = tmp_path / "bars.csv"
    pd.concat(rows).assign(timestamp=lambda all: all["timestamp"].dt.tz_localize("UTC")).to_csv(path, index=False)
    return str(path)


def wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that cannot work; return the one line that it says."""
    assert main(words) == 2
    return capsys.readouterr().err.splitlines()[-1]


def real(strategy: str) -> list[str]:
    return ["live", strategy, "--symbols", "SPY", "--real"]


def test_a_session_on_a_sandbox_of_its_own(strategy: str, bars: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines while it runs, the result as a backtest shows it, what is open, and where its journal is."""
    assert main(["live", strategy, "--sandbox", "--bars", bars, "--session", "mine", "-p", "size=7"]) == 0
    shown = capsys.readouterr()
    assert "session  mine, run 1" in shown.err
    assert "sandbox account that ends in" in shown.err
    assert "#1-" in shown.err
    assert "filled 7 at" in shown.err
    assert "Trades on IBM, SPY, 1Min bars" in shown.out
    assert "is still open at the" in shown.out
    assert "switchback journal mine" in shown.out


def test_limits_are_told_at_the_start_and_keep_orders_back(
    strategy: str, bars: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What holds, and what was not sent, and why."""
    words = ["live", strategy, "--sandbox", "--bars", bars, "--limit", "symbols=SPY", "--limit", "order_value=10"]
    assert main(words) == 0
    told = capsys.readouterr().err
    assert "session  limits: order_value 10, stale 30, symbols SPY" in told
    assert "not sent: limit symbols: IBM was asked for, only SPY may be traded" in told
    main(["live", strategy, "--sandbox", "--bars", bars])
    assert "session  limits: none; see docs/live.md#limits" in capsys.readouterr().err


def test_quiet_prints_no_lines(strategy: str, bars: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The result only."""
    assert main(["live", strategy, "--sandbox", "--bars", bars, "-q"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "Round trips" in shown.out


def test_the_journal_shows_the_same_lines_afterwards(
    strategy: str, bars: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list of sessions, the story, a kind, the end of it, the lives of the orders, and JSON."""
    main(["live", strategy, "--sandbox", "--bars", bars, "--session", "mine"])
    told, _, doctor = capsys.readouterr().err.partition("\n")[::-1]
    assert doctor == "doctor: 14 checks passed"
    assert main(["journal"]) == 0
    assert "mine\n  sandbox ...0000, 1 run, over" in capsys.readouterr().out
    assert main(["journal", "mine"]) == 0
    story = capsys.readouterr().out
    assert set(told.splitlines()) <= set(story.splitlines())
    assert "Still open" in story
    assert main(["journal", "mine", "--kind", "stop"]) == 0
    assert "session  over" in capsys.readouterr().out
    assert main(["journal", "mine", "--orders", "--tail", "1"]) == 0
    assert "buy 1 limit 1.00 until canceled: open" in capsys.readouterr().out
    assert main(["journal", "mine", "--json", "--tail", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "stop"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--symbols", "SPY"], "no credentials for alpaca; set APCA_API_KEY_ID and APCA_API_SECRET_KEY"),
        ([], "give --symbols AAPL,TSLA"),
        (["--symbols", "SPY", "--bars", "x.csv"], "--bars is for a sandbox that is started for the run"),
        (["--symbols", "SPY", "--yes-real-money", "1"], "--yes-real-money goes with --real"),
        (["--symbols", "SPY", "--sandbox", "http://127.0.0.1:9"], "does not answer; start one there"),
        (["--symbols", "SPY", "--sandbox", "https://api.alpaca.markets"], "is not on this machine"),
        (["--sandbox", "--proxy", "http://127.0.0.1:9"], "--proxy has a stream that is there already"),
        (["--symbols", "SPY", "--proxy", "127.0.0.1:9"], "proxy is not an address that can be used"),
        (["--sandbox", "--bars", "nowhere.csv"], "nowhere.csv"),
        (["--sandbox", "--session", "a/b"], "session name 'a/b' cannot be part of an order's id"),
        (["--sandbox", "--grace", "-1"], "grace -1.0 is no waiting time"),
        (["--sandbox", "--adopt", "IBM"], "adopt names IBM, but the account holds none"),
        (["--sandbox", "--limit", "order_vale=5"], "there is no limit order_vale (did you mean order_value?)"),
        (["--sandbox", "--limit", "collar=5"], "limit collar=5 is not a fraction of the price; 0.05 is 5 %"),
        (["--sandbox", "-p", "siez=3"], "no parameter 'siez' (did you mean size?)"),
    ],
)
def test_a_slip_is_one_line(words: list[str], message: str, strategy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, no traceback, before anything is traded."""
    assert message in wrong(["live", strategy, *words], capsys)


def test_a_wrong_key_and_an_unknown_symbol_are_one_line(
    strategy: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a sandbox that runs; what is refused is told without the key."""
    with Sandbox() as sandbox:
        there = ["live", strategy, "--sandbox", sandbox.url, "--symbols"]
        monkeypatch.setenv("APCA_API_KEY_ID", "a-wrong-key")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "a-wrong-secret")
        line = wrong([*there, "SPY"], capsys)
        assert "check APCA_API_KEY_ID" in line
        assert "a-wrong" not in line
        monkeypatch.setenv("APCA_API_KEY_ID", sandbox.key)
        monkeypatch.setenv("APCA_API_SECRET_KEY", sandbox.secret)
        assert "does not know the symbol SPYX" in wrong([*there, "SPYX"], capsys)


def test_a_name_that_is_in_use_is_one_line(
    strategy: str, sessions_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One process at a time writes a session's journal."""
    with SqliteJournal(sessions_folder / "mine.sqlite", WallClock()):
        line = wrong(["live", strategy, "--sandbox", "--session", "mine"], capsys)
    assert "mine.sqlite is being written by another session" in line


def test_real_money_without_its_number_is_refused_where_nobody_can_be_asked(
    strategy: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script must say it."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "needs the account's number: --yes-real-money ACCOUNT" in wrong(real(strategy), capsys)


@pytest.mark.parametrize(("typed", "message"), [("", "needs the account's number"), ("PA1", "no credentials")])
def test_real_moneys_number_is_asked_for_at_a_terminal(
    typed: str, message: str, strategy: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty answer is a no; what is typed goes on to the check against the account."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: typed)
    assert message in wrong(real(strategy), capsys)


def test_a_session_that_is_not_there_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """And where one may look."""
    assert "there is no session nine" in wrong(["journal", "nine"], capsys)
    assert main(["journal"]) == 0
    assert "no sessions in" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_ends_the_session_in_order(strategy: str, sessions_folder: Path, name: str) -> None:
    """The result is printed and the exit code is 0; the journal says that it is over."""
    command = [sys.executable, "-m", "framework.app.main", "live", strategy, "--sandbox", "--speed", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "filled" in line:
                process.send_signal(getattr(signal, name))
                break
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "interrupted" in out
    assert "session  over" in err
    assert "Traceback" not in err
