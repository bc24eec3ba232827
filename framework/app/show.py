"""What the commands show in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from framework.app.difference import differences
from framework.figures import FIGURES, Stats
from framework.result import Result

if TYPE_CHECKING:
    from framework.research.outcome import Sweep
    from framework.research.searched import Search
    from framework.research.walked import WalkForward

LABELS = {key: label for group in FIGURES.values() for key, label, _ in group} | {"fills": "Fills"}

TRADES_SHOWN = 12


def result(found: Result) -> None:
    """Show a run: its last trades, what is still open, and its figures."""
    console = Console()
    console.print(trades(found.trades, found.calendar.zone), "")
    console.print(found.summary(), highlight=False, markup=False)


def both(backtest: Result, live: Result) -> list[str]:
    """Show the trades of a backtest and a live session side by side, and what differs; return that."""
    console = Console()
    console.print(side_by_side(backtest, live), "")
    found = differences(backtest, live)
    if found:
        console.print(f"They differ in {len(found)} things:", style="bold red")
    for each in found:
        console.print(f"  {each}", highlight=False, markup=False)
    if not found:
        counts = ", ".join(f"{len(each):,} {name}" for name, each in _counted(backtest).items())
        console.print(
            "Their difference: [bold green]none[/]", f"Compared row by row: {counts}.", sep="\n", highlight=False
        )
    return found


def sweep(found: Sweep, by: str, *, smallest: bool, top: int) -> None:
    """Show a sweep's best runs, how many failed, and what the best is worth."""
    console = Console()
    console.print(f"[bold]{found.title}[/], the best by {by}", highlight=False)
    _first_error(console, found)
    console.print(str(found.deflated(by, smallest=smallest)), highlight=False, markup=False, soft_wrap=True)
    console.print(ranks(found, [by], found.ranked(by, smallest=smallest).head(top)))


def search(found: Search, top: int) -> None:
    """Show a search's best trials: by its objective, or those that no other one beats in all of them."""
    console, (by, *others) = Console(), list(found.goals)
    front = found.pareto
    what = (
        f"of which {len(front):,} are beaten in all of {', '.join(found.goals)} by none"
        if others
        else f"the best by {by}"
    )
    console.print(f"[bold]{found.title}[/], {what}", highlight=False)
    _first_error(console, found)
    console.print(str(found.deflated()), highlight=False, markup=False, soft_wrap=True)
    console.print(ranks(found, [by, *others], (front if others else found.ranked()).head(top)))


def _first_error(console: Console, found: Sweep) -> None:
    if errors := [each.error for each in found.rows if each.error]:
        console.print(f"the first error: {errors[0]}", style="red", highlight=False, markup=False)


def walk(found: WalkForward) -> None:
    """Show a walk-forward's windows, and the figures of its test parts joined."""
    console = Console()
    console.print(f"[bold]{found.title}[/]", highlight=False)
    console.print(windows(found), "")
    console.print("The test parts, joined", repr(found.stats), "", sep="\n", highlight=False, markup=False)
    console.print(f"probability of a true Sharpe ratio above 0: {found.probability:.2f}", highlight=False)


_OF_A_WINDOW = ("total_return", "trades")


def windows(found: WalkForward) -> Table:
    """Return a walk-forward's windows as a table: their test days, what was chosen, promised and kept."""
    by = found.objective
    names = [found.steps[0].train.column(each) for each in found.parameters]
    figures = [f"train_{by}", f"test_{by}", *(f"test_{each}" for each in _OF_A_WINDOW if each != by)]
    table = Table(box=None, pad_edge=False)
    for name in ["test", *names]:
        table.add_column(name, justify="right", no_wrap=True)
    for name in figures:
        part, _, key = name.partition("_")
        table.add_column(f"{LABELS[key]}, {part}", justify="right")
    for row in found.table.to_dict("records"):
        days = f"{row['test_start']:%Y-%m-%d} to {row['test_end']:%m-%d}"
        told = (
            [escape(row["error"])]
            if row["error"]
            else [_written(each.partition("_")[2], row[each]) for each in figures]
        )
        table.add_row(days, *("" if row[name] is None else _value(row[name]) for name in names), *told)
    return table


_OF_A_RUN = ("final_equity", "total_return", "sharpe", "max_drawdown", "trades", "win_rate")


def ranks(found: Sweep, by: Sequence[str], rows: pd.DataFrame) -> Table:
    """Return some runs of a sweep as a table: their parameters, and a few of their figures, those of `by` first."""
    figures = [*by, *(each for each in _OF_A_RUN if each not in by)][: len(_OF_A_RUN)]
    names = [found.column(each) for each in found.parameters]
    table = Table(box=None, pad_edge=False)
    for name in [*names, *(LABELS[each] for each in figures)]:
        table.add_column(name, justify="right")
    for row in rows.to_dict("records"):
        table.add_row(*(_value(row[name]) for name in names), *(_written(key, row[key]) for key in figures))
    return table


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else escape(str(value))


def _written(key: str, value: Any) -> str:
    return f"{value:,}" if key == "fills" else Stats({key: value}).written(key)


def _counted(found: Result) -> dict[str, Sized]:
    """Return what is compared of a run, by what it is called."""
    return {"trades": found.trades, "fills": found.fills, "orders": found.orders, "account values": found.equity}


def side_by_side(backtest: Result, live: Result) -> Table:
    """Return the last trades of two runs as one table, with a mark where a row is not the same in both."""
    zone = backtest.calendar.zone
    rows = list(zip_longest(_trades(backtest), _trades(live)))
    more = f" (the last {TRADES_SHOWN} of {len(rows):,})" if len(rows) > TRADES_SHOWN else ""
    table = Table(
        title=f"Trades{more}, times of {zone.key}", title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in ("symbol", "size", "entered", "left", "backtest", "P&L", "", "live", "P&L"):
        table.add_column(name, justify="right" if name in ("size", "backtest", "live", "P&L") else "left", no_wrap=True)
    for one, other in rows[-TRADES_SHOWN:]:
        entered, left = (at.tz_convert(zone) for at in ((one or other).entry_time, (one or other).exit_time))
        mark = "[green]=[/]" if one == other else "[bold red]≠[/]"
        when = f"{entered:%m-%d %H:%M}", f"{left:%H:%M}"
        table.add_row((one or other).symbol, f"{(one or other).size:,g}", *when, *_half(one), mark, *_half(other))
    return table


def _trades(found: Result) -> list[Any]:
    return list(found.trades.itertuples(index=False))


def _half(row: Any) -> tuple[str, str]:
    """Return a trade's prices, and what it brought."""
    if row is None:
        return "none", ""
    return f"{row.entry_price:,.2f} > {row.exit_price:,.2f}", f"{row.pnl:,.2f}"


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
