"""`switchback fetch --symbols SPY,IBM --start 2026-10-01`: fill the cache of bars."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    from framework.app.options import add_alpaca, add_range

    add_range(parser)
    add_alpaca(parser)


def main(options: argparse.Namespace) -> None:
    from framework.app.options import alpaca

    for symbol, count in alpaca(options).fetch().items():
        print(f"{symbol}: {count:,} bars in the cache")
