"""`switchback resume [SESSION]`: take a halt back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework.live.killswitch import Pulled


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", metavar="SESSION", help="its name; without it, the halt of every session")


def main(options: argparse.Namespace) -> None:
    from framework.config import sessions_folder
    from framework.errors import ConfigError
    from framework.live.killswitch import all_pulled, lift

    folder, name = sessions_folder(), options.session or ""
    was = lift(folder, name)
    others = all_pulled(folder)
    if was is None:
        raise ConfigError(f"{name or 'not every session'} is {'not ' if name else ''}halted; {_told(others)}")
    print(f"{name or 'every session'}: resumed; it was {was}")
    if others:
        print(f"  {_told(others)}")


def _told(others: list[Pulled]) -> str:
    if not others:
        return "no session is halted"
    names = ", ".join(each.session or "every session" for each in others)
    return f"still halted: {names}"
