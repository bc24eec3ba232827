"""Signals written by hand, as a source: what the tests of runs and strategies hear."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from framework.model import Side, Signal, SignalAction, Signals

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
"""A Monday's open in New York, as in `tape`."""


def at(minute: float) -> datetime:
    """Return a time in minutes after the open."""
    return OPEN + timedelta(minutes=minute)


def told(minute: float, *what: str, algorithm: str = "16", price: float | None = None) -> Signals:
    """Return what came at a minute: "open buy SPY 0.5", "close sell IBM", "open hold XYZ"; a weight left out is 1."""
    signals = tuple(_signal(minute, each, algorithm, price) for each in what)
    return Signals(f"{algorithm}at{minute}", signals)


def _signal(minute: float, text: str, algorithm: str, price: float | None) -> Signal:
    action, side, symbol, *weight = text.split()
    key = f"{algorithm}{action}{symbol}{minute}".replace(".", "p")
    return Signal(
        algorithm,
        symbol,
        at(minute),
        SignalAction(action),
        None if side == "hold" else Side(side),
        float(weight[0]) if weight else 1.0,
        price,
        key=key,
    )


class Told:
    """A source of signals (`framework.ports.SignalSource`)."""

    publisher = "AlphaHub"

    def __init__(self, *signals: Signals, algorithms: Sequence[str] = ("16",)) -> None:
        self.algorithms = tuple(algorithms)
        self._signals = sorted(signals, key=lambda each: each.at)

    def history(self, after: datetime | None = None, until: datetime | None = None) -> list[Signals]:
        return [
            each for each in self._signals if (after is None or each.at > after) and (until is None or each.at <= until)
        ]
