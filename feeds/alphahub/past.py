"""What was received in earlier days, read from a file: a journal, lines of JSON or a table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path

from feeds.alphahub.batches import batch_of, once
from feeds.alphahub.file_past import Piece, of_json, of_table
from feeds.alphahub.intake import PAST, Batch
from feeds.alphahub.parsing import Reading, Unreadable
from framework.errors import ConfigError
from framework.model import Signals

log = logging.getLogger("switchback.signals")

_JOURNAL, _JSON, _TABLE = (".sqlite",), (".jsonl", ".ndjson", ".json"), (".csv",)
_SQLITE = b"SQLite format 3\0"
_ADVICE = "try a journal (.sqlite), JSON lines (.jsonl) or a table (.csv)"


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds: which algorithms, whether or not they published anything, and what they published."""

    algorithms: frozenset[str]
    batches: tuple[Batch, ...]


def check_past(path: str | Path) -> Path:
    """Return the path of a file that may hold signals; raise `ConfigError` where it cannot."""
    found = Path(path).expanduser()
    if not found.is_file():
        raise ConfigError(f"past {str(path)!r} is no file; {_ADVICE}, or leave past out to ask AlphaHub's history")
    if _is_journal(found):
        return found
    if found.suffix.lower() in _JOURNAL:
        raise ConfigError(f"past {str(path)!r} is no journal, or one that is broken; {_ADVICE}")
    if found.suffix.lower() not in (*_JSON, *_TABLE):
        raise ConfigError(f"past {str(path)!r} is of no kind that is known; {_ADVICE}")
    return found


def read_past(path: Path, algorithms: Sequence[str], how: Reading) -> tuple[Signals, ...]:
    """Return what a file has of these algorithms, in the order of receipt, each once.

    What cannot be read is logged and left out. Raise `ConfigError` where nothing can be, or where none of these
    algorithms is in it.
    """
    found = _journalled(path, algorithms, how) if _is_journal(path) else _written(path, how)
    _check_found(path.name, found.algorithms, algorithms)
    return once(each for each in found.batches if each.algorithm in algorithms)


def tell_lost(where: str, lost: Sequence[Unreadable], what: str = "cannot be read") -> None:
    """Log what is left out, as one line with an example."""
    if lost:
        first = f"{lost[0].why}: {lost[0].text}"
        log.warning("%s: %d of its lines or items %s, and are left out; the first: %s", where, len(lost), what, first)


def tell_none(where: str, told: Sequence[Signals], found: Sequence[Signals]) -> None:
    """Log that a file has signals, but none was `found` in the time that was asked for: a run of other days."""
    if told and not found:
        first, last = (f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M}" for each in (told[0], told[-1]))
        log.warning(
            "%s: none of its signals is from the time of this run; they are from %s to %s UTC", where, first, last
        )


def _is_journal(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _journalled(path: Path, algorithms: Iterable[str], how: Reading) -> Found:
    """Return what a session, or `switchback signals --journal`, was to hand on: neither the late nor the past."""
    from framework.live.journal import JournalReader
    from framework.live.records import CHECKED, SIGNALS

    with JournalReader(path) as journal:
        batches = tuple(Batch.read(each.key, each.body) for each in journal.entries(SIGNALS))
        followed = {each for each in algorithms if journal.last(CHECKED, each) is not None}
    if not batches and not followed:
        raise ConfigError(f"{path.name} is a journal without signals; give one of a session that listened to some")
    new = (each for each in batches if each.came != PAST and not each.why_late)
    return Found(frozenset(followed | {each.algorithm for each in batches}), tuple(_renamed(each, how) for each in new))


def _renamed(batch: Batch, how: Reading) -> Batch:
    """Return a batch with the names that its symbols have today."""
    signals = (replace(each, symbol=how.names.get(each.symbol, each.symbol)) for each in batch.signals)
    return replace(batch, signals=tuple(signals))


def _written(path: Path, how: Reading) -> Found:
    """Return what a text holds, and say what of it cannot be read."""
    lost: list[Unreadable] = []
    batches, algorithms = [], set()
    for piece in _pieces(path, how):
        if isinstance(piece, Unreadable):
            lost.append(piece)
            continue
        algorithms.add(piece.algorithm)
        signals, unread = piece.read(how)
        lost += unread
        batches += [batch_of(signals)] if signals else []
    if not algorithms or (lost and not batches):
        why = f"{lost[0].why}: {lost[0].text}" if lost else "it is empty, or all in it were late"
        raise ConfigError(f"{path.name} holds no signals that can be read ({why}); {_ADVICE}")
    tell_lost(path.name, lost)
    return Found(frozenset(algorithms), tuple(batches))


def _pieces(path: Path, how: Reading) -> Iterator[Piece]:
    # What is no UTF-8 costs its line only; the mark that some programs begin a file with is none of ours.
    with path.open(encoding="utf-8-sig", errors="backslashreplace", newline="") as lines:
        is_table = path.suffix.lower() in _TABLE
        yield from of_table(lines, how, path.name) if is_table else of_json(lines, how)


def _check_found(where: str, found: frozenset[str], algorithms: Sequence[str]) -> None:
    missing = [each for each in algorithms if each not in found]
    has = ", ".join(sorted(found, key=int)) or "none"
    if len(missing) == len(algorithms):
        raise ConfigError(f"{where} has no signals of algorithm {' or '.join(missing)}; it has those of {has}")
    for each in missing:
        log.warning("%s has no signals of algorithm %s; it has those of %s", where, each, has)
