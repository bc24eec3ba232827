"""Small runs made by hand: what the tests of results, pictures and reports look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from framework.calendar import Calendar
from framework.columns import Columns
from framework.engine.data import BarData
from framework.model import Timeframe
from framework.result import Result

CASH = 100_000.0
ORDERS = (
    "ref", "symbol", "side", "type", "size", "price", "limit_price", "valid", "created", "status", "filled",
    "average_price", "finished", "reason",
)  # fmt: skip
FILLS = ("ref", "symbol", "time", "side", "size", "price", "value", "commission", "pnl", "position")
TRADES = (
    "symbol", "direction", "size", "entry_time", "exit_time", "entry_price", "exit_price", "commission", "pnl",
)  # fmt: skip
POSITIONS = ("symbol", "size", "price", "last", "value", "pnl")


class Idle(bt.Strategy):
    """Does nothing: it stands for the strategy of a run that is made by hand."""


class Quiet:
    """A strategy without indicators that needs no Cerebro."""


def minutes(days: int, seed: int = 7, price: float = 100.0, first: str = "2026-10-01") -> Columns:
    """Return a random walk over whole New York sessions."""
    sessions = Calendar().sessions
    at = int(np.searchsorted(sessions.days, np.datetime64(first)))
    ends = [
        np.arange(sessions.opens[each], sessions.closes[each], np.timedelta64(1, "m")) + np.timedelta64(1, "m")
        for each in range(at, at + days)
    ]
    end = np.concatenate([np.empty(0, "datetime64[us]"), *ends])
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0, 4e-4, len(end))))
    opened = np.concatenate(([price], close[:-1]))[: len(close)]
    reach = np.abs(random.normal(0, 3e-4, (2, len(end)))) * price
    high, low = np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1]
    prices = [np.round(each, 2) for each in (opened, high, low, close)]
    return Columns.of(end, *prices, np.round(random.gamma(2, 500, len(end))))


def empty(names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({each: pd.Series(dtype=object) for each in names})


def utc(ends: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(ends, name="time").tz_localize("UTC")


def crossed(bars: Columns, symbol: str, period: int, size: int, ref: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Buy on the open after the close goes above its average, sell when it goes below: fills, gain a bar."""
    average = pd.Series(bars.close).rolling(period).mean().to_numpy()
    held = np.concatenate(([False], (bars.close > average)[:-1])) & (np.arange(len(bars)) > period)
    change = np.diff(held.astype(int), prepend=0)
    at = np.flatnonzero(change)
    bought = change[at] > 0
    entry = np.where(bought, bars.open[at], np.roll(bars.open[at], 1))
    fills = pd.DataFrame({
        "ref": np.arange(ref, ref + len(at)), "symbol": symbol, "time": utc(bars.end[at]),
        "side": np.where(bought, "buy", "sell"), "size": float(size), "price": bars.open[at],
        "value": size * bars.open[at], "commission": 0.5,
        "pnl": np.where(bought, 0.0, size * (bars.open[at] - entry)), "position": np.where(bought, float(size), 0.0),
    })  # fmt: skip
    before = np.concatenate((bars.open[:1], bars.close[:-1]))
    start = np.where(change > 0, bars.open, before)
    end = np.where(change < 0, bars.open, bars.close)
    gain = np.where(held | (change < 0), size * (end - start), 0.0) - np.where(change != 0, 0.5, 0.0)
    return fills, gain


def trips(fills: pd.DataFrame) -> pd.DataFrame:
    """Pair each buy of one symbol with the sell after it."""
    buys, sells = fills[fills["side"] == "buy"], fills[fills["side"] == "sell"]
    buys = buys.iloc[: len(sells)]
    return pd.DataFrame({
        "symbol": buys["symbol"].to_numpy(), "direction": "long", "size": buys["size"].to_numpy(),
        "entry_time": pd.DatetimeIndex(buys["time"]), "exit_time": pd.DatetimeIndex(sells["time"]),
        "entry_price": buys["price"].to_numpy(), "exit_price": sells["price"].to_numpy(), "commission": 1.0,
        "pnl": sells["pnl"].to_numpy() - 1.0,
    })[list(TRADES)]  # fmt: skip


def orders_of(fills: pd.DataFrame) -> pd.DataFrame:
    """Return a filled market order for each fill, and one that was canceled."""
    orders = fills[["ref", "symbol", "side", "size", "price"]].copy()
    orders["type"], orders["status"], orders["reason"] = "market", "filled", ""
    orders["filled"], orders["average_price"] = orders["size"], orders["price"]
    orders["created"] = orders["finished"] = fills["time"]
    orders["limit_price"], orders["valid"] = np.nan, None
    if len(orders):
        orders.loc[orders.index[-1], "status"] = "canceled"
    return orders[list(ORDERS)]


def make_result(
    bars: dict[str, Columns], period: int = 20, size: int = 400, strategy: Any = None, **changes: Any
) -> Result:
    """Return the run of a moving average cross over these bars (of the same instants)."""
    played = [crossed(each, name, period, size, 1 + 100_000 * at) for at, (name, each) in enumerate(bars.items())]
    fills = pd.concat([each for each, _ in played]).sort_values("time", kind="stable", ignore_index=True)
    trades = pd.concat([trips(each) for each, _ in played]).sort_values("exit_time", kind="stable", ignore_index=True)
    ends = next(iter(bars.values())).end
    equity = pd.Series(CASH + np.cumsum(sum(gain for _, gain in played)), index=utc(ends), name="equity")
    fields = {
        "strategy": Quiet() if strategy is None else strategy, "equity": equity,
        "orders": orders_of(fills), "fills": fills, "trades": trades, "positions": empty(POSITIONS),
        "bars": bars, "timeframe": Timeframe.parse("1Min"), "calendar": Calendar(), "cash": CASH,
        "engine": "stock", "notes": ("ABC: 3 of 21 bars",),
    }  # fmt: skip
    return Result(**(fields | changes))


def nothing_happened(values: Sequence[float] = (), ends: Any = (), **changes: Any) -> Result:
    """Return a run without orders whose account went through these values."""
    stamps = np.array(ends, dtype="datetime64[us]")
    fields = {
        "strategy": Quiet(), "equity": pd.Series(list(values), index=utc(stamps), name="equity", dtype=float),
        "orders": empty(ORDERS), "fills": empty(FILLS), "trades": empty(TRADES), "positions": empty(POSITIONS),
        "bars": {"ABC": Columns.empty()}, "timeframe": Timeframe.parse("1Min"), "calendar": Calendar(),
        "cash": CASH, "engine": "stock", "notes": (),
    }  # fmt: skip
    return Result(**(fields | changes))


def ran(strategy: type[bt.Strategy], bars: dict[str, Columns], **options: Any) -> bt.Strategy:
    """Run a strategy in stock Cerebro, for its indicators."""
    cerebro = bt.Cerebro(stdstats=False, **options)
    for name, each in bars.items():
        cerebro.adddata(BarData(dataname=each, timeframe=bt.TimeFrame.Minutes, compression=1), name=name)
    cerebro.addstrategy(strategy)
    return cerebro.run()[0]
