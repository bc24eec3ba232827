"""Whether a session can begin, or go on, under its name. Only looks: a session that runs is left alone."""

from __future__ import annotations

import os
from pathlib import Path

from framework.live.checkup import Answer, no, yes
from framework.live.identity import ClientOrderId
from framework.live.journal import JournalReader, is_written
from framework.live.past import Past


def journal(folder: Path, name: str | None, account: str) -> Answer:
    """Say what a session of that name finds in its journal; `account` is the number of the account, if it is known.

    Raise `ConfigError` for a name that is none, and a journal that is damaged or something else.
    """
    if name is None:
        return yes("a new one; with --session NAME a session can go on after a stop or a crash")
    ClientOrderId(name, 1, 1)
    path = folder / f"{name}.sqlite"
    if not path.exists():
        return yes(f"{name} is new")
    if is_written(path):
        return no(f"{path} is being written by another session", "end it, or name this one otherwise")
    if not os.access(path, os.W_OK):
        return no(f"{path} cannot be written", "make it yours, or name this session otherwise")
    with JournalReader(path) as reader:
        reader.check_pages()
        past = Past.of(reader.entries())
    return continued(name, past, account)


def continued(name: str, past: Past, account: str) -> Answer:
    """Say what a session goes on with, and whether the account is the one that it had."""
    if not past.run:
        return yes(f"{name} is new")
    before = str(past.start.get("account", ""))
    if account and before != account:
        return no(
            f"{name} was another account's (it ends in {before[-4:]}, this one in {account[-4:]})",
            "use that account's keys, or give the session another name",
        )
    left = sum(len(each.group.orders) for each in past.resumed())
    whose = "" if account else "; whether it is this account's is not known"
    return yes(f"{name} goes on with run {past.run + 1}, {left} order{'' if left == 1 else 's'} open{whose}")
