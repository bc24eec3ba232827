"""Sample signals: what an algorithm might publish, for trying things without an account. They mean nothing.

Each trading day, an hour after the open (10:30 in New York) and a second, it closes what it opened the day before and
opens one or two of the symbols of some bars, a buy or a sell each, with weights. On its first day it closes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from feeds.alphahub.batches import batch_of, between, check_times, once
from feeds.alphahub.parsing import Reading, read_published
from feeds.alphahub.protocol import NAME, check_algorithms
from feeds.alphahub.sandbox_signals import Item, Publication
from framework.columns import Columns, instant, moment
from framework.errors import ConfigError
from framework.model import Signal, Signals
from framework.ports import Source

VERSION = "switchback sample signals 1"
"""Part of every choice: a change of the recipe changes this, and with it every signal."""

AFTER_OPEN = timedelta(hours=1, seconds=1)
"""When it publishes: not at the end of a bar, so that a signal is an instant of its own."""

_AGAINST = {"buy": "sell", "sell": "buy"}
_WEIGHTS = {1: ((1.0,), (0.8,)), 2: ((0.5, 0.5), (0.6, 0.4), (0.7, 0.3))}

_Share = tuple[str, float]
"""A side and a weight."""


class SampleSignals:
    """Signals of one algorithm on the days and symbols of `bars`, as a `framework.ports.SignalSource`.

        bars = SampleBars(["SPY", "IBM"], "2026-01-05", "2026-01-30")
        signals = SampleSignals(bars)

    What is opened on a day depends on `seed`, `algorithm`, the symbols and the day alone, and is the same on every
    machine; its price is the last close by then. `publications()` are the same for a sandbox to publish:
    `Sandbox(bars, signals=signals.publications())`. Raise `ConfigError` for what cannot be.
    """

    publisher = NAME

    def __init__(self, bars: Source, algorithm: int | str = 16, *, seed: int = 0) -> None:
        if not isinstance(bars, Source):
            raise ConfigError(f'sample signals are made for bars, not for {bars!r}; try SampleBars(["SPY", "IBM"])')
        self.algorithms = check_algorithms([algorithm])
        self.bars, self.seed = bars, seed

    def __repr__(self) -> str:
        return f"SampleSignals({', '.join(self.bars.symbols)}; algorithm {self.algorithms[0]}; seed {self.seed})"

    def history(self, after: datetime | None = None, until: datetime | None = None) -> Sequence[Signals]:
        """Return what was published with `after` < at <= `until` (aware), as received at that instant."""
        check_times(after, until)
        return between(once(batch_of(_read(each)) for each in self.publications()), after, until)

    def publications(self) -> tuple[Publication, ...]:
        """Return what is published on each day of the bars, the oldest first."""
        bars = self.bars.history()
        held: Mapping[str, _Share] = {}
        told = []
        for day, at in self._days(bars):
            chosen = self._chosen(day)
            close = [_item(bars, symbol, at, side=_AGAINST[side]) for symbol, (side, _) in held.items()]
            opened = [_item(bars, name, at, side=side, weight=weight) for name, (side, weight) in chosen.items()]
            told.append(Publication(int(self.algorithms[0]), at, opened, close))
            held = chosen
        return tuple(told)

    def _days(self, bars: Mapping[str, Columns]) -> list[tuple[str, datetime]]:
        """Return the days on which it publishes, and when: between the first bar's end and the last one's."""
        ends = [each.end for each in bars.values()]
        first, last = min(each[0] for each in ends), max(each[-1] for each in ends)
        sessions = self.bars.calendar.sessions
        times = sessions.opens + np.timedelta64(AFTER_OPEN)
        inside = (first <= times) & (times <= last)
        return [(str(day), moment(at)) for day, at in zip(sessions.days[inside], times[inside], strict=True)]

    def _chosen(self, day: str) -> Mapping[str, _Share]:
        """Return what is opened on a day: the side and the weight of one symbol, or of two."""
        symbols = sorted(self.bars.symbols, key=lambda each: self._draw(day, each))
        count = min(len(symbols), 1 + self._draw(day, "count") % 2)
        weights = _WEIGHTS[count][self._draw(day, "weights") % len(_WEIGHTS[count])]
        sides = ["buy" if self._draw(day, each, "side") % 2 else "sell" for each in symbols]
        return {symbol: (side, weight) for symbol, side, weight in zip(symbols, sides, weights, strict=False)}

    def _draw(self, *words: str) -> int:
        content = json.dumps([VERSION, self.seed, self.algorithms[0], *sorted(self.bars.symbols), *words])
        return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big")


def _item(bars: Mapping[str, Columns], symbol: str, at: datetime, **more: Any) -> Item:
    return {"symbol": symbol, "price": _price(bars[symbol], at), **more}


def _price(bars: Columns, at: datetime) -> float:
    """Return the last close by then; before the first bar, what that opens at."""
    index = int(np.searchsorted(bars.end, instant(at), side="right")) - 1
    return float(bars.close[index]) if index >= 0 else float(bars.open[0])


def _read(publication: Publication) -> list[Signal]:
    """Return its signals as a listener reads them."""
    payload = json.dumps(publication.filled(lambda symbol, at: None).payload())
    read = read_published(payload, str(publication.algorithm), publication.at, Reading(UTC))
    return [each for each in read if isinstance(each, Signal)]
