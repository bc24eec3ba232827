"""The end of the trading day: some minutes before the REAL close, early closes included, something is done.

The same in a backtest and live: an analyzer calls it after each `next`, at the instants of the bars. Live the
clock calls it too, where no bar comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import backtrader as bt
import numpy as np

from framework.calendar import Calendar
from framework.engine.dates import date2num, num2date
from framework.engine.flattening import Flattening
from framework.engine.ruled import RuledBroker

HOLD, LIQUIDATE = "hold", "liquidate"

How = str | Callable[[Any], None]
"""What is done: nothing ("hold"), everything is closed ("liquidate"), or a function of the strategy is called."""

GRACE = timedelta(seconds=15)
"""How long after the close news of the last orders may still come."""

NEARLY = 0.5 / 86_400
"""Half a second, in days: a date number does not hold an instant exactly."""


@dataclass(frozen=True, slots=True)
class AtClose:
    """What is done at the end of each trading day of `calendar`, and how long before its close."""

    how: How
    before: timedelta
    calendar: Calendar

    def made(self, seconds: Callable[[], float] | None = None) -> DayEnd:
        """Return what does it in one run."""
        return DayEnd(self, seconds)


class DayEnd:
    """Does what `AtClose` says. Times are Backtrader's numbers, UTC. Owned by the engine's thread.

    `seconds` tells I/O time on a running clock: then news of the last orders are awaited after the close,
    for `GRACE`. None in a backtest and in lock-step, where there is nothing to wait for.
    """

    def __init__(self, at_close: AtClose, seconds: Callable[[], float] | None = None) -> None:
        self._how, self._before = at_close.how, at_close.before / timedelta(days=1)
        self._closes = date2num(at_close.calendar.sessions.closes)
        self._seconds = seconds
        self._grace = GRACE / timedelta(days=1) if seconds else 0.0
        self._close = self._refused_until = -np.inf
        self._is_begun = False
        self.flattening: Flattening | None = None
        self.missed: list[str] = []
        """What was held still at a close, in sentences."""

    def play(self, strategy: Any, now: float) -> None:
        """Do what is due at a time."""
        if now >= self._close + self._grace - NEARLY:
            self._closed()
            self._close = self._next_close(now)
        if self._close - self._before - NEARLY <= now < self._close - NEARLY:
            self._due(strategy)

    is_over = False
    """Whether the session is to end: a day's end is not its end."""

    def hasten(self, strategy: Any) -> bool:
        """Return whether the session ends later than it is asked to, because something is done first."""
        return False

    def over(self, strategy: Any) -> None:
        """Note the end of the run."""

    def refusal(self, now: float) -> str:
        """Return why a strategy's order is not taken at a time, or an empty string."""
        if now > self._refused_until + NEARLY:
            return ""
        return "the day is over for this strategy: its positions are being closed before the market's close"

    def _due(self, strategy: Any) -> None:
        if callable(self._how):
            if not self._is_begun:
                self._is_begun = True
                self._how(strategy)
            return
        if self.flattening is None:
            self.flattening = Flattening(strategy.broker, strategy, "end of the day", self._seconds)
            self._refused_until = self._close
        self.flattening.step()

    def _closed(self) -> None:
        """The close has come: what is not closed by now, no order can close today."""
        if self.flattening is not None:
            held = self.flattening.give_up(self._close + self._grace + NEARLY)
            if held:
                what = ", ".join(f"{name} {size:g}" for name, size in held.items())
                day = num2date(np.array([self._close]))[0].astype("datetime64[D]")
                self.missed.append(f"NOT flat at the close of {day}: {what} could not be closed in time")
        self.flattening, self._is_begun = None, False

    def _next_close(self, now: float) -> float:
        index = int(np.searchsorted(self._closes, now + NEARLY, side="right"))
        return float(self._closes[index]) if index < len(self._closes) else np.inf


class DayEndAnalyzer(bt.Analyzer):
    """Lets a `DayEnd` play after each `next`; `rets` stays empty."""

    params = (("day_end", None), ("is_backtest", True))

    def start(self) -> None:
        broker = self.strategy.broker
        assert isinstance(broker, RuledBroker)
        day_end: DayEnd = self.p.day_end
        broker.refusals.append(lambda order: day_end.refusal(_now(self.strategy)))

    def prenext(self) -> None:
        """An earlier run of the session may hold something before this one's indicators are ready."""
        self.next()

    def next(self) -> None:
        now = _now(self.strategy)
        if now > min(data.p.opens_at for data in self.strategy.datas):  # warm-up is no trading day
            self.p.day_end.play(self.strategy, now)
            if self.p.day_end.is_over and self.p.is_backtest:
                self.strategy.env.runstop()


def _now(strategy: Any) -> float:
    return float(max((data.datetime[0] for data in strategy.datas if len(data)), default=-np.inf))
