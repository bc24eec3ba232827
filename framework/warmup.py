"""What part of the known bars a run sees: its range, and the warm-up before it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from framework.columns import Columns
from framework.errors import ConfigError
from framework.ports import Warmup


def check_warmup(warmup: Warmup) -> Warmup:
    """Return `warmup`; raise `ConfigError` where it is neither a number of bars nor a span, or negative."""
    if isinstance(warmup, bool) or not isinstance(warmup, int | timedelta):
        raise ConfigError(f"warmup is {warmup!r}; try a number of bars, such as 200, or a timedelta")
    if (warmup.total_seconds() if isinstance(warmup, timedelta) else warmup) < 0:
        raise ConfigError(f"warmup is {warmup}, before its own start; try 0 or more")
    return warmup


def earlier(known: Columns, start: datetime | None, warmup: Warmup) -> Columns:
    """Return the bars of `known` that a warm-up before `start` asks for: so many, or within a span of time."""
    if start is None:
        return Columns.empty()
    if isinstance(warmup, timedelta):
        return known.between(start - warmup, start)
    return last(known.between(None, start), warmup)


def last(bars: Columns, count: int) -> Columns:
    """Return the last `count` bars, all of them where there are fewer."""
    return bars[max(0, len(bars) - count) :]
