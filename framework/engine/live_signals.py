"""A feed of signals that the live loop moves, and which of what it was given is done with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Set
from typing import Any

from framework.engine.signal_data import Heard, SignalData, number_of, values_of
from framework.model import Signal, Signals


class LiveSignalData(SignalData):
    """One algorithm's signals, live; owned by the engine's thread. What comes together at an instant is one item.

    A batch is done with when the `next` that saw it is over, nothing of it is kept, and the venue has answered to the
    orders that bear its signals' names; `finished` tells of each once.
    """

    def start(self) -> None:
        super().start()
        self._now: tuple[Signal, ...] = ()
        self._shown: list[Signals] = []
        self._kept: dict[str, set[str]] = {}
        self._finished: dict[str, frozenset[str]] = {}
        self._keys: dict[str, frozenset[str]] = {}

    def islive(self) -> bool:
        return True

    def signals(self) -> tuple[Signal, ...]:
        return self._now

    def history(self) -> list[Heard]:
        """Return what it begins with: the neutral item."""
        return self._heard

    def row(self, told: Iterable[Signals]) -> Heard:
        """Return what came at one instant as an item, later than the one before: nothing is left out for its time."""
        self._shown = list(told)
        self._keys.update((each.name, frozenset(signal.key for signal in each.signals)) for each in self._shown)
        signals = tuple(each for batch in self._shown for each in batch.signals)
        last = self.datetime[0] if len(self) else 0.0
        return max(number_of(self._shown[0].at), math.nextafter(last, math.inf)), signals

    def feed(self, row: Heard) -> None:
        """Move to a new item."""
        time, self._now = row
        self.forward()
        for line, value in zip(self._in_order(), (time, *[0.0] * 6, *values_of(self._now)), strict=True):
            line[0] = value

    def over(self) -> None:
        """Note that the instant is over."""
        self._now = ()
        for each in self._shown:
            if each.name not in self._kept:
                self._finish(each.name)
        self._shown = []

    def keep(self, signal: Signal) -> None:
        batch = next((each for each in self._shown if signal in each.signals), None)
        if batch is not None:
            self._kept.setdefault(batch.name, set()).add(signal.key)

    def done(self, signal: Signal) -> None:
        for name in [name for name, keys in self._kept.items() if signal.key in keys]:
            self._kept[name].discard(signal.key)
            if not self._kept[name]:
                del self._kept[name]
                if all(each.name != name for each in self._shown):
                    self._finish(name)

    def _finish(self, name: str) -> None:
        self._finished[name] = self._keys.pop(name)

    @property
    def is_waiting(self) -> bool:
        """Whether there are batches that may be done with."""
        return bool(self._finished)

    def finished(self, unanswered: Set[str]) -> list[str]:
        """Take the names of the batches that are done with; `unanswered` are the names of orders on their way."""
        finished = [name for name, keys in self._finished.items() if not keys & unanswered]
        for name in finished:
            del self._finished[name]
        return finished


def lines_of(cerebro: Any) -> dict[str, LiveSignalData]:
    """Return a Cerebro's feeds of signals by their algorithms."""
    return {data.p.algorithm: data for data in cerebro.datas if isinstance(data, LiveSignalData)}
