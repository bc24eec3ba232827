"""Bars and signals for all the runs of a sweep, loaded once: the warm-up is what the neediest run asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from framework.feeding import fed, is_auto, kinds_of
from framework.model import Timeframe
from framework.ports import Warmup
from framework.research.grid import Parameters
from framework.research.held import HeldBars, HeldSignals, LoadedBars, LoadedSignals
from framework.runner import Prepared
from framework.signalling import signalled

Needs = tuple[int, ...]
"""How many bars each feed must have before the first `next`."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """What all runs share, and the warm-up that each run will ask each source of bars for."""

    bars: tuple[HeldBars, ...]
    signals: tuple[HeldSignals, ...]
    asked: tuple[tuple[Warmup, ...], ...]


def loaded(ready: Prepared, sets: Sequence[Parameters]) -> Loaded:
    """Load what the runs of these parameter sets ask for; raise as the sources do."""
    return loaded_for(ready, needs_of(ready, sets))


def loaded_for(ready: Prepared, needs: Sequence[Needs]) -> Loaded:
    """Load what runs with these needs ask for; raise as the sources do.

    What a run asks for is found out by what makes the feeds of every run: once for each way to need history,
    the neediest first, so that a source is hardly asked twice.
    """
    bars = [LoadedBars(each) for each in ready.sources]
    signals = [LoadedSignals(each) for each in ready.signals]
    asked: dict[Needs, tuple[Warmup, ...]] = {}
    for each in sorted(set(needs), key=lambda need: (max(need, default=0), sum(need)), reverse=True):
        feeds = fed(bars, ready.longer, ready.warmup, lambda _, each=each: list(each))  # type: ignore[misc]
        signalled(signals, feeds)
        asked[each] = tuple(source.asked for source in bars)
    return Loaded(
        tuple(each.held for each in bars), tuple(each.held for each in signals), tuple(asked[each] for each in needs)
    )


def needs_of(ready: Prepared, sets: Sequence[Parameters]) -> list[Needs]:
    """Return what each parameter set needs, found out by its `__init__` over empty feeds."""
    if not is_auto(ready.sources, ready.warmup):
        return [()] * len(sets)
    kinds, fixed = kinds_of(ready.sources, ready.longer), ready.piece.params
    runs = (replace(ready, piece=replace(ready.piece, params={**fixed, **each})) for each in sets)
    return [_need(each, kinds) for each in runs]


def _need(ready: Prepared, kinds: Sequence[tuple[str, Timeframe]]) -> Needs:
    try:
        return tuple(ready.need(kinds))
    except SystemExit:  # the run itself will say so, in its row
        return (1,) * len(kinds)
