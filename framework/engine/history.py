"""What the broker held at every bar, rebuilt after the run from the few bars at which it changed.

Between two executions cash, sizes and prices stand still and only the market moves, so the value of
the portfolio at all bars is one vector expression: the same operations, in the same order, on the same
numbers as `BackBroker._get_value`, hence the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framework.columns import Floats

Steps = list[tuple[int, Any]]
"""Changes: from this step on, this value."""


class History:
    """Cash and positions as they changed, step by step."""

    def __init__(self, broker: Any, times: Floats, places: Callable[[Any], NDArray[np.int64]]) -> None:
        self.times, self._broker, self._places = times, broker, places
        self._shares = broker._fundshares
        self._cash: Steps = [(0, broker.cash)]
        self._held: dict[Any, Steps] = {
            data: [(0, (position.size, position.price))] for data, position in broker.positions.items()
        }

    def moved(self, step: int, data: Any, position: Any, cash: float) -> None:
        """Take down a change made while the broker played a step."""
        self._cash.append((step, cash))
        if data is not None:
            self._held.setdefault(data, [(0, (0, 0.0))]).append((step, (position.size, position.price)))

    def series(self, bars: int) -> Series:
        """Return what was held at each of the first `bars` steps."""
        return Series(self, bars)


class Series:
    """What the broker held at each of the first `bars` steps of a run; arrays are worked out once."""

    def __init__(self, history: History, bars: int) -> None:
        self._history, self.bars = history, bars
        self.times = history.times[:bars]
        self.shares = history._shares
        self.cash = _spread(history._cash, bars)
        self._value: Floats | None = None

    def closes(self, data: Any) -> Floats:
        """Return a feed's last close at each step."""
        close = np.frombuffer(data.lines.close.array, dtype=np.float64)
        found: Floats = close[self.places(data)]
        return found

    def places(self, data: Any) -> NDArray[np.int64]:
        return self._history._places(data)[: self.bars]

    def sizes(self, data: Any) -> Floats:
        """Return the size held in a feed at each step."""
        return _spread([(step, held[0]) for step, held in self._history._held.get(data, [(0, (0, 0.0))])], self.bars)

    @property
    def value(self) -> Floats:
        """The portfolio's value at each step."""
        if self._value is None:
            self._value = self._worked_out()
        return self._value

    @property
    def fundvalue(self) -> Floats:
        found: Floats = self.value / self.shares
        return found

    def _worked_out(self) -> Floats:
        total = np.zeros(self.bars)
        broker = self._history._broker
        for data in list(broker.positions):
            if len(changes := self._history._held.get(data, [])) < 2:
                continue
            size, close = self.sizes(data), self.closes(data)
            price = _spread([(step, held[1]) for step, held in changes], self.bars)
            terms = broker.getcommissioninfo(data).p
            value = size * close
            unrealized = size * (close - price) * terms.mult
            long = (total + (value - unrealized) / terms.leverage) + unrealized
            total = np.where(value > 0, long, total + value)
        found: Floats = self.cash + total
        return found


def _spread(changes: Steps, bars: int) -> Floats:
    """Return the value that holds at each step; of several changes at one step the last counts."""
    steps = np.array([step for step, _ in changes], dtype=np.int64)
    values = np.array([value for _, value in changes], dtype=np.float64)
    until = np.minimum(np.append(steps[1:], bars), bars)
    return np.repeat(values, np.maximum(until - np.minimum(steps, bars), 0))
