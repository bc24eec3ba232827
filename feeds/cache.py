"""The bar cache: a series' bars on disk, a Parquet file for each symbol and year, and which days they cover.

    <folder>/AAPL/index.json            the days that were fetched, and the file of each year
    <folder>/AAPL/2026-5f0c1a2b.parquet

The index is the truth. A file is never written to again: a change writes new files, then replaces
the index in one step, then removes what the index no longer names. So a crash at any moment leaves
either the old state or the new one, and a file that nobody names, which the next write removes.

All bars of a symbol belong to one state of the other side's prices, its `edition`. Who adds bars names
the edition that they fit; where the symbol has another by now, nothing is written. So bars from
before and after a split never meet, not even when two processes write at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from feeds.lock import locked
from feeds.spans import Span
from framework.columns import Columns, joined

log = logging.getLogger("switchback.cache")

VERSION = 1
HEAD = 16
"""How many of a symbol's earliest bars are compared to tell whether its prices were adjusted anew."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the cache has of a symbol: which days, and the edition of its bars (None without bars)."""

    spans: tuple[Span, ...]
    edition: str | None


@dataclass(frozen=True, slots=True)
class _Year:
    """One year's entry in the index. `spans` pairs days with when they were fetched (ISO 8601)."""

    file: str | None
    rows: int
    spans: tuple[tuple[Span, str], ...]


@dataclass(frozen=True, slots=True)
class _Index:
    edition: str | None
    years: Mapping[int, _Year]


_NOTHING = _Index(None, {})


class BarCache:
    """The bars of one series (one source, feed, timeframe and adjustment), by symbol and day.

    A bar belongs to the day in whose midnights (after the first, up to the second) it ends;
    `midnight` tells the UTC instant at which a day of the exchange begins. Safe for several processes.
    Raise `OSError` where the folder cannot be read or written.
    """

    def __init__(self, folder: Path, midnight: Callable[[date], datetime]) -> None:
        self.folder = folder
        self._midnight = midnight

    def held(self, symbol: str) -> Held:
        """Return what there is of a symbol."""
        with self._locked(symbol) as place:
            return _held(self._index(place))

    def head(self, symbol: str) -> Columns:
        """Return a symbol's earliest bars, a few of them."""
        with self._locked(symbol) as place:
            index = self._index(place)
            years = (self._bars(place, year) for year in sorted(index.years))
            return next((bars[:HEAD] for bars in years if len(bars)), Columns.empty())

    def read(self, symbol: str, span: Span) -> tuple[Held, Columns]:
        """Return a symbol's bars that lie in `span`, and what they were read from: damage may have been found."""
        with self._locked(symbol) as place:
            pieces = [self._bars(place, part.first.year) for part in span.by_year()]
            return _held(self._index(place)), self._cut(joined(pieces), span)

    def write(
        self, symbol: str, span: Span, bars: Columns, edition: str | None, at: datetime
    ) -> tuple[bool, str | None]:
        """Add all the bars there are in `span`, fetched at `at`; they take the place of what was there.

        Return whether they were written, and the symbol's edition now: they are not where it differs
        from `edition`, the one that the bars were found to fit.
        """
        with self._locked(symbol) as place:
            index = self._index(place)
            if index.edition != edition:
                return False, index.edition
            years = dict(index.years)
            for part in span.by_year():
                years[part.first.year] = self._extended(place, part, self._cut(bars, part), at)
            edition = self._index(place).edition  # None where damage took the last of the bars
            if edition is None and any(year.rows for year in years.values()):
                edition = secrets.token_hex(4)
            self._replace(place, _Index(edition, years))
        return True, edition

    def drop(self, symbol: str, edition: str | None) -> None:
        """Forget a symbol, if its bars are still of this edition."""
        with self._locked(symbol) as place:
            if self._index(place).edition == edition:
                self._replace(place, _NOTHING)

    def forget_empty(self, symbol: str) -> None:
        """Forget a symbol that has no bars at all: a misspelt one leaves nothing behind."""
        self.drop(symbol, None)

    @contextlib.contextmanager
    def _locked(self, symbol: str) -> Iterator[Path]:
        place = self.folder / quote(symbol, safe="")
        with locked(place / "lock"):
            yield place

    def _cut(self, bars: Columns, span: Span) -> Columns:
        return bars.between(self._midnight(span.first), self._midnight(span.last + timedelta(days=1)))

    def _extended(self, place: Path, span: Span, bars: Columns, at: datetime) -> _Year:
        """Write a year's bars with those of `span` among them, and return its entry."""
        year = span.first.year
        before = self._bars(place, year)
        kept = self._index(place).years.get(year, _Year(None, 0, ()))
        spans = [(rest, when) for each, when in kept.spans for rest in each.without(span)]
        spans = sorted([*spans, (span, at.isoformat(timespec="seconds"))])
        if not len(bars) and not len(self._cut(before, span)):
            return _Year(kept.file, kept.rows, tuple(spans))
        first, end = self._midnight(span.first), self._midnight(span.last + timedelta(days=1))
        whole = joined([before.between(None, first), bars, before.between(end, None)])
        if not len(whole):
            return _Year(None, 0, tuple(spans))
        name = f"{year}-{secrets.token_hex(4)}.parquet"
        write_bars(place / name, whole)
        return _Year(name, len(whole), tuple(spans))

    def _bars(self, place: Path, year: int) -> Columns:
        """Return a year's bars; a file that cannot be read is set aside, and its days are missing from then on."""
        index = self._index(place)
        entry = index.years.get(year)
        if entry is None or entry.file is None:
            return Columns.empty()
        try:
            return read_bars(place / entry.file, entry.rows)
        except (OSError, ValueError) as error:
            if isinstance(error, PermissionError):
                raise
            _set_aside(place / entry.file, error)
        years = {each: other for each, other in index.years.items() if each != year}
        edition = index.edition if any(other.rows for other in years.values()) else None
        self._replace(place, _Index(edition, years))
        return Columns.empty()

    def _index(self, place: Path) -> _Index:
        path = place / "index.json"
        try:
            return _read_index(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return _NOTHING
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _set_aside(path, error)
            return _NOTHING

    def _replace(self, place: Path, index: _Index) -> None:
        path = place / "index.json"
        if index.years:
            _put(path, json.dumps(_as_json(index), indent=1).encode())
        else:
            path.unlink(missing_ok=True)
        named = {year.file for year in index.years.values()}
        for file in [*place.glob("*.parquet"), *place.glob("*.new")]:
            if file.name not in named:
                file.unlink(missing_ok=True)


def _held(index: _Index) -> Held:
    spans = (span for year in index.years.values() for span, _ in year.spans)
    return Held(tuple(sorted(spans)), index.edition)


def _set_aside(path: Path, error: Exception) -> None:
    aside = path.with_name(path.name + ".corrupt")
    with contextlib.suppress(FileNotFoundError):
        path.replace(aside)
    log.warning("%s cannot be read (%s); it is set aside as %s and fetched again", path, error, aside.name)


def _put(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)


def _as_json(index: _Index) -> dict[str, Any]:
    years = {
        str(year): {
            "file": entry.file,
            "rows": entry.rows,
            "days": [[span.first.isoformat(), span.last.isoformat(), at] for span, at in entry.spans],
        }
        for year, entry in sorted(index.years.items())
    }
    return {"version": VERSION, "edition": index.edition, "years": years}


def _read_index(content: Any) -> _Index:
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']} of the cache, this is {VERSION}")
    years = {int(year): _read_year(entry) for year, entry in content["years"].items()}
    return _Index(content["edition"], years)


def _read_year(entry: Any) -> _Year:
    spans = [(Span(date.fromisoformat(first), date.fromisoformat(last)), at) for first, last, at in entry["days"]]
    return _Year(entry["file"], int(entry["rows"]), tuple(spans))


def write_bars(path: Path, bars: Columns) -> None:
    """Write bars as Parquet (`end` in UTC microseconds, prices, volume), whole or not at all."""
    import pyarrow as pa
    from pyarrow import parquet

    ends = pa.array(bars.end, pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    floats = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    new = path.with_name(path.name + ".new")
    parquet.write_table(pa.table({"end": ends, **floats}), new, compression="zstd", write_page_checksum=True)
    new.replace(path)


def read_bars(path: Path, rows: int) -> Columns:
    """Return the bars of a file; raise `ValueError` or `OSError` where they are not `rows` sound ones."""
    from pyarrow import parquet

    with parquet.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read()
    if set(table.column_names) != {"end", "open", "high", "low", "close", "volume"} or len(table) != rows:
        raise ValueError(f"{len(table)} rows of {table.column_names}, {rows} bars expected")
    parts = {name: table.column(name).to_numpy() for name in table.column_names}
    bars = Columns.of(**parts)
    if (np.diff(bars.end) <= np.timedelta64(0, "us")).any():
        raise ValueError("times out of order")
    return bars
