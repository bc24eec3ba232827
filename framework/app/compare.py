"""`switchback compare SESSION [STRATEGY]`: a live session beside its backtest, every difference priced by its cause."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from framework.errors import ConfigError

if TYPE_CHECKING:
    import backtrader as bt
    from rich.table import Table

    from framework.ports import Source, Venue
    from framework.research.comparing import Comparison
    from framework.research.recorded import Recorded

USAGE = "switchback compare SESSION [STRATEGY] [options]"
VENUES = ("alpaca", "algogene")


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app.options import add_bars, add_params

    parser.usage = USAGE
    parser.add_argument("names", nargs="*", metavar="SESSION [STRATEGY]", help="its name; path/to/file.py:Class")
    parser.add_argument("--session", metavar="NAME", help="the same as SESSION")
    parser.add_argument("--run", type=int, metavar="N", help="which of its runs, where it was started several times")
    add_bars(parser, default=None)
    again = parser.add_argument_group("backtest (default: as the journal says)")
    again.add_argument("--venue", choices=(*VENUES, "none"), help="whose rules it keeps to")
    again.add_argument("--slippage", type=float, default=0.0, help="fraction of the price")
    again.add_argument("--size", type=int, help="units an order is for where the strategy does not say")
    add_params(parser)
    out = parser.add_argument_group("what to show and to write")
    out.add_argument("--top", type=int, default=12, metavar="N", help="how many differences to show; default: 12")
    out.add_argument("--csv", metavar="FILE.csv", help="all of them")


def main(options: argparse.Namespace) -> None:
    from framework.app import show
    from framework.app.options import params
    from framework.page import checked
    from framework.research.comparing import compare
    from framework.research.rereading import read

    session, named = _names(options)
    if options.csv:
        checked(options.csv)
    recorded = read(session, options.run)
    strategy = _strategy(recorded, named)
    size = {} if options.size is None else {"sizer": options.size}
    found = compare(
        session, strategy, source=_sources(options, recorded), venue=_venue(options, recorded), run=options.run,
        params=params(options, strategy), slippage=options.slippage, **size,
    )  # fmt: skip
    _show(found, options.top)
    if options.csv:
        found.table.to_csv(options.csv, index=False)
        show.written([options.csv])


def _names(options: argparse.Namespace) -> tuple[str, str | None]:
    """Return the session's name, and the strategy's where it was given."""
    names = [*([options.session] if options.session else []), *options.names]
    if not 1 <= len(names) <= 2:
        raise ConfigError(f"name one session and at most one strategy: {USAGE}; switchback journal lists sessions")
    return names[0], names[1] if len(names) == 2 else None


def _strategy(recorded: Recorded, named: str | None) -> type[bt.Strategy]:
    """Return the strategy that was named, else the one that the journal names."""
    from framework.app import naming

    recipe = recorded.recipe
    is_file = recipe["file"] and (recipe["module"] == "__main__" or recipe["module"].startswith(naming.OF_A_FILE))
    where = recipe["file"] if is_file else recipe["module"]
    try:
        return naming.strategy(named or f"{where}:{recipe['class']}")
    except ConfigError as error:
        if named:
            raise
        raise ConfigError(f"{error}; name the strategy: {USAGE}") from None


def _venue(options: argparse.Namespace, recorded: Recorded) -> Venue | None:
    """Return the venue that was traded on, or the one that was named."""
    from brokers import AlgogeneVenue, AlpacaVenue

    name = options.venue or str(recorded.recipe["venue"]).lower()
    if name == "none":
        return None
    return AlgogeneVenue() if name == "algogene" else AlpacaVenue()


def _sources(options: argparse.Namespace, recorded: Recorded) -> list[Source]:
    """Return the final bars that were asked for: of the session's symbols and days, where nothing else is said."""
    from framework.app.options import source

    if not options.bars and not options.source:
        return []
    zone = next(iter(recorded.feeds.values())).calendar.zone
    options.symbols = options.symbols or ",".join(recorded.feeds)
    options.start = options.start or f"{recorded.began.astimezone(zone):%Y-%m-%d}"
    options.end = options.end or f"{recorded.until.astimezone(zone):%Y-%m-%d}"
    return [source(options)]


def _show(found: Comparison, top: int) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(str(found), markup=False, soft_wrap=True)
    if len(found.bars):
        counts = ", ".join(
            f"{count:,} {what}{'s' * (count != 1)}" for what, count in found.bars["what"].value_counts().items()
        )
        console.print(f"\nBars that did not come as they should have: {counts}", soft_wrap=True)
    if len(found.differences):
        console.print("", _table(found, top))


def _table(found: Comparison, top: int) -> Table:
    """Return the differences that cost or brought most, in the order of time."""
    from rich.table import Table

    rows = found.table
    largest = rows.loc[rows["money"].abs().sort_values(ascending=False, kind="stable").index[: max(top, 0)]]
    more = f" (the largest {len(largest)} of {len(rows):,})" if len(rows) > len(largest) else ""
    table = Table(title=f"Differences{more}, times in UTC", title_justify="left", box=None, pad_edge=False)
    for name in rows.columns:
        table.add_column(name, justify="right" if name == "money" else "left")
    for each in largest.sort_index().itertuples(index=False):
        table.add_row(*_cells(each))
    return table


def _cells(row: Any) -> list[str]:
    from rich.markup import escape

    texts = [escape(str(each)) for each in row[1:-1]]
    return [f"{row.time:%m-%d %H:%M}", *texts, f"{row.money:,.2f}"]
