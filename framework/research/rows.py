"""What is kept of a run: key figures and daily returns as one line of JSON, the same from every worker and the store.

Floats are written so that they come back to the last bit. Times are nanoseconds since 1970 with their zone. Daily
returns are bytes: a year of them is four kilobytes.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from framework.result import Result

FORMAT = 2
"""Which way a row is written. It is in a row's key: what was kept in another way is computed anew, not misread."""

_DAILY = np.dtype([("day", "<i4"), ("value", "<f8")])
"""A day since 1970 and its return."""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one run. `figures` are those of `Result.stats`, empty where there is an `error`; so is `daily`."""

    figures: Mapping[str, Any]
    daily: str
    fills: int
    error: str
    seconds: float

    def same(self) -> str:
        """Return all but how long it took, as text: two runs alike have the same."""
        return json.dumps([self.figures, self.daily, self.fills, self.error])

    def values(self) -> dict[str, Any]:
        """Return the figures as `Result.stats` has them."""
        return {name: _read(each) for name, each in self.figures.items()}

    def returns(self) -> pd.Series:
        """Return the run's daily returns as `Result.returns` has them; none where there is an `error`."""
        import pandas as pd

        read = np.frombuffer(base64.b64decode(self.daily), dtype=_DAILY)
        days = pd.DatetimeIndex(read["day"].astype("datetime64[D]"), name="day")
        return pd.Series(read["value"].astype(float), index=days, name="return")


def row_of(result: Result, seconds: float) -> str:
    """Return a run as a line of text."""
    figures = {name: _written(value) for name, value in result.stats.items()}
    return _text(figures, _packed(result.returns), len(result.fills), "", seconds)


def failed(error: BaseException | str, seconds: float = math.nan) -> str:
    """Return a run that failed as a line of text."""
    return _text({}, "", 0, error if isinstance(error, str) else one_line(error), seconds)


def one_line(error: BaseException) -> str:
    """Return an error as one line: what kind, and the first line of what it says."""
    said = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def row(text: str) -> Row:
    """Read a line of text."""
    figures, daily, fills, error, seconds = json.loads(text)
    return Row(figures, daily, fills, error, seconds)


def _text(figures: Mapping[str, Any], daily: str, fills: int, error: str, seconds: float) -> str:
    return json.dumps([figures, daily, fills, error, seconds])


def _packed(returns: pd.Series) -> str:
    packed = np.empty(len(returns), dtype=_DAILY)
    packed["day"] = returns.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    packed["value"] = returns.to_numpy(dtype=float)
    return base64.b64encode(packed.tobytes()).decode("ascii")


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
