"""`switchback halt` and `switchback resume`, as a user types them."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from feeds import SampleBars
from framework.app.main import main
from framework.app.sandbox import Sandbox
from framework.live.clock import WallClock
from framework.live.journal import JournalReader, SqliteJournal
from framework.live.killswitch import KillSwitch

DAY = "2026-10-05"


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own, and nobody's keys."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def known(folder: Path, name: str) -> None:
    with SqliteJournal(folder / f"{name}.sqlite", WallClock()):
        pass


def test_halt_of_one_session_and_its_end(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both say what follows, and the switch is pulled in between."""
    known(sessions, "breakout")
    assert main(["halt", "breakout", "--reason", "fed day"]) == 0
    assert KillSwitch(sessions, "breakout").pulled().reason == "fed day"
    assert "until: switchback resume breakout" in capsys.readouterr().out
    assert main(["resume", "breakout"]) == 0
    assert KillSwitch(sessions, "breakout").pulled() is None
    assert "(fed day)" in capsys.readouterr().out


def test_halt_of_a_name_that_is_none_halts_nobody_and_says_so(
    sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nearest name is offered."""
    known(sessions, "breakout")
    assert main(["halt", "breakuot"]) == 2
    assert "did you mean breakout" in capsys.readouterr().err
    assert KillSwitch(sessions, "breakout").pulled() is None


def test_resume_of_what_is_not_halted_says_what_is(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A halt of every session is not lifted by a name."""
    known(sessions, "breakout")
    main(["halt"])
    assert main(["resume", "breakout"]) == 2
    assert "breakout is not halted; still halted: every session" in capsys.readouterr().err
    assert main(["resume"]) == 0


def asked(sandbox: Sandbox, method: str, path: str, **body: Any) -> Any:
    keys = {"APCA-API-KEY-ID": sandbox.key, "APCA-API-SECRET-KEY": sandbox.secret}
    answer = requests.request(method, f"{sandbox.url}/v2{path}", json=body or None, headers=keys, timeout=10)
    answer.raise_for_status()
    return answer.json()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Any:
    def given(sandbox: Sandbox) -> None:
        monkeypatch.setenv("APCA_API_KEY_ID", sandbox.key)
        monkeypatch.setenv("APCA_API_SECRET_KEY", sandbox.secret)

    return given


def test_whole_account_is_emptied_without_any_session(keys: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Orders and positions of whoever made them, until the account says that there are none."""
    with Sandbox(SampleBars(["SPY"], DAY, DAY), speed=600) as sandbox:
        keys(sandbox)
        order = {"symbol": "SPY", "side": "buy", "time_in_force": "day"}
        asked(sandbox, "POST", "/orders", **order, qty="5", type="market")
        asked(sandbox, "POST", "/orders", **order, qty="1", type="limit", limit_price="1.00")
        while not asked(sandbox, "GET", "/positions"):
            pass
        code = main(["halt", "--account", "--flatten", "--sandbox", sandbox.url])
        shown = capsys.readouterr()
        assert asked(sandbox, "GET", "/positions") == asked(sandbox, "GET", "/orders") == []
    assert code == 0
    assert "1 order cancelled in account" in shown.out
    assert "closed: 5 SPY" in shown.out
    assert sandbox.secret not in shown.out + shown.err


def test_account_without_an_answer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sessions are halted all the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("APCA_API_KEY_ID", "KEY")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "SECRET")
    assert main(["halt", "--account", "--sandbox", f"http://127.0.0.1:{port}"]) != 0
    shown = capsys.readouterr()
    assert "every session: halted" in shown.out
    assert len(shown.err.splitlines()) == 1


RUNS = """
import backtrader as bt

class Buys(bt.Strategy):
    def next(self):
        self.buy(size=1)
"""


def test_running_session_is_halted_from_another_terminal(sessions: Path, keys: Any, tmp_path: Path) -> None:
    """Its process goes on, flat, and ends with 0 when it is told to."""
    (tmp_path / "buys.py").write_text(RUNS)
    with Sandbox(SampleBars(["SPY"], DAY, DAY), speed=600) as sandbox:
        keys(sandbox)
        command = ["live", f"{tmp_path}/buys.py:Buys", "--symbols", "SPY", "--sandbox", sandbox.url, "--session", "one"]
        told = []
        with subprocess.Popen(
            [sys.executable, "-m", "framework.app.main", *command, "--warmup", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            for line in process.stderr:
                told.append(line)
                if "filled 1 at" in line and not any("halted" in each for each in told):
                    assert main(["halt", "one", "--flatten"]) == 0
                    told.append("halted here")
                if "flat, and the account says so too" in line:
                    process.terminate()
        assert process.returncode == 0, told
        assert asked(sandbox, "GET", "/positions") == []
    with JournalReader(sessions / "one.sqlite") as journal:
        records = list(journal.entries())
    pulled_at = next(each.at for each in records if each.kind == "remark" and "halted" in each.body["text"])
    late = [each for each in records if each.kind == "intent" and each.at > pulled_at + timedelta(seconds=1)]
    assert all(each.body["group"].is_exit for each in late)
