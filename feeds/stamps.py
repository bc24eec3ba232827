"""Time stamps as users have them: instants with a zone, wall-clock times without one, or days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framework.calendar import Calendar
from framework.columns import Instants
from framework.errors import ConfigError
from framework.when import zone_named

_ZONED = r"[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$"
"""What a text with a zone looks like: an offset, or Z for UTC, after a time of day."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """Times as they came (`datetime64[us]`): in UTC where they are `aware`, else as a clock or a date showed them."""

    times: Instants
    aware: bool


def read(stamps: Any, where: str) -> Stamps:
    """Read a pandas Series of times, dates or ISO 8601 texts; raise `ConfigError` for what is none of these."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(stamps) and len(stamps):
        hint = 'make them times with pandas.to_datetime(..., unit="s", utc=True)'
        raise ConfigError(
            f"{where}: times are numbers ({stamps.iloc[0]}), which may be seconds or milliseconds; {hint}"
        )
    if stamps.dtype.kind != "M":
        return _parsed(stamps, where)
    aware = stamps.dt.tz is not None
    if aware:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    _refuse_first(stamps.isna().to_numpy(), stamps, where, "is no time; drop the row or mend it")
    return Stamps(_microseconds(stamps), aware)


def _parsed(stamps: Any, where: str) -> Stamps:
    import pandas as pd

    texts = stamps.map(str).str.strip().str.replace(r"\s*UTC$", "Z", regex=True)
    parsed = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    advice = "is not an ISO 8601 time such as 2026-01-05T14:30Z; convert the column with pandas.to_datetime"
    _refuse_first(parsed.isna().to_numpy(), stamps, where, advice)
    zoned = texts.str.contains(_ZONED, regex=True).to_numpy(dtype=bool)
    if zoned.any():
        _refuse_first(~zoned, stamps, where, "has no zone, but others have one; write them all alike")
    return Stamps(_microseconds(parsed.dt.tz_localize(None)), bool(zoned.any()))


def _microseconds(times: Any) -> Instants:
    return np.asarray(times.to_numpy().astype("datetime64[us]"))


def _refuse_first(wrong: NDArray[np.bool_], stamps: Any, where: str, advice: str) -> None:
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ConfigError(f"{where}: time {str(stamps.iloc[at])!r} in row {at + 1} of {len(stamps)} {advice}")


def as_utc(stamps: Stamps, tz: str | None, calendar: Calendar, where: str) -> Instants:
    """Return stamps as UTC; those without a zone are taken as `tz` (aware ones need none, and keep their own).

    Raise `ConfigError` where `tz` is needed, or a clock in it showed that time twice or never.
    """
    if stamps.aware or not len(stamps.times):
        return stamps.times
    if tz is None:
        first = str(stamps.times[0].astype("datetime64[s]")).replace("T", " ")
        hint = " or ".join(dict.fromkeys([f'tz="{calendar.zone.key}"', 'tz="UTC"']))
        raise ConfigError(f"{where}: time {first} has no zone; try {hint}")
    return _localised(stamps.times, zone_named(tz).key, where)


def _localised(walls: Instants, tz: str, where: str) -> Instants:
    import pandas as pd

    index = pd.DatetimeIndex(walls).tz_localize(tz, ambiguous="NaT", nonexistent="NaT")
    wrong = index.isna()
    if wrong.any():
        at = walls[int(np.argmax(wrong))].astype("datetime64[s]")
        raise ConfigError(f"{where}: time {at} comes twice or never in {tz}, as clocks change; write the times in UTC")
    return np.asarray(index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]"))
