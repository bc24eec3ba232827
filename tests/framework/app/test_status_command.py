"""`switchback status`, `positions` and `orders`: sessions that run, are over, or died."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from framework.app.main import main
from framework.app.status import watched
from framework.live.clock import WallClock
from framework.live.journal import SqliteJournal
from framework.live.records import INTENT, START, STOP, UPDATE
from framework.live.standing import Figures, Mark, Standing
from framework.live.status import OVER, RUNNING, Status
from framework.live.status_file import StatusFile
from framework.model import Fill, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, Side

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
BEGIN = {
    "run": 1, "strategy": "Dip", "symbols": ["SPY"], "account": "PA6789", "currency": "USD", "cash": 1000.0,
    "money": "paper", "zone": "America/New_York", "commission": 0.0,
}  # fmt: skip


class Written:
    """A session whose journal and status file the test writes: ten SPY bought at 5, a sale of four open."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.path = folder / f"{name}.sqlite"
        self.file = StatusFile.of(folder, name)

    def kept(self, *records: Any, held: bool = False) -> Any:
        journal = SqliteJournal(self.path, WallClock())
        journal.append_many(records)
        return journal if held else journal.close()

    def begin(self) -> Written:
        fill = Fill("e1", 10, 5.0, AT)
        self.kept(
            (START, self.name, BEGIN),
            self._sent(1, Side.BUY, 10),
            (
                UPDATE,
                f"{self.name}-1-1",
                {"update": OrderUpdate(f"{self.name}-1-1", "v", OrderStatus.FILLED, AT, fill)},
            ),
            self._sent(2, Side.SELL, 4),
        )
        return self

    def _sent(self, ref: int, side: Side, quantity: float) -> Any:
        name = f"{self.name}-1-{ref}"
        request = OrderRequest(name, "SPY", side, OrderType.LIMIT, quantity, limit_price=6.0)
        return INTENT, name, {"group": OrderGroup((request,)), "tickets": [{"client_order_id": name, "data": "SPY"}]}

    def over(self, why: str = "ended") -> Written:
        self.kept((STOP, self.name, {"why": why}))
        return self

    def tell(self, state: str = RUNNING, age: float = 0.0, **more: Any) -> Written:
        """Write the status file, as of so many seconds ago."""
        with SqliteJournal(self.path, WallClock()) as journal:
            standing = Standing.of(journal.entries())
        figures = Figures(950.0, 1005.5, {"SPY": Mark(5.5, AT)})
        self.file.write(replace(standing.status(AT, figures, state), **more))
        os.utime(self.file.path, (0, self.file.path.stat().st_mtime - age))
        return self

    @contextmanager
    def running(self) -> Iterator[Written]:
        """Hold the journal, as the process of a session does."""
        with self.kept(held=True):
            yield self


Make = Callable[[str], Written]


@pytest.fixture
def session(sessions_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("COLUMNS", "100")
    return lambda name: Written(sessions_folder, name).begin()


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def command(*words: str, code: int = 0) -> str:
        assert main(words) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    return command


def test_a_session_that_runs_is_shown_as_it_tells(session: Make, shown: Callable[..., str]) -> None:
    """Without its name where it is the only one."""
    with session("dip").tell().running():
        told = shown("status")
        assert told.startswith("dip  run 1  running")
        assert "paper ...6789" in told
        assert "value 1,005.50" in told
        assert "sell 4 limit 6.00" in told
        assert shown("status", "dip") == told
        assert "sell 4" not in shown("positions")
        assert "+5.00" in shown("positions")
        assert "sell 4 limit 6.00" in shown("orders")


def test_a_process_that_tells_nothing_is_said(session: Make, shown: Callable[..., str]) -> None:
    """It is there, and its last word is old."""
    with session("dip").tell(age=40.0).running():
        assert "no news for 40 s" in shown("status")
        assert "running, no news for 40 s" in shown("status", "--all")


def test_a_process_without_a_status_yet_is_shown_by_its_journal(session: Make, shown: Callable[..., str]) -> None:
    """It has just begun."""
    with session("dip").running():
        assert shown("status").startswith("dip  run 1  running")


def test_a_session_that_died_says_when_and_what_may_be_open(session: Make, shown: Callable[..., str]) -> None:
    """Positions are the fold of its fills, prices those that it knew last."""
    session("dip").tell()
    told = shown("status", "dip")
    assert "cut short: at 2" in told
    assert "1 order may still be open at the venue" in told
    assert "no news" not in told
    (held,) = [line for line in shown("positions", "dip").splitlines() if line.startswith("SPY")]
    assert held.split()[:6] == ["SPY", "10", "5.00", "5.50", "55.00", "+5.00"]


def test_a_session_that_died_before_it_told_anything_is_known_too(session: Make, shown: Callable[..., str]) -> None:
    """By its journal alone."""
    session("dip")
    assert "cut short" in shown("status", "dip")
    assert json.loads(shown("positions", "dip", "--json"))["quantity"] == 10


def test_a_session_that_is_over_keeps_its_last_picture(session: Make, shown: Callable[..., str]) -> None:
    """With the order that it left, and why it ended where that was no order of the user's."""
    session("dip").over().tell(OVER)
    assert "over: 1 order may still be open at the venue" in shown("status", "dip")
    session("dop").over("KeyError")
    assert "over: KeyError; 1 order may" in shown("status", "dop")


def test_a_picture_of_an_earlier_run_is_not_taken_for_the_last(session: Make, shown: Callable[..., str]) -> None:
    """It died in its second run; the file says that the first is over."""
    written = session("dip").over().tell(OVER)
    written.kept((START, "dip", {**BEGIN, "run": 2}))
    assert "run 2  cut short" in shown("status", "dip")


def test_all_sessions_in_a_line_each(session: Make, shown: Callable[..., str]) -> None:
    """Where more than one runs, or none, or it is asked for."""
    session("one").over().tell(OVER)
    session("two").tell()
    lines = shown("status").splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["one", "over"], ["two", "cut"]]
    assert "2026-10-05 10:00" in lines[1]


def test_json_for_a_script(session: Make, shown: Callable[..., str]) -> None:
    """One object a session, with whether it runs; one a position; one an order."""
    with session("dip").tell(age=40).running():
        body = json.loads(shown("status", "--json"))
        assert (body["session"], body["is_running"], body["state"]) == ("dip", True, "running")
        assert body["age"] >= 40
        assert json.loads(shown("positions", "--json"))["last_price"] == 5.5
        assert json.loads(shown("orders", "--json"))["client_order_id"] == "dip-1-2"


def test_a_slip_is_one_line(session: Make, shown: Callable[..., str]) -> None:
    """With the nearest name, and what may be done."""
    assert "no sessions in" in shown("status")
    session("breakout")
    assert "there is no session brekout" in (line := shown("status", "brekout", code=2))
    assert "(did you mean breakout?)" in line
    assert "no session runs; name the one that is meant" in shown("positions", code=2)
    with session("a").running(), session("b").running():
        assert "2 sessions run (a, b)" in shown("orders", code=2)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_it_is_shown_again_every_second_until_ctrl_c(is_terminal: bool) -> None:
    """In place in a terminal, one below the other elsewhere; Ctrl-C is a way to end it, no error."""
    file, pauses = io.StringIO(), []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    console = Console(file=file, force_terminal=is_terminal, width=60)
    watched(console, lambda: Text(f"look {len(pauses)}"), pause)
    assert pauses == [1.0, 1.0, 1.0]
    assert [f"look {number}" in file.getvalue() for number in range(4)] == [True, True, True, False]


def test_a_session_is_seen_from_another_process(tmp_path: Path, sessions_folder: Path, monkeypatch: Any) -> None:
    """The real thing: a session in a process of its own, looked at while it trades and after it was killed."""
    strategy = tmp_path / "holds.py"
    strategy.write_text(
        "import backtrader as bt\nclass Holds(bt.Strategy):\n    def next(self):\n"
        "        if len(self) == 2:\n            self.buy(size=5)\n"
    )
    command = [sys.executable, "-m", "framework.app.main", "live", str(strategy), "--sandbox", "--speed", "600"]
    with subprocess.Popen([*command, "--session", "mine"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if " filled 5 " in line)
        seen = _until(lambda body: body["is_running"] and body["holdings"])
        process.kill()
    assert (seen["state"], seen["holdings"][0]["quantity"], seen["money"]) == ("running", 5, "sandbox")
    assert {each["stream"] for each in seen["connections"]} == {"bars", "orders"}
    assert seen["requests"]["limit"] == 200
    gone = _status()
    assert (gone["state"], gone["is_running"]) == ("cut short", False)
    assert gone["holdings"][0]["quantity"] == 5


def _status() -> dict[str, Any]:
    command = [sys.executable, "-m", "framework.app.main", "status", "mine", "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)  # type: ignore[no-any-return]


def _until(holds: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Look until something holds; a session tells of itself about once a second."""
    for _ in range(60):
        if holds(body := _status()):
            return body
    raise AssertionError(body)


def test_a_status_of_a_later_program_is_left_to_the_journal(session: Make, shown: Callable[..., str]) -> None:
    """What cannot be read does not hide the session."""
    written = session("dip")
    written.file.path.write_text('{"version": 99}')
    with written.running():
        assert shown("status").startswith("dip  run 1  running")
    assert isinstance(written.file.read(), Status | None)
