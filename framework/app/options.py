"""What several commands ask for alike: bars from somewhere, and a strategy's parameters."""

from __future__ import annotations

import argparse
import ast
from typing import TYPE_CHECKING, Any

from framework.errors import ConfigError

if TYPE_CHECKING:
    import backtrader as bt

    from feeds import AlpacaBars
    from framework.ports import Source, Venue


def add_bars(parser: argparse.ArgumentParser, default: str | None = "sample") -> None:
    """Add the options that say where bars come from; without a `default` they may be left out."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--bars", metavar="FILE", help="a Parquet or CSV file of bars")
    where.add_argument("--source", choices=("sample", "alpaca"), default=default, help=f"default: {default or 'none'}")
    add_range(parser)
    file = parser.add_argument_group("a file's bars")
    file.add_argument("--tz", metavar="ZONE", help="zone of times that have none, such as America/New_York")
    file.add_argument("--stamp", choices=("start", "end"), default="start", help="which end of its bar a time is")
    parser.add_argument_group("sample bars").add_argument("--seed", type=int, default=0, help="which sample")
    add_alpaca(parser)


def add_range(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which bars."""
    bars = parser.add_argument_group("bars")
    bars.add_argument("--symbols", metavar="A,B", help="default: all that a file holds, ACME for the sample")
    bars.add_argument("--start", metavar="DAY", help="first day, such as 2026-10-01")
    bars.add_argument("--end", metavar="DAY", help="last day")
    bars.add_argument("--timeframe", metavar="1Min", help="length of the bars")
    bars.add_argument("--hours", choices=("regular", "extended"), help="which part of the day")


def add_alpaca(parser: argparse.ArgumentParser) -> None:
    alpaca = parser.add_argument_group("Alpaca's bars")
    alpaca.add_argument("--feed", default="iex", help="iex (free, the default), sip, ...")
    alpaca.add_argument("--adjustment", default="split", help="split (the default), raw, dividend, all")
    alpaca.add_argument("--base-url", metavar="URL", help="another host that speaks its dialect")


def source(options: argparse.Namespace) -> Source:
    """Return the source that the options describe."""
    if options.bars:
        return _file(options)
    return alpaca(options) if options.source == "alpaca" else _sample(options)


def listed(text: str | None) -> list[str]:
    """Return what is between the commas."""
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return those options that were given a value; the source knows its own defaults."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _file(options: argparse.Namespace) -> Source:
    from feeds import FileBars

    given = _given(options, "start", "end", "timeframe", "tz", "hours")
    return FileBars(options.bars, listed(options.symbols) or None, stamp=options.stamp, **given)


def alpaca(options: argparse.Namespace) -> AlpacaBars:
    """Return Alpaca's bars as the options describe them."""
    from feeds import AlpacaBars

    symbols = listed(options.symbols)
    if not symbols:
        raise ConfigError("Alpaca needs to know which symbols; give --symbols SPY,IBM")
    given = _given(options, "start", "end", "timeframe", "hours", "base_url")
    return AlpacaBars(symbols, feed=options.feed, adjustment=options.adjustment, **given)


def _sample(options: argparse.Namespace) -> Source:
    from feeds import SampleBars

    given = _given(options, "start", "end", "timeframe")
    return SampleBars(listed(options.symbols) or ["ACME"], seed=options.seed, **given)


def add_pieces(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options of what runs, the same in a backtest and live; return their group."""
    run = parser.add_argument_group("run")
    run.add_argument("--cash", type=float, default=100_000, help="default: 100000")
    run.add_argument(
        "--commission", type=float, default=0.0, help="fraction of each fill's value; 0.0005 is 5 basis points"
    )
    run.add_argument("--size", type=int, help="units an order is for where the strategy does not say")
    add_history(run)
    run.add_argument(
        "--at-close", choices=("hold", "liquidate"), default="hold",
        help="liquidate: cancel everything and close every position before each day's close",
    )  # fmt: skip
    run.add_argument("--before-close", type=float, default=5, metavar="MIN", help="how long before it; default: 5")
    return run


def add_market(run: argparse._ArgumentGroup) -> None:
    """Add what a backtest assumes of the market."""
    run.add_argument("--slippage", type=float, default=0.0, help="fraction of the price")
    run.add_argument("--venue", choices=("alpaca",), help="round and refuse orders as this venue does")


def venue(options: argparse.Namespace) -> Venue | None:
    """Return the venue whose rules a backtest keeps to."""
    from brokers import AlpacaVenue

    return AlpacaVenue() if options.venue == "alpaca" else None


def add_history(run: argparse._ArgumentGroup) -> None:
    """Add what a run has of bars beside its own, and before its start."""
    run.add_argument("--resample", metavar="5Min,1Day", help="longer bars of every symbol, as further feeds")
    run.add_argument(
        "--warmup", type=int, metavar="BARS", help="history before the start; default: what the indicators need"
    )


def pieces(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_pieces` asked for, as `run` takes it."""
    return {
        "cash": options.cash,
        "commission": options.commission,
        "sizer": options.size,
        "resample": listed(options.resample),
        "at_close": options.at_close,
        "before_close": options.before_close,
        "warmup": "auto" if options.warmup is None else options.warmup,
    }


def add_params(parser: argparse.ArgumentParser) -> None:
    """Add `-p name=value`."""
    parser.add_argument(
        "-p",
        dest="params",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of the strategy; may be repeated",
    )


def params(options: argparse.Namespace, strategy: type[bt.Strategy]) -> dict[str, Any]:
    """Return the strategy's parameters, each read as its default is: a number, a truth value or a text."""
    defaults = dict(strategy.params._getitems())
    return dict(_param(text, defaults) for text in options.params)


def _param(text: str, defaults: dict[str, Any]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"-p {text}: write it as NAME=VALUE")
    return name, read(value, defaults.get(name), f"-p {name}={value}")


_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read(value: str, default: Any, option: str) -> Any:
    """Return a parameter's value, read as its default is; `option` is what was typed, for messages."""
    if isinstance(default, str):
        return value
    if isinstance(default, bool):
        if value.lower() not in _TRUTHS:
            raise ConfigError(f"{option}: it is a yes or a no")
        return _TRUTHS[value.lower()]
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        found = value
    if isinstance(default, (int, float)) and not isinstance(found, (int, float)):
        raise ConfigError(f"{option}: it is a number, such as {default}")
    return found
