"""`switchback`: the command line. Each command is a module of its own, loaded when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from framework.errors import AuthenticationError, ConfigError, SwitchbackError, Unsupported

COMMANDS = {
    "demo": "backtest a scalper over sample bars, then trade a day of them live; no account",
    "backtest": "run a strategy over bars",
    "sweep": "run a strategy over bars once for each set of parameters",
    "search": "look for good parameters in a space that is too large for a sweep",
    "walk": "choose parameters on the past and try them on what came next, window after window",
    "doctor": "check what a live start needs, yes or no per line",
    "live": "trade a strategy: on a sandbox, on paper, or with real money",
    "halt": "let no session open a position any more; with --flatten, close what they hold",
    "resume": "take a halt back",
    "status": "show what sessions are doing, in this or another terminal",
    "positions": "show what a session holds",
    "orders": "show which orders of a session are open",
    "journal": "show what sessions did",
    "compare": "play a session again as a backtest, and price what differs by its cause",
    "fetch": "fetch bars into the cache",
    "signals": "print what AlphaHub's algorithms publish, as it comes",
    "proxy": "hold the account's one data connection and serve everybody on this machine",
    "sandbox": "serve a venue on loopback that speaks the real dialects, faults included",
}

USERS_OWN = (ConfigError, Unsupported, AuthenticationError)
"""What only the user can put right."""

EXIT_FAILED = 1
"""Something went wrong that may have gone when it is tried again: the line, the venue, the disk."""

EXIT_WRONG_INPUT = 2
"""Only the user can put it right: an option, a file, a key. To try again does not help."""

EXIT_NOT_FLAT = 3
"""It ended, and something is still held or open that was to be closed."""

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, one of those above, or one of the command's own (1 to 9)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = _command(words)
    options = _parser(command).parse_args(words)
    if options.command is None:
        _parser(None).print_help()
        return 0
    try:
        code = int(_module(options.command).main(options) or 0)
        sys.stdout.flush()
        return code
    except SwitchbackError as error:
        print(f"switchback: {error}", file=sys.stderr)
        return EXIT_WRONG_INPUT if isinstance(error, USERS_OWN) else EXIT_FAILED
    except BrokenPipeError:  # whoever reads it has seen enough, such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("switchback: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if type(error).__module__ != "backtrader.errors":
            raise
        print(f"switchback: {error}", file=sys.stderr)  # what a strategy says of how it is used
        return EXIT_WRONG_INPUT


def _command(words: Sequence[str]) -> str | None:
    """Return the command that is meant, so that only its module is loaded."""
    return next((word for word in words if word in COMMANDS), None)


def _parser(command: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="switchback",
        description="Write one Backtrader strategy, backtest it, flip a flag and it trades live.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, what in COMMANDS.items():
        child = commands.add_parser(name, help=what, description=what[:1].upper() + what[1:] + ".")
        if name == command:
            _module(name).add_options(child)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"switchback {version('switchback')}")
        parser.exit()


def _module(command: str) -> Any:
    return importlib.import_module(f"framework.app.{command}")


if __name__ == "__main__":
    sys.exit(main())
