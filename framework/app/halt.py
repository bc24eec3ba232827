"""`switchback halt [SESSION]`: no order that opens a position leaves any more, until `switchback resume`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.live.killswitch import Pulled


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", metavar="SESSION", help="its name; without it, every session is halted")
    parser.add_argument("--flatten", action="store_true", help="also cancel every order and close every position")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for whoever looks later")
    account = parser.add_argument_group("the whole account, by itself, where no session can be reached any more")
    account.add_argument(
        "--account", action="store_true",
        help="cancel every open order of the account, with --flatten close every position in it, whoever made them",
    )  # fmt: skip
    where = account.add_mutually_exclusive_group()
    where.add_argument("--paper", action="store_true", help="Alpaca's paper account: the default")
    where.add_argument("--real", action="store_true", help="real money; asks for the account's number")
    where.add_argument("--sandbox", metavar="URL", help="a sandbox that runs")
    account.add_argument("--yes-real-money", metavar="ACCOUNT", help="the account's number, where nobody can be asked")


def main(options: argparse.Namespace) -> int:
    from framework.config import sessions_folder
    from framework.live.killswitch import pull

    pulled = _pulled(options)
    path = pull(sessions_folder(), pulled)
    print(f"{pulled.session or 'every session'}: {pulled}")
    print(f"  {path}")
    print(_what_follows(pulled))
    return _account(options) if options.account else 0


def _pulled(options: argparse.Namespace) -> Pulled:
    from datetime import UTC, datetime

    from framework.live.killswitch import Pulled

    if options.session:
        _check_known(options.session)
    return Pulled(datetime.now(UTC).replace(microsecond=0), options.flatten, options.reason, options.session or "")


def _check_known(name: str) -> None:
    """Raise `ConfigError` where there is no such session: a halt of nobody would look like one of somebody."""
    from framework.config import sessions_folder
    from framework.errors import ConfigError, nearest

    folder = sessions_folder()
    there = [each.stem for each in folder.glob("*.sqlite")]
    if name not in there:
        raise ConfigError(
            f"there is no session {name} in {folder}{nearest(name, there)}; nothing was halted: "
            "switchback journal lists them, switchback halt without a name halts all"
        )


def _what_follows(pulled: Pulled) -> str:
    name = f" {pulled.session}" if pulled.session else ""
    told = "every order is cancelled and every position of its own closed" if pulled.flatten else (
        "orders that open a position are cancelled and refused; exits and cancels pass"
    )  # fmt: skip
    return (
        f"  in each running session within a second, and in each that starts: {told}\n  until: switchback resume{name}"
    )


# -- the whole account


def _account(options: argparse.Namespace) -> int:
    """Cancel, and close, what the account has; return 0 where that is done, 3 where something is left."""
    from brokers import AlpacaVenue
    from framework.app.live import check_real
    from framework.app.main import EXIT_NOT_FLAT

    check_real(options)
    venue = AlpacaVenue(paper=not options.real, base_url=options.sandbox)
    left = venue.clear_account(number=options.yes_real_money, flatten=options.flatten)
    for line in left.done:
        print(f"  {line}")
    for line in left.undone:
        print(f"  LEFT: {line}")
    return EXIT_NOT_FLAT if left.undone else 0
