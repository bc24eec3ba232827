"""A trading function's session where there is no terminal: piped, or the output of a notebook's cell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from framework.app.functions.board import Board, Held, TradeUpdate
from framework.app.functions.plain import PlainLines, summary

AT = datetime(2026, 10, 5, 10, 15, 2).astimezone().timestamp()
NEW = TradeUpdate("buy-1-a", "AAPL", 0.0, 0.0, "new", "buy", "buy", AT, "OrderStatus.NEW")
FILLED = replace(NEW, executed_price=150.3, executed_qty=10.0, status="filled", timestamp=AT + 1)
REJECTED = replace(NEW, ticker="TSLA", status="rejected", reason="not\nenough", timestamp=AT + 2)
BOARD = Board("dip", "paper", 98_234.1, 12.3, "Running...", 42.2, (), ())
SUMMARY = "10:15:02 Running... 42s remaining, available 98,234.10, realized +12.30, unrealized +0.00"


def test_each_update_once_oldest_first() -> None:
    """Also where the board has let the older ones go."""
    lines = PlainLines()
    assert lines.take(replace(BOARD, updates=(FILLED, NEW)), AT) == [
        "10:15:02 BUY AAPL new",
        "10:15:03 BUY AAPL x10 @ 150.30 filled",
        SUMMARY,
    ]
    assert lines.take(replace(BOARD, updates=(REJECTED, FILLED)), AT) == ["10:15:04 BUY TSLA rejected: not enough"]
    assert lines.take(replace(BOARD, updates=(REJECTED, FILLED)), AT) == []


def test_each_message_once() -> None:
    """However often the function makes the same mistake."""
    lines = PlainLines()
    lines.take(BOARD, AT)
    raised = replace(BOARD, messages=("it raised [this]\x1b[2J", "it raised [this]\x1b[2J"))
    assert lines.take(raised, AT) == ["10:15:02 it raised [this] [2J"]
    assert lines.take(raised, AT) == []


def test_a_summary_every_five_seconds_where_something_changed() -> None:
    """Time that goes by is no change; at the end it does not wait."""
    lines = PlainLines()
    richer = replace(BOARD, realised=20.0)
    assert lines.take(BOARD, AT) == [SUMMARY]
    assert lines.take(replace(BOARD, remaining=30.0), AT + 12) == []
    assert len(lines.take(richer, AT + 12)) == 1
    assert lines.take(BOARD, AT + 16.9) == []
    assert len(lines.take(BOARD, AT + 17)) == 1
    assert len(lines.take(richer, AT + 17.1, is_over=True)) == 1
    assert lines.take(richer, AT + 17.2, is_over=True) == []


def test_a_clock_that_is_set_back_stops_no_summary() -> None:
    """By an hour, say."""
    lines = PlainLines()
    lines.take(BOARD, AT)
    assert len(lines.take(replace(BOARD, realised=20.0), AT - 3600)) == 1


def test_a_summary_names_what_is_held() -> None:
    """The first few, and how many more there are; a gain that is not known is not claimed."""
    held = tuple(Held(f"T{number}", -1.5, 10.0, None) for number in range(10))
    assert summary(replace(BOARD, held=held[:2])).endswith(", unrealized unknown, T0 -1.5, T1 -1.5")
    assert summary(replace(BOARD, held=held)).endswith(", T7 -1.5, and 2 more")
    assert "unrealized -5.00" in summary(replace(BOARD, held=(Held("A", 1, 10.0, 5.0),)))
