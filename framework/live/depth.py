"""Whether there is history enough for a strategy's first `next`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from framework.feeding import Auto, MinimumPeriods, fed, waiting
from framework.live.checkup import Answer, warning, yes
from framework.live.opening import UpTo
from framework.model import Timeframe
from framework.ports import LiveSource, Warmup


def depth(
    source: LiveSource, at: datetime, longer: Sequence[Timeframe], warmup: Warmup | Auto, need: MinimumPeriods
) -> Answer:
    """Say whether `next` is called with the first bar after `at`, or which symbols lack bars. Raise as `fed` does."""
    own = [(symbol, source.timeframe) for symbol in source.symbols]
    kinds = own + [(symbol, target) for target in longer for symbol, _ in own]
    periods = dict(zip(kinds, need(kinds), strict=True))
    feeds = fed([UpTo(source, at)], longer, warmup, lambda _: list(periods.values()))
    if late := waiting(feeds, periods):
        return warning(f"{late} are there", "the session starts, and next waits until each symbol has its bars")
    most = max(periods.values())
    if most <= 1:
        return yes("the strategy needs none before its first bar")
    return yes(f"all there: the indicators need up to {most} bars, the first live one included")
