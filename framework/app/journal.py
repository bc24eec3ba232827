"""`switchback journal [SESSION]`: the sessions there are, or what one did, also while it still runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from framework.live.journal import Entry
    from framework.live.story import Line, Story

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", metavar="SESSION", help="its name; without it, all sessions are listed")
    parser.add_argument("--orders", action="store_true", help="a line for each order's life, in place of all that was")
    parser.add_argument("--kind", metavar="A,B", help="only records of these kinds, such as intent,update,link")
    parser.add_argument("--tail", type=int, metavar="N", help="the last N lines only")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="the records as they are, one JSON object a line")
    shown.add_argument("--csv", action="store_true", help="a row for each fill, as the trade log has it")


def main(options: argparse.Namespace) -> None:
    from framework.config import sessions_folder
    from framework.live.trade_log import write

    folder = sessions_folder()
    if options.session is None:
        _list(folder)
        return
    with _opened(folder, options.session) as journal:
        if options.csv:
            write(sys.stdout, options.session, journal.entries())
        elif options.json:
            _print(_tail(_records(journal.entries(), _kinds(options)), options.tail))
        else:
            _show(journal.entries(), options)


def _opened(folder: Path, name: str) -> Any:
    from framework.errors import ConfigError, nearest
    from framework.live.journal import JournalReader

    path = folder / f"{name}.sqlite"
    if not path.is_file():
        there = [each.stem for each in _journals(folder)]
        hint = nearest(name, there)
        raise ConfigError(f"there is no session {name} in {folder}{hint}; switchback journal lists them")
    return JournalReader(path)


def _journals(folder: Path) -> list[Path]:
    """Return the journals, the one written last at the end."""
    return sorted(folder.glob("*.sqlite"), key=lambda each: each.stat().st_mtime)


# -- all sessions


def _list(folder: Path) -> None:
    from rich.console import Console

    from framework.live.journal import JournalReader, is_written
    from framework.live.story import Story

    console = Console(highlight=False)
    found = _journals(folder)
    if not found:
        console.print(f"no sessions in {folder} yet; switchback live begins one", soft_wrap=True)
    for path in found:
        with JournalReader(path) as journal:
            story = Story.of(journal.entries())
            last = journal.newest()
        console.print(path.stem, style="bold", soft_wrap=True)
        console.print(f"  {_summary(story, last, is_running=is_written(path))}", soft_wrap=True)


def _summary(story: Story, last: Entry | None, *, is_running: bool) -> str:
    if last is None or not story.runs:
        return "nothing in it"
    runs = f"{story.runs} run{'s' * (story.runs != 1)}"
    state = "running" if is_running else "cut short" if story.is_running else "over"
    opened = f"{len(story.open)} open" if story.open else "none open"
    where = f"{story.start['money']} ...{story.start['account'][-4:]}"
    at = f"{last.at.astimezone(story.zone):%Y-%m-%d %H:%M}"
    return f"{where}, {runs}, {state}, last record {at}, {len(story.lives)} orders, {opened}"


# -- one session


def _show(entries: Iterable[Entry], options: argparse.Namespace) -> None:
    from framework.live.story import Story, dated

    if options.orders:
        _print(dated(_tail(Story.of(entries).told(), options.tail)))
        return
    story = Story()
    _print(dated(_tail(_lines(story, entries, _kinds(options)), options.tail)))
    if story.open:
        _print(["", "Still open", *dated(story.told(only_open=True))])


def _lines(story: Story, entries: Iterable[Entry], is_wanted: Callable[[str], bool]) -> Iterable[Line]:
    for entry in entries:
        lines = story.take(entry.at, entry.kind, entry.key, entry.body)
        if is_wanted(entry.kind):
            yield from lines


def _records(entries: Iterable[Entry], is_wanted: Callable[[str], bool]) -> Iterable[str]:
    from framework.live.codec import encode

    for entry in entries:
        if is_wanted(entry.kind):
            shown = {"seq": entry.seq, "at": entry.at.isoformat(), "kind": entry.kind, "key": entry.key}
            yield json.dumps({**shown, "body": encode(entry.body)}, ensure_ascii=False)


def _kinds(options: argparse.Namespace) -> Callable[[str], bool]:
    from framework.app.options import listed

    wanted = listed(options.kind)
    return lambda kind: not wanted or kind in wanted


def _tail(lines: Iterable[T], count: int | None) -> Iterable[T]:
    return lines if count is None else deque(lines, maxlen=max(count, 0))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
