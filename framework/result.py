"""What a run leaves behind: its tables, its figures and its pictures.

Nothing here draws until it is asked to: matplotlib and the interactive chart are loaded at first use.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from framework import stats
from framework.calendar import Calendar
from framework.columns import Columns
from framework.figures import Stats, caution, stats_of, tables
from framework.model import Timeframe
from framework.page import PathLike
from framework.when import When

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A finished run. All times are UTC, all money is in the account's currency.

    strategy: the `bt.Strategy` that ran, its indicators and lines included.
    equity: the account's value at each instant of the run.
    orders: ref, symbol, side, type, size, price, limit_price, valid, created, status, filled,
        average_price, finished, reason; one row an order.
    fills: ref, symbol, time, side, size (above zero), price, value, commission, pnl (gross, of the part
        that it closed), position (signed, after it); one row an execution.
    trades: symbol, direction ("long", "short"), size, entry_time, exit_time, entry_price, exit_price,
        commission, pnl (net of commission); one row a closed round trip.
    positions: symbol, size (signed), price, last, value, pnl of what was still open at the end.
    bars: each symbol's bars, warm-up left out, stamped with their end.
    cash: what the account began with. engine: which loop ran, and why.
    notes: what the user should know about the run.
    session: the name of a live session, under which its journal is; empty for a backtest.
    not_flat: what was not closed although it was asked to be (at the close, by the kill switch), in sentences.
    """

    strategy: Any
    equity: pd.Series
    orders: pd.DataFrame
    fills: pd.DataFrame
    trades: pd.DataFrame
    positions: pd.DataFrame
    bars: Mapping[str, Columns]
    timeframe: Timeframe
    calendar: Calendar
    cash: float
    engine: str
    notes: tuple[str, ...] = ()
    session: str = ""
    not_flat: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.bars)

    @property
    def name(self) -> str:
        """The strategy's class name."""
        return type(self.strategy).__name__

    @cached_property
    def stats(self) -> Stats:
        """The key figures by name; prints as a table, `pd.Series(result.stats)` makes a Series."""
        return stats_of(self)

    @cached_property
    def returns(self) -> pd.Series:
        """Daily returns by exchange day, as fractions; the first is against the starting cash."""
        return stats.daily_returns(stats.daily_equity(self.equity, self.calendar), self.cash)

    @cached_property
    def drawdown(self) -> pd.Series:
        """How far the account is below its highest yet at each instant, as a fraction: 0 or below."""
        fall = stats.drawdowns(self.equity, self.cash)
        return pd.Series(fall, index=self.equity.index, name="drawdown")

    def plot(
        self,
        start: When = None,
        end: When = None,
        symbols: str | Sequence[str] | None = None,
    ) -> Figure:
        """Draw prices, fills and indicators of each symbol, then equity and drawdown.

        `start` and `end` narrow the time shown: days of the exchange (`end` included whole) or
        instants that name their zone. Shows inline in a notebook, needs no display;
        `figure.savefig(path)` keeps it. Raise `ConfigError` for a symbol or a range that was not run.
        """
        from framework.picture import picture

        return picture(self, start, end, symbols)

    def chart(self, path: PathLike) -> Path:
        """Write an interactive chart as one HTML file that needs no network, and return its path."""
        from framework.chart import chart
        from framework.page import checked, written

        checked(path)  # before the work, not after it
        return written(path, chart(self))

    def report(self, path: PathLike) -> Path:
        """Write figures, pictures and tables as one HTML file that needs no network, and return its path."""
        from framework.page import checked, written
        from framework.report import report

        checked(path)
        return written(path, report(self))

    def summary(self) -> str:
        """Return the run and its key figures as text for a terminal."""
        notes = [f"note: {each}" for each in self.remarks]
        return "\n".join([self.title, f"engine: {self.engine}", *notes, "", repr(self.stats), *self._open()])

    @property
    def title(self) -> str:
        """One line: the strategy, the symbols, the bars."""
        return f"{self.name} on {_listed(self.symbols)}, {self.timeframe} bars"

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes of the run, and what its figures call for."""
        return (*self.notes, *filter(None, [caution(self.stats)]))

    def _open(self) -> list[str]:
        if self.positions.empty:
            return []
        return ["", "Open at the end", self.positions.to_string(index=False)]

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        total, trades = self.stats.written("total_return"), self.stats.written("trades")
        return f"<Result: {self.title}, return {total}, {trades} round trips>"

    def _repr_html_(self) -> str:
        from framework.picture import equity_picture, inline

        notes = "".join(f"<li>{html.escape(each)}</li>" for each in self.remarks)
        return (
            f"<div><p><b>{html.escape(self.title)}</b></p>{tables(self.stats)}"
            f"{inline(equity_picture(self, width=8, height=2.6))}{f'<ul>{notes}</ul>' if notes else ''}</div>"
        )


def _listed(symbols: Sequence[str], most: int = 5) -> str:
    if not symbols:
        return "no symbols"
    more = len(symbols) - most
    return ", ".join(symbols[:most]) + (f" and {more} more" if more > 0 else "")
