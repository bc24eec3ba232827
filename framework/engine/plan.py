"""Why a run cannot be lean: one short reason, or none."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

_STRATEGY = (
    "_oncepost", "_oncepost_open", "_addnotification", "_next_analyzers", "_next_observers", "clear",
    "_getminperstatus", "forward", "advance", "home", "reset", "_clk_update", "_next", "_next_open",
)  # fmt: skip
_BROKER_MAY = {
    "__init__", "__module__", "__doc__", "__qualname__", "params", "packages", "frompackages", "__annotations__",
    "__static_attributes__", "__firstlineno__", "start", "stop", "init", "buy", "sell", "submit", "cancel",
    "getposition", "setcommission", "addcommissioninfo", "getcommissioninfo", "get_notification", "orderstatus",
}  # fmt: skip
_DATA = ("advance", "advance_peek", "rewind", "home", "_tick_fill", "_tick_nullify", "__len__", "__getitem__")


class Unplanned(Exception):
    """This run cannot be lean; the message is the reason."""


def check(cerebro: Any, strategies: list[Any]) -> None:
    """Raise `Unplanned` with the reason where a run has to be stock's."""
    if cerebro.p.engine == "stock":
        raise Unplanned("asked for")
    if not strategies:
        raise Unplanned("no strategy")
    if cerebro.runwriters:
        raise Unplanned("writer")
    if cerebro._fhistory is not None:
        raise Unplanned("fund history")
    if cerebro.p.intrabar and any(data.replaying for data in cerebro.datas):
        raise Unplanned("a replayed feed")
    _check_cerebro(cerebro)
    _check_broker(cerebro._broker)
    for strategy in strategies:
        _check_class("strategy", type(strategy), bt.Strategy, _STRATEGY)
    if cerebro._dopreload and cerebro._dorunonce:
        for data in cerebro.datas:
            _check_data(data)
    else:
        _check_stream(cerebro)


def _check_stream(cerebro: Any) -> None:
    if cerebro._dolive or cerebro.p.live:
        raise Unplanned("a live feed")
    if cerebro._exactbars:
        raise Unplanned("exactbars")
    if not cerebro._dorunonce:
        raise Unplanned("runonce is off, or an indicator switches it off")
    if cerebro.stores or any(data.notifs for data in cerebro.datas):
        raise Unplanned("a store")
    if cerebro.p.lookahead:
        raise Unplanned("lookahead with bars one by one")


def _check_cerebro(cerebro: Any) -> None:
    for name in ("_brokernotify", "_next_writers", "_check_timers"):
        if getattr(type(cerebro), name) is not getattr(bt.Cerebro, name):
            raise Unplanned(f"Cerebro overrides {name}")


def _check_broker(broker: Any) -> None:
    if not isinstance(broker, bt.BackBroker):
        raise Unplanned(f"broker {type(broker).__name__} is not a BackBroker")
    methods = {name for name in dir(bt.BackBroker) if callable(getattr(bt.BackBroker, name))}
    changed = set(vars(broker)) & (methods - {"params"})
    for cls in type(broker).__mro__:
        if cls is bt.BackBroker:
            break
        may = _BROKER_MAY | vars(cls).get("lean_overrides", frozenset())
        changed |= {name for name in vars(cls) if hasattr(bt.BackBroker, name)} - may
    if changed:
        raise Unplanned(f"broker overrides {min(changed)}")


def _check_class(what: str, cls: type[Any], base: type[Any], names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(cls, name) is not getattr(base, name):
            raise Unplanned(f"{what} overrides {name}")


def _check_data(data: Any) -> None:
    _check_class("data feed", type(data), bt.feed.AbstractDataBase, tuple(n for n in _DATA if n != "advance"))
    if type(data).advance not in (bt.feed.AbstractDataBase.advance, bt.feed.DataClone.advance):
        raise Unplanned("data feed overrides advance")
    if np.isnan(instants(data)).any():
        raise Unplanned("a bar without a date")


def instants(data: Any) -> Any:
    """Return a loaded feed's date numbers."""
    line = data.lines.datetime
    return np.frombuffer(line.array, dtype=np.float64, count=line.buflen()).copy()


def groups(
    strategy: Any, datas: list[Any], group_of: tuple[int, ...], cerebro_preloads: bool = True
) -> list[tuple[Any, int]]:
    """Return a strategy's indicators and the group of feeds whose bars each follows."""
    known: dict[int, int] = {}
    for data, group in zip(datas, group_of, strict=True):
        known[id(data)] = group
        known.update((id(line), group) for line in data.lines)
    found = []
    for indicator in strategy._lineiterators[strategy.IndType]:
        group = known.get(id(_clock(indicator)), -1)
        if group < 0 and cerebro_preloads:
            raise Unplanned(f"the clock of indicator {type(indicator).__name__} is not a data feed's")
        known[id(indicator)] = group
        if hasattr(indicator.lines, "lines"):
            known.update((id(line), group) for line in indicator.lines)
        found.append((indicator, group))
    return found


def _clock(indicator: Any) -> Any:
    clock = indicator._clock
    return clock.lines[0] if isinstance(clock, bt.lineseries.LineSeriesStub) else clock
