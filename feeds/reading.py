"""Files and frames as tables: whatever the bars come in, one `Table` a symbol comes out.

Nothing is decided about time here: `feeds.stamps` reads the stamps.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feeds.checks import check_symbols, listed, symbol_list
from framework.columns import PRICES, Floats
from framework.errors import ConfigError, nearest

SYMBOL = ("symbol", "ticker")
STAMP = ("timestamp", "datetime", "time", "date", "t")
NUMBERS = {name: (name, name[0]) for name in (*PRICES, "volume")}
"""The names a column may have, in any case, the likeliest first."""

_SUFFIXES = {".csv": "CSV", ".csv.gz": "CSV", ".parquet": "Parquet", ".pq": "Parquet"}
_EMPTY_CELLS = ["", "NA", "N/A", "NaN", "nan", "null", "None"]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One symbol's rows: a pandas Series of stamps as they came, and floats by name (open ... volume)."""

    stamps: Any
    numbers: Mapping[str, Floats]


Given = str | Path | Any | Mapping[str, Any]
"""A path, a pandas DataFrame, or either of them by symbol."""


def label(given: Given) -> str:
    """Return what messages call it: the file's name, or "the frame"."""
    if isinstance(given, Mapping):
        return "the dict"
    return Path(given).name if isinstance(given, str | Path) else "the frame"


def tables(
    given: Given, symbols: str | Iterable[str] | None, numbers: Mapping[str, tuple[str, ...]] = NUMBERS
) -> dict[str, Table]:
    """Return a table for each symbol asked for, in that order; for each there is, sorted, where none is asked for.

    `numbers` are the columns that are read, each with the names that it may have. What is given is never changed.
    Raise `ConfigError` where it cannot be read, or a symbol or a
    column is missing.
    """
    asked = None if symbols is None else symbol_list(symbols)
    where = label(given)
    frames = _by_symbol(given, asked, where)
    if not frames:
        raise ConfigError(f"{where} has no rows; try another file")
    names = asked or tuple(sorted(frames))
    check_symbols(names, frames, where)
    return {symbol: _table(frames[symbol], f"{where}: {symbol}", numbers) for symbol in names}


def _by_symbol(given: Given, asked: tuple[str, ...] | None, where: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return {symbol: _flat(_frame(each), symbol) for symbol, each in given.items()}
    frame = _flat(_frame(given), where)
    column = _find(frame, SYMBOL, where)
    if column is not None:
        return _split(frame, column, where)
    if asked is None or len(asked) != 1:
        found = "none" if asked is None else f"{len(asked)} of them"
        raise ConfigError(f'{where} has no symbol column, so it needs one name, not {found}; try symbols="SPY"')
    return {asked[0]: frame}


def _split(frame: Any, column: Any, where: str) -> dict[str, Any]:
    missing = frame[column].isna().to_numpy()
    if missing.any():
        raise ConfigError(
            f"{where}: row {int(np.argmax(missing)) + 1} of {len(frame)} has no symbol; drop it or mend it"
        )
    return {str(symbol): rows for symbol, rows in frame.groupby(column, sort=False, observed=True)}


def _table(frame: Any, where: str, numbers: Mapping[str, tuple[str, ...]]) -> Table:
    stamp = _find(frame, STAMP, where)
    if stamp is not None and {"date", "time"} <= {str(each).strip().lower() for each in frame.columns}:
        raise ConfigError(f"{where}: date and time are two columns; join them into one that is named timestamp")
    if stamp is None:
        raise ConfigError(f"{where}: no time column; it has {_columns(frame)}: name one of them timestamp")
    return Table(frame[stamp], {name: _numbers(frame, name, names, where) for name, names in numbers.items()})


def _numbers(frame: Any, name: str, names: tuple[str, ...], where: str) -> Floats:
    """Return a column as floats. A volume may be left out altogether, and is 0 then."""
    import pandas as pd

    column = _find(frame, names, where)
    if column is None and name == "volume":
        return np.zeros(len(frame))
    if column is None:
        hint = nearest(name, map(str, frame.columns))
        raise ConfigError(f"{where}: no {name} column{hint}; it has {_columns(frame)}")
    cells = frame[column]
    numbers = pd.to_numeric(cells, errors="coerce")
    lost = (numbers.isna() & cells.notna()).to_numpy()
    if lost.any():
        at = int(np.argmax(lost))
        raise ConfigError(
            f"{where}: {name} {cells.iloc[at]!r} in row {at + 1} of {len(frame)} is not a number; mend it"
        )
    return np.array(numbers.to_numpy(dtype=np.float64, na_value=np.nan))  # a copy: the frame may change later


def _find(frame: Any, names: tuple[str, ...], where: str) -> Any:
    """Return the column that has the first of these names, in any case; None where there is none."""
    for name in names:
        found = [each for each in frame.columns if str(each).strip().lower() == name]
        if len(found) > 1:
            raise ConfigError(f"{where}: columns {listed(list(map(str, found)))} are both the {name}; keep one of them")
        if found:
            return found[0]
    return None


def _columns(frame: Any) -> str:
    return listed([str(each) for each in frame.columns])


def _flat(frame: Any, where: str) -> Any:
    """Return a frame whose times and symbols are columns, where its index holds them."""
    if frame.columns.nlevels > 1:
        example = "{name: frame.xs(name, axis=1, level=1) for name in names}"
        raise ConfigError(f"{where} has two rows of column names; try a dict of frames: {example}")
    levels = [frame.index.get_level_values(at) for at in range(frame.index.nlevels)]
    held = {_role(level, alone=len(levels) == 1): level for level in levels}
    lacking = {name for name, names in (("symbol", SYMBOL), ("timestamp", STAMP)) if _find(frame, names, where) is None}
    return frame.reset_index(drop=True).assign(**{role: held[role] for role in held if role in lacking})


def _role(level: Any, alone: bool) -> str:
    """Return what a level of an index holds: "symbol", "timestamp", or "" for row numbers."""
    name = str(level.name).strip().lower()
    if name in SYMBOL:
        return "symbol"
    if name in STAMP or level.dtype.kind == "M":
        return "timestamp"
    if level.dtype.kind in "iu":
        return ""
    return "timestamp" if alone else "symbol"


def _frame(given: Any) -> Any:
    """Return a pandas frame as it is, a path as the frame that the file holds."""
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return given
    if not isinstance(given, str | Path):
        raise ConfigError(
            f"bars are a {type(given).__name__}; try a path, a pandas DataFrame, or a dict of frames by symbol"
        )
    path = Path(given).expanduser()
    kind = _kind(path)
    try:
        return _read_csv(path) if kind == "CSV" else pd.read_parquet(path)
    except (ValueError, OSError, EOFError, zlib.error) as reason:
        said = str(reason).strip().splitlines() or [type(reason).__name__]
        raise ConfigError(
            f"{path} cannot be read as {kind}: {said[0]}; is it whole, and is its suffix right?"
        ) from reason


def _kind(path: Path) -> str:
    """Return which format a file's name says; raise `ConfigError` where it says none, or there is no such file."""
    suffix = next((each for each in _SUFFIXES if path.name.lower().endswith(each)), None)
    if path.is_file() and suffix is None:
        raise ConfigError(f"{path.name} has a suffix that is not read; try {', '.join(_SUFFIXES)}")
    if not path.is_file():
        raise ConfigError(_missing(path.absolute()))
    return _SUFFIXES[str(suffix)]


def _missing(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder; try a file in it: {listed(sorted(each.name for each in path.iterdir()))}"
    if not path.parent.is_dir():
        return f"no file {path}: there is no folder {path.parent}; check the path"
    beside = sorted(each.name for each in path.parent.iterdir() if each.name.lower().endswith(tuple(_SUFFIXES)))
    return f"no file {path}{nearest(path.name, beside)}; its folder has {listed(beside)}"


def _read_csv(path: Path) -> Any:
    """Read symbols and times as text: a ticker may be NA, TRUE or 0700, and a date 20260105."""
    import pandas as pd

    names = list(pd.read_csv(path, nrows=0).columns)
    text = [name for name in names if str(name).strip().lower() in (*SYMBOL, *STAMP)]
    empty = {name: _EMPTY_CELLS if name not in text else [""] for name in names}
    return pd.read_csv(path, dtype=dict.fromkeys(text, str), na_values=empty, keep_default_na=False)
