"""`switchback backtest my.py:MyStrategy --bars bars.parquet --symbols SPY,IBM -p lot=2000`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.result import Result


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app import following
    from framework.app.options import add_bars, add_market, add_params, add_pieces

    parser.add_argument("strategy", metavar="STRATEGY", help="path/to/file.py:Class, or module:Class")
    add_bars(parser)
    following.add_options(parser, has_past=True)
    add_market(add_pieces(parser))
    add_params(parser)
    out = parser.add_argument_group("what to write")
    out.add_argument("--chart", metavar="FILE.html", help="candles with the trades, to look through")
    out.add_argument("--report", metavar="FILE.html", help="figures, equity, months, trades on a page")
    out.add_argument("--plot", metavar="FILE.png", help="a picture")
    out.add_argument("--trades", metavar="FILE.csv", help="the closed trades")


def main(options: argparse.Namespace) -> None:
    from framework.app import following, naming, show
    from framework.app.options import params, pieces, source, venue
    from framework.runner import run

    _check_paths(options)
    strategy = naming.strategy(options.strategy)
    bars = source(options)
    result = run(
        strategy,
        source=[bars, *following.past(options, bars)],
        venue=venue(options),
        slippage=options.slippage,
        params=params(options, strategy),
        **pieces(options),
    )
    show.result(result)
    show.written(_write(result, options))


PICTURES = (".png", ".svg", ".pdf", ".jpg")


def _check_paths(options: argparse.Namespace) -> None:
    """Raise `ConfigError` where something could not be written: before the work, not after it."""
    from framework.errors import ConfigError
    from framework.page import checked

    for path in (options.chart, options.report, options.plot, options.trades):
        if path:
            checked(path)
    if options.plot and Path(options.plot).suffix not in PICTURES:
        raise ConfigError(f"--plot {options.plot}: a picture is one of {', '.join(PICTURES)}")


def _write(result: Result, options: argparse.Namespace) -> list[Path]:
    """Write what was asked for and return where it is."""
    written = []
    if options.chart:
        written.append(result.chart(options.chart))
    if options.report:
        written.append(result.report(options.report))
    if options.plot:
        result.plot().savefig(options.plot)
        written.append(Path(options.plot))
    if options.trades:
        result.trades.to_csv(options.trades, index=False)
        written.append(Path(options.trades))
    return written
