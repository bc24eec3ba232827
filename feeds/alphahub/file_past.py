"""Signals that somebody wrote down, as lines of JSON or as a table (CSV). Pure: lines in, values out.

A line of JSON is one publication, as `switchback signals --json` prints it:

    {"received": "2026-10-05T14:30:01+00:00", "algorithm": 16, "open": [...], "close": [...]}

A row of a table is one signal, with the columns received, algorithm, action, symbol and side, and perhaps price,
weight, published or others; rows with one time of receipt and one algorithm came together. Both are read by the parser
that reads what is pushed. A line that cannot be read is an `Unreadable`, a value, and costs itself only.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feeds.alphahub.parsing import Reading, Unreadable, folded, load, read_message, read_time
from feeds.alphahub.phoenix import shown
from framework.errors import ConfigError, nearest
from framework.model import Signal, SignalAction

COLUMNS = ("received", "algorithm", "action", "symbol", "side")
"""What a table must have."""

_ACTIONS = frozenset(each.value for each in SignalAction)
_OWN = frozenset({"received", "algorithm", "action", "published", ""})
"""Columns that are not an item's: a column without a name is a program's numbering of the rows."""
_MORE = "(more)"
"""Of cells that are under no column."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one algorithm published, received at `at` (aware UTC); `body` has `open` and `close`."""

    algorithm: str
    at: datetime
    body: Mapping[str, Any]

    def read(self, how: Reading) -> tuple[list[Signal], list[Unreadable]]:
        """Return its signals, and what of it cannot be read."""
        read = read_message(self.body, self.algorithm, self.at, how)
        lost = [each for each in read if isinstance(each, Unreadable)]
        return [each for each in read if isinstance(each, Signal)], lost


Piece = Message | Unreadable


def of_json(lines: Iterable[str], how: Reading) -> Iterator[Piece]:
    """Yield what each line holds, but those of signals that were late; empty lines are nothing."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            body = load(line)
            if "late" not in body:
                yield _message(body, how)
        except ValueError as wrong:
            yield Unreadable(shown(line), f"line {number}: {wrong}")


def _message(body: Mapping[str, Any], how: Reading) -> Message:
    rest = {name: value for name, value in body.items() if name not in ("received", "algorithm")}
    if not rest.keys() & _ACTIONS:
        raise ValueError("neither open nor close")
    return Message(_algorithm(body.get("algorithm")), _received(body, how), rest)


def _received(body: Mapping[str, Any], how: Reading) -> datetime:
    return read_time("received", body.get("received"), how.zone)


def _algorithm(value: object) -> str:
    """Return an id; a table's may be written as 16.0, by a program that takes a column with gaps for numbers."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        number = 0.0
    if number < 1 or not number.is_integer():
        raise ValueError(f"algorithm {shown(value)} is no id")
    return str(int(number))


def of_table(lines: Iterable[str], how: Reading, where: str) -> Iterator[Piece]:
    """Yield what the rows hold, those that came together as one; `where` is what messages call the file.

    Raise `ConfigError` where a column is missing, or where it is no table at all.
    """
    together: dict[tuple[datetime, str], dict[str, Any]] = {}
    for number, row in _rows(lines, where):
        try:
            algorithm, at = _algorithm(row.get("algorithm")), _received(row, how)
            action, item = _item(row)
        except ValueError as wrong:
            yield Unreadable(shown(list(row.values())), f"line {number}: {wrong}")
        else:
            together.setdefault((at, algorithm), {}).setdefault(action, []).append(item)
    for (at, algorithm), body in together.items():
        yield Message(algorithm, at, body)


def _rows(lines: Iterable[str], where: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(lines, restkey=_MORE)
    try:
        _check_columns([name for each in reader.fieldnames or () for name in folded({each: None})], where)
        for row in reader:
            yield reader.line_num, folded(row)
    except csv.Error as error:
        raise ConfigError(f"{where}, line {reader.line_num}, is no CSV ({error}); mend it, or try JSON") from None


def _check_columns(names: Sequence[str], where: str) -> None:
    for name in filter(None, names):
        if names.count(name) > 1:
            raise ConfigError(f"{where} has {names.count(name)} columns {name!r}; keep one of them")
    for name in COLUMNS:
        if name not in names:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise ConfigError(
                f"{where} has no column {name!r}; {has}{nearest(name, names)}; it needs {', '.join(COLUMNS)}"
            )


def _item(row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return whether a row opens or closes, and the item as it would have been published."""
    if _MORE in row:
        raise ValueError("more cells than columns")
    action = str(row["action"] or "").strip().lower()
    if action not in _ACTIONS:
        raise ValueError(f"action {shown(row['action'])} is neither open nor close")
    item = {name: value for name, value in row.items() if name not in _OWN}
    written = row.get("published")
    return action, item if not written else {**item, "timestamp": written}
