"""Backtrader's analyzers brought up to date in one go: what their per-bar calls would have left.

`DEFERRED` maps a class (exactly that class) to the function that brings an instance up to date from the
run's `Series`: `notified` bars were told to it, of which `done` were played to the end. An analyzer of
your own may be deferred too: give its class a method `catch_up(series, notified, done)`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np
from backtrader.utils.py3 import MAXINT

from framework.columns import Floats, Instants
from framework.engine.dates import num2date
from framework.engine.history import Series
from framework.engine.tradestats import counted

CatchUp = Callable[[Any, Series, int, int], None]
a = bt.analyzers
_LAST_MOMENT = datetime.datetime.max  # noqa: DTZ901  Backtrader's own, without a zone


def catch_up_of(analyzer: Any) -> CatchUp | None:
    """Return how an analyzer is brought up to date in one go, or None where it has to be told of each bar."""
    own: CatchUp | None = getattr(type(analyzer), "catch_up", None)
    if own is not None:
        return own
    found = DEFERRED.get(type(analyzer))
    return found if found is not None and _is_usual(analyzer) else None


def _is_usual(analyzer: Any) -> bool:
    params = analyzer.p
    if not getattr(params, "_doprenext", True) or getattr(params, "data", None) is not None:
        return False
    return analyzer.strategy.lines.datetime._tz is None


def _values(analyzer: Any, series: Series) -> Floats:
    return series.fundvalue if analyzer._fundmode else series.value


def draw_down(analyzer: Any, series: Series, notified: int, done: int) -> None:
    values = _values(analyzer, series)
    if notified:
        peaks = np.maximum.accumulate(values[:notified])
        analyzer._value, analyzer._maxvalue = float(values[notified - 1]), float(peaks[-1])
    if not done:
        return
    peaks = peaks[:done]
    money = peaks - values[:done]
    if not peaks.all():
        raise ZeroDivisionError("float division by zero")
    percent = 100.0 * money / peaks
    lengths = _lengths(percent != 0.0)
    found = analyzer.rets
    found.len, found.drawdown, found.moneydown = int(lengths[-1]), float(percent[-1]), float(money[-1])
    found.max.len = max(found.max.len, int(lengths.max()))
    found.max.drawdown = max(found.max.drawdown, float(percent.max()))
    found.max.moneydown = max(found.max.moneydown, float(money.max()))


def _lengths(down: Any) -> Any:
    """Return for each bar how many bars in a row, it included, are down."""
    places = np.arange(len(down))
    return places - np.maximum.accumulate(np.where(down, -1, places))


def time_return(analyzer: Any, series: Series, notified: int, done: int) -> None:
    values = _values(analyzer, series)
    if notified:
        analyzer._value = float(values[notified - 1])
    if not done:
        return
    first, compared, keys = _periods(analyzer, series, done)
    starts = np.concatenate(([analyzer._lastvalue], values[first[1:] - 1]))
    if not starts.all():
        raise ZeroDivisionError("float division by zero")
    last = np.append(first[1:], done) - 1
    analyzer.rets.update(zip(keys, ((values[last] / starts) - 1.0).tolist(), strict=True))
    analyzer._value_start, analyzer._lastvalue = float(starts[-1]), float(values[done - 1])
    _turn(analyzer, compared, keys)


def returns(analyzer: Any, series: Series, notified: int, done: int) -> None:
    if done:
        first, compared, keys = _periods(analyzer, series, done)
        analyzer._tcount += len(first)
        _turn(analyzer, compared, keys)


def _turn(analyzer: Any, compared: list[Any], keys: list[Any]) -> None:
    """Leave the last two time frames' keys as the analyzer keeps them."""
    before = [(analyzer.dtcmp, analyzer.dtkey), *zip(compared[-2:], keys[-2:], strict=True)]
    (analyzer.dtcmp1, analyzer.dtkey1), (analyzer.dtcmp, analyzer.dtkey) = before[-2:]


def _periods(analyzer: Any, series: Series, done: int) -> tuple[Any, list[Any], list[Any]]:
    """Return the time frames in which the bars lie: their first bars, and Backtrader's two keys of each."""
    if analyzer.timeframe == bt.TimeFrame.NoTimeFrame:
        return np.zeros(1, dtype=np.int64), [MAXINT], [_LAST_MOMENT]
    moments = num2date(series.times[:done])
    if analyzer.timeframe == bt.TimeFrame.Minutes:
        ends = _minute_keys(moments, analyzer.compression)
        first = _starts(ends)
        keys = ends[first].tolist()
        return first, keys, keys
    first = np.arange(done) if analyzer.timeframe < bt.TimeFrame.Days else _starts(moments.astype("datetime64[D]"))
    found: list[tuple[int, Any, Any]] = []
    for start, moment in zip(first.tolist(), moments[first].tolist(), strict=True):
        compared, key = analyzer._get_dt_cmpkey(moment)
        if not found or compared > found[-1][1]:
            found.append((start, compared, key))
    return np.array([start for start, _, _ in found]), [one for _, one, _ in found], [key for _, _, key in found]


def _minute_keys(moments: Instants, compression: int) -> Instants:
    """Return the last minute of the window of `compression` minutes, from midnight, that each moment is in."""
    days = moments.astype("datetime64[D]")
    minute = (moments - days).astype("timedelta64[m]").astype(np.int64)
    last = (minute // compression + 1) * compression - 1
    found: Instants = days.astype("datetime64[us]") + last.astype("timedelta64[m]")
    return found


def _starts(marks: Any) -> Any:
    return np.flatnonzero(np.concatenate(([True], marks[1:] != marks[:-1])))


def positions_value(analyzer: Any, series: Series, notified: int, done: int) -> None:
    columns = [(series.sizes(data) * series.closes(data))[:done].tolist() for data in analyzer.datas]
    if analyzer.p.cash:
        columns.append(series.cash[:done].tolist())
    moments = num2date(series.times[:done])
    keys = moments.astype("datetime64[D]").tolist() if analyzer._usedate else moments.tolist()
    analyzer.rets.update(zip(keys, map(list, zip(*columns, strict=True)), strict=True))


def gross_leverage(analyzer: Any, series: Series, notified: int, done: int) -> None:
    values = _values(analyzer, series)
    if notified:
        analyzer._cash, analyzer._value = float(series.cash[notified - 1]), float(values[notified - 1])
    data = analyzer.data0
    times = np.frombuffer(data.lines.datetime.array, dtype=np.float64)[series.places(data)[:done]]
    if not values[:done].all():
        raise ZeroDivisionError("float division by zero")
    levered = (values[:done] - series.cash[:done]) / values[:done]
    moments = num2date(times).tolist() if data._tz is None else [data.num2date(each) for each in times.tolist()]
    analyzer.rets.update(zip(moments, levered.tolist(), strict=True))


def trade_stats(trades: list[Any], analyzer: Any, series: Series, notified: int, done: int) -> None:
    counted(analyzer, trades)


DEFERRED: dict[type[Any], CatchUp] = {
    a.DrawDown: draw_down,
    a.TimeReturn: time_return,
    a.Returns: returns,
    a.PositionsValue: positions_value,
    a.GrossLeverage: gross_leverage,
}

READ_FEEDS = (a.PositionsValue, a.GrossLeverage)

GATED = (a.Transactions,)
"""Analyzers whose `next` does nothing on a bar on which no order was notified."""

_PER_BAR = ("next", "prenext", "nextstart", "_next", "_prenext", "_nextstart")


def is_silent(analyzer: Any) -> bool:
    """Return whether an analyzer does nothing per bar but hear of cash."""
    return all(getattr(type(analyzer), name) is getattr(bt.Analyzer, name) for name in _PER_BAR) and not (
        set(vars(analyzer)) & set(_PER_BAR)
    )
