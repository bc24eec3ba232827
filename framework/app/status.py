"""`switchback status [SESSION]`: what sessions are doing, also from another terminal."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from framework.app.sessions import Seen


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "session", nargs="?", metavar="SESSION", help="its name; without it, the one that runs, or a list of all"
    )
    parser.add_argument("--all", action="store_true", help="a line for each session, the latest at the end")
    parser.add_argument("--json", action="store_true", help="one JSON object a session and line")
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")


def main(options: argparse.Namespace) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if options.watch:
        watched(console, lambda: _shown(options, console, console.height))
    elif options.json:
        for each in _found(options):
            print(json.dumps(each.body, ensure_ascii=False))
    else:
        console.print(_shown(options, console))


def watched(console: Console, shown: Callable[[], RenderableType], pause: Callable[[float], None] = time.sleep) -> None:
    """Show something again every second until Ctrl-C; where there is no terminal, one below the other."""
    from rich.live import Live

    with suppress(KeyboardInterrupt):
        if not console.is_terminal:
            while True:
                console.print(shown())
                pause(1.0)
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                live.update(shown(), refresh=True)
                pause(1.0)


def _found(options: argparse.Namespace) -> Sequence[Seen]:
    from framework.app import sessions

    if options.session is not None:
        return [sessions.seen(sessions.known(options.session))]
    there = sessions.running()
    return [sessions.seen(each) for each in (there if len(there) == 1 and not options.all else sessions.names())]


def _shown(options: argparse.Namespace, console: Console, height: int | None = None) -> RenderableType:
    from framework.config import sessions_folder
    from framework.live.screen import screen

    found = _found(options)
    if not found:
        return f"no sessions in {sessions_folder()} yet; switchback live begins one"
    if len(found) == 1 and not options.all:
        (one,) = found
        return screen(one.status, console.width, height, one.age if one.is_running else 0.0)
    return _listed(found, console.width)


def _listed(found: Sequence[Seen], width: int) -> RenderableType:
    """Return a line for each session."""
    from framework.live.columns import Column, table

    all_of = [each.status for each in found]
    return table(
        [
            Column("session", [each.session for each in all_of], is_text=True),
            Column("state", [_state(each) for each in found], is_text=True),
            Column("account", [f"{each.money} ...{each.account}" for each in all_of], 2),
            Column("run", [str(each.run) for each in all_of], 4, True),
            Column("at", [f"{each.at.astimezone(ZoneInfo(each.zone)):%Y-%m-%d %H:%M}" for each in all_of], 3),
            Column("held", [str(len(each.held)) for each in all_of], 0, True),
            Column("open", [str(len(each.orders)) for each in all_of], 0, True),
            Column("value", ["" if each.value is None else f"{each.value:,.2f}" for each in all_of], 1, True),
        ],
        width,
    )


def _state(seen: Seen) -> str:
    from framework.live.screen import OLD, span

    if seen.is_running and seen.age >= OLD:
        return f"{seen.status.state}, no news for {span(seen.age)}"
    return seen.status.state
