"""`switchback demo`: the main job, with no account and no network."""

from __future__ import annotations

import argparse
from pathlib import Path

SYMBOLS = ("ACME", "GLOBEX")
DAYS = ("2026-09-01", "2026-09-30")
LOT = 20_000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FOLDER", default="switchback-demo", help="default: ./switchback-demo")


def main(options: argparse.Namespace) -> None:
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
    print("\nThe prices are made up and no spread was paid: it shows the machinery, no profit.")
    print("Your own strategy: switchback backtest my.py:MyStrategy --bars bars.parquet")


def _scalper() -> Path:
    """Return the scalper's file, beside this package: a `strategies` folder of the user's own must not hide it."""
    return Path(__file__).parents[2] / "strategies" / "scalper.py"
