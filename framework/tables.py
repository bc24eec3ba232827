"""The rows of a run as pandas tables, with UTC times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from framework.engine.dates import num2date
from framework.engine.recorder import EquityCurve, Recorder
from framework.engine.translate import symbol_of

ORDERS = (
    "ref", "symbol", "side", "type", "size", "price", "limit_price", "valid", "created",
    "status", "filled", "average_price", "finished", "reason",
)  # fmt: skip
FILLS = ("ref", "symbol", "time", "side", "size", "price", "value", "commission", "pnl", "position")
TRADES = (
    "symbol", "direction", "size", "entry_time", "exit_time", "entry_price", "exit_price", "commission", "pnl",
)  # fmt: skip
TEXTS = frozenset({"symbol", "side", "type", "status", "reason", "direction"})
POSITIONS = ("symbol", "size", "price", "last", "value", "pnl")


def times(numbers: Iterable[float | None]) -> pd.DatetimeIndex:
    """Return Backtrader's date numbers as UTC times, to the microsecond; None is NaT."""
    values = np.array([np.nan if number is None else number for number in numbers], dtype=float)
    found = np.full(len(values), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    found[~np.isnan(values)] = num2date(values[~np.isnan(values)])
    return pd.DatetimeIndex(found, tz="UTC")


def equity(curve: EquityCurve, opens_at: float) -> pd.Series[float]:
    """Return the account's value after each instant that ends after `opens_at` (a date number)."""
    moments, values = np.array(curve.times), np.array(curve.values, dtype=float)
    kept = moments > opens_at
    index = instants(moments[kept]).rename("time")
    return pd.Series(values[kept], index=index, name="equity")


def instants(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> pd.DatetimeIndex:
    """Return date numbers of bars as UTC times, a whole array at once, to the millisecond.

    A date number resolves about ten microseconds, so a bar's end is rounded to the millisecond.
    """
    milliseconds = np.rint((numbers - _EPOCH) * _DAY_MS).astype(np.int64)
    return pd.DatetimeIndex(milliseconds.astype("datetime64[ms]").astype("datetime64[us]"), tz="UTC")


_EPOCH = 719_163.0
_DAY_MS = 86_400_000.0


def table(rows: Iterable[dict[str, Any]], columns: Sequence[str], moments: Sequence[str] = ()) -> pd.DataFrame:
    """Return rows as a table whose columns named in `moments` are UTC times."""
    frame = pd.DataFrame(list(rows), columns=list(columns))
    if frame.empty:  # pandas cannot tell numbers from texts where there is no row
        frame = frame.astype({name: float for name in columns if name not in TEXTS})
    for name in moments:
        frame[name] = times(frame[name])
    return frame


def orders(recorder: Recorder) -> pd.DataFrame:
    return table(recorder.orders.values(), ORDERS, ("created", "finished", "valid"))


def fills(recorder: Recorder) -> pd.DataFrame:
    return table(recorder.fills, FILLS, ("time",))


def trades(recorder: Recorder) -> pd.DataFrame:
    return table(recorder.trades, TRADES, ("entry_time", "exit_time"))


def positions(strategy: bt.Strategy) -> pd.DataFrame:
    """Return what is held at the end, valued at the last close."""
    held = [(data, strategy.getposition(data)) for data in strategy.datas]
    return table((_position_row(strategy, data, each) for data, each in held if each.size), POSITIONS)


def _position_row(strategy: bt.Strategy, data: Any, held: Any) -> dict[str, Any]:
    last = data.close[0]
    commission = strategy.broker.getcommissioninfo(data)
    return {
        "symbol": symbol_of(data),
        "size": held.size,
        "price": held.price,
        "last": last,
        "value": held.size * last,
        "pnl": commission.profitandloss(held.size, held.price, last),
    }
