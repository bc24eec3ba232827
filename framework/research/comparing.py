"""`compare`: a live session beside the backtest that it should have been, and every difference priced by its cause."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import fsum, isclose
from pathlib import Path
from typing import Any

import backtrader as bt
import pandas as pd

from framework.errors import ConfigError, SwitchbackError
from framework.ports import Source, Venue
from framework.research.attributing import CAUSES, LATE, MISSING, REVISED, Difference, of_bars, of_orders
from framework.research.booked import Ledger
from framework.research.recorded import Key, Recorded
from framework.research.replaying import Bars, Opens, complete, ledger, played, stages
from framework.research.rereading import read
from framework.result import Result

COLUMNS = ("time", "symbol", "order", "cause", "live", "backtest", "money")
BARS = ("time", "symbol", "what", "live", "final")

CENT = 1e-6
"""Money: what rounding may make of sums."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """A live session and its backtest. Times are UTC, money is in the account's currency.

    `backtest` is the run over the bars as they should have been, `seen` that over the bars as the session got them;
    where they are alike it is one run. `live` is what became of the session's orders, `tested` of the backtest's.
    `differences` are the pieces of `total`, and `notes` what the reader should know.
    """

    session: str
    run: int
    until: datetime
    live: Ledger
    tested: Ledger
    backtest: Result
    seen: Result
    differences: tuple[Difference, ...]
    bars: pd.DataFrame
    notes: tuple[str, ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a difference: time (when the order was decided), symbol, order, cause, live, backtest, money."""
        rows = [(each.at, *(getattr(each, name) for name in COLUMNS[1:])) for each in self.differences]
        found = pd.DataFrame(rows, columns=list(COLUMNS))
        return found.assign(time=pd.to_datetime(found["time"], utc=True))

    @cached_property
    def by_cause(self) -> pd.Series:
        """What each cause has brought the session more than the backtest; all causes are there, most are zero."""
        sums = {cause: fsum(each.money for each in self.differences if each.cause == cause) for cause in CAUSES}
        return pd.Series(sums, name="money", dtype=float)

    @property
    def total(self) -> float:
        """What the session made more than the backtest."""
        return self.live.pnl - self.tested.pnl

    def check(self) -> Comparison:
        """Return this, checked: the causes add up to the whole, and the backtest's ledger is worth what its account is.

        Raise `SwitchbackError` where they do not: such a comparison must not be read.
        """
        turnover = fsum(each.quantity * each.average for each in (*self.live.orders, *self.tested.orders))
        causes = fsum(each.money for each in self.differences)
        sums = ("the causes", causes, self.total), ("the backtest's fills", *_accounts(self.backtest, self.tested))
        for what, found, whole in sums:
            if not isclose(found, whole, abs_tol=CENT + 1e-12 * turnover):
                raise SwitchbackError(f"{self.session}: {what} add up to {found:,.6f}, not to {whole:,.6f}")
        return self

    def __str__(self) -> str:
        sums = [f"  {cause:<13}{money:>14,.2f}" for cause, money in self.by_cause.items() if money]
        whole = [
            f"Session {self.session}, run {self.run}, until {self.until:%Y-%m-%d %H:%M} UTC",
            f"  {'live':<13}{self.live.pnl:>14,.2f}",
            f"  {'backtest':<13}{self.tested.pnl:>14,.2f}",
            f"  {'difference':<13}{self.total:>14,.2f}",
        ]
        return "\n".join([*whole, *([""] if sums else []), *sums, *(f"note: {each}" for each in self.notes)])

    __repr__ = __str__


def _accounts(backtest: Result, tested: Ledger) -> tuple[float, float]:
    """Return what a backtest made by its fills, and by its account, when it ended: a strategy may end it early."""
    if backtest.equity.empty:
        return tested.pnl, 0.0
    ended = backtest.equity.index[-1].to_pydatetime()
    known = {symbol: bars.between(None, ended) for symbol, bars in backtest.bars.items()}
    marks = {**tested.marks, **{symbol: float(bars.close[-1]) for symbol, bars in known.items() if len(bars)}}
    return Ledger(tested.orders, marks).pnl, float(backtest.equity.iloc[-1]) - backtest.cash


def compare(
    session: str | Path,
    strategy: type[bt.Strategy] | None = None,
    *,
    source: Source | Sequence[Source] = (),
    venue: Venue | None = None,
    run: int | None = None,
    **how: Any,
) -> Comparison:
    """Play a live session's journalled bars again as a backtest, and price what differs by its cause.

    session   its name, or its journal's path; also of one that still runs: up to its last bar
    strategy  the class that traded; None: the one that the journal names, where it can be imported
    source    final bars of the session's time: without it, bars that never came are not known
    venue     whose rules the backtest keeps to: the one that was traded on, such as `AlpacaVenue()`
    run       which of its runs, where the session was started several times; it must have begun flat
    how       what `framework.run` takes, in place of what the journal says: the strategy's parameters, `sizer`,
              `slippage`, `intrabar`, ...; needed only where the journal could not keep it

    Raise `ConfigError` in one line for what cannot be compared.
    """
    recorded = read(session, run)
    given = list(source) if isinstance(source, Sequence) else [source]
    found = stages(recorded, complete(recorded, given))
    traded = strategy or _strategy(recorded)
    results = [played(recorded, each, traded, venue, how) for each in found]
    ledgers = [ledger(each, recorded) for each in results]
    differences = _differences(recorded, found, ledgers)
    return Comparison(
        recorded.session, recorded.run, recorded.until, recorded.ledger, ledgers[0], results[0], results[-1],
        tuple(differences), _bars(recorded, found[0]), tuple(_notes(recorded, given, venue)),
    ).check()  # fmt: skip


def _differences(recorded: Recorded, found: Sequence[Bars], ledgers: Sequence[Ledger]) -> list[Difference]:
    until = recorded.until
    told: list[Difference] = []
    for without, having, bars in zip(ledgers, ledgers[1:], found[1:], strict=False):
        told += of_bars(without, having, bars.cause, until)
    odd = min((end for (_, end), _ in _odd(recorded, found[0])), default=None)
    told += of_orders(ledgers[-1], recorded.ledger, Opens(found[0].firsts), until, odd)
    return sorted(told, key=lambda each: each.at)


def _odd(recorded: Recorded, final: Bars) -> Iterator[tuple[Key, str]]:
    """Yield the bars that the session did not get as they should have been, and how it got them."""
    for key, (_, bar) in sorted(final.played.items(), key=lambda each: each[0][1]):
        was = recorded.seen.get(key)
        if was is None:
            yield key, MISSING
        elif key in recorded.played:
            yield key, LATE
        if was is not None and was != bar:
            yield key, REVISED


def _bars(recorded: Recorded, final: Bars) -> pd.DataFrame:
    rows = []
    for key, what in _odd(recorded, final):
        was = recorded.seen.get(key)
        rows.append((key[1], key[0], what, None if was is None else was.close, final.played[key][1].close))
    table = pd.DataFrame(rows, columns=list(BARS))
    return table.assign(time=pd.to_datetime(table["time"], utc=True))


def _notes(recorded: Recorded, sources: Sequence[Source], venue: Venue | None) -> list[str]:
    told = list(recorded.notes)
    traded = recorded.recipe["venue"]
    if recorded.is_running:
        told.append(f"it still runs: this is up to its last bar, {recorded.until:%H:%M} UTC")
    if not sources:
        told.append("bars that never came are not known without source=, and count nothing")
    if venue is None:
        told.append(f"the backtest keeps to no venue's rules; the session traded on {traded}: give venue=")
    elif venue.rules.venue != traded:
        told.append(f"the backtest keeps to the rules of {venue.rules.venue}; the session traded on {traded}")
    return told


def _strategy(recorded: Recorded) -> type[bt.Strategy]:
    """Return the strategy that the journal names."""
    where, name = recorded.recipe["module"], recorded.recipe["class"]
    try:
        module = sys.modules.get(where) or importlib.import_module(where)
        found = getattr(module, name)
    except (ImportError, AttributeError):
        raise ConfigError(
            f"{recorded.session} was traded by {where}:{name}, which is not to be found here; give strategy="
        ) from None
    assert isinstance(found, type)
    return found
