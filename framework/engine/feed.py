"""A user's own `PandasData` and `GenericCSVData`, preloaded by columns: the same lines, hundreds of times sooner.

`columnar(datas)` gives the instances a `preload` of their own for the time of a run. Where a column, a
date or a parameter is out of the ordinary, Backtrader's own loading runs, with its own errors.
"""

from __future__ import annotations

import array
import datetime
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import Floats, Instants
from framework.engine.dates import date2num

Loaded = dict[str, Floats] | None
"""A column for each line that the source has, by the line's name; None where it must be read row by row."""

_FIRST, _LAST = np.datetime64("1436-01-01", "us"), np.datetime64("2870-01-01", "us")
_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "f": 6}


@contextmanager
def columnar(datas: list[Any]) -> Iterator[None]:
    """Preload these feeds by columns while the context lasts."""
    given = [data for data in datas if type(data) in _LOADERS and "preload" not in vars(data)]
    for data in given:
        data.preload = functools.partial(_preload, data)
    try:
        yield
    finally:
        for data in given:
            del data.preload


def _preload(data: Any) -> None:
    plain = not (data._filters or data._ffilters or data._tzinput) and data.p.fromdate is None and data.p.todate is None
    loaded = _LOADERS[type(data)](data) if plain else None
    if loaded is None:
        type(data).preload(data)
        return
    count = len(loaded["datetime"])
    for name in data.getlinealiases():
        line = getattr(data.lines, name)
        column = loaded.get(name)
        line.array = array.array("d", (np.full(count, np.nan) if column is None else column).tobytes())
        line.array.extend([float("nan")] * line.extension)
    data._last()
    data.home()


def from_pandas(data: Any) -> Loaded:
    """Return a data frame's columns, found as the feed finds them."""
    frame = data.p.dataname
    columns: dict[str, Floats] = {}
    for name in data.getlinealiases():
        place = data._colmapping[name]
        if name == "datetime" or place is None:
            continue
        values = frame.iloc[:, place]
        if not isinstance(values.dtype, np.dtype) or values.dtype.kind not in "fiu":
            return None
        columns[name] = values.to_numpy(dtype=np.float64)
    place = data._colmapping["datetime"]
    times = _instants(frame.index if place is None else frame.iloc[:, place])
    if times is None:
        return None
    data._idx = len(frame)
    return columns | {"datetime": date2num(times)}


def _instants(stamps: Any) -> Instants | None:
    """Return time stamps as UTC instants, or None where a microsecond cannot hold them or a year is odd."""
    import pandas as pd

    index = pd.Index(stamps)
    if not isinstance(index, pd.DatetimeIndex) or index.hasnans:
        return None
    if index.tz is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    exact = index.to_numpy()
    times: Instants = exact.astype("datetime64[us]")
    return times if (times == exact).all() and _is_usual(times) else None


def _is_usual(times: Instants) -> bool:
    return bool(len(times)) and bool((times >= _FIRST).all() and (times < _LAST).all())


def from_csv(data: Any) -> Loaded:
    """Return a file's columns. What has been read is given back where it must be read row by row."""
    if (data.p.timeframe >= bt.TimeFrame.Days and data._tz is not None) or not data._dtstr:
        return None
    try:
        start = data.f.tell()
        text = data.f.read()
    except (AttributeError, OSError):
        return None
    try:
        columns = _parsed(data, text)
    except (ValueError, IndexError, UnicodeEncodeError):
        columns = None
    if columns is None:
        data.f.seek(start)
        return None
    data.f.close()
    data.f = None
    return columns


def _parsed(data: Any, text: str) -> Loaded:
    params = data.p
    rows = [line.split(data.separator) for line in text.removesuffix("\n").split("\n")]
    layout, stamps = params.dtformat, [row[params.datetime] for row in rows]
    if params.time >= 0:
        layout += "T" + params.tmformat
        stamps = [f"{stamp}T{row[params.time]}" for stamp, row in zip(stamps, rows, strict=True)]
    times = parsed_times(stamps, layout)
    if times is None or not _is_usual(times):
        return None
    columns = {"datetime": _at_session_end(data, times)}
    for name in data.getlinealiases():
        place = getattr(params, name)
        if name == "datetime":
            continue
        if place is None or place < 0:
            columns[name] = np.full(len(rows), float(params.nullvalue))
        else:
            columns[name] = np.array([float(row[place] or params.nullvalue) for row in rows])
    return columns


def _at_session_end(data: Any, times: Instants) -> Floats:
    """Return date numbers; daily bars are moved to their session's end, as the feed does."""
    numbers = date2num(times)
    if data.p.timeframe < bt.TimeFrame.Days:
        return numbers
    end: datetime.time = data.p.sessionend
    span = datetime.timedelta(
        hours=end.hour, minutes=end.minute, seconds=end.second, microseconds=end.microsecond
    )  # fmt: skip
    closes: Any = times.astype("datetime64[D]").astype("datetime64[us]") + np.timedelta64(span)
    ends = date2num(closes)
    return np.maximum(numbers, ends)


def parsed_times(stamps: list[str], layout: str) -> Instants | None:
    """Return the times that strings of one `strptime` layout spell, or None where a width differs."""
    fields, width = _places(layout)
    if not fields or any(len(stamp) != width for stamp in stamps):
        return None
    signs = np.frombuffer("".join(stamps).encode("ascii"), dtype=np.uint8).reshape(len(stamps), width)
    known = np.zeros(width, dtype=bool)
    found: dict[str, Any] = {"Y": 1900, "m": 1, "d": 1, "H": 0, "M": 0, "S": 0, "f": 0}
    for name, start in fields:
        digits = signs[:, start : start + _WIDTHS[name]].astype(np.int64) - ord("0")
        if ((digits < 0) | (digits > 9)).any():
            return None
        known[start : start + _WIDTHS[name]] = True
        found[name] = digits @ 10 ** np.arange(_WIDTHS[name] - 1, -1, -1)
    spelt = np.frombuffer(_literal(layout), dtype=np.uint8)
    if (signs[:, ~known] != spelt[~known]).any():
        return None
    return _assembled(found)


def _assembled(found: dict[str, Any]) -> Instants | None:
    months = (np.asarray(found["Y"]) - 1970) * 12 + np.asarray(found["m"]) - 1
    first = months.astype("datetime64[M]")
    days = first.astype("datetime64[D]") + (np.asarray(found["d"]) - 1)
    within = (
        (np.asarray(found["m"]) >= 1) & (np.asarray(found["m"]) <= 12) & (np.asarray(found["d"]) >= 1)
        & (days.astype("datetime64[M]") == first) & (np.asarray(found["H"]) < 24) & (np.asarray(found["M"]) < 60)
        & (np.asarray(found["S"]) < 60)
    )  # fmt: skip
    if not np.all(within):
        return None
    seconds = (np.asarray(found["H"]) * 60 + found["M"]) * 60 + found["S"]
    of_day = (seconds * 1_000_000 + found["f"]).astype("timedelta64[us]")
    times: Instants = days.astype("datetime64[us]") + of_day
    return times


def _places(layout: str) -> tuple[list[tuple[str, int]], int]:
    """Return the fields of a layout and where they start, and its width; nothing where one has no fixed width."""
    fields: list[tuple[str, int]] = []
    width = place = 0
    while place < len(layout):
        if layout[place] != "%":
            place, width = place + 1, width + 1
            continue
        name = layout[place + 1 : place + 2]
        if name not in _WIDTHS or name in dict(fields):
            return [], 0
        fields.append((name, width))
        place, width = place + 2, width + _WIDTHS[name]
    return fields, width


def _literal(layout: str) -> bytes:
    for name, width in _WIDTHS.items():
        layout = layout.replace(f"%{name}", "0" * width)
    return layout.encode("ascii")


_LOADERS: dict[type[Any], Callable[[Any], Loaded]] = {
    bt.feeds.PandasData: from_pandas,
    bt.feeds.GenericCSVData: from_csv,
}
