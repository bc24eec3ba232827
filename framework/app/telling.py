"""What `switchback live` tells while it runs: a display or lines, a log file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.live.status import Status


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of what is told."""
    told = parser.add_argument_group("what is told")
    how_much = told.add_mutually_exclusive_group()
    how_much.add_argument("-q", "--quiet", action="store_true", help="no lines while it runs")
    how_much.add_argument("-v", "--verbose", action="store_true", help="also what is sent and received")
    told.add_argument(
        "--display", action=argparse.BooleanOptionalAction,
        help="positions, orders, fills and messages as a picture; default: in a terminal, but for lock-step",
    )  # fmt: skip
    told.add_argument("--log", metavar="FILE", help="what is told goes into this file too, of 10 MiB, and five more")
    told.add_argument("--log-format", choices=("text", "json"), default="text", help="default: text")
    trades = told.add_mutually_exclusive_group()
    trades.add_argument(
        "--trade-log", metavar="FILE", default=True, help="a CSV with a row for each fill; default: beside the journal"
    )
    trades.add_argument("--no-trade-log", dest="trade_log", action="store_false", help="no CSV")


@contextmanager
def told(options: argparse.Namespace, *, is_lockstep: bool) -> Iterator[Callable[[Status], None] | None]:
    """Tell what a session does for as long as the block lasts; give what takes its status, where it is displayed."""
    from framework.app.lines import heard, lines

    with ExitStack() as stack:
        files = []
        if options.log:
            from framework.app.log_file import log_file

            files.append(log_file(options.log, options.log_format))
        if is_displayed(options, is_lockstep=is_lockstep):
            from framework.app.display import displayed

            display = stack.enter_context(displayed(sys.stderr))
            stack.enter_context(heard(display, *files, is_verbose=options.verbose))
            yield display.show
        else:
            here = lines(is_quiet=options.quiet, is_verbose=options.verbose)
            stack.enter_context(heard(here, *files, is_verbose=options.verbose))
            yield None


def is_displayed(options: argparse.Namespace, *, is_lockstep: bool) -> bool:
    """Return whether there is a display: as asked for, else in a terminal, where it takes longer than seconds."""
    if options.display is not None:
        return bool(options.display)
    return sys.stderr.isatty() and not (is_lockstep or options.quiet or options.verbose)
