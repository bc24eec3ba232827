"""The end of a session that lasts so long: what is held then is left, brought to nothing, or given to a function.

The same in a backtest and live, as `DayEnd`, in whose place it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from framework.calendar import Calendar
from framework.engine.dates import date2num
from framework.engine.day_end import HOLD, LIQUIDATE, NEARLY, DayEnd, How
from framework.engine.flattening import Flattening

_DAY = timedelta(days=1)

BEFORE_CLOSE = timedelta(seconds=30)
"""How long before the market's close a session ends at the latest: its last orders are to meet the market.

Where its clock is slower it is one of its instants: a backtest fills what is sent at one with what comes by the next.
"""

PATIENCE = 120.0
"""Seconds of I/O time that the end of a live session is waited for; then it says what is not done."""


@dataclass(frozen=True, slots=True)
class AtEnd:
    """What is done when a session has lasted for `seconds`, counted from its first instant plus `warm_up` seconds.

    `seconds` None is until `before` the close of `calendar`'s session. `how` is "hold", "liquidate", or a
    function of the strategy, whose orders are waited for.
    """

    how: How
    seconds: float | None
    warm_up: float
    calendar: Calendar
    before: timedelta

    def made(self, seconds: Callable[[], float] | None = None) -> SessionEnd:
        """Return what does it in one run; `seconds` tells I/O time, None in a backtest and in lock-step."""
        return SessionEnd(self, seconds)

    def ends_at(self, now: float) -> float:
        """Return when a session ends whose first instant is `now`: Backtrader's numbers."""
        if self.seconds is not None:
            return now + (self.warm_up + self.seconds) / 86_400
        if self.calendar.name == "24/7":
            return float("inf")
        closes = date2num(self.calendar.sessions.closes)
        index = int(np.searchsorted(closes, now + NEARLY, side="right"))
        return float(closes[index]) - self.before / _DAY if index < len(closes) else float("inf")


class SessionEnd:
    """Does what `AtEnd` says. Times are Backtrader's numbers, UTC. Owned by the engine's thread.

    It tells the strategy when it ends, as `ends_at`; a strategy that sets it earlier ends then. A backtest is stopped,
    a live session sees that it `is_over`.
    """

    def __init__(self, end: AtEnd, seconds: Callable[[], float] | None = None) -> None:
        self._end, self._seconds = end, seconds
        self._begun_at: float | None = None
        self._is_acting = False
        self.flattening: Flattening | None = None
        self.is_over = False
        self.missed: list[str] = []
        """What was not done at the end, in sentences."""

    def play(self, strategy: Any, now: float) -> None:
        """Do what is due at a time."""
        if getattr(strategy, "ends_at", None) is None:
            strategy.ends_at = self._end.ends_at(now)
        if now >= strategy.ends_at - NEARLY and not self.is_over:
            self._due(strategy)

    def hasten(self, strategy: Any) -> bool:
        """End now, where it has not; return whether there is something to do first."""
        if self._begun_at is None:
            strategy.ends_at = -np.inf
        return not self.is_over and self._end.how != HOLD

    def refusal(self, now: float) -> str:
        """Return why a strategy's order is not taken at a time, or an empty string."""
        return "the session is over for this strategy" if self._begun_at is not None and not self._is_acting else ""

    def over(self, strategy: Any) -> None:
        """Note what is not done when a run ends, for no more instants come."""
        if self.is_over or self._end.how == HOLD:
            return
        self._give_up(strategy, "the prices ended before the session did")

    def _due(self, strategy: Any) -> None:
        is_first = self._begun_at is None
        now = self._seconds() if self._seconds else 0.0
        self._begun_at = now if self._begun_at is None else self._begun_at
        if self._is_done(strategy, is_first=is_first):
            self.is_over = True
        elif now - self._begun_at > PATIENCE:
            self._give_up(strategy, f"it could not be done within {PATIENCE:g} s")

    def _is_done(self, strategy: Any, *, is_first: bool) -> bool:
        """Do what is lacking, and return whether nothing is."""
        if self._end.how == LIQUIDATE:
            self.flattening = self.flattening or Flattening(strategy.broker, strategy, "liquidate", self._seconds)
            return self.flattening.step()
        if callable(self._end.how) and is_first:
            self._act(strategy, self._end.how)
        return self._end.how == HOLD or not strategy.broker.unfinished()

    def _act(self, strategy: Any, how: Callable[[Any], None]) -> None:
        self._is_acting = True
        try:
            how(strategy)
        finally:
            self._is_acting = False

    def _give_up(self, strategy: Any, why: str) -> None:
        self.is_over = True
        broker = strategy.broker
        left = [f"{data._name} {each.size:g}" for data, each in broker.positions.items() if each.size]
        left += [f"order {each.ref} of {each.data._name}" for each in broker.unfinished()]
        if left and self._end.how == LIQUIDATE:
            self.missed.append(f"NOT flat at the end of the session: {', '.join(left)}; {why}")
        elif broker.unfinished():
            self.missed.append(f"orders of the session's end are open still: {', '.join(left)}; {why}")


End = DayEnd | SessionEnd
"""What is done at the end of a trading day, or of the session."""
