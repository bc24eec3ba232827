"""What clients missed while the connection was down: bars, in their order and each once. Pure.

Alpaca's streams have no replay. From a loss on bars are held, for others are to come before them; history is
asked when the connection is up again, and what it has comes first. Quotes and trades go on meanwhile.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack

from feeds.alpaca.protocol import NAME, BarsQuery, columns, read_page
from feeds.alpaca.proxy.frames import TIME, Message, nanoseconds, timestamp
from feeds.alpaca.subscriptions import KINDS
from feeds.minutes import MINUTE
from framework.errors import ProtocolError
from framework.wire import HttpRequest, HttpResponse

BAR, REVISED = KINDS["bars"], KINDS["updatedBars"]
_BARS = (BAR, REVISED)
_MINUTE = MINUTE // timedelta(microseconds=1) * 1000

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""History's rows of each symbol."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """What history is to be asked for: bars of these symbols that end after a time (aware UTC)."""

    symbols: tuple[str, ...]
    after: datetime


class Missed:
    """The last bars of each symbol on one stream, and what is held. Owned by the proxy's loop."""

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}  # the ends of the bars told last
        self._heard: datetime | None = None  # the latest of them
        self._mended: set[tuple[str, datetime]] = set()
        self._held: list[tuple[datetime, Message]] | None = None

    @property
    def is_holding(self) -> bool:
        """Whether bars wait for what was missed."""
        return self._held is not None

    def follow(self, symbols: Iterable[str], now: datetime) -> None:
        """Mind these symbols' bars from now on."""
        for symbol in symbols:
            if symbol != "*":
                self._last.setdefault(symbol, max(now, self._heard or now))

    def keep(self, symbols: Iterable[str]) -> None:
        """Forget all but these."""
        kept = set(symbols)
        if "*" not in kept:
            self._last = {symbol: end for symbol, end in self._last.items() if symbol in kept}

    def lose(self) -> None:
        """Hold bars from now on: the connection has gone."""
        if self._held is None:
            self._held = []

    def take(self, messages: list[Message]) -> list[Message]:
        """Return what of a frame goes on now: bars do not while they are held, nor where history was quicker."""
        if not any([each.kind in _BARS for each in messages]):  # noqa: C419  (a list is quicker here)
            return messages
        return [each for each in messages if self._passes(each)]

    def lacking(self) -> Lacking | None:
        """Return what to ask history for, None where nothing can be missing."""
        symbols = tuple(sorted(self._last))
        return Lacking(symbols, min(map(self.since, symbols))) if symbols else None

    def since(self, symbol: str) -> datetime:
        """Return up to when nothing of a symbol is missing: its last bar, or the minute before others' last ones."""
        last = self._last[symbol]
        return max(last, self._heard - MINUTE) if self._heard else last

    def mend(self, rows: Rows) -> list[Message]:
        """Take history's answer; return what was missed, and what was held, by time."""
        held = self._release()
        live = {(each.symbol, start) for start, each in held if each.kind == BAR}
        found = [(_start(row), Message.of({"T": BAR, "S": name, **row})) for name, each in rows.items() for row in each]
        missed = [(at, each) for at, each in found if self._is_new(each, at) and (each.symbol, at) not in live]
        self._mended = {(each.symbol, start) for start, each in missed}
        whole = sorted(missed + held, key=lambda each: each[0])
        return [self._told(each, start) for start, each in whole]

    def skip(self) -> list[Message]:
        """Go on without what was missed; return what was held."""
        self._mended = set()
        return [self._told(each, start) for start, each in self._release()]

    @property
    def mended(self) -> Counter[str]:
        """How many bars of each symbol were missed and found the last time."""
        return Counter(symbol for symbol, _ in self._mended)

    def _passes(self, message: Message) -> bool:
        if message.kind not in _BARS:
            return True
        start = _start(message.row())
        if self._held is not None:
            self._held.append((start, message))
            return False
        if message.kind == BAR:
            if (message.symbol, start) in self._mended:
                return False
            self._told(message, start)
        return True

    def _release(self) -> list[tuple[datetime, Message]]:
        held, self._held = self._held or [], None
        return held

    def _told(self, message: Message, start: datetime) -> Message:
        if message.kind == BAR:
            end = start + MINUTE
            self._last[message.symbol] = max(end, self._last.get(message.symbol, end))
            self._heard = max(end, self._heard or end)
        return message

    def _is_new(self, message: Message, start: datetime) -> bool:
        return message.symbol in self._last and start + MINUTE > self.since(message.symbol)


def rows_exchange(query: BarsQuery) -> Generator[HttpRequest, HttpResponse, Rows]:
    """Ask for page after page and return the rows as history has them; raise as `bars_exchange` does."""
    found: dict[str, list[Any]] = {symbol: [] for symbol in query.symbols}
    seen: set[str | None] = {None}
    token: str | None = None
    while True:
        token, page = read_page((yield query.request(token)), query)
        for symbol, rows in page.items():
            columns(symbol, rows, query.timeframe, query.calendar, crypto=query.crypto)  # raises for what is no bar
            found[symbol] += rows
        if token is None:
            return found
        if token in seen:
            raise ProtocolError(NAME, "a page that points back to an earlier one; try again later", token)
        seen.add(token)


def in_order(bars: Iterable[Message], trades: Iterable[Message]) -> list[Message]:
    """Return what was missed and held of both by the time at which it was known: a bar comes after its trades."""
    return [each for _, each in heapq.merge(_known(bars), _known(trades), key=lambda each: each[0])]


def _known(messages: Iterable[Message]) -> Iterator[tuple[int, Message]]:
    """Yield messages with the time by which they were known; what is older than one before it keeps its place."""
    latest = 0
    for each in messages:
        latest = max(latest, nanoseconds(each.row()) + (_MINUTE if each.kind in _BARS else 0))
        yield latest, each


def _start(row: Mapping[str, Any]) -> datetime:
    """Return a bar's time; what has none that can be read is as old as can be."""
    at = row.get(TIME)
    if isinstance(at, str):
        at = timestamp(at)
    return at.to_datetime() if isinstance(at, msgpack.Timestamp) else datetime.min.replace(tzinfo=UTC)
