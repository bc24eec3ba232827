"""`switchback positions [SESSION]`: what a session holds."""

from __future__ import annotations

import argparse
import json


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", metavar="SESSION", help="its name; without it, the one that runs")
    parser.add_argument("--json", action="store_true", help="one JSON object a position and line")


def main(options: argparse.Namespace) -> None:
    from rich.console import Console

    from framework.app import sessions
    from framework.live.screen import screen
    from framework.live.status import plain

    found = sessions.seen(sessions.chosen(options.session))
    if options.json:
        for each in found.status.held:
            print(json.dumps(plain(each), ensure_ascii=False))
        return
    console = Console(highlight=False)
    console.print(screen(found.status, console.width, age=found.age, only=("Positions",)))
