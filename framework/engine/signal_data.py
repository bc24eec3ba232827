"""A Backtrader data feed of signals: an item for each instant at which an algorithm was heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import instant
from framework.engine.data import BarData
from framework.engine.dates import date2num
from framework.model import Signal, SignalAction, Signals

ACTIONS = {SignalAction.OPEN: 1.0, SignalAction.CLOSE: -1.0}

Heard = tuple[float, tuple[Signal, ...]]
"""What was heard at an instant (a date number)."""


class SignalData(BarData):
    """One algorithm's signals. Its `dataname` is a sequence of `Signals`, in the order of receipt.

    Lines, of the last signal of the instant: `action` (1 opens, -1 closes), `side` of the order (1 buys, -1 sells, 0
    is to hold), `price` (NaN where none was told), `weight` (0 to 1). `signals()` has all of them, whole. It begins
    with a neutral item (all 0) at `opens`, a date number. It has no prices of its own: those lines are 0, and an order
    in it is refused.
    """

    lines = ("action", "side", "price", "weight")
    params = (  # type: ignore[assignment]  # Backtrader's metaclass adds them to the others
        ("publisher", ""), ("algorithm", ""), ("opens", 0.0), ("timeframe", bt.TimeFrame.Ticks),
    )  # fmt: skip

    def start(self) -> None:
        self._heard = [(self.p.opens, ()), *heard(self.p.dataname)]
        super().start()

    def signals(self) -> tuple[Signal, ...]:
        """Return what was received at this instant, closes first; nothing at the instants of others."""
        if not len(self):
            return ()
        now = self.datetime[0]
        is_over = any(data.datetime[0] > now for data in self._env.datas if len(data))
        return () if is_over else self._heard[len(self) - 1][1]

    def keep(self, signal: Signal) -> None:
        """Note that a signal is not done with: live, a session that is restarted tells it again, if it is not late."""

    def done(self, signal: Signal) -> None:
        """Note that a signal which was kept is done with."""

    def _in_order(self) -> list[Any]:
        lines = self.lines
        more = [getattr(lines, name) for name in ("action", "side", "price", "weight")]
        return [*super()._in_order(), *more]

    def _columns(self) -> list[Any]:
        times = np.array([time for time, _ in self._heard])
        none = times * 0.0
        values = np.array([values_of(signals) for _, signals in self._heard])
        return [times, *[none] * 6, *(np.ascontiguousarray(column) for column in values.T)]


def heard(told: Iterable[Signals]) -> list[Heard]:
    """Return what was told by instants; date numbers hold some ten microseconds."""
    rows: list[Heard] = []
    for each in told:
        time = number_of(each.at)
        if rows and time <= rows[-1][0]:
            rows[-1] = (rows[-1][0], (*rows[-1][1], *each.signals))
        else:
            rows.append((time, each.signals))
    return rows


def values_of(signals: Sequence[Signal]) -> tuple[float, float, float, float]:
    """Return what the lines say of an instant: action, side, price and weight of its last signal."""
    if not signals:
        return 0.0, 0.0, 0.0, 0.0
    last = signals[-1]
    side = float(last.side.sign) if last.side is not None else 0.0
    return ACTIONS[last.action], side, float("nan") if last.price is None else last.price, last.weight


def number_of(at: datetime) -> float:
    """Return an aware time as Backtrader's date number."""
    return float(date2num(instant(at).reshape(1))[0])


def is_signals(data: Any) -> bool:
    """Return whether a feed is one of signals, which has no prices."""
    return isinstance(data, SignalData)
