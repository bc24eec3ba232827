"""A strategy's own indicators as arrays beside a symbol's bars, so that a picture can draw them.

Which are drawn, where and how is what their author told Backtrader: `plotinfo` (plot, plotskip,
subplot, plotmaster, plotname, plotyhlines) and `plotlines` (_plotskip, _name, _method). An indicator
belongs to the symbol of the data it runs on, resampled or not; what ran with `exactbars`, which
forgets, is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.columns import Columns, Floats, Instants

_EPOCH_ORDINAL = 719_163
_FORGETS = 1
"""`LineBuffer.QBuffer`: the line keeps its last values only."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """One indicator: a value a bar (NaN where it has none yet) for each of its lines.

    `panel` is 0 on the prices, else the number of its panel below them. `levels` are horizontal lines.
    `bars` names the lines to draw as bars from zero.
    """

    symbol: str
    label: str
    panel: int
    lines: Mapping[str, Floats]
    levels: tuple[float, ...] = ()
    bars: frozenset[str] = frozenset()


def overlays(strategy: Any, bars: Mapping[str, Columns]) -> list[Overlay]:
    """Return the indicators that Backtrader would draw on or below a symbol's prices."""
    panels: dict[int, int] = {}
    symbols: dict[int, str] = {}
    found = []
    for each in _shown(strategy):
        symbol = _symbol(_data(each, strategy), bars)
        if symbol is None:
            continue
        symbols[id(each)] = symbol
        panels[id(each)] = _panel(each, symbol, panels, symbols)
        overlay = _overlay(each, strategy, symbol, panels[id(each)], bars[symbol])
        if overlay.lines:
            found.append(overlay)
    return found


def _shown(strategy: Any) -> list[Any]:
    known: list[Any] = getattr(strategy, "getindicators", list)()
    return [
        each for each in known if hasattr(each, "plotinfo") and each.plotinfo.plot and not each.plotinfo.plotskip
    ]  # fmt: skip


def _host(indicator: Any) -> Any:
    """Return what it runs on: a data, another indicator, or the strategy (of a line that has no series)."""
    return getattr(indicator._clock, "owner", indicator._clock)


def _data(indicator: Any, strategy: Any) -> Any:
    """Return the data feed at the bottom of a chain of indicators."""
    host = indicator
    for _ in range(20):
        host = _host(host)
        if host is strategy or any(host is each for each in strategy.datas):
            break
        if not hasattr(host, "_clock"):
            return strategy.data
    return strategy.data if host is strategy else host


def _symbol(data: Any, bars: Mapping[str, Columns]) -> str | None:
    """Return the symbol whose name the data's begins with: "SPY" for "SPY" and for "SPY-5Min"."""
    name = getattr(data, "_name", "") or ""
    fits = [each for each in bars if name == each or (name.startswith(each) and not name[len(each)].isalnum())]
    return max(fits, key=len, default=None)


def _panel(indicator: Any, symbol: str, panels: dict[int, int], symbols: dict[int, str]) -> int:
    """Return its panel: on its master's, a new one below where it asks for one, else where its host is."""
    master = indicator.plotinfo.plotmaster
    if master is not None and master is not indicator:
        return panels.get(id(master), 0)
    if not indicator.plotinfo.subplot:
        return panels.get(id(_host(indicator)), 0)
    return 1 + max((panel for each, panel in panels.items() if symbols[each] == symbol), default=0)


def _overlay(indicator: Any, strategy: Any, symbol: str, panel: int, bars: Columns) -> Overlay:
    indicator._plotinit()
    lines, as_bars = {}, set()
    data = _data(indicator, strategy)
    dates = _dates(data)
    for at, alias in enumerate(indicator.lines.getlinealiases()):
        style = getattr(indicator.plotlines, alias, None) or getattr(indicator.plotlines, f"_{at}", None)
        values = _values(indicator.lines[at], dates, bars.end)
        if values is None or _asked(style, "_plotskip"):
            continue
        name = _asked(style, "_name") or alias
        lines[name] = values
        if _asked(style, "_method") == "bar":
            as_bars.add(name)
    levels = [*indicator.plotinfo.plotyhlines, *indicator.plotinfo.plothlines]
    label = f"{indicator.plotlabel()} {data._name.removeprefix(symbol).strip(' -_')}".strip()
    return Overlay(symbol, label, panel, lines, tuple(levels), frozenset(as_bars))


def _asked(style: Any, name: str) -> Any:
    return None if style is None else style._get(name, None)


def _dates(data: Any) -> Instants:
    """Return a data's datetime line as UTC instants, to the millisecond (what a float of days keeps)."""
    numbers = np.asarray(data.lines.datetime.array, dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    found: Instants = np.rint((numbers - _EPOCH_ORDINAL) * 86_400_000).astype("datetime64[ms]")
    return found


def _values(line: Any, dates: Instants, ends: Instants) -> Floats | None:
    """Return a line's values as they were known at each bar's end, or None where it did not keep them."""
    if line.mode == _FORGETS:
        return None
    kept = np.asarray(line.array, dtype=float)[: len(dates)]
    at = np.searchsorted(dates[: len(kept)], ends.astype("datetime64[ms]"), side="right")
    return np.concatenate(([np.nan], kept))[at]
