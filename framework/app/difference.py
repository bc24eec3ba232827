"""Whether two runs came out alike, row by row: what `switchback demo` shows of a backtest and a live session. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from framework.result import Result

SHOWN = 5
"""How many differences of a table are told one by one."""

Row = tuple[Any, ...]


def rows(found: Result) -> Mapping[str, list[Row]]:
    """Return the rows of a run's tables by their names.

    An order's number counts from the run's first, and its `reason` is left out: it is the venue's own text.
    """
    return {
        "trade": list(found.trades.itertuples(index=False, name=None)),
        "fill": _numbered(found.fills, found.orders),
        "order": _numbered(found.orders.drop(columns="reason"), found.orders),
        "value of the account": list(found.equity.items()),
    }


def differences(one: Result, other: Result) -> list[str]:
    """Return what differs between two runs, a sentence each; an empty list where nothing does."""
    return [
        each
        for (name, mine), theirs in zip(rows(one).items(), rows(other).values(), strict=True)
        for each in _told(name, mine, theirs)
    ]


def _numbered(table: pd.DataFrame, orders: pd.DataFrame) -> list[Row]:
    """Return rows whose `ref` counts from the run's first: Backtrader numbers the orders of a process."""
    first = orders["ref"].min() if len(orders) else 0
    return list(table.assign(ref=table["ref"] - first).itertuples(index=False, name=None))


def _told(name: str, mine: list[Row], theirs: list[Row]) -> Iterator[str]:
    if len(mine) != len(theirs):
        yield f"{len(mine):,} {name} rows against {len(theirs):,}"
    found = [(i, a, b) for i, (a, b) in enumerate(zip(mine, theirs, strict=False), 1) if not _is_same(a, b)]
    for number, a, b in found[:SHOWN]:
        yield f"{name} {number}: {_shown(a)} against {_shown(b)}"
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN:,} more {name} rows"


def _is_same(a: Row, b: Row) -> bool:
    """Compare exactly; what is not there on both sides is the same."""
    return len(a) == len(b) and all(x == y or (pd.isna(x) and pd.isna(y)) for x, y in zip(a, b, strict=True))


def _shown(row: Row) -> str:
    return " ".join(str(each) for each in row)
