"""What is printed while a picture is on the terminal."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from framework.app.said import Said, said


def test_lines_are_handed_on_as_they_end() -> None:
    """The last one at the end, if it has no end of its own."""
    lines: list[str] = []
    with Said(lines.append, io.StringIO()) as stream:
        stream.write("one\ntw")
        assert lines == ["one"]
        stream.write("o\r\n\nthree")
    assert lines == ["one", "two\r", "", "three"]


def test_of_a_bar_that_is_written_over_and_over_the_last_is_kept() -> None:
    """It grows no memory, however long the session."""
    lines: list[str] = []
    with Said(lines.append, io.StringIO()) as stream:
        for share in range(101):
            stream.write(f"\r{share} %")
        assert lines == []
        assert len(stream._rest) < 10
    assert lines == ["100 %"]


def test_both_streams_are_taken_and_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of what was printed."""
    lines: list[str] = []
    with said(lines.append):
        print("out")  # noqa: T201
        print("err", file=sys.stderr)  # noqa: T201
    print("after")  # noqa: T201
    assert lines == ["out", "err"]
    assert capsys.readouterr() == ("after\n", "")


def test_a_logger_that_is_begun_meanwhile_goes_on_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    """`logging.warning` begins one where there is none, and it keeps its stream."""
    lines: list[str] = []
    with said(lines.append):
        handler = logging.StreamHandler()
        handler.emit(logging.LogRecord("their", logging.WARNING, "", 1, "first", (), None))
    handler.emit(logging.LogRecord("their", logging.WARNING, "", 1, "second", (), None))
    assert lines == ["first"]
    assert capsys.readouterr().err == "second\n"
