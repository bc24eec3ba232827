"""A trading function's session in plain lines: what is told where there is no terminal to draw on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from framework.app.functions.board import Board, TradeUpdate
from framework.app.functions.panels import clipped, clock, quantity, standing, told
from framework.live.columns import clean

EVERY = 5.0
"""Seconds between two summaries at the least."""

NAMED = 8
"""How many positions a summary names."""

T = TypeVar("T")


class PlainLines:
    """Finds what is new on each board: every trade update, every message, and now and then a summary. One thread."""

    def __init__(self) -> None:
        self._updates: tuple[TradeUpdate, ...] = ()
        self._messages: tuple[str, ...] = ()
        self._summed: Board | None = None
        self._at = float("-inf")

    def take(self, board: Board, at: float, *, is_over: bool = False) -> list[str]:
        """Return the lines of what is new; `at` is now, in epoch seconds. At the end the summary does not wait."""
        updates = [told(each) for each in _new(self._updates, reversed(board.updates))]
        messages = [f"{clock(at)} {clean(each)}" for each in _new(self._messages, board.messages)]
        self._updates, self._messages = board.updates, board.messages
        return [*updates, *messages, *self._summaries(board, at, is_over)]

    def _summaries(self, board: Board, at: float, is_over: bool) -> list[str]:
        what = replace(board, remaining=None, updates=(), messages=())
        if what == self._summed or (0 <= at - self._at < EVERY and not is_over):
            return []
        self._summed, self._at = what, at
        return [f"{clock(at)} {summary(board)}"]


def summary(board: Board) -> str:
    """Return a board in a line, such as `Running... 42s remaining, available 98,234.10, ..., AAPL 10, TSLA -5`."""
    gain = board.unrealised
    return ", ".join(
        [
            standing(board),
            f"available {board.capital:,.2f}",
            f"realized {board.realised:+,.2f}",
            "unrealized unknown" if gain is None else f"unrealized {gain:+,.2f}",
            *(f"{clipped(each.ticker)} {quantity(each.quantity)}" for each in board.held[:NAMED]),
            *([f"and {len(board.held) - NAMED} more"] if len(board.held) > NAMED else []),
        ]
    )


def _new(before: Sequence[T], now: Iterable[T]) -> list[T]:
    """Return what was not there before, each once."""
    known = set(before)
    return [each for each in dict.fromkeys(now) if each not in known]
