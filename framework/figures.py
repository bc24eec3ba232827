"""The key figures of a run as one mapping that prints well: what `Result.stats` is."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from framework import stats
from framework.errors import nearest

if TYPE_CHECKING:
    from framework.result import Result

NOTHING = "–"


def percent(value: float) -> str:
    if abs(value) >= 1000:
        return "> 100,000 %" if value > 0 else "< -100,000 %"
    return f"{value * 100:,.2f} %"


def money(value: float) -> str:
    return f"{value:,.2f}"


def count(value: float) -> str:
    return f"{value:,.0f}"


def instant(value: pd.Timestamp) -> str:
    return f"{value:%Y-%m-%d %H:%M}"


def span(value: pd.Timedelta) -> str:
    """Return a length of time in its two largest units: "3 d 4 h"."""
    seconds = int(value.total_seconds())
    sizes = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for name, size in sizes:
        whole, seconds = divmod(seconds, size)
        parts.append((whole, name))
    first = next((at for at, (whole, _) in enumerate(parts) if whole), len(parts) - 1)
    return " ".join(f"{whole} {name}" for whole, name in parts[first : first + 2] if whole) or "0 s"


FIGURES: Mapping[str, tuple[tuple[str, str, Callable[[Any], str]], ...]] = {
    "Account": (
        ("start", "Start", instant),
        ("end", "End", instant),
        ("days", "Trading days", count),
        ("starting_equity", "Starting equity", money),
        ("final_equity", "Final equity", money),
        ("total_return", "Total return", percent),
        ("cagr", "CAGR", percent),
        ("best_day", "Best day", percent),
        ("worst_day", "Worst day", percent),
    ),
    "Risk": (
        ("volatility", "Volatility (a year)", percent),
        ("sharpe", "Sharpe ratio", money),
        ("sortino", "Sortino ratio", money),
        ("calmar", "Calmar ratio", money),
        ("max_drawdown", "Max drawdown", percent),
        ("max_drawdown_length", "Max drawdown length", span),
        ("longest_drawdown", "Longest drawdown", span),
        ("exposure", "Time in the market", percent),
        ("turnover", "Turnover (a year)", money),
    ),
    "Trades": (
        ("trades", "Round trips", count),
        ("win_rate", "Win rate", percent),
        ("profit_factor", "Profit factor", money),
        ("expectancy", "Expectancy (per unit lost)", money),
        ("sqn", "SQN", money),
        ("average_trade", "Average trade", money),
        ("average_win", "Average win", money),
        ("average_loss", "Average loss", money),
        ("best_trade", "Best trade", money),
        ("worst_trade", "Worst trade", money),
        ("holding_time", "Average holding time", span),
        ("commission", "Commission", money),
    ),
}
"""Every figure by group: its key, its label, and how it is written."""

_WRITE = {key: write for group in FIGURES.values() for key, _, write in group}


def is_missing(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


@dataclass(frozen=True, eq=False, repr=False)
class Stats(Mapping[str, Any]):
    """Key figures by name, such as `stats["sharpe"]`; `pd.Series(stats)` and `dict(stats)` work.

    Ratios and returns are fractions (0.1 is ten per cent), money is in the account's currency,
    lengths are `Timedelta`, `start` and `end` are `Timestamp` in the exchange's zone. What is not
    defined is NaN (NaT), and printed as a dash. `framework.stats` has the formulas.
    """

    values_by_name: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        try:
            return self.values_by_name[name]
        except KeyError:
            raise KeyError(f"no figure is called {name!r}{nearest(name, self.values_by_name)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def written(self, name: str) -> str:
        """Return a figure as text: "12.30 %", "1,234.50", "3 d 4 h", or a dash where it is not defined."""
        value = self[name]
        if is_missing(value):
            return NOTHING
        if isinstance(value, float) and math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return _WRITE[name](value)

    def groups(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Yield each group's title and its rows (label, text)."""
        for title, figures in FIGURES.items():
            yield title, [(label, self.written(key)) for key, label, _ in figures]

    def __repr__(self) -> str:
        return "\n\n".join("\n".join([title, *map(_line, rows)]) for title, rows in self.groups())

    def _repr_html_(self) -> str:
        return tables(self)


FEW_DAYS = 63
"""A quarter of a year on an exchange."""


def caution(figures: Stats) -> str:
    """Return what to think of annual figures from a short run, or an empty string."""
    days = figures["days"]
    if not 0 < days < FEW_DAYS:
        return ""
    count_of = "1 trading day is" if days == 1 else f"{days} trading days are"
    return f"{count_of} few: CAGR, volatility and the ratios say little about a year"


def _line(row: tuple[str, str]) -> str:
    label, text = row
    return f"  {label:<28}{text:>18}"


def tables(figures: Stats) -> str:
    """Return the figures as HTML, a small table a group, side by side."""
    cells = "".join(_table(title, rows) for title, rows in figures.groups())
    return f'<div style="display:flex;flex-wrap:wrap;gap:0 2.5em;align-items:flex-start">{cells}</div>'


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    body = "".join(f'<tr><td style="text-align:left">{label}</td>{number_cell(text)}</tr>' for label, text in rows)
    head = f'<tr><th colspan="2" style="text-align:left">{title}</th></tr>'
    return f'<table style="font-variant-numeric:tabular-nums">{head}{body}</table>'


def number_cell(text: str) -> str:
    """Return a table cell, its number to the right, red and with a true minus sign where it is negative."""
    if not is_negative(text):
        return f'<td style="text-align:right">{html.escape(text)}</td>'
    return f'<td style="text-align:right;color:#b3261e">{html.escape(text.replace("-", "−", 1))}</td>'


def is_negative(text: str) -> bool:
    """Return whether a written number is below zero; "-0.00" is not."""
    return text.lstrip("< ").startswith("-") and any(each in text for each in "123456789∞")


def stats_of(result: Result) -> Stats:
    """Work out every figure of a run."""
    account = _account(result)
    return Stats(account | _risk(result, account["cagr"]) | _trades(result))


def _account(result: Result) -> dict[str, Any]:
    equity, returns = result.equity.dropna(), result.returns
    final = float(equity.iloc[-1]) if len(equity) else result.cash
    total = stats.total_return(final, result.cash)
    zone = result.calendar.zone
    return {
        "start": equity.index[0].tz_convert(zone) if len(equity) else pd.NaT,
        "end": equity.index[-1].tz_convert(zone) if len(equity) else pd.NaT,
        "days": len(returns),
        "starting_equity": result.cash,
        "final_equity": final,
        "total_return": total,
        "cagr": stats.cagr(total, len(returns), stats.days_a_year(result.calendar)),
        "best_day": stats.best(returns),
        "worst_day": stats.worst(returns),
    }


def _risk(result: Result, growth: float) -> dict[str, Any]:
    equity, returns, year = result.equity.dropna(), result.returns, stats.days_a_year(result.calendar)
    deepest = stats.max_drawdown(result.drawdown.to_numpy())
    daily = stats.daily_equity(equity, result.calendar)
    return {
        "volatility": stats.volatility(returns, year),
        "sharpe": stats.sharpe(returns, year),
        "sortino": stats.sortino(returns, year),
        "calmar": stats.calmar(growth, deepest),
        "max_drawdown": deepest,
        "max_drawdown_length": stats.drawdown_length(equity, result.cash),
        "longest_drawdown": stats.longest_drawdown(equity, result.cash),
        "exposure": stats.exposure(stats.stamps_of(equity.index), result.fills),
        "turnover": stats.turnover(result.fills, stats.average(daily), len(returns) / year),
    }


def _trades(result: Result) -> dict[str, Any]:
    pnl = result.trades["pnl"]
    return {
        "trades": len(pnl),
        "win_rate": stats.win_rate(pnl),
        "profit_factor": stats.profit_factor(pnl),
        "expectancy": stats.expectancy(pnl),
        "sqn": stats.sqn(pnl),
        "average_trade": stats.average(pnl),
        "average_win": stats.average_win(pnl),
        "average_loss": stats.average_loss(pnl),
        "best_trade": stats.best(pnl),
        "worst_trade": stats.worst(pnl),
        "holding_time": stats.holding_time(result.trades),
        "commission": float(result.fills["commission"].astype(float).sum()),
    }
