"""What is asked of this machine before a start: Python, Backtrader, time zones, and a place for journals."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import re
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from framework.live.checkup import Answer, Check, no, warning, yes

ZONE = "America/New_York"
MIB, GIB = 1 << 20, 1 << 30
TIGHT, FULL = GIB, 100 * MIB
"""Bytes free on the disk: below the first is a warning, below the second a no."""


def checks(folder: Path) -> tuple[Check, ...]:
    """Return the checks of this machine; `folder` is where the journals go."""
    return (
        Check("python", lambda: yes(f"{platform.python_implementation()} {platform.python_version()}")),
        Check("backtrader", lambda: backtrader(_installed("backtrader"), _required("backtrader"))),
        Check("time zones", time_zones),
        Check("disk", lambda: disk(folder)),
    )


def backtrader(installed: str, required: str) -> Answer:
    """Say whether the Backtrader that is installed is the one that Switchback was made for (empty: unknown)."""
    if not installed:
        return no("it is not installed", f"type: pip install backtrader=={required}")
    if required and installed != required:
        return warning(f"{installed} is installed", f"it is tested with {required}: pip install backtrader=={required}")
    return yes(installed)


def time_zones(name: str = ZONE) -> Answer:
    """Say whether a zone is known, and keeps its summer time."""
    try:
        zone = ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return no(f"{name} is not known here", "type: pip install tzdata")
    winter, summer = (datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7))
    if winter == summer:
        return no(f"{name} has no summer time here", "update the time zones: pip install --upgrade tzdata")
    return yes(f"{name} is known, with its summer time")


def disk(folder: Path) -> Answer:
    """Say whether journals can be written, by writing there, and how much room there is."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"switchback")
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return no(
            f"{folder} cannot be written ({error.strerror or type(error).__name__})",
            "make it yours, or name another folder in SWITCHBACK_SESSIONS",
        )
    return room(folder, free)


def room(folder: Path, free: int) -> Answer:
    """Say whether that many bytes are enough."""
    text = f"{folder} can be written, {_amount(free)} free"
    if free >= TIGHT:
        return yes(text)
    remedy = "make room: a journal that cannot be written ends its session"
    return warning(text, remedy) if free >= FULL else no(text, remedy)


def _amount(size: int) -> str:
    return f"{size / GIB:,.1f} GiB" if size >= GIB else f"{size // MIB} MiB"


def _installed(name: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return ""


def _required(name: str) -> str:
    """Return the one version that Switchback asks for, as its own package says."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires("switchback") or ():
            if match := re.fullmatch(rf"{name}\s*==\s*([\w.]+)", line):
                return match[1]
    return ""
