"""What a session tells, in a file: text or JSON lines, rotated, for its owner's eyes only."""

from __future__ import annotations

import io
import json
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Literal

from framework.errors import ConfigError
from framework.live.story import Line

LARGEST = 10 * 1024 * 1024
"""Bytes of one file; the fifth before it is let go when it is full."""

KEPT = 5


def log_file(path: str | Path, form: Literal["text", "json"] = "text") -> logging.Handler:
    """Return a handler that writes to a file; raise `ConfigError` where it cannot be written."""
    try:
        handler = _Private(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the log {path} cannot be written ({error.strerror}); give another file") from None
    handler.setFormatter(_Json() if form == "json" else _Text())
    return handler


class _Private(RotatingFileHandler):
    """Files that only their owner may read: orders and amounts are in them."""

    def _open(self) -> io.TextIOWrapper:
        with suppress(FileExistsError):
            os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return super()._open()


class _Text(logging.Formatter):
    """`2026-10-05 10:17:00-04:00  SPY      #1-7 accepted`: a session's lines in the exchange's time."""

    def format(self, record: logging.LogRecord) -> str:
        at, level, subject, text = _told(record)
        mark = "" if level == "info" else f"{level}: "
        return f"{at.isoformat(sep=' ', timespec='seconds')}  {subject:<8} {mark}{text}".rstrip()


class _Json(logging.Formatter):
    """One object a line: at (UTC), level, subject, text; kind and key of the journal's record where it is one."""

    def format(self, record: logging.LogRecord) -> str:
        at, level, subject, text = _told(record)
        body: dict[str, Any] = {"at": at.astimezone(UTC).isoformat(), "level": level, "subject": subject, "text": text}
        body |= {name: getattr(record, name) for name in ("kind", "key") if hasattr(record, name)}
        return json.dumps(body, ensure_ascii=False)


def _told(record: logging.LogRecord) -> tuple[datetime, str, str, str]:
    line: Line | None = getattr(record, "line", None)
    if line is not None:
        return line.at, "warning" if line.is_warning else "info", line.subject, line.text
    at = datetime.fromtimestamp(record.created, UTC)
    return at, record.levelname.lower(), record.name.rpartition(".")[2], record.getMessage()
