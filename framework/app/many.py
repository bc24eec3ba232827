"""What the commands that make many backtests ask for alike: `sweep`, `search` and `walk`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from framework.errors import ConfigError

if TYPE_CHECKING:
    import backtrader as bt


def add_strategy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("strategy", metavar="STRATEGY", help="path/to/file.py:Class, or module:Class")


def add_grid(group: argparse._ArgumentGroup) -> None:
    """Add `-g`."""
    group.add_argument(
        "-g", dest="grid", metavar="NAME=VALUES", action="append", default=[], required=True,
        help="values to try of a parameter: 5:105:5 (from 5, below 105, in steps of 5) or 10,20,50; may be repeated",
    )  # fmt: skip


def add_workers(group: argparse._ArgumentGroup) -> None:
    """Add where runs are made, and kept."""
    where = group.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes to run in; default: one a core")
    where.add_argument("--dask", metavar="tcp://HOST:PORT", help="the scheduler of a Dask cluster to run on")
    where.add_argument(
        "--ray", nargs="?", const="auto", metavar="ADDRESS",
        help="the Ray that runs on this machine, or the one at ray://HOST:10001",
    )  # fmt: skip
    group.add_argument("--store", metavar="FILE", help="keep rows there, and do not compute again what is in it")


def named(option: str, texts: Sequence[str], form: str, once: str) -> Iterator[tuple[str, str, str]]:
    """Yield what was typed, the name and what stands behind its equals sign; `form` and `once` are for messages.

    Raise `ConfigError` where there is no equals sign, or a name comes again.
    """
    names = set[str]()
    for text in texts:
        name, equals, what = text.partition("=")
        if not equals:
            raise ConfigError(f"{option} {text}: write it as {form}")
        if name in names:
            raise ConfigError(f"{option} {text}: {name} is given twice; {once}")
        names.add(name)
        yield f"{option} {text}", name, what


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add what each run is made of."""
    from framework.app import following
    from framework.app.options import add_bars, add_market, add_params, add_pieces

    add_bars(parser)
    following.add_options(parser, has_past=True)
    add_market(add_pieces(parser))
    add_params(parser)


@contextlib.contextmanager
def asked(options: argparse.Namespace, strategy: type[bt.Strategy]) -> Iterator[dict[str, Any]]:
    """Yield what all runs have, and where they are made, as `sweep` takes it."""
    from framework.app import following
    from framework.app.options import params, pieces, source, venue

    bars = source(options)
    with workers(options) as executor:
        yield {
            "source": [bars, *following.past(options, bars)],
            "workers": executor,
            "store": options.store,
            "venue": venue(options),
            "slippage": options.slippage,
            "params": params(options, strategy),
            **pieces(options),
        }


@contextlib.contextmanager
def workers(options: argparse.Namespace) -> Iterator[Any]:
    """Yield what `sweep` takes as its workers: a client of the cluster, where there is one to go to."""
    if options.dask:
        with _dask(options.dask) as client:
            yield client
    elif options.ray:
        with _ray(options.ray):
            yield "ray"
    else:
        yield options.workers


@contextlib.contextmanager
def _ray(address: str) -> Iterator[None]:
    try:
        import ray
    except ImportError:
        raise ConfigError('--ray needs Ray; type: pip install "switchback[ray]"') from None
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError):  # whose text is a page
        raise ConfigError(f"--ray {address}: no Ray answers there; start one: ray start --head") from None
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _dask(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError('--dask needs Dask; type: pip install "switchback[dask]"') from None
    try:
        client = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ConfigError(f"--dask {address}: there is no scheduler ({error}); start one: dask scheduler") from None
    with client:
        yield client
