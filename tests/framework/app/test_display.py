"""The picture in the terminal while a session runs, and when there is one."""

from __future__ import annotations

import argparse
import io
import logging
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from framework.app.display import Display, displayed
from framework.app.telling import add_options, is_displayed
from framework.live.status import Message, Status

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
STATUS = Status("dip", AT, 1, "Dip", state="running", messages=(Message(AT, "SPY", "#1-1 accepted"),))


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def text(display: Display) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(display.picture())
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_last_picture_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal is given back as it was, and the last picture is printed plainly."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with displayed(stream) as display:
        display.show(STATUS)
        display.show(replace(STATUS, state="over"))
    before, _, after = stream.getvalue().rpartition("\x1b[?1049l")  # the other screen is left
    assert "\x1b[?1049h" in before
    assert "over" in after
    assert "#1-1 accepted" in after


def test_where_there_is_no_terminal_there_is_the_last_picture_only() -> None:
    """It was asked for, with --display."""
    stream = io.StringIO()
    with displayed(stream) as display:
        display.show(STATUS)
    assert stream.getvalue().count("#1-1 accepted") == 1
    assert "\x1b" not in stream.getvalue()


def test_what_is_printed_meanwhile_is_a_message_and_printed_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A strategy's own prints do not tear the picture, and are not lost."""
    stream = Terminal()
    with displayed(stream) as display:
        display.show(STATUS)
        print("hello [from] the strategy")  # noqa: T201  (as a strategy does)
        assert "hello [from] the strategy" in text(display)
    assert capsys.readouterr().out == ""
    assert "hello [from] the strategy" in stream.getvalue().rpartition("\x1b[?1049l")[2]


def test_what_is_printed_before_the_first_status_is_kept() -> None:
    """A start says things too."""
    stream = Terminal()
    with displayed(stream):
        print("so many checks")  # noqa: T201  (as a start does)
    assert "so many checks" in stream.getvalue().rpartition("\x1b[?1049l")[2]


def test_warnings_of_other_parts_are_messages_too() -> None:
    """A session's own lines are in its status already."""
    display = Display(Console(file=io.StringIO(), width=80))
    display.show(STATUS)
    record = logging.LogRecord("switchback.socket", logging.WARNING, "", 1, "connecting again", (), None)
    display.handle(record)
    record.line = "a line"
    display.handle(record)
    assert text(display).count("connecting again") == 1


def test_a_status_that_grows_old_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine hangs; the picture is drawn all the same."""
    now = [100.0]
    monkeypatch.setattr("framework.app.display.time.monotonic", lambda: now[0])
    display = Display(Console(file=io.StringIO(), width=80))
    assert "starting" in text(display)
    display.show(STATUS)
    now[0] = 140.0
    assert "no news for 40 s" in text(display)


@pytest.mark.parametrize(
    ("words", "is_lockstep", "is_terminal", "expected"),
    [
        ([], False, True, True),
        ([], False, False, False),
        ([], True, True, False),
        (["-q"], False, True, False),
        (["-v"], False, True, False),
        (["--display"], True, False, True),
        (["--no-display"], False, True, False),
    ],
)
def test_when_there_is_a_display(
    words: list[str], is_lockstep: bool, is_terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal, for what takes longer than seconds; or as it is asked for."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    monkeypatch.setattr("sys.stderr", Terminal() if is_terminal else io.StringIO())
    assert is_displayed(parser.parse_args(words), is_lockstep=is_lockstep) is expected


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
def test_a_real_session_in_a_real_terminal(tmp_path: Path) -> None:
    """Drawn on the other screen while it runs; afterwards the last picture, then the result as ever."""
    (tmp_path / "holds.py").write_text(
        "import backtrader as bt\nclass Holds(bt.Strategy):\n    def next(self):\n"
        "        if len(self) == 2:\n            self.buy(size=5)\n"
        "        if self.position and len(self) > 20:\n            self.env.runstop()\n"
    )
    command = [sys.executable, "-m", "framework.app.main", "live", str(tmp_path / "holds.py"), "--sandbox"]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30"}
    with subprocess.Popen(
        [*command, "--speed", "600"], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        told = _all_of(ours)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    while_it_ran, _, after = told.rpartition("\x1b[?1049l")
    assert "\x1b[?1049h" in while_it_ran
    assert "Positions" in while_it_ran
    assert re.search(r"SPY|IBM", after)
    assert "over" in after
    assert b"Holds on" in out


def _all_of(terminal: int) -> str:
    """Read a terminal until nobody writes to it any more."""
    told = b""
    try:
        while piece := os.read(terminal, 65536):
            told += piece
    except OSError:  # Linux says so at the end
        pass
    os.close(terminal)
    return told.decode(errors="replace")
