"""The picture of a trading function's session, at any size."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime

import pytest
from rich.console import Console

from framework.app.functions.board import Board, Held, TradeUpdate
from framework.app.functions.panels import clock, drawn, mark, standing, told

AT = datetime(2026, 10, 5, 10, 15, 2).astimezone().timestamp()  # the machine's own zone, as it is shown
FILLED = TradeUpdate("buy-1-a", "AAPL", 150.3, 10.0, "filled", "buy", "buy", AT, "OrderStatus.FILLED")
REJECTED = TradeUpdate(
    "sell-1-b", "TSLA", 0.0, 0.0, "rejected", "sell", "short_sell", AT, "OrderStatus.REJECTED", "not enough [money]"
)
HELD = (Held("AAPL", 10, 150.0, 153.0), Held("MSFT", -5, 300.0, 303.12345678))
BOARD = Board("dip", "paper", 98_234.1, 12.3, "Running...", 42.2, HELD, (REJECTED, FILLED), ("the function raised",))


def text(board: Board, width: int = 80, height: int | None = None, most: int = 15, *, is_coloured: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=is_coloured, color_system="truecolor" if is_coloured else None
    )
    console.print(drawn(board, width, height, most))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def many(count: int) -> Board:
    held = tuple(Held(f"T{number:03}", 250.0, 123.45, 234.56) for number in range(count))
    updates = tuple(replace(FILLED, ticker=f"U{number:03}") for number in range(count))
    return replace(BOARD, held=held, updates=updates, messages=("one", "two") * count)


def row(shown: str, word: str) -> list[str]:
    """Return the cells of the line that begins with a word, within its frame."""
    return next(line.strip("│ ").split() for line in shown.splitlines() if line.strip("│ ").startswith(word))


def test_who_how_and_with_what_money() -> None:
    """The first two lines, whatever else there is."""
    name, status = text(BOARD).splitlines()[:2]
    assert name.split() == ["dip", "PAPER"]
    assert status.split("  ")[0].strip() == "Running... 42s remaining"
    assert status.endswith("Available 98,234.10   Realized P&L +12.30 ")


@pytest.mark.parametrize(
    ("money", "badge"),
    [("sandbox", "SANDBOX"), ("paper", "PAPER"), ("real-money", "REAL MONEY"), ("backtest", "BACKTEST")],
)
def test_the_money_is_named(money: str, badge: str) -> None:
    """Nobody takes one for another."""
    assert text(replace(BOARD, money=money)).splitlines()[0].rstrip().endswith(badge)


def test_positions_and_their_total() -> None:
    """The columns of blockpaca; a price in the middle of two quotes is rounded to four decimals."""
    shown = text(BOARD)
    assert row(shown, "AAPL") == ["AAPL", "10", "1,500.00", "153.00", "1,530.00", "+30.00", "+2.00%"]
    assert row(shown, "MSFT") == ["MSFT", "-5", "-1,500.00", "303.1235", "-1,515.62", "-15.62", "-1.04%"]
    assert row(shown, "TOTAL") == ["TOTAL", "5", "0.00", "14.38", "+14.38", "+0.48%"]
    titles = ["Asset", "Qty", "Cost", "Basis", "Last", "Px", "Mkt", "Value", "Unrealized", "P&L", "%", "Change"]
    assert row(shown, "Asset") == titles


def test_what_is_not_known_is_a_dash() -> None:
    """In the row and in the total."""
    shown = text(replace(BOARD, held=(Held("AAPL", 0.5, 150.0, None),)))
    assert row(shown, "AAPL") == ["AAPL", "0.5", "75.00", "-", "-", "-", "-"]
    assert row(shown, "TOTAL") == ["TOTAL", "0.5", "75.00", "-", "-", "-"]


def test_trade_updates_newest_first_with_mark_and_action() -> None:
    """No more than are asked for; nothing executed shows no price."""
    shown = text(BOARD)
    assert row(shown, "10:15:02  ✗") == ["10:15:02", "✗", "SELL", "TSLA", "rejected", "short_sell"]
    assert row(shown, "10:15:02  ✓") == ["10:15:02", "✓", "BUY", "AAPL", "x10", "@", "150.30", "filled", "buy"]
    assert shown.index("✗") < shown.index("✓")
    assert "✓" not in text(BOARD, most=1)
    assert "Waiting for trades..." in text(BOARD, most=0)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("filled", ("✓", "bold green")), ("partially_filled", ("◐", "green")), ("pending_new", ("◌", "yellow")),
        ("new", ("◌", "yellow")), ("rejected", ("✗", "bold red")), ("canceled", ("•", "dim")),
        ("expired", ("•", "dim")), ("never heard of", ("•", "dim")),
    ],
)  # fmt: skip
def test_a_status_has_a_mark_and_a_colour(status: str, expected: tuple[str, str]) -> None:
    """Seen at a glance, and without colours too."""
    assert mark(status) == expected


def test_messages_have_errors_and_rejections_with_their_reason() -> None:
    """The original swallowed both."""
    shown = text(BOARD)
    assert "10:15:02 SELL TSLA rejected: not enough [money]" in shown
    assert "the function raised" in shown
    assert "Messages" not in text(replace(BOARD, messages=(), updates=(FILLED,)))


def test_a_long_message_is_whole_in_the_last_picture() -> None:
    """While it runs it has a line."""
    long = replace(BOARD, messages=("word " * 40 + "end",))
    assert "end" in text(long)
    assert "end" not in text(long, height=24)


def test_nothing_held_and_nothing_traded() -> None:
    """As at the start."""
    shown = text(replace(BOARD, held=(), updates=(), messages=()))
    assert "No positions" in shown
    assert "Waiting for trades..." in shown


@pytest.mark.parametrize(
    ("remaining", "said"),
    [
        (None, "Running..."), (42.4, "Running... 42s remaining"), (-0.3, "Running... 0s remaining"),
        (119.4, "Running... 119s remaining"), (150, "Running... 2m 30s remaining"),
        (18_000, "Running... 5h 00m remaining"),
    ],
)  # fmt: skip
def test_what_remains(remaining: float | None, said: str) -> None:
    """In words that stay short."""
    assert standing(replace(BOARD, remaining=remaining)) == said


@pytest.mark.parametrize("count", [0, 1, 3, 40])
@pytest.mark.parametrize("width", [30, 60, 80, 140, 160])
@pytest.mark.parametrize("height", [10, 16, 24, 50, None])
def test_it_fits(count: int, width: int, height: int | None) -> None:
    """No line is wider than the terminal, and there are no more of them than it has, at any size and with anything."""
    lines = text(many(count), width, height).splitlines()
    assert max(map(len, lines)) <= width
    assert height is None or len(lines) <= height
    assert not count or "T000" in "".join(lines)


def test_what_is_left_out_is_told() -> None:
    """The total is of everything all the same."""
    shown = text(many(40), 80, 24)
    assert "Portfolio Positions (5 of 40)" in shown
    assert row(shown, "TOTAL")[1] == "10,000"
    assert len([line for line in text(many(40)).splitlines() if " T0" in line]) == 40


def test_narrow_ones_leave_columns_out_before_they_cut_a_figure() -> None:
    """What was made stays."""
    shown = text(BOARD, 44)
    assert row(shown, "AAPL") == ["AAPL", "10", "+30.00", "+2.00%"]
    assert row(shown, "✓") == ["✓", "BUY", "AAPL", "x10", "@", "150.30", "filled"]


def test_wide_ones_have_the_updates_beside_the_positions() -> None:
    """There is room."""
    (line,) = (each for each in text(BOARD, 160).splitlines() if "Portfolio Positions" in each)
    assert "Trade Updates" in line


def test_text_from_outside_is_text() -> None:
    """It is no markup, moves no cursor, and cannot push a figure aside."""
    evil = "[red]A\x1b[2J\n\u202eZ" + "x" * 200
    update = replace(REJECTED, ticker=evil, status=evil, side=evil, action=evil, reason=evil)
    board = replace(BOARD, name=evil, status=evil, held=(Held(evil, 1, 1.0, 2.0),), updates=(update,), messages=(evil,))
    for shown in (text(board), text(board, 80, 24), told(update), standing(board)):
        assert "[red]A [2J" in shown
        assert not {"\x1b", "\u202e"} & set(shown)
    assert max(map(len, text(board).splitlines())) <= 80
    assert "+1.00" in text(board)


def test_gains_are_green_and_losses_red() -> None:
    """And what is nought is neither."""
    for realised, colour, figure in ((5.0, "32", r"\+5\.00"), (-5.0, "31", r"-5\.00")):
        status = text(replace(BOARD, realised=realised), is_coloured=True).splitlines()[1]
        assert re.search(rf"\x1b\[{colour};[0-9;]*m{figure}", status)
    assert "-0.00" not in text(replace(BOARD, realised=-0.001))


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), 1e18])
def test_a_time_that_is_none_is_shown_as_none(timestamp: float) -> None:
    """It ends no display."""
    assert clock(timestamp) == "--:--:--"
