"""What the commands show in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from rich.console import Console
from rich.table import Table

from framework.result import Result

TRADES_SHOWN = 12


def result(found: Result) -> None:
    """Show a run: its last trades, what is still open, and its figures."""
    console = Console()
    console.print(trades(found.trades, found.calendar.zone), "")
    console.print(found.summary(), highlight=False, markup=False)


def written(paths: Iterable[Path]) -> None:
    """Say where files were written."""
    for path in paths:
        print(f"wrote {path}")


def trades(rows: pd.DataFrame, zone: ZoneInfo) -> Table:
    """Return the last closed trades as a table, with times of the exchange."""
    more = f" (the last {TRADES_SHOWN} of {len(rows):,})" if len(rows) > TRADES_SHOWN else ""
    table = Table(title=f"Trades{more}, times of {zone.key}", title_justify="left", box=None, pad_edge=False)
    for name in ("symbol", "", "size", "entered", "at", "left", "at", "P&L"):
        table.add_column(name, justify="left" if name in ("symbol", "", "entered", "left") else "right")
    for row in rows.tail(TRADES_SHOWN).itertuples():
        table.add_row(*_cells(row, zone))
    return table


def _cells(row: Any, zone: ZoneInfo) -> Sequence[str]:
    colour = "red" if row.pnl < 0 else "green"
    return (
        row.symbol,
        row.direction,
        f"{row.size:,g}",
        _time(row.entry_time, zone),
        f"{row.entry_price:,.2f}",
        _time(row.exit_time, zone),
        f"{row.exit_price:,.2f}",
        f"[{colour}]{row.pnl:,.2f}[/]",
    )


def _time(at: pd.Timestamp, zone: ZoneInfo) -> str:
    return str(at.tz_convert(zone).strftime("%Y-%m-%d %H:%M"))
