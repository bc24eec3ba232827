"""`switchback walk my.py:MyStrategy -g period=5:105:5 --train 60D --test 10D --symbols SPY --store sweep.db`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.research.walked import WalkForward


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app import many

    many.add_strategy(parser)
    walk = parser.add_argument_group("walk-forward")
    many.add_grid(walk)
    walk.add_argument(
        "--train", default="60D", metavar="SESSIONS", help="trading sessions to choose on; default: 60D, sixty of them"
    )
    walk.add_argument(
        "--test", default="10D", metavar="SESSIONS", help="trading sessions to try the choice on; default: 10D"
    )
    walk.add_argument("--anchored", action="store_true", help="always train from the first session on")
    walk.add_argument("--objective", default="sharpe", metavar="FIGURE", help="what is best; default: sharpe")
    walk.add_argument("--smallest", action="store_true", help="the smallest is best, not the greatest")
    many.add_workers(walk)
    out = parser.add_argument_group("what to write")
    out.add_argument("--csv", metavar="FILE.csv", help="the windows")
    out.add_argument("--equity", metavar="FILE.csv", help="the account of the test parts joined, day by day")
    out.add_argument("--plot", metavar="FILE.png", help="that account, and each window's objective")
    many.add_run(parser)


def main(options: argparse.Namespace) -> None:
    from framework.app import many, naming, show
    from framework.app.sweep import grid_of
    from framework.page import checked
    from framework.research.walking import walk_forward

    for path in (options.csv, options.equity, options.plot):
        if path:
            checked(path)
    strategy = naming.strategy(options.strategy)
    names = ("train", "test", "anchored", "objective", "smallest")
    with many.asked(options, strategy) as how:
        asked = {name: getattr(options, name) for name in names}
        found = walk_forward(strategy, grid=grid_of(options, strategy), **asked, **how)
    show.written(_write(found, options))
    show.walk(found)


def _write(found: WalkForward, options: argparse.Namespace) -> list[Path]:
    written = []
    if options.csv:
        found.table.to_csv(options.csv, index=False)
        written.append(Path(options.csv))
    if options.equity:
        found.equity.to_csv(options.equity)
        written.append(Path(options.equity))
    if options.plot:
        found.plot().savefig(options.plot)
        written.append(Path(options.plot))
    return written
