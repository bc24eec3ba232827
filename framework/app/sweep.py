"""`switchback sweep my.py:MyStrategy -g period=5:105:5 -g lot=1000,2000 --symbols SPY --store sweep.db`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.errors import ConfigError

if TYPE_CHECKING:
    import backtrader as bt

    from framework.research.outcome import Sweep


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app import following
    from framework.app.options import add_bars, add_market, add_params, add_pieces

    parser.add_argument("strategy", metavar="STRATEGY", help="path/to/file.py:Class, or module:Class")
    add_grid(parser)
    add_bars(parser)
    following.add_options(parser, has_past=True)
    add_market(add_pieces(parser))
    add_params(parser)


def add_grid(parser: argparse.ArgumentParser) -> None:
    """Add what is swept, where, and what is shown of it."""
    grid = parser.add_argument_group("sweep")
    grid.add_argument(
        "-g", dest="grid", metavar="NAME=VALUES", action="append", default=[], required=True,
        help="values to try of a parameter: 5:105:5 (from 5, below 105, in steps of 5) or 10,20,50; may be repeated",
    )  # fmt: skip
    where = grid.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes to run in; default: one a core")
    where.add_argument("--dask", metavar="tcp://HOST:PORT", help="the scheduler of a Dask cluster to run on")
    grid.add_argument("--store", metavar="FILE", help="keep rows there, and do not compute again what is in it")
    out = parser.add_argument_group("what to show and to write")
    out.add_argument("--by", default="sharpe", metavar="FIGURE", help="what is best; default: sharpe")
    out.add_argument("--smallest", action="store_true", help="the smallest is best, not the greatest")
    out.add_argument("--top", type=int, default=10, metavar="N", help="how many rows to show; default: 10")
    out.add_argument("--csv", metavar="FILE.csv", help="the whole table")
    out.add_argument("--plot", metavar="FILE.png", help="a line over one parameter, a heat map over two")


def main(options: argparse.Namespace) -> None:
    from framework.app import following, naming, show
    from framework.app.options import params, pieces, source, venue
    from framework.page import checked
    from framework.research.outcome import figure
    from framework.research.sweeping import sweep

    figure(options.by)
    for path in (options.csv, options.plot):
        if path:
            checked(path)
    strategy = naming.strategy(options.strategy)
    bars = source(options)
    with workers(options) as executor:
        found = sweep(
            strategy,
            source=[bars, *following.past(options, bars)],
            grid=grid_of(options, strategy),
            workers=executor,
            store=options.store,
            venue=venue(options),
            slippage=options.slippage,
            params=params(options, strategy),
            **pieces(options),
        )
    show.written(_write(found, options))
    show.sweep(found, options.by, smallest=options.smallest, top=options.top)


def grid_of(options: argparse.Namespace, strategy: type[bt.Strategy]) -> dict[str, Any]:
    """Return what `-g` asks for: each value read as the parameter's default is."""
    defaults = dict(strategy.params._getitems())
    grid: dict[str, Any] = {}
    for text in options.grid:
        name, equals, values = text.partition("=")
        if not equals:
            raise ConfigError(f"-g {text}: write it as NAME=VALUES, such as period=5:105:5")
        if name in grid:
            raise ConfigError(f"-g {text}: {name} is given twice; put its values together, with commas")
        grid[name] = _values(text, values, defaults.get(name))
    return grid


def _values(text: str, values: str, default: Any) -> list[Any]:
    from framework.app.options import listed, read

    if values.count(":") in (1, 2) and not isinstance(default, str):
        return _range(text, values)
    return [read(each, default, f"-g {text}") for each in listed(values)]


def _range(text: str, values: str) -> list[Any]:
    """Return what lies from the first number on, below the second; in decimals, so that 0.1:0.4:0.1 is three."""
    import math
    from decimal import Decimal, InvalidOperation

    try:
        first, end, step = (
            Decimal(each.strip()) for each in (values if values.count(":") == 2 else values + ":1").split(":")
        )
        count = math.ceil((end - first) / step) if step else 0  # `//` of decimals rounds towards 0
    except (InvalidOperation, ValueError, OverflowError):
        raise ConfigError(f"-g {text}: a range is three numbers, such as 5:105:5") from None
    if not 0 < count <= 10_000_000:
        raise ConfigError(f"-g {text}: there is nothing from {first} to below {end} in steps of {step}")
    is_whole = all(each == each.to_integral_value() for each in (first, step))
    return [(int if is_whole else float)(first + step * at) for at in range(count)]


@contextlib.contextmanager
def workers(options: argparse.Namespace) -> Iterator[Any]:
    """Yield what `sweep` takes as its workers: a client of the cluster, where there is one to go to."""
    if not options.dask:
        yield options.workers
        return
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError('--dask needs Dask; type: pip install "switchback[dask]"') from None
    try:
        client = Client(options.dask, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--dask {options.dask}: there is no scheduler ({error}); start one: dask scheduler"
        ) from None
    with client:
        yield client


def _write(found: Sweep, options: argparse.Namespace) -> list[Path]:
    written = []
    if options.csv:
        found.table.to_csv(options.csv, index=False)
        written.append(Path(options.csv))
    if options.plot:
        found.plot(options.by).savefig(options.plot)
        written.append(Path(options.plot))
    return written
