"""Indicators of a run whose lines grow: those that can be are worked out ahead, on the feeds' whole columns."""

from __future__ import annotations

from typing import Any

from framework.engine import plan
from framework.engine.ahead import Taken, is_ready, under
from framework.engine.once import faster
from framework.engine.seat import Indicators


def prepared(strategy: Any, taken: list[Taken], group_of: tuple[int, ...]) -> Indicators:
    """Return which of a strategy's indicators are worked out (with their columns) and which are stepped."""
    datas = [each.data for each in taken]
    replayed = {group for group, data in enumerate(datas) if data.replaying}
    known: dict[int, int] = {}
    for group, data in enumerate(datas):
        known[id(data)] = group
        known.update((id(line), group) for line in data.lines)
    found = Indicators()
    with faster(strategy):
        _loaded(taken)
        for indicator, group in plan.groups(strategy, datas, group_of, cerebro_preloads=False):
            tried = dict(known)
            if group >= 0 and is_ready(indicator, group, tried, replayed, datas[group].buflen()):
                known = tried
                indicator._once()
                found.groups += [(each, group) for each in under(indicator)]
            else:
                found.stepped.append(indicator)
    _emptied(found, datas)
    return found


def _loaded(taken: list[Taken]) -> None:
    for each in taken:
        for line, column in zip(each.data.lines, each.columns, strict=True):
            line.array = column
        each.data.home()


def _emptied(found: Indicators, datas: list[Any]) -> None:
    """Take the columns out of the lines; the run will give them back bar by bar."""
    for item, group in found.groups:
        for line in item.lines:
            found.columns.append((line, line.array, group))
            line.reset()
    for data in datas:
        for line in data.lines:
            line.reset()
