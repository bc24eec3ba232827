"""The live display of a trading function's session: in a terminal, without one, and where it fails."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from framework.app.functions.board import Board, TradeUpdate
from framework.app.functions.display import FunctionDisplay

FILLED = TradeUpdate("buy-1-a", "ÄAPL", 150.3, 10.0, "filled", "buy", "buy", 1766515599.2, "OrderStatus.FILLED")
BOARD = Board("dip", "paper", 98_234.1, 12.3, "Running...", 42.2, (), (FILLED,))
QUICK = 0.002
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a display be drawn more often than there is any use for."""
    monkeypatch.setattr("framework.app.functions.display.FASTEST", QUICK)


def console(stream: io.StringIO) -> Console:
    return Console(file=stream, width=80, height=24, force_jupyter=False)


class Boards:
    """A session whose board is asked for: tells when it was, and may fail."""

    def __init__(self, board: Board = BOARD) -> None:
        self.board: Board | None = board
        self._asked = threading.Semaphore(0)

    def __call__(self) -> Board:
        board = self.board
        self._asked.release()
        if board is None:
            raise ValueError("no board")
        return board

    def shown(self) -> None:
        """Wait until what is now on the board has been shown."""
        while self._asked.acquire(blocking=False):
            pass
        for _ in range(3):  # the second asking is after the change, the third after what it brought was shown
            assert self._asked.acquire(timeout=20)


@pytest.mark.usefixtures("quick")
def test_in_a_terminal_it_has_a_screen_of_its_own_and_leaves_the_last_picture(terminal: Terminal) -> None:
    """The terminal is given back as it was."""
    boards = Boards()
    with FunctionDisplay(boards, QUICK, console=console(terminal)):
        boards.shown()
        boards.board = replace(BOARD, status="Complete!", remaining=None)
    before, _, after = terminal.getvalue().rpartition(LEFT)
    assert before.startswith(ENTERED)
    assert "Running... 42s remaining" in before
    assert "Complete!" in after
    assert "Running" not in after
    assert "\x1b[?25h" in terminal.getvalue()  # the cursor is there again


@pytest.mark.usefixtures("quick")
def test_what_changes_is_drawn(terminal: Terminal) -> None:
    """And what does not is not drawn again."""
    boards = Boards()
    with FunctionDisplay(boards, QUICK, console=console(terminal)):
        boards.shown()
        size = len(terminal.getvalue())
        boards.shown()
        assert len(terminal.getvalue()) == size
        boards.board = replace(BOARD, realised=99.0)
        boards.shown()
        assert "+99.00" in terminal.getvalue()


@pytest.mark.usefixtures("quick")
def test_what_is_printed_meanwhile_is_a_message_and_printed_again(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """A function's own prints do not tear the picture, and are not lost, nor is the beginning of a line."""
    boards = Boards()
    with FunctionDisplay(boards, QUICK, console=console(terminal)):
        print("hello [from] the function")  # noqa: T201  (as a function does)
        print("to stderr", file=sys.stderr)  # noqa: T201
        boards.shown()
        print("half a line", end="")  # noqa: T201
    before, _, after = terminal.getvalue().rpartition(LEFT)
    assert "hello [from] the function" in before
    assert after.splitlines()[0].endswith("hello [from] the function")
    assert after.splitlines()[1:3] == ["to stderr", "half a line"]
    assert capsys.readouterr() == ("", "")
    print("later")  # noqa: T201
    assert capsys.readouterr().out == "later\n"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("variable", ["", "FORCE_COLOR", "TTY_COMPATIBLE"])
def test_without_a_terminal_there_are_plain_lines(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each update once, and the summary; also where a build server asks for colours."""
    if variable:
        monkeypatch.setenv(variable, "1")
    stream, boards = io.StringIO(), Boards()
    with FunctionDisplay(boards, QUICK, console=console(stream)):
        boards.shown()
        boards.board = replace(BOARD, messages=("it raised",))
        boards.shown()
    assert "\x1b" not in stream.getvalue()
    assert [line[9:].split(",")[0] for line in stream.getvalue().splitlines()] == [
        "BUY ÄAPL x10 @ 150.30 filled", "Running... 42s remaining", "it raised",
    ]  # fmt: skip


def test_a_dumb_terminal_has_plain_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot move its cursor."""
    monkeypatch.setenv("TERM", "dumb")
    with FunctionDisplay(Boards(), console=console(terminal)):
        pass
    assert "\x1b" not in terminal.getvalue()
    assert "BUY ÄAPL x10 @ 150.30 filled\n" in terminal.getvalue()


def test_standard_output_is_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """As with the original; what is printed meanwhile is between the lines."""
    with FunctionDisplay(Boards()):
        print("hello")  # noqa: T201
    out = capsys.readouterr().out
    assert "hello\n" in out
    assert "filled\n" in out


def test_an_encoding_that_lacks_a_letter_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe on some systems; the stream is as it was afterwards."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with FunctionDisplay(Boards()):
        pass
    stream.flush()
    assert b"BUY ?APL x10 @ 150.30 filled" in stream.buffer.getvalue()
    assert stream.errors == "strict"
    assert not caplog.messages


@pytest.mark.usefixtures("quick")
def test_a_board_that_fails_is_warned_of_once_and_asked_again(
    terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    """The session goes on, and so does the display."""
    boards = Boards()
    with FunctionDisplay(boards, QUICK, console=console(terminal)):
        boards.board = None
        boards.shown()
        boards.shown()
        boards.board = replace(BOARD, realised=77.0)
        boards.shown()
    assert caplog.messages == ["what is shown of the session is not complete: ValueError: no board"]
    assert "+77.00" in terminal.getvalue()


@pytest.mark.usefixtures("quick")
def test_a_board_that_fails_at_the_end_leaves_the_last_picture(terminal: Terminal) -> None:
    """It is the best there is."""
    boards = Boards()
    with FunctionDisplay(boards, QUICK, console=console(terminal)):
        boards.shown()
        boards.board = None
    assert "Running..." in terminal.getvalue().rpartition(LEFT)[2]


class Broken(Terminal):
    """A terminal that is gone."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_that_is_gone_ends_no_session(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is warned of, and nothing is raised, at the end neither."""
    monkeypatch.setenv("TERM", "xterm" if is_terminal else "dumb")
    boards = Boards()
    with FunctionDisplay(boards, QUICK, console=console(Broken())):
        if not is_terminal:
            boards.shown()
            boards.board = replace(BOARD, messages=("it raised",))
            boards.shown()
    assert caplog.messages == ["what is shown of the session is not complete: OSError: [Errno 5] Input/output error"]


class _Gone(io.RawIOBase):
    """A pipe that nobody reads any more."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_pipe_that_is_gone_ends_no_session(
    encoding: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As with `| head`."""
    stream = io.TextIOWrapper(_Gone(), encoding=encoding)  # type: ignore[type-var]
    monkeypatch.setattr(sys, "stdout", stream)
    with FunctionDisplay(Boards()):
        pass
    assert caplog.messages == ["what is shown of the session is not complete: BrokenPipeError: [Errno 32] Broken pipe"]
    with contextlib.suppress(OSError):
        stream.close()


class Stopped(Terminal):
    """A terminal that is stopped (Ctrl-S): what writes to it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.is_reached = threading.Event()

    def write(self, text: str) -> int:
        self.is_reached.set()
        self.goes_on.wait(20)
        return super().write(text)


def test_a_terminal_that_is_stopped_keeps_no_session_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has to end in order, whatever becomes of its picture."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("framework.app.functions.display.FAREWELL", 0.01)
    stream = Stopped()
    display = FunctionDisplay(Boards(), console=console(stream))
    with display:
        assert stream.is_reached.wait(20)
    stream.goes_on.set()
    (thread,) = (each for each in threading.enumerate() if each.name == "switchback-display")
    thread.join(20)
    assert "Running..." in stream.getvalue().rpartition(LEFT)[2]


def test_without_any_standard_output_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program without a console; a stream that is closed is the same."""
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stdout", stream)
        with FunctionDisplay(Boards()):
            pass


def test_an_error_of_the_session_goes_through(terminal: Terminal) -> None:
    """With the terminal given back first."""

    def fails(boards: Callable[[], Board]) -> None:
        with FunctionDisplay(boards, console=console(terminal)):
            raise KeyError("theirs")

    with pytest.raises(KeyError, match="theirs"):
        fails(Boards())
    assert LEFT in terminal.getvalue()


@pytest.mark.parametrize(("asked", "kept"), [(0.0, 0.05), (-1.0, 0.05), (0.5, 0.5), (float("nan"), 0.05), (1e9, 60)])
def test_it_is_drawn_at_most_twenty_times_a_second(asked: float, kept: float) -> None:
    """More would be seen by nobody, and take the time of what trades."""
    assert FunctionDisplay(Boards(), asked)._refresh == kept


PROGRAM = """
import threading
from framework.app.functions.board import Board
from framework.app.functions.display import FunctionDisplay
asked = threading.Semaphore(0)
def board():
    asked.release()
    return Board("dip", "sandbox", 1000.0, 0.0, "Running...", 5.0, (), ())
with FunctionDisplay(board, 0.05):
    for _ in range(3):
        asked.acquire(timeout=20)
    print("said")
print("after")
"""


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
def test_in_a_real_terminal() -> None:
    """Of its size; what is printed comes after the picture is gone."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "60", "LINES": "16"}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        told = _all_of(ours)
    assert process.returncode == 0
    before, _, after = told.rpartition(LEFT)
    assert ENTERED in before
    assert "SANDBOX" in before
    assert "said\r\n" in after
    assert after.endswith("after\r\n")


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
