"""The one reading of how long and how often: a number of seconds, or "30s", "15m", "2h". Pure."""

from __future__ import annotations

import math
import re
from numbers import Real

from framework.errors import ConfigError

EOD: str = "EOD"
"""What `run_seconds` may be besides: until the market closes."""

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_TEXT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([smh]?)\s*", re.ASCII | re.IGNORECASE)
_FORMS = 'a number of seconds such as 10 or 0.5, or "30s", "15m", "1.5h"'
_MORE = {"run_seconds": f', or "{EOD}" for until the market closes'}


def seconds_of(given: float | int | str, name: str) -> float:
    """Return a span of time in seconds; raise `ConfigError`, naming the parameter `name`, where it is none."""
    seconds = _read(given)
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        raise ConfigError(f"{name} is {_shown(given)}, which is no span of time; give {_FORMS}{_MORE.get(name, '')}")
    return seconds


def is_eod(given: object) -> bool:
    """Return whether this says "until the market closes"."""
    return isinstance(given, str) and given.strip().upper() == EOD


def _read(given: object) -> float | None:
    if isinstance(given, str):
        found = _TEXT.fullmatch(given)
        return None if found is None else float(found[1]) * _UNITS[found[2].lower()]
    if isinstance(given, Real) and not isinstance(given, bool):
        return _number(given)
    return None


def _number(given: Real) -> float | None:
    try:
        return float(given)
    except OverflowError:  # a whole number that is too large for a float
        return None


def _shown(given: object) -> str:
    """Return what was given in one line, however it prints."""
    if isinstance(given, str) or given is None:
        return repr(given)[:60]
    return f"{given!s:.60}" if isinstance(given, Real) else f"a {type(given).__name__}"
