"""`switchback sweep my.py:MyStrategy -g period=5:105:5 -g lot=1000,2000 --symbols SPY --store sweep.db`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.errors import ConfigError

if TYPE_CHECKING:
    import backtrader as bt

    from framework.research.outcome import Sweep


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app import many

    many.add_strategy(parser)
    grid = parser.add_argument_group("sweep")
    many.add_grid(grid)
    many.add_workers(grid)
    out = parser.add_argument_group("what to show and to write")
    out.add_argument("--by", default="sharpe", metavar="FIGURE", help="what is best; default: sharpe")
    out.add_argument("--smallest", action="store_true", help="the smallest is best, not the greatest")
    add_out(out)
    many.add_run(parser)


def add_out(out: argparse._ArgumentGroup) -> None:
    """Add what is shown of runs, and written."""
    out.add_argument("--top", type=int, default=10, metavar="N", help="how many rows to show; default: 10")
    out.add_argument("--csv", metavar="FILE.csv", help="the whole table")
    out.add_argument(
        "--plot", metavar="FILE.png", help="a line over one parameter, a heat map over two, an axis each for more"
    )


def main(options: argparse.Namespace) -> None:
    from framework.app import many, naming, show
    from framework.page import checked
    from framework.research.outcome import figure
    from framework.research.sweeping import sweep

    figure(options.by)
    for path in (options.csv, options.plot):
        if path:
            checked(path)
    strategy = naming.strategy(options.strategy)
    with many.asked(options, strategy) as how:
        found = sweep(strategy, grid=grid_of(options, strategy), **how)
    show.written(_write(found, options))
    show.sweep(found, options.by, smallest=options.smallest, top=options.top)


def grid_of(options: argparse.Namespace, strategy: type[bt.Strategy]) -> dict[str, Any]:
    """Return what `-g` asks for: each value read as the parameter's default is."""
    from framework.app.many import named

    defaults = dict(strategy.params._getitems())
    form, once = "NAME=VALUES, such as period=5:105:5", "put its values together, with commas"
    told = named("-g", options.grid, form, once)
    return {name: values(option, given, defaults.get(name)) for option, name, given in told}


def values(option: str, given: str, default: Any) -> list[Any]:
    """Return the values of a range or a list; `option` is what was typed, for messages."""
    from framework.app.options import listed, read

    if given.count(":") in (1, 2) and not isinstance(default, str):
        return _range(option, given)
    return [read(each, default, option) for each in listed(given)]


def _range(option: str, given: str) -> list[Any]:
    """Return what lies from the first number on, below the second; in decimals, so that 0.1:0.4:0.1 is three."""
    import math
    from decimal import Decimal, InvalidOperation

    try:
        first, end, step = (
            Decimal(each.strip()) for each in (given if given.count(":") == 2 else given + ":1").split(":")
        )
        count = math.ceil((end - first) / step) if step else 0  # `//` of decimals rounds towards 0
    except (InvalidOperation, ValueError, OverflowError):
        raise ConfigError(f"{option}: a range is three numbers, such as 5:105:5") from None
    if not 0 < count <= 10_000_000:
        raise ConfigError(f"{option}: there is nothing from {first} to below {end} in steps of {step}")
    is_whole = all(each == each.to_integral_value() for each in (first, step))
    return [(int if is_whole else float)(first + step * at) for at in range(count)]


def _write(found: Sweep, options: argparse.Namespace) -> list[Path]:
    written = []
    if options.csv:
        found.table.to_csv(options.csv, index=False)
        written.append(Path(options.csv))
    if options.plot:
        found.plot(options.by, kind=_kind(found)).savefig(options.plot)
        written.append(Path(options.plot))
    return written


def _kind(found: Sweep) -> str:
    """Return the kind of picture that shows all that was varied."""
    varied = [name for name in found.parameters if len({repr(each[name]) for each in found.job.sets}) > 1]
    return "parallel" if len(varied) > 2 else "grid"
