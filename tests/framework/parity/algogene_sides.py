"""One strategy played twice over the same bars: as a backtest under ALGOGENE's rules, and live on its sandbox."""

from __future__ import annotations

from typing import Any

import backtrader as bt
from both_sides import Run, Witness

from brokers import AlgogeneVenue
from brokers.algogene.settings import Settings
from feeds import AlgogeneBars
from framework import run
from framework.app.sandbox import Sandbox
from framework.live.settings import Live
from framework.ports import Source


def both(strategy: type[bt.Strategy], source: Source, **options: Any) -> tuple[Run, Run]:
    """Return the backtest and the live session of a strategy over a source."""
    watched = type(strategy)(strategy.__name__, (Witness, strategy), {})
    tested = run(watched, source=source, venue=AlgogeneVenue(), **options)
    with Sandbox(source, algogene=Settings(cash=1e6)) as sandbox:
        bars = AlgogeneBars(source.symbols, calendar=source.calendar.name, now=lambda: source.end, **sandbox.algogene)
        venue = AlgogeneVenue(**sandbox.algogene)
        lived = run(watched, source=bars, venue=venue, live=Live(durable="OFF"), **options)
    return Run.of(tested), Run.of(lived)
