"""Backtrader's `Resampler` over whole columns: minutes to longer minutes or days, thirty times sooner.

This is its state machine, quirks included (a window left open overnight, a bar stamped with the end of a
session), without the queues, bars and dates it moves for every bar it reads. `tests/` compares the two.
Where anything is out of the ordinary `plain` says so, and the feeds run through Backtrader's own.
"""

from __future__ import annotations

import array
import datetime
from typing import Any

import backtrader as bt
import numpy as np

from framework.engine.data import BarData
from framework.engine.dates import num2date
from framework.engine.feed import from_csv, from_pandas

Row = tuple[int, float, float, float, float, float, float, float]
"""At which source bar a longer bar is delivered (-1: after the last), then its lines in Backtrader's order."""

_DAY_END = datetime.time(23, 59, 59, 999990)
_SET = {"bar2edge": True, "adjbartime": True, "rightedge": True, "boundoff": 0, "takelate": True, "sessionend": True}


def plain(data: Any) -> bool:
    """Return whether a feed's one filter is a `Resampler` that this module does exactly."""
    if len(data._filters) != 1 or type(data._filters[0][0]) is not bt.resamplerfilter.Resampler:
        return False
    filter_ = data._filters[0][0]
    params = filter_.p
    return (
        params.timeframe in (bt.TimeFrame.Minutes, bt.TimeFrame.Days)
        and not filter_.componly
        and all(getattr(params, name) == value for name, value in _SET.items())
        and data.p.sessionend == _DAY_END
        and is_simple(data)
    )


def is_simple(data: Any) -> bool:
    """Return whether a feed's dates are UTC, without limits and calendar."""
    return data._tz is None and not data._tzinput and data._calendar is None and (
        data.p.fromdate is None and data.p.todate is None
    )  # fmt: skip


def columns_of(data: Any) -> list[array.array[float]] | None:
    """Return the bars a feed would load, as columns in Backtrader's order of lines, or None."""
    if type(data) is BarData:
        when, opened, high, low, close, volume, interest = data._columns()
    else:
        loader = {bt.feeds.PandasData: from_pandas, bt.feeds.GenericCSVData: from_csv}.get(type(data))
        found = loader(data) if loader is not None else None
        if found is None or set(found) < set(data.getlinealiases()) - {"openinterest"}:
            return None
        when, opened, high, low, close, volume = (
            found[name] for name in ("datetime", "open", "high", "low", "close", "volume")
        )
        interest = found.get("openinterest", np.full(len(when), np.nan))
    if not (np.isfinite(opened).all() and np.isfinite(high).all() and np.isfinite(low).all()):
        return None
    if not len(when) or not (when[1:] > when[:-1]).all():
        return None
    lines = (close, low, high, opened, volume, interest, when)
    return [array.array("d", np.ascontiguousarray(each, dtype=np.float64).tobytes()) for each in lines]


def longer_bars(columns: list[array.array[float]], filter_: Any, beside: bool) -> list[Row]:
    """Return the longer bars that a plain `Resampler` makes of these bars.

    A bar never comes late here: the source's times only grow, and a longer bar is stamped no later than
    the source bar at which it is delivered. `beside` its source, the filter is asked once more at each bar
    on which it delivered nothing, and then looks the session's end up.
    """
    times = columns[6]
    moments = num2date(np.frombuffer(times, dtype=np.float64))
    days = moments.astype("datetime64[D]")
    of_day = (moments - days).astype(np.int64)
    minutes = (of_day // 60_000_000).tolist()
    rest = (of_day % 60_000_000 != 0).tolist()
    ends = _session_ends(days)
    machine = _Machine(filter_, times)
    closes, lows, highs, opens, volumes, interests, _ = columns
    by_minutes, compression = filter_.p.timeframe == bt.TimeFrame.Minutes, filter_.p.compression
    for at, (when, minute) in enumerate(zip(times, minutes, strict=True)):
        if machine.session is None:
            machine.session = ends[at]
        if when == machine.session or (by_minutes and not rest[at] and not minute % compression):
            if when == machine.session:
                machine.ended, machine.session = machine.session, None
            machine.add(highs[at], lows[at], closes[at], opens[at], volumes[at], interests[at], when, minute)
            machine.deliver(at, None)
            continue
        if machine.open is not None and machine.is_over(when, minute):
            machine.deliver(at, machine.adjusted())
        machine.add(highs[at], lows[at], closes[at], opens[at], volumes[at], interests[at], when, minute)
        if beside and machine.session is None and (not machine.rows or machine.rows[-1][0] != at):
            machine.session = ends[at]
    if machine.open is not None:
        machine.when = machine.adjusted()
        machine.deliver(-1, None)
    return machine.rows


def _session_ends(days: Any) -> list[float]:
    """Return for each bar the end of its day as Backtrader numbers it."""
    known = {
        day: bt.date2num(bt.num2date(bt.date2num(datetime.datetime.combine(day, _DAY_END))))
        for day in np.unique(days).tolist()
    }
    return [known[day] for day in days.tolist()]


class _Machine:
    """The filter's state: its open bar, the end of its session, how many bars it has counted."""

    def __init__(self, filter_: Any, times: Any) -> None:
        self.by_minutes = filter_.p.timeframe == bt.TimeFrame.Minutes
        self.compression, self.counted = filter_.p.compression, 0
        self.session: float | None = None
        self.ended = 0.0
        self.rows: list[Row] = []
        self._fresh()

    def _fresh(self) -> None:
        self.open: float | None = None
        self.close, self.low, self.high = float("nan"), float("inf"), float("-inf")
        self.volume = self.interest = 0.0
        self.when, self.minute = 0.0, 0

    def add(
        self, high: float, low: float, close: float, opened: float, volume: float, interest: float, when: float,
        minute: int,
    ) -> None:  # fmt: skip
        """Take a source bar into the open bar."""
        if high > self.high:
            self.high = high
        if low < self.low:
            self.low = low
        if self.open is None:
            self.open = opened
        self.close, self.interest, self.when, self.minute = close, interest, when, minute
        self.volume += volume

    def is_over(self, when: float, minute: int) -> bool:
        """Return whether a source bar comes after the open bar's window."""
        over = self._is_session_over(when)
        if not over and self.by_minutes and minute > self.minute:
            over = minute // self.compression > self.minute // self.compression
        if not over or self.by_minutes:
            return over
        self.counted += 1
        return not self.counted % self.compression

    def _is_session_over(self, when: float) -> bool:
        assert self.session is not None
        if when > self.session and self.when <= self.session:
            self.ended, self.session = self.session, None
            return True
        return False

    def adjusted(self) -> float:
        """Return the open bar's time moved to the end of its window, or of its session."""
        if self.session is None:
            return self.ended
        moment = bt.num2date(self.when)
        if not self.by_minutes:
            end = bt.num2date(self.session).time()
            return float(bt.date2num(datetime.datetime.combine(moment.date(), end)))
        days, minute = divmod((self.minute // self.compression + 1) * self.compression, 24 * 60)
        start = datetime.datetime.combine(moment.date(), datetime.time())
        return float(bt.date2num(start + datetime.timedelta(days=days, minutes=minute)))

    def deliver(self, at: int, adjusted: float | None) -> None:
        """Put the open bar out, at a later time where `adjusted` is later."""
        assert self.open is not None
        when = adjusted if adjusted is not None and adjusted > self.when else self.when
        self.rows.append((at, self.close, self.low, self.high, self.open, self.volume, self.interest, when))
        self._fresh()
