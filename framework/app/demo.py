"""`switchback demo`: the main job, with no account and no network: a backtest, then the flag."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.result import Result

SYMBOLS = ("ACME", "GLOBEX")
DAYS = ("2026-09-01", "2026-09-30")
FLIPPED = "2026-09-01"
"""The day that is traded live: every instant of it goes through real sockets."""
LOT = 20_000

DIFFERENT = 1
"""The exit code where backtest and live session differ."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FOLDER", default="switchback-demo", help="default: ./switchback-demo")


def main(options: argparse.Namespace) -> int:
    from brokers import AlpacaVenue
    from feeds import SampleBars
    from framework.app import naming, show
    from framework.runner import run

    folder = Path(options.out)
    print(f"A month of made-up minute bars of {' and '.join(SYMBOLS)} on the real exchange calendar,")
    print("and a scalper that buys when the price crosses above its 20-minute average.\n")
    start, end = DAYS
    scalper = naming.strategy(f"{_scalper()}:SmaCrossScalper")
    result = run(scalper, source=SampleBars(SYMBOLS, start, end), venue=AlpacaVenue(), lot=LOT)
    show.result(result)
    folder.mkdir(parents=True, exist_ok=True)
    show.written([result.chart(folder / "chart.html"), result.report(folder / "report.html")])
    is_same = _flip(scalper)
    print("\nThe prices are made up and no spread was paid: it shows the machinery, no profit.")
    print("Your own strategy: switchback backtest my.py:MyStrategy --bars bars.parquet")
    print("             live: switchback live my.py:MyStrategy --sandbox --bars bars.parquet")
    return 0 if is_same else DIFFERENT


def _flip(strategy: Any) -> bool:
    """Backtest a day and trade it live, show both, and return whether they came out alike."""
    from framework.app import show

    print("\nNow the flag. The same strategy trades the first of these days live: a sandbox")
    print("on this machine speaks Alpaca's dialect, and every bar, order and fill goes")
    print("through real sockets.\n")
    backtest, live = _both(strategy)
    found = show.both(backtest, live)
    print(f"\nIts journal: switchback journal {live.session}")
    return not found


def _both(strategy: Any) -> tuple[Result, Result]:
    from brokers import AlpacaVenue
    from feeds import AlpacaBars, SampleBars
    from framework.app.sandbox import Sandbox
    from framework.runner import run

    bars = SampleBars(SYMBOLS, FLIPPED, FLIPPED)
    backtest = run(strategy, source=bars, venue=AlpacaVenue(), warmup=0, lot=LOT)
    with Sandbox(bars) as sandbox:
        source = AlpacaBars(SYMBOLS, **sandbox.access)
        live = run(strategy, source=source, venue=AlpacaVenue(**sandbox.access), live=True, warmup=0, lot=LOT)
    return backtest, live


def _scalper() -> Path:
    """Return the scalper's file, beside this package: a `strategies` folder of the user's own must not hide it."""
    return Path(__file__).parents[2] / "strategies" / "scalper.py"
