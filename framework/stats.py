"""The figures of a run: one small pure function each, with its formula and where it comes from.

Annual figures come from daily returns: the account's value at the end of each exchange day over the
one before, the first over the starting cash. A year has 252 days on an exchange and 365 on "24/7".
What is not defined (a ratio over nothing) is NaN, never an error.

They agree with the empyrical library but in three things: Sharpe and Sortino are NaN, not infinite,
where there is no risk to divide by; days that are not a number are left out, not counted as zero;
and a run's maximum drawdown, so its Calmar ratio too, is taken at every instant, not at day ends.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from framework.calendar import Calendar, Days, utc_to_wall
from framework.columns import Floats, Instants


def days_a_year(calendar: Calendar) -> int:
    """Return how many days a year has: 365 where the market never closes, else 252 (the US convention)."""
    return 365 if calendar.name == "24/7" else 252


def exchange_days(stamps: Instants, calendar: Calendar) -> Days:
    """Return the exchange's date of each UTC instant; midnight still belongs to the day that it ends."""
    walls = utc_to_wall(stamps - np.timedelta64(1, "us"), str(calendar.zone))
    return walls.astype("datetime64[D]")


def times_of(column: Any) -> pd.DatetimeIndex:
    """Return a column of times as a UTC index; one that is empty may have had no zone, or no type."""
    return pd.DatetimeIndex(pd.to_datetime(column, utc=True))


def stamps_of(column: Any) -> Instants:
    """Return a column of times (or an index) as UTC `datetime64[us]`."""
    found: Instants = times_of(column).tz_localize(None).to_numpy().astype("datetime64[us]")
    return found


def daily_equity(equity: pd.Series, calendar: Calendar) -> pd.Series:
    """Return the last value of each exchange day, by day (no zone).

    A trading day without a value of its own (a halt, bars of a week) keeps the value before it, so
    that a year has as many days whatever the bars are.
    """
    equity = equity.dropna()
    days = exchange_days(stamps_of(equity.index), calendar)
    last = pd.Series(equity.to_numpy(), index=pd.DatetimeIndex(days, name="day"), name="equity")
    last = last[~last.index.duplicated(keep="last")]
    if len(last) < 2:
        return last
    sessions = calendar.sessions.days
    inside = sessions[(sessions >= days[0]) & (sessions <= days[-1])]
    return last.reindex(last.index.union(pd.DatetimeIndex(inside, name="day"))).ffill()


def daily_returns(daily: pd.Series, cash: float) -> pd.Series:
    """Return r(t) = V(t) / V(t-1) - 1 with V(0) the starting cash; NaN where V(t-1) is not above zero."""
    values = daily.to_numpy(dtype=float)
    before = np.concatenate(([cash], values[:-1]))[: len(values)]
    with np.errstate(all="ignore"):
        returns = np.where(before > 0, values / before - 1, np.nan)
    return pd.Series(returns, index=daily.index, name="return")


def total_return(final: float, cash: float) -> float:
    """Return V(end) / V(start) - 1."""
    return final / cash - 1 if cash > 0 else math.nan


def cagr(total: float, days: int, year: int) -> float:
    """Return the compound annual growth rate, (1 + total)^(year / days) - 1 (GIPS: annualized return).

    NaN where the account ended below zero. From a few days it is no forecast of a year.
    """
    if not days or not total >= -1:
        return math.nan
    with np.errstate(over="ignore"):
        return float(np.power(1 + total, year / days) - 1)


def _present(returns: Any) -> Floats:
    values = np.asarray(returns, dtype=float)
    present: Floats = values[np.isfinite(values)]
    return present


def _deviation(values: Floats) -> float:
    """Return the sample standard deviation; exactly 0 where all are equal, whatever the rounding."""
    if len(values) < 2:
        return math.nan
    return 0.0 if values.min() == values.max() else float(values.std(ddof=1))


def volatility(returns: Any, year: int) -> float:
    """Return the sample standard deviation of daily returns times the square root of a year's days."""
    return _deviation(_present(returns)) * math.sqrt(year)


def sharpe(returns: Any, year: int, risk_free: float = 0.0) -> float:
    """Return mean(r - rf) / std(r - rf) * sqrt(year), rf a daily rate (Sharpe 1994, "The Sharpe Ratio")."""
    excess = _present(returns) - risk_free
    deviation = _deviation(excess)
    return float(excess.mean()) / deviation * math.sqrt(year) if deviation > 0 else math.nan


def sortino(returns: Any, year: int, required: float = 0.0) -> float:
    """Return mean(r - t) / sqrt(mean(min(r - t, 0)^2)) * sqrt(year) (Sortino and Price 1994), t = `required` a day."""
    excess = _present(returns) - required
    if len(excess) < 2:
        return math.nan
    downside = math.sqrt(float(np.square(np.minimum(excess, 0)).mean()))
    return float(excess.mean()) / downside * math.sqrt(year) if downside > 0 else math.nan


def drawdowns(values: Any, cash: float) -> Floats:
    """Return V(t) / max(V(0..t)) - 1, with V(0) the starting cash: 0 at a peak, -0.1 ten per cent below it."""
    values = np.asarray(values, dtype=float)
    peaks = np.fmax.accumulate(np.concatenate(([cash], values)))[1:]
    with np.errstate(all="ignore"):
        found: Floats = np.where(peaks > 0, values / peaks - 1, np.nan)
    return found


def max_drawdown(fall: Floats) -> float:
    """Return the deepest of `drawdowns`, a negative number or 0 (Magdon-Ismail and Atiya 2004)."""
    present = _present(fall)
    return float(min(present.min(), 0.0)) if len(present) else math.nan


def drawdown_length(equity: pd.Series, cash: float) -> pd.Timedelta:
    """Return how long the deepest drawdown took, from its peak to its recovery, or to the end of the run."""
    equity = equity.dropna()
    fall = drawdowns(equity, cash)
    if not len(fall) or not fall.min() < 0:
        return pd.Timedelta(0)
    peaks, trough = _peaks(equity, cash), int(np.argmin(fall)) + 1
    after = int(np.searchsorted(peaks, trough))
    return _span(equity, peaks[after - 1], peaks[after])


def longest_drawdown(equity: pd.Series, cash: float) -> pd.Timedelta:
    """Return the longest time under water: from a peak until the account was as high again, or to the end."""
    equity = equity.dropna()
    if equity.empty:
        return pd.Timedelta(0)
    peaks = _peaks(equity, cash)
    under = np.flatnonzero(np.diff(peaks) > 1)
    spans = [_span(equity, peaks[each], peaks[each + 1]) for each in under]
    return max(spans, default=pd.Timedelta(0))


def _peaks(equity: pd.Series, cash: float) -> NDArray[np.int64]:
    """Return where the account is at its highest yet, counting the starting cash as 0, and the end."""
    at_peak = np.flatnonzero(drawdowns(equity, cash) >= 0) + 1
    return np.concatenate(([0], at_peak, [len(equity) + 1]))


def _span(equity: pd.Series, first: int, last: int) -> pd.Timedelta:
    """Return the time between two places of `_peaks`; the cash is there from the first instant on."""
    return equity.index[min(last, len(equity)) - 1] - equity.index[max(first, 1) - 1]


def calmar(growth: float, deepest: float) -> float:
    """Return CAGR / |maximum drawdown| (Young 1991); over the whole run, not its last three years."""
    return growth / -deepest if deepest < 0 else math.nan


def exposure(stamps: Instants, fills: pd.DataFrame) -> float:
    """Return the share of the run's instants at which a position is open in any symbol, after their fills."""
    if not len(stamps):
        return math.nan
    held = np.zeros(len(stamps), dtype=bool)
    for _, each in fills.sort_values("time", kind="stable").groupby("symbol", sort=False):
        positions = np.concatenate(([0.0], each["position"].to_numpy(dtype=float)))
        held |= positions[np.searchsorted(stamps_of(each["time"]), stamps, side="right")] != 0
    return float(held.mean())


def turnover(fills: pd.DataFrame, average_equity: float, years: float) -> float:
    """Return how often a year the account was turned over: (bought + sold) / 2 / average equity / years.

    Half of the two-way value, so that buying and selling all of the account once is 1. (The SEC's
    Form N-1A takes the lesser of the two, which leaves out what was sold short.)
    """
    if not (average_equity > 0 and years > 0):
        return math.nan
    traded = float((fills["size"].astype(float) * fills["price"].astype(float)).abs().sum())
    return traded / 2 / average_equity / years


def win_rate(pnl: Any) -> float:
    """Return the share of the round trips whose profit, net of commission, is above zero."""
    return average(_present(pnl) > 0)


def profit_factor(pnl: Any) -> float:
    """Return the sum of the profits over the sum of the losses; infinite where nothing was lost."""
    values = _present(pnl)
    won, lost = float(values[values > 0].sum()), float(-values[values < 0].sum())
    if lost > 0:
        return won / lost
    return math.inf if won > 0 else math.nan


def average(pnl: Any) -> float:
    """Return the mean."""
    values = _present(pnl)
    return float(values.mean()) if len(values) else math.nan


def average_win(pnl: Any) -> float:
    """Return the mean of the profits."""
    values = _present(pnl)
    return average(values[values > 0])


def average_loss(pnl: Any) -> float:
    """Return the mean of the losses, a negative number."""
    values = _present(pnl)
    return average(values[values < 0])


def best(pnl: Any) -> float:
    """Return the greatest profit of one round trip."""
    return float(np.max(_present(pnl), initial=-math.inf)) if len(_present(pnl)) else math.nan


def worst(pnl: Any) -> float:
    """Return the greatest loss of one round trip."""
    return -best(-_present(pnl))


def expectancy(pnl: Any) -> float:
    """Return the average trade for each unit of the average loss (Tharp 1998, with the average loss as the risk)."""
    loss = average_loss(pnl)
    return average(pnl) / -loss if loss < 0 else math.nan


def sqn(pnl: Any) -> float:
    """Return the system quality number, sqrt(n) * mean / standard deviation of the trades (Tharp 2008)."""
    values = _present(pnl)
    deviation = _deviation(values)
    return math.sqrt(len(values)) * float(values.mean()) / deviation if deviation > 0 else math.nan


def holding_time(trades: pd.DataFrame) -> pd.Timedelta:
    """Return the mean time from entry to exit; NaT without a trade."""
    if trades.empty:
        return pd.NaT
    return (times_of(trades["exit_time"]) - times_of(trades["entry_time"])).mean()


def monthly_returns(returns: pd.Series) -> pd.DataFrame:
    """Return the product of (1 + r) - 1 of each month: a row a year, columns 1 to 12 and "year"."""
    grown = 1 + returns
    months = grown.groupby([returns.index.year, returns.index.month]).prod(min_count=1) - 1
    table = months.unstack().reindex(columns=range(1, 13)) if len(months) else pd.DataFrame(columns=range(1, 13))
    table["year"] = grown.groupby(returns.index.year).prod(min_count=1) - 1
    return table.rename_axis(index="year", columns=None)
