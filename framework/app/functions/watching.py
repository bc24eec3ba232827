"""What a trading function's session tells of itself: the trade log, the board for the display, the messages."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from framework.app.functions.board import Board, Held, TradeUpdate
from framework.engine.dates import num2date
from framework.engine.translate import symbol_of

if TYPE_CHECKING:
    from framework.live.status import Status

log = logging.getLogger("switchback.function")

_STATUSES = {
    "Submitted": "pending_new", "Accepted": "new", "Partial": "partially_filled", "Completed": "filled",
    "Canceled": "canceled", "Expired": "expired", "Margin": "rejected", "Rejected": "rejected",
}  # fmt: skip
"""Alpaca's words for Backtrader's statuses."""

_DAY = 86_400

UPDATES, MESSAGES = 500, 50
"""How many trade updates and messages are kept for the display."""


class Watching:
    """Told by a `TradingFunction` what happens, in its thread; `board` may be asked for by any.

    `book` takes each trade update. `name` and `money` are the board's. `is_shown` where somebody looks at that; what
    goes wrong is logged where nobody does.
    """

    def __init__(self, name: str, money: str, book: Callable[[TradeUpdate], None], *, is_shown: bool) -> None:
        self._name, self._money, self._book = name, money, book
        self._level = logging.DEBUG if is_shown else logging.WARNING
        self._updates: deque[TradeUpdate] = deque(maxlen=UPDATES)
        self._messages: deque[str] = deque(maxlen=MESSAGES)
        self._now = 0.0
        self._lock = threading.Lock()
        self._board = Board(name, money, 0.0, 0.0, "Initializing...", None, (), ())
        self._ends_at: float | None = None

    def board(self) -> Board:
        """Return how the session stands."""
        with self._lock:
            board, ends_at, now = self._board, self._ends_at, self._now
        if ends_at is None or not np.isfinite(ends_at):
            return board
        left = max(ends_at - now, 0.0)
        return replace(board, remaining=left)

    # -- what the strategy tells

    def looked(self, strategy: Any) -> None:
        """Take how things stand at an instant."""
        self._now = _epoch(_now(strategy))
        self._show(strategy)

    def heard(self, strategy: Any, order: Any) -> None:
        """Book what became of an order."""
        status = _STATUSES.get(order.getstatusname())
        if status is None:
            return
        update = _update(strategy, order, status)
        self._updates.appendleft(update)
        self._book(update)
        if status == "rejected":
            what = f"{update.action} {abs(order.created.size):g} {update.ticker}"
            log.log(self._level, "%s was rejected: %s", what, update.reason)
        self._show(strategy)

    def rejected(self, strategy: Any, asked: Any, why: str) -> None:
        """Tell of an order that was not made."""
        self._say(f"{asked.action} {asked.quantity:g} {asked.ticker} was not sent: {why}")
        self._show(strategy)

    def failed(self, strategy: Any, told: str) -> None:
        """Tell of what the function did wrong: to whoever looks, and to the journal where there is one."""
        self._say(told)
        say = getattr(strategy.broker, "say", None)
        if say is not None:
            say(f"the trading function: {told}")
        self._show(strategy)

    def seen(self, status: Status) -> None:
        """Take the session's time, about once a second."""
        self._now = max(self._now, status.at.timestamp())

    def over(self, text: str = "Complete!") -> None:
        """Say that the session is over."""
        with self._lock:
            self._ends_at = None
            self._board = replace(self._board, status=text, remaining=None)

    def _say(self, text: str) -> None:
        self._messages.append(text)
        log.log(self._level, "%s", text)

    def _show(self, strategy: Any) -> None:
        with self._lock:
            self._ends_at = None if strategy.ends_at is None else _epoch(strategy.ends_at)
            self._board = Board(
                self._name, self._money, float(strategy.broker.getcash()), strategy.realised, _doing(strategy), None,
                _held(strategy), tuple(self._updates), tuple(self._messages),
            )  # fmt: skip


def _doing(strategy: Any) -> str:
    if not strategy.calls:
        return "Warming up..."
    is_over = strategy.ends_at is not None and _now(strategy) >= strategy.ends_at
    return "Shutting down..." if is_over else "Running..."


def _held(strategy: Any) -> tuple[Held, ...]:
    found = []
    for ticker, data in strategy.tickers.items():
        position = strategy.getposition(data)
        if position.size:
            last = float(data.close[0]) if len(data) else None
            found.append(Held(ticker, position.size, float(position.price), last))
    return tuple(found)


def _update(strategy: Any, order: Any, status: str) -> TradeUpdate:
    side = "buy" if order.isbuy() else "sell"
    action = _action(order, side)
    run = getattr(strategy.broker, "run", 1)
    return TradeUpdate(
        client_order_id=f"{action}-{run}-{order.ref:08x}",
        ticker=symbol_of(order.data),
        executed_price=round(float(order.executed.price or 0.0), 8),
        executed_qty=float(abs(order.executed.size)),
        status=status,
        side=side,
        action=action,
        timestamp=_at(strategy),
        raw_status=f"OrderStatus.{status.upper()}",
        reason=_reason(order) if status == "rejected" else "",
    )


def _reason(order: Any) -> str:
    return str(order.info.get("reason", "") or "there is not enough cash")


def _action(order: Any, side: str) -> str:
    """Return what an order is for; what closes everything at the end has no action of the function's."""
    if action := order.info.get("action"):
        return str(action)
    if order.info.get("closing"):
        return "cover_short" if side == "buy" else "liquidate"
    return "buy_long" if side == "buy" else "sell_long"


def _at(strategy: Any) -> float:
    """Return the time of now: live the session's, in a backtest that of the instant that is played."""
    now = getattr(strategy.broker, "now", None)
    return _epoch(_now(strategy)) if now is None else float(now().timestamp())


def _now(strategy: Any) -> float:
    return float(max((data.datetime[0] for data in strategy.datas if len(data)), default=-np.inf))


def _epoch(number: float) -> float:
    """Return one of Backtrader's numbers as epoch seconds; minus infinity is long ago."""
    if not np.isfinite(number):
        return number
    return float(num2date(np.array([number]))[0].astype("datetime64[us]").astype(np.int64)) / 1e6
