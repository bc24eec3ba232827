"""Bars through the cache: ask for what is missing, keep what is final, never mix two states of the prices.

A split or a dividend changes every adjusted bar before its day, so the earliest bar that is held
changes whenever any does. So after each download the earliest bars are asked for again, last of
all: where they are what is held, nothing was adjusted since, and what was just downloaded fits.
Where they differ, the symbol is dropped and fetched again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

import numpy as np

from feeds.cache import HEAD, BarCache
from feeds.spans import Span, missing
from framework.calendar import Calendar
from framework.columns import PRICES, Columns, joined, moment
from framework.errors import ProtocolError

log = logging.getLogger("switchback.cache")

REVISION = timedelta(hours=8)
"""A day is final this long after the midnight that ends it, in the exchange's zone: late trades are
reported until the evening, and corporate actions are worked in before the next day's trading."""

ROUNDS = 6
PIECE = 200_000
"""About how many bars one piece of a download has: what is lost where it breaks."""


class Answer(Protocol):
    """What was downloaded: the bars of each symbol asked for, and in how many requests they came."""

    @property
    def bars(self) -> Mapping[str, Columns]: ...

    @property
    def pages(self) -> int: ...


Ask = Callable[[Sequence[str], datetime, datetime], Answer]
"""Download the bars of some symbols that end after the first instant and not after the second."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One download: days of the exchange that these symbols miss."""

    symbols: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Fetch:
    """How one series is fetched. `bars_a_day` is an estimate; `now` tells the time (aware UTC)."""

    name: str
    cache: BarCache
    ask: Ask
    calendar: Calendar
    adjusted: bool
    bars_a_day: int
    now: Callable[[], datetime]
    on_piece: Callable[[int, int], None] = field(default=lambda number, of: None)

    def load(self, symbols: Sequence[str], span: Span, until: datetime) -> dict[str, Columns]:
        """Return the bars of the days of `span` that end by `until`, each symbol's of one state of its prices.

        Raise what `ask` raises; what is complete by then stays in the cache. Raise `ProtocolError`
        where the prices keep changing while they are downloaded.
        """
        loaded: dict[str, Columns] = {}
        left = tuple(symbols)
        for _ in range(ROUNDS):
            loaded |= _Round(self, span, until, self._last_final()).run(left)
            left = tuple(symbol for symbol in left if symbol not in loaded)
            if not left:
                return {symbol: loaded[symbol] for symbol in symbols}
        raise ProtocolError(
            self.name, f"the prices of {left[0]} kept changing while they were fetched; try again later"
        )

    def _last_final(self) -> date:
        return (self.now() - REVISION).astimezone(self.calendar.zone).date() - timedelta(days=1)


class _Round:
    """One attempt at all the symbols; those whose state changed on the way are left for another."""

    def __init__(self, fetch: Fetch, span: Span, until: datetime, last_final: date) -> None:
        self._fetch = fetch
        self._span = span
        self._until = until
        self._last_final = last_final
        self._editions: dict[str, str | None] = {}
        self._recent: dict[str, list[Columns]] = {}

    def run(self, symbols: Sequence[str]) -> dict[str, Columns]:
        pieces = list(self._pieces(symbols))
        for number, piece in enumerate(pieces):
            self._fetch.on_piece(number, len(pieces))
            self._download(piece)
        found = ((symbol, self._whole(symbol)) for symbol in self._editions)
        return {symbol: bars for symbol, bars in found if bars is not None}

    def _pieces(self, symbols: Sequence[str]) -> Iterator[Piece]:
        wanting: dict[Span, list[str]] = {}
        for symbol in symbols:
            held = self._fetch.cache.held(symbol)
            self._editions[symbol] = held.edition
            for gap in self._gaps(held.spans):
                wanting.setdefault(gap, []).append(symbol)
        for span in sorted(wanting):
            yield from _cut_up(wanting[span], span, self._fetch.bars_a_day)

    def _gaps(self, held: Iterable[Span]) -> list[Span]:
        """Return the runs of days that are not held, each from a day with trading to one with trading."""
        days = self._fetch.calendar.sessions.days
        trimmed = (gap.trimmed(days) for gap in missing(self._span, held))
        return [gap for gap in trimmed if gap is not None]

    def _download(self, piece: Piece) -> None:
        symbols = [symbol for symbol in piece.symbols if symbol in self._editions]
        if not symbols:
            return
        answer = self._fetch.ask(symbols, self._midnight(piece.span.first), self._end(piece.span))
        for symbol in self._stale(symbols, answer):
            log.info("%s: the prices of %s were adjusted anew; it is fetched again whole", self._fetch.name, symbol)
            self._fetch.cache.drop(symbol, self._editions.pop(symbol))
        for symbol in symbols:
            if symbol in self._editions:
                self._keep(symbol, piece.span, answer.bars[symbol])

    def _keep(self, symbol: str, span: Span, bars: Columns) -> None:
        """Write the days that are final; hold the others for this call only."""
        final = span.within(Span(span.first, self._last_final)) if span.first <= self._last_final else None
        written = True
        edition = self._editions[symbol]
        if final is not None:
            written, edition = self._fetch.cache.write(symbol, final, bars, edition, self._fetch.now())
        if not written:
            del self._editions[symbol]
            return
        self._editions[symbol] = edition
        recent = bars if final is None else bars.between(self._midnight(final.last + timedelta(days=1)), None)
        self._recent.setdefault(symbol, []).append(recent)

    def _stale(self, symbols: Sequence[str], answer: Answer) -> list[str]:
        """Return the symbols whose earliest bars are not, or are no longer, what the other side serves."""
        if not self._fetch.adjusted:
            return []
        heads = {symbol: self._head(symbol, answer) for symbol in symbols}
        by_day: dict[date, dict[str, Columns]] = {}
        for symbol, head in heads.items():
            if len(head):
                by_day.setdefault(moment(head.end[0]).date(), {})[symbol] = head
        return [symbol for group in by_day.values() for symbol in self._changed(group)]

    def _head(self, symbol: str, answer: Answer) -> Columns:
        if self._editions[symbol] is not None:
            return self._fetch.cache.head(symbol)
        recent = joined(self._recent.get(symbol, []))
        if len(recent):
            return recent[:HEAD]
        # One answer is of one moment; several may have the change between them.
        return answer.bars[symbol][:HEAD] if answer.pages > 1 else Columns.empty()

    def _changed(self, heads: Mapping[str, Columns]) -> list[str]:
        first = min(moment(head.end[0]) for head in heads.values()) - timedelta(microseconds=1)
        last = max(moment(head.end[-1]) for head in heads.values())
        again = self._fetch.ask(tuple(heads), first, last).bars
        return [symbol for symbol, head in heads.items() if not _same(head, again[symbol])]

    def _whole(self, symbol: str) -> Columns | None:
        """Return a symbol's bars, None where another process or damage changed what is held meanwhile."""
        held, bars = self._fetch.cache.read(symbol, self._span)
        gaps = [gap for gap in self._gaps(held.spans) if gap.first <= self._last_final]
        if gaps or held.edition != self._editions[symbol]:
            return None
        whole = joined([*self._recent.get(symbol, []), bars])
        # Where another process' clock is ahead of ours, it may hold as final what is recent here.
        _, first = np.unique(whole.end, return_index=True)
        return whole[first].between(None, self._until)

    def _midnight(self, day: date) -> datetime:
        return self._fetch.calendar.midnight(day)

    def _end(self, span: Span) -> datetime:
        """Return the instant up to which a piece is asked for: days that are not over are not asked for whole."""
        over = self._midnight(span.last + timedelta(days=1))
        return over if span.last <= self._last_final else min(over, self._until)


def _same(held: Columns, again: Columns) -> bool:
    """Return whether the other side still serves just these bars, at these prices."""
    again = again.between(moment(held.end[0]) - timedelta(microseconds=1), moment(held.end[-1]))
    if not np.array_equal(held.end, again.end):
        return False
    return all(np.array_equal(getattr(held, name), getattr(again, name)) for name in PRICES)


def _cut_up(symbols: Sequence[str], span: Span, bars_a_day: int) -> Iterator[Piece]:
    """Cut a download into pieces of a bearable size: first the years apart, then the symbols."""
    spans = [span] if _days(span) * bars_a_day <= PIECE else span.by_year()
    for part in spans:
        size = max(1, min(100, PIECE // (_days(part) * bars_a_day)))
        for at in range(0, len(symbols), size):
            yield Piece(tuple(symbols[at : at + size]), part)


def _days(span: Span) -> int:
    return (span.last - span.first).days + 1
