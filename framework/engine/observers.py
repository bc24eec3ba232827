"""Backtrader's observers drawn in one go: the lines that their per-bar calls would have left.

The broker's observers come from the run's `Series`; markers of executions and trades from the few bars
that had any. Exactly these classes are deferred; any other observer is called at every bar.
"""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import Floats
from framework.engine.history import Series

o = bt.observers
Columns = dict[str, Floats]
Marks = list[tuple[int, Any]]
"""News by the step at which they were told: copies of orders or of trades."""

SERIES: dict[type[Any], Callable[[Any, Series], list[Floats | None]]] = {
    o.Broker: lambda observer, s: [None, s.fundvalue] if observer._fundmode else [s.cash, s.value],
    o.Cash: lambda observer, s: [s.cash],
    o.Value: lambda observer, s: [s.fundvalue if observer._fundmode else s.value],
    o.FundValue: lambda observer, s: [s.fundvalue],
    o.FundShares: lambda observer, s: [np.full(s.bars, s.shares)],
}

_TRADES = (o.Trades, o.DataTrades)


def is_deferred(observer: Any) -> bool:
    """Return whether an observer can be drawn after the run."""
    return type(observer) in SERIES or type(observer) in _TRADES or type(observer) is o.BuySell


def draw(observer: Any, series: Series, orders: Marks, trades: Marks, done: int) -> None:
    """Draw an observer's first `done` bars."""
    lines = [_room(line, done) for line in observer.lines]
    if type(observer) in SERIES:
        for number, column in enumerate(SERIES[type(observer)](observer, series)):
            if column is not None:
                lines[number][:] = column[:done]
    elif type(observer) in _TRADES:
        _mark_trades(observer, lines, [mark for mark in trades if mark[0] < done])
    else:
        _mark_orders(observer, lines, series, [mark for mark in orders if mark[0] < done], done)
    for line in observer.lines:
        line._idx, line.lencount = done - 1, done


def _room(line: Any, done: int) -> Floats:
    """Lengthen a line by `done` bars, as stock does although it has made room before; return its first `done`."""
    line.array.extend(array.array("d", [np.nan]) * done)
    return np.frombuffer(line.array, dtype=np.float64)[:done]


def _mark_trades(observer: Any, lines: list[Floats], trades: Marks) -> None:
    for step, trade in trades:
        if not trade.isclosed or trade.data not in observer.ddatas:
            continue
        if type(observer) is o.DataTrades:
            lines[trade.data._id - 1][step] = trade.pnl
        else:
            pnl = trade.pnlcomm if observer.p.pnlcomm else trade.pnl
            lines[0 if pnl >= 0.0 else 1][step] = pnl


def _mark_orders(observer: Any, lines: list[Floats], series: Series, orders: Marks, done: int) -> None:
    import math

    prices: tuple[dict[int, list[float]], dict[int, list[float]]] = ({}, {})
    for step, order in orders:
        if order.executed.size:
            prices[0 if order.isbuy() else 1].setdefault(step, []).append(order.executed.price)
    data, params = observer.data, observer.p
    edges = (data.lines.low.array, data.lines.high.array)
    moved = (1 - params.bardist, 1 + params.bardist)
    places = series.places(data)
    for side, by_step in enumerate(prices):
        for step, paid in by_step.items():
            value = (0.0 + math.fsum(paid)) / float(len(paid))
            lines[side][step] = edges[side][places[step]] * moved[side] if params.barplot else value
    if done:
        observer.curbuylen, observer.curselllen = (len(each.get(done - 1, [])) for each in prices)
