"""What is kept of a run: its key figures as one line of JSON, the same from every worker and from the store.

Floats are written so that they come back to the last bit. Times are nanoseconds since 1970 with their zone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.result import Result


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one run. `figures` are those of `Result.stats`, empty where there is an `error`."""

    figures: Mapping[str, Any]
    fills: int
    error: str
    seconds: float

    def same(self) -> str:
        """Return all but how long it took, as text: two runs alike have the same."""
        return json.dumps([self.figures, self.fills, self.error])

    def values(self) -> dict[str, Any]:
        """Return the figures as `Result.stats` has them."""
        return {name: _read(each) for name, each in self.figures.items()}


def row_of(result: Result, seconds: float) -> str:
    """Return a run as a line of text."""
    figures = {name: _written(value) for name, value in result.stats.items()}
    return _text(figures, len(result.fills), "", seconds)


def failed(error: BaseException | str, seconds: float = math.nan) -> str:
    """Return a run that failed as a line of text."""
    return _text({}, 0, error if isinstance(error, str) else one_line(error), seconds)


def one_line(error: BaseException) -> str:
    """Return an error as one line: what kind, and the first line of what it says."""
    said = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def row(text: str) -> Row:
    """Read a line of text."""
    figures, fills, error, seconds = json.loads(text)
    return Row(figures, fills, error, seconds)


def _text(figures: Mapping[str, Any], fills: int, error: str, seconds: float) -> str:
    return json.dumps([figures, fills, error, seconds])


def _written(value: Any) -> Any:
    import pandas as pd

    if value is pd.NaT or value is None:
        return None
    if isinstance(value, pd.Timestamp):
        return {"at": int(value.value), "zone": str(value.tz)}
    if isinstance(value, pd.Timedelta):
        return {"span": int(value.value)}
    return int(value) if isinstance(value, int) else float(value)


def _read(value: Any) -> Any:
    import pandas as pd

    if value is None:
        return pd.NaT
    if not isinstance(value, dict):
        return value
    if "span" in value:
        return pd.Timedelta(value["span"], unit="ns").as_unit("us")
    return pd.Timestamp(value["at"], unit="ns", tz="UTC").tz_convert(value["zone"]).as_unit("us")
