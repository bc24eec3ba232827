"""Resampled and replayed feeds: their bars are made ahead of the run, by Backtrader's own filters.

Stock makes them in the middle of its loop, where indicators can no longer be worked out for all bars at
once. Which bars there are does not depend on the strategy, so here the feeds run first, alone; what they
delivered at each step is taken down, and the run then plays it back. Lines grow bar by bar as in stock.
"""

from __future__ import annotations

import array
import datetime
from dataclasses import dataclass, field
from typing import Any

import backtrader as bt
import numpy as np
from backtrader import functions, linebuffer
from backtrader.indicators import basicops

from framework.engine import resampler
from framework.engine.once import VECTORISED
from framework.engine.schedule import Schedule

_STATELESS = {
    *VECTORISED, basicops.WeightedAverage.once, basicops.Accum.once, functions.DivByZero.once,
    functions.DivZeroByZero.once, functions.Cmp.once,
}  # fmt: skip
"""`once` methods which give what `next` gives, however often `next` is called on a bar."""

_NO_TIME = bt.date2num(datetime.datetime.max) - 2  # noqa: DTZ901  Backtrader's own, without a zone
"""The time that Backtrader's loop shows before the first bar."""

_NO_LOOP = (bt.LineIterator.once, bt.LineRoot.once)


@dataclass(slots=True)
class Taken:
    """What one feed delivered: at each step where it stood, where its ticks stood, how many bars it had loaded.

    Of a replayed feed also its last bars, from the one before where it stood, and its ticks.
    """

    data: Any
    places: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    loaded: list[int] = field(default_factory=list)
    bars: list[list[list[float]]] = field(default_factory=list)
    prices: list[list[Any]] = field(default_factory=list)
    columns: list[array.array[float]] = field(default_factory=list)


_TICKS = ("tick_close", "tick_low", "tick_high", "tick_open", "tick_volume", "tick_openinterest", "tick_last")


def taken_ahead(datas: list[Any]) -> tuple[Schedule, list[Taken]]:
    """Let the feeds deliver all their bars; return the steps, and what each feed delivered."""
    if (found := _at_once(datas)) is not None:
        return found
    ordered = sorted(datas, key=lambda data: (data._timeframe, data._compression))
    taken = {id(data): Taken(data) for data in datas}
    times: list[float] = []
    _deliver_all(ordered, taken, times)
    all_taken = [taken[id(data)] for data in datas]
    for each in all_taken:
        each.columns = [line.array for line in each.data.lines]
        for line in each.data.lines:
            line.reset()
    return _schedule(all_taken, times), all_taken


def _at_once(datas: list[Any]) -> tuple[Schedule, list[Taken]] | None:
    """Do it with whole columns: one feed and what is resampled from it, or one that is resampled itself."""
    sources = [data for data in datas if not data._clone]
    if len(sources) != 1 or not resampler.is_simple(sources[0]) or sources[0].replaying:
        return None
    source = sources[0]
    longer = [data for data in datas if data._filters]
    if not all(resampler.plain(data) and (data is source or data.data is source) for data in longer):
        return None
    if len(longer) + (not source._filters) != len(datas) or (source._filters and len(datas) > 1):
        return None
    columns = resampler.columns_of(source)
    return None if columns is None else _from_columns(datas, source, columns)


def _from_columns(datas: list[Any], source: Any, columns: list[Any]) -> tuple[Schedule, list[Taken]]:
    rows = {
        id(data): resampler.longer_bars(columns, data._filters[0][0], data is not source)
        for data in datas
        if data._filters
    }
    times = columns[6].tolist()
    if source._filters:
        found = [_alone(source, rows[id(source)])]
        times = found[0].columns[6].tolist()
        if rows[id(source)][-1][0] < 0:
            times[-1] = times[-2] if len(times) > 1 else _NO_TIME
    else:
        late = any(each[-1][0] < 0 for each in rows.values())
        found = [_beside(data, rows.get(id(data)), columns, late) for data in datas]
        times += times[-1:] * late
    return _schedule(found, times), found


def _alone(data: Any, rows: list[resampler.Row]) -> Taken:
    """Return what a feed delivers that is resampled itself: a bar at each step, the last one after the end."""
    count = len(rows)
    ticks = [*range(count - 1), count - 2 if rows[-1][0] < 0 else count - 1]
    return Taken(data, list(range(count)), ticks, list(range(1, count + 1)), columns=_columns(rows))


def _beside(data: Any, rows: list[resampler.Row] | None, columns: list[Any], late: bool) -> Taken:
    """Return what the source delivers (no rows), or a feed that is resampled from it."""
    steps = len(columns[6])
    if rows is None:
        places = [*range(steps), *[steps - 1] * late]
        return Taken(data, places, places, [place + 1 for place in places], columns=columns)
    at = np.array([row[0] for row in rows if row[0] >= 0], dtype=np.int64)
    delivered: list[int] = (np.searchsorted(at, np.arange(steps), side="right") - 1).tolist()
    places = delivered + [len(rows) - 1] * late
    ticks = delivered + [delivered[-1] if len(at) else places[-1]] * late
    return Taken(data, places, ticks, [place + 1 for place in places], columns=_columns(rows))


def _columns(rows: list[resampler.Row]) -> list[array.array[float]]:
    return [array.array("d", column) for column in list(zip(*rows, strict=True))[1:]]


def _deliver_all(ordered: list[Any], taken: dict[int, Taken], times: list[float]) -> None:
    """Do what `Cerebro._runnext` does with the feeds, and only that."""
    resampled = [data.resampling and not data.replaying for data in ordered]
    every = all(resampled) or not any(resampled)
    now = _NO_TIME
    while any(got := [data.next(ticks=False) for data in ordered]):
        due = [data.datetime[0] if one else None for data, one in zip(ordered, got, strict=True)]
        now = min(at for at, slow in zip(due, resampled, strict=True) if at is not None and (every or not slow))
        master = ordered[due.index(now)]
        for number, data in enumerate(ordered):
            if not got[number]:
                data._check(forcedata=master)
                if data.next(datamaster=master, ticks=False):
                    due[number] = data.datetime[0]
        fresh = set()
        for data, at in zip(ordered, due, strict=True):
            if at is not None and at > now:
                data.rewind()
            elif at is not None:
                fresh.add(id(data))
        _take(ordered, taken, fresh)
        times.append(now)
    first, rest = ordered[0], ordered[1:]
    late = first._last() + sum(data._last(datamaster=first) for data in rest)
    if late:
        _take(ordered, taken, {id(data) for data in rest if taken[id(data)].ticks[-1:] == [-1]})
        times.append(now)


def _take(ordered: list[Any], taken: dict[int, Taken], fresh: set[int]) -> None:
    for data in ordered:
        one = taken[id(data)]
        place = len(data) - 1
        one.places.append(place)
        one.loaded.append(data.buflen())
        one.ticks.append(place if id(data) in fresh else one.ticks[-1] if one.ticks else -1)
        if data.replaying:
            start = max(place - 1, 0)
            one.bars.append([list(line.array[start:]) for line in data.lines])
            one.prices.append([getattr(data, name, None) for name in _TICKS])


def _schedule(found: list[Taken], times: list[float]) -> Schedule:
    places = tuple(np.array(each.places, dtype=np.int64) for each in found)
    lengths = np.array(places).reshape(len(found), -1)
    grown = (np.diff(lengths, axis=1, prepend=-1) > 0).any(axis=0)
    stamps = np.full(len(times), -np.inf)
    for each, where in zip(found, places, strict=True):
        number = each.data.lines.datetime
        line = next(n for n, one in enumerate(each.data.lines) if one is number)
        if each.data.replaying:
            pairs = zip(each.bars, each.places, strict=True)
            column = np.array([bar[line][min(place, 1)] if place >= 0 else -np.inf for bar, place in pairs])
        else:
            column = np.frombuffer(each.columns[line], dtype=np.float64)[where]
        stamps = np.where(where >= 0, np.maximum(stamps, column), stamps)
    return Schedule(
        np.array(times), places, tuple(range(len(found))), own=np.cumsum(grown) - 1, stamps=stamps
    )  # fmt: skip


def is_ready(item: Any, group: int, known: dict[int, int], replayed: set[int], bars: int) -> bool:
    """Return whether an indicator may be worked out for all bars ahead of the run.

    So it is where it and all under it are calculations without a memory of their own, and all they
    read moves with the same feed.
    """
    if (
        group in replayed
        or item._minperiod > bars
        or type(item)._next not in (bt.LineIterator._next, linebuffer.LineActions._next)
    ):
        return False
    known[id(item)] = group
    if isinstance(item, linebuffer.LineActions):
        inputs = item._datas
    else:
        known.update((id(line), group) for line in item.lines)
        inputs = item.datas
    if type(item).once not in _STATELESS and (type(item).once not in _NO_LOOP or _has_next(item)):
        return False
    if any(known.get(id(_line(each)), -1) != group for each in inputs):
        return False
    if any(known.get(id(bound), -1) != group for line in item.lines for bound in line.bindings):
        return False
    under = item._lineiterators[item.IndType] if hasattr(item, "_lineiterators") else []
    return all(is_ready(each, group, known, replayed, bars) for each in under)


def _has_next(item: Any) -> bool:
    names = ("next", "prenext", "nextstart", "preonce", "oncestart")
    return any(getattr(type(item), name) is not getattr(bt.Indicator, name) for name in names)


def _line(item: Any) -> Any:
    return item.lines[0] if isinstance(item, bt.lineseries.LineSeriesStub) else item


def under(item: Any) -> list[Any]:
    """Return an indicator and all indicators under it."""
    found = [item]
    for each in item._lineiterators[item.IndType] if hasattr(item, "_lineiterators") else []:
        found += under(each)
    return found
