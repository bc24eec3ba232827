"""What befalls a symbol beside its trades: halts, in which there are none, and splits of its shares. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from framework.columns import Columns, instant
from framework.errors import ConfigError, nearest
from framework.model import Halt, Split

DIGITS = 4
"""Decimals of a price that was adjusted."""


@dataclass(frozen=True, slots=True)
class Halted:
    """Trading in a symbol stands still with `since` <= time < `until` (aware): there is no bar of a minute in it."""

    symbol: str
    since: datetime
    until: datetime

    @property
    def told(self) -> tuple[Halt, Halt]:
        """What the exchange says at its beginning and at its end."""
        return Halt(self.symbol, self.since, True), Halt(self.symbol, self.until, False)


def check(symbols: Iterable[str], halts: Sequence[Halted], splits: Sequence[Split]) -> None:
    """Raise `ConfigError` for a halt or a split that cannot be."""
    known = tuple(symbols)
    for name in (*(each.symbol for each in halts), *(each.symbol for each in splits)):
        if name not in known:
            raise ConfigError(f"the tape has no {name}{nearest(name, known)}; it has {', '.join(known)}")
    for halt in halts:
        if not halt.since < halt.until:
            raise ConfigError(f"{halt.symbol} is halted from {halt.since} until {halt.until}; give a later end")
    for split in splits:
        if not 0 < split.ratio < math.inf:
            raise ConfigError(
                f"a split of {split.symbol} by {split.ratio}; give the shares for each one before: 2.0, or 0.1"
            )


def without(bars: Columns, halted: Halted, length: timedelta) -> Columns:
    """Return bars without those of which a part lies in a halt: they never were."""
    inside = (bars.end > instant(halted.since)) & (bars.end - np.timedelta64(length) < instant(halted.until))
    return bars[~inside]


def adjusted(bars: Columns, splits: Sequence[Split]) -> Columns:
    """Return bars as they are told after these splits of their symbol: what ended by then is in the shares of now."""
    for split in splits:
        ratio = np.where(bars.end <= instant(split.at), split.ratio, 1.0)
        prices = {
            name: np.where(ratio == 1.0, getattr(bars, name), np.round(getattr(bars, name) / ratio, DIGITS))
            for name in ("open", "high", "low", "close")
        }
        bars = replace(bars, **prices, volume=bars.volume * ratio)
    return bars
