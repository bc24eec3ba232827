"""The trade log of a trading function: blockpaca's own CSV, byte for byte, so that what reads it goes on reading it."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from framework.app.functions.board import TradeUpdate
from framework.errors import ConfigError

log = logging.getLogger("switchback.live")

COLUMNS = (
    "type", "client_order_id", "ticker", "executed_price", "executed_qty", "status", "side", "action", "timestamp",
    "raw_status",
)  # fmt: skip
KIND = "execution"
"""What the column `type` says in every row."""


class TradeCsv:
    """Adds rows to `<folder>/<name>.csv`, for as long as the block lasts; `is_new` empties it first. One thread.

    Only its owner may read a file that is made here. A row is in the file when `write` returns. Where the disk
    fails meanwhile it is said once, and rows wait until they can be written; the session's journal has them all.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str, *, is_new: bool = False) -> None:
        self.path = _absolute(folder) / f"{check_name(name)}.csv"
        self._is_new = is_new
        self._waiting: list[bytes] = []
        self._has_failed = False

    def __enter__(self) -> Self:
        """Make folder, file and header where there are none; raise `ConfigError` where it cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _check_ours(self.path)
            if self._is_new:
                os.truncate(self.path, 0)
            _append(self.path, b"")
        except OSError as error:
            raise ConfigError(
                f"the trade log {self.path} cannot be written ({error.strerror}); "
                "give another trade_log_path or trade_log_name"
            ) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._waiting:
            self._write()
        if self._waiting:
            log.warning("%d rows are missing in the trade log %s; the journal has them", len(self._waiting), self.path)

    def write(self, update: TradeUpdate) -> None:
        """Add a row."""
        self._waiting.append(_line(_row(update)))
        self._write()

    def _write(self) -> None:
        try:
            _append(self.path, b"".join(self._waiting))
        except OSError as error:  # a full disk ends no session that has money in it
            if not self._has_failed:
                log.warning("the trade log %s is not complete: %s; the session goes on", self.path, error.strerror)
            self._has_failed = True
        else:
            self._waiting.clear()
            self._has_failed = False


def check_name(name: str) -> str:
    """Return a trade log's name; raise `ConfigError` where it is not the bare name of a file."""
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f'trade_log_name is {name!r}; give the file a name without ".csv", such as "my_strategy"')
    if not name.isprintable() or any(each in name for each in "/\\"):
        raise ConfigError(f"trade_log_name {name!r} is a path; give its folder as trade_log_path, and the bare name")
    return name


def _absolute(folder: str | os.PathLike[str]) -> Path:
    """Return a folder that stays the same wherever the trading function goes."""
    try:
        return Path(folder).expanduser().absolute()
    except (TypeError, RuntimeError):
        raise ConfigError(f"trade_log_path {folder!r} is no folder; give one, such as 'logs'") from None


def _row(update: TradeUpdate) -> Sequence[object]:
    return (
        KIND, update.client_order_id, update.ticker, float(update.executed_price), float(update.executed_qty),
        update.status, update.side, update.action, float(update.timestamp), update.raw_status,
    )  # fmt: skip


def _line(cells: Sequence[object]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode(errors="backslashreplace")


HEADER = _line(COLUMNS)


def _check_ours(path: Path) -> None:
    """Raise `ConfigError` where the file is something else, to which rows must not be added."""
    with _private(path) as file:
        file.seek(0)
        first = file.readline(1000)
    if first.removeprefix(codecs.BOM_UTF8).strip() != HEADER.strip() and not HEADER.startswith(first):
        raise ConfigError(
            f"{path} is there already and is no trade log: it begins with {first[:40].decode(errors='replace')!r}; "
            "give another trade_log_name"
        )


def _append(path: Path, rows: bytes) -> None:
    """Add rows after what a crash may have left of a line; leave the file as it was where not all can be written."""
    with _private(path) as file:
        size = file.seek(0, os.SEEK_END)
        left = _lead(file, size) + rows
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


def _lead(file: io.FileIO, size: int) -> bytes:
    """Return what has to come first: the header, or its rest, or the end of a line that was torn off."""
    file.seek(0)
    if HEADER.startswith(start := file.read(len(HEADER) + 1)):
        return HEADER[len(start) :]
    file.seek(size - 1)
    return {b"\n": b"", b"\r": b"\n"}.get(file.read(1), b"\r\n")


def _private(path: Path) -> io.FileIO:
    """Open a file at its end, unbuffered, whoever else adds to it; one that is made here nobody else can read."""
    return open(path, "a+b", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))
