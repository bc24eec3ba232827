"""A status as a picture: it fits, whatever is in it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from framework.live.columns import Column, fitting
from framework.live.screen import screen, span
from framework.live.status import Connection, Execution, Holding, LastBar, Message, Requests, Status, Working

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)


def full(count: int = 5, text: str = "sell 50 limit 127.11 until canceled") -> Status:
    """A session with so many of everything."""
    names = [f"SYM{number}" for number in range(count)]
    return Status(
        "breakout", AT, 3, "SmaCross", "6789", "paper", "USD", "America/New_York", AT - timedelta(hours=20),
        "running", cash=40_123.45, value=1_234_567.89, day=-1_234.5, total=2_345.6,
        holdings=tuple(Holding(each, 100, 90.5, 91.25, 9125.0, 75.0, 0.0083, 12.5) for each in names),
        orders=tuple(Working(f"#3-{n}", f"b-3-{n}", each, text, "new", 0, AT) for n, each in enumerate(names)),
        fills=tuple(Execution(AT, each, "buy", 1, 90.5, 90.5, 0, "b-3-1", "e", 1, 0, 0) for each in names),
        connections=(Connection("orders", True, AT), Connection("bars", False, AT, text)),
        requests=Requests(12, 200, 3), messages=tuple(Message(AT, each, text, True) for each in names),
        bars=tuple(LastBar(each, AT) for each in names),
    )  # fmt: skip


def drawn(status: Status, width: int, height: int | None = None, age: float = 0.0) -> list[str]:
    """The picture's lines, as a terminal without colours has them."""
    file = io.StringIO()
    Console(file=file, width=width, height=500, highlight=False).print(screen(status, width, height, age))
    return file.getvalue().splitlines()


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 220), st.integers(12, 70), st.integers(0, 40), st.text(max_size=60))
def test_it_fits_into_any_terminal(width: int, height: int, count: int, text: str) -> None:
    """No line is longer than the terminal is wide, and there are no more lines than it has."""
    lines = drawn(full(count, text), width, height)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= height


@pytest.mark.parametrize("width", [80, 140])
def test_no_figure_is_cut(width: int) -> None:
    """Texts have an ellipsis; figures are there whole, or not at all."""
    shown = "\n".join(drawn(full(text="a long text " * 20), width))
    for figure in ("1,234,567.89", "-1,234.50", "+2,345.60", "9,125.00", "+75.00", "91.25", "12/200, 3 wait"):
        assert figure in shown
    assert "…" in shown


def test_two_columns_where_there_is_room() -> None:
    """Fills beside positions; below that width under them."""
    (wide,) = [line for line in drawn(full(), 140) if line.startswith("Positions")]
    (narrow,) = [line for line in drawn(full(), 80) if line.startswith("Positions")]
    assert "Last fills" in wide
    assert "Last fills" not in narrow


def test_what_is_left_out_is_said() -> None:
    """A part with fewer rows than there are says so, and positions are the last to go."""
    lines = drawn(full(30), 80, 24)
    assert any(line.startswith("Positions (") and line.endswith("of 30)") for line in lines)
    assert not any(line.startswith("Last fills") for line in lines)


def test_an_old_status_says_so() -> None:
    """Where the process is there and tells nothing."""
    assert "no news for 40 s" in drawn(full(), 80, age=40)[0]
    assert "no news" not in drawn(full(), 80, age=2)[0]


def test_what_a_venue_says_is_no_markup_and_moves_no_cursor() -> None:
    """It is shown as it is, but for what is no character."""
    shown = "\n".join(drawn(full(1, "[bold]x[/] \x1b[2J"), 140))
    assert "[bold]x[/]  [2J" in shown
    assert "\x1b" not in shown


def test_times_of_another_day_have_their_day() -> None:
    """This session began yesterday."""
    assert any("SmaCross since Oct 04 14:00" in line for line in drawn(full(), 140))


def test_an_empty_session_has_a_picture_too() -> None:
    """Before anything is known of it."""
    lines = drawn(Status("x", AT), 80)
    assert lines[0].startswith("x  starting")
    assert lines.count("none") == 4


def test_columns_go_in_the_order_of_their_ranks() -> None:
    """What has rank nought stays; texts are cut before that, to what one can still read."""
    columns = [Column("a", ["x" * 10]), Column("b", ["y" * 10], 2), Column("c", ["z" * 10], 1)]
    assert [each.title for each, _ in fitting(columns, 34)] == ["a", "b", "c"]
    assert [each.title for each, _ in fitting(columns, 33)] == ["a", "c"]
    assert [each.title for each, _ in fitting(columns, 5)] == ["a"]
    text = [Column("a", ["x" * 100], is_text=True), Column("b", ["y" * 10])]
    assert [width for _, width in fitting(text, 60)] == [48, 10]


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (10_800, "3 h")])
def test_spans_are_told_in_what_one_thinks_in(seconds: float, words: str) -> None:
    """Seconds, minutes, hours."""
    assert span(seconds) == words
