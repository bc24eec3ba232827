"""What the market plays: the bars of a source, instant by instant, with their quotes and trades.

Quotes are those given, else made from the bars by `made_quote`; trades are made from the bars along
the intrabar path. Everything is known before it is played; what the venue may tell is what is past.
"""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

import numpy as np

from framework import intrabar
from framework.calendar import Calendar
from framework.columns import Columns, Instants, instant, moment
from framework.errors import ConfigError
from framework.model import Bar, Halt, Quote, Split, Timeframe, Trade
from framework.ports import Source
from framework.sandbox.actions import Halted, adjusted, check, without

HISTORY = timedelta(days=10)
"""How much of a source's past before its start is on the tape, as history that is not played."""

LOT = 100.0
"""The size that a made quote shows on each side."""


class Detail(enum.Enum):
    """How finely bars are played: each at its end, or along the four prices of its intrabar path."""

    BAR = "bar"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Instant:
    """All that happens at one time: the bars that end, what was quoted and traded, how a session stands.

    `halts` are those that begin or end now; `splits` come after all that was traded.

    `ranges` is what orders are matched against: each symbol's bar, or with `Detail.PATH` the stretch of
    its path that ends now; a bar that ends here is in `bars` in both, and `trades` are those of `bars`, with
    times of their own. `opens` tells the symbols whose
    range is the first of a session; `closes` is True where the regular session ends at this instant.
    """

    at: datetime
    bars: tuple[Bar, ...] = ()
    ranges: tuple[Bar, ...] = ()
    quotes: tuple[Quote, ...] = ()
    trades: tuple[Trade, ...] = ()
    opens: frozenset[str] = frozenset()
    closes: bool = False
    halts: tuple[Halt, ...] = ()
    splits: tuple[Split, ...] = ()


def made_quote(symbol: str, at: datetime, price: float, spread: float = 0.0) -> Quote:
    """Return a quote around a price: `spread` is a fraction of it, and each side is on the tick or beyond."""
    tick = 0.01 if price >= 1 else 0.0001
    half = price * spread / 2
    bid = round(math.floor((price - half) / tick + 1e-6) * tick, 4)
    ask = round(math.ceil((price + half) / tick - 1e-6) * tick, 4)
    return Quote(symbol, at, bid, LOT, ask, LOT)


def made_trades(bar: Bar, length: timedelta) -> tuple[Trade, ...]:
    """Return a bar as four trades along its path, which make the same bar again; the last lies inside it."""
    share = math.floor(bar.volume / 4)
    sizes = (share, share, share, bar.volume - 3 * share)
    times = (bar.end - length, bar.end - length * 2 / 3, bar.end - length / 3, bar.end - timedelta(milliseconds=1))
    prices = intrabar.path(bar.open, bar.high, bar.low, bar.close)
    return tuple(Trade(bar.symbol, *each) for each in zip(times, prices, sizes, strict=True))


class Tape:
    """The bars of one source or several: played from their start on, known before it as history.

    Several sources have bars of one length; `calendar`, and with it the sessions, is the first's.
    `spread` is that of made quotes, a fraction of the price. The bars of a symbol that is halted never
    were. At a split's instant, between two sessions, holdings change; the bars are those that the sources
    have, at the new prices from then on. `also` are further times (aware) at which an instant is played: those of
    what a dialect has to tell beside the market. Raise `ConfigError` where there is nothing
    to play, or where a path is asked for inside bars that have no fixed length.
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        *,
        history: timedelta = HISTORY,
        quotes: Iterable[Quote] = (),
        detail: Detail = Detail.BAR,
        spread: float = 0.0002,
        halts: Iterable[Halted] = (),
        splits: Iterable[Split] = (),
        also: Iterable[datetime] = (),
    ) -> None:
        sources = [source] if isinstance(source, Source) else list(source)
        first = sources[0]
        self.timeframe: Timeframe = first.timeframe
        self.calendar: Calendar = first.calendar
        self.detail, self.spread = detail, spread
        self.length = first.timeframe.length or timedelta(days=1)
        _check_sources(sources, detail)
        self.bars: dict[str, Columns] = {
            symbol: bars
            for each in sources
            for symbol, bars in each.history(history if each.start is not None else 0).items()
        }
        self.symbols: tuple[str, ...] = tuple(self.bars)
        self._quotes = _by_time(quotes)
        self.opens_at = min(each.start or datetime.min.replace(tzinfo=UTC) for each in sources)
        self.halts: tuple[Halted, ...] = ()
        self.splits = tuple(sorted(splits, key=lambda each: each.at))
        self._also = tuple(sorted(also))
        check(self.symbols, (), self.splits)
        self.instants = self._times()
        for halted in halts:
            self.halt(halted)
        if not len(self.instants):
            raise ConfigError(
                f"the tape of {', '.join(self.symbols)} has nothing to play from {self.opens_at:%Y-%m-%d} on"
            )

    @property
    def starts_at(self) -> datetime:
        """The instant at which the first played bar began: where the venue's clock starts."""
        first = min(bars.end[at] for bars in self.bars.values() for at in [self._first(bars)] if at < len(bars))
        return moment(first) - self.length

    def halt(self, halted: Halted) -> None:
        """Let a symbol be halted: what it would have traded and quoted meanwhile never is; raise `ConfigError`."""
        check(self.symbols, (halted,), ())
        symbol = halted.symbol
        self.halts = (*self.halts, halted)
        self.bars[symbol] = without(self.bars[symbol], halted, self.length)
        self._quotes = {at: kept for at, each in self._quotes.items() if (kept := _unless(each, halted))}
        self.instants = self._times()

    def fingerprint(self) -> str:
        """Return a hash of all that is played: a state file belongs to one tape."""
        digest = hashlib.sha256(f"{self.symbols}{self.timeframe}{self.detail}{self.opens_at}".encode())
        for bars in self.bars.values():
            for each in fields(bars):
                digest.update(getattr(bars, each.name).tobytes())
        digest.update(repr(sorted(self._quotes.items())).encode())
        if self.halts or self.splits:
            digest.update(repr((self.halts, self.splits)).encode())
        if self._also:
            digest.update(repr([instant(at) for at in self._also]).encode())
        return digest.hexdigest()

    def after(self, at: datetime) -> Instant | None:
        """Return what is played next after a time, or None at the end of the tape."""
        due = self.next_at(at)
        return None if due is None else self.at(due)

    def next_at(self, at: datetime) -> datetime | None:
        """Return when something is played next after a time, or None at the end of the tape."""
        index = int(np.searchsorted(self.instants, instant(at), side="right"))
        return moment(self.instants[index]) if index < len(self.instants) else None

    def at(self, at: datetime) -> Instant:
        """Return what is played at a time."""
        bars = tuple(bar for symbol in self.symbols if (bar := self.ended(symbol, at)))
        ranges = bars if self.detail is Detail.BAR else self._legs(at)
        recorded = self._quotes.get(at, ())
        quoted = {quote.symbol for quote in recorded}
        made = (made_quote(each.symbol, at, each.close, self.spread) for each in ranges if each.symbol not in quoted)
        trades = [trade for bar in bars for trade in made_trades(bar, self.length)]
        opens = frozenset(each.symbol for each in ranges if self._is_first(each))
        halts = tuple(told for each in self.halts for told in each.told if told.at == at)
        splits = tuple(each for each in self.splits if each.at == at)
        quotes = (*recorded, *made)
        return Instant(at, bars, ranges, quotes, tuple(trades), opens, self._is_close(at), halts, splits)

    def is_halted(self, symbol: str, at: datetime) -> bool:
        """Return whether a symbol does not trade then."""
        return any(each.symbol == symbol and each.since <= at < each.until for each in self.halts)

    def ended(self, symbol: str, at: datetime) -> Bar | None:
        """Return the bar of a symbol that ends exactly then."""
        bars, wanted = self.bars[symbol], instant(at)
        index = int(np.searchsorted(bars.end, wanted))
        return self._bar(symbol, index) if index < len(bars) and bars.end[index] == wanted else None

    def known(self, symbol: str, at: datetime) -> Columns:
        """Return a symbol's bars that have ended by then, the history before the start among them."""
        return self.bars[symbol].between(None, at)

    def adjusted(self, symbol: str, bars: Columns, at: datetime) -> Columns:
        """Return bars of a symbol as they are told at a time, adjusted for the splits that have been by then."""
        return adjusted(bars, [each for each in self.splits if each.symbol == symbol and each.at <= at])

    def last(self, symbol: str, at: datetime) -> Bar | None:
        """Return the last bar of a symbol that has ended by then."""
        index = int(np.searchsorted(self.bars[symbol].end, instant(at), side="right"))
        return self._bar(symbol, index - 1) if index else None

    def quotes(self, symbol: str, since: datetime, until: datetime) -> list[Quote]:
        """Return the quotes of a symbol with `since` <= at <= `until`: the recorded, else one at each bar's end."""
        recorded = [quote for at, each in self._quotes.items() if since <= at <= until for quote in each]
        own = [quote for quote in recorded if quote.symbol == symbol]
        if own:
            return own
        bars = self.bars[symbol].between(since - timedelta(microseconds=1), until)
        pairs = zip(bars.end, bars.close.tolist(), strict=True)
        return [made_quote(symbol, moment(end), close, self.spread) for end, close in pairs]

    def trades(self, symbol: str, since: datetime, until: datetime) -> list[Trade]:
        """Return the trades of a symbol with `since` <= at <= `until`."""
        bars = self.bars[symbol]
        first = int(np.searchsorted(bars.end, instant(since)))
        last = int(np.searchsorted(bars.end, instant(until + self.length), side="right"))
        made = (trade for at in range(first, last) for trade in made_trades(self._bar(symbol, at), self.length))
        return [trade for trade in made if since <= trade.at <= until]

    def session(self, at: datetime) -> tuple[datetime, datetime]:
        """Return open and close of the regular session that a time is in or before; a close is past at its instant."""
        sessions = self.calendar.sessions
        index = int(np.searchsorted(sessions.closes, instant(at), side="right"))
        return moment(sessions.opens[index]), moment(sessions.closes[index])

    def _bar(self, symbol: str, at: int) -> Bar:
        bars = self.bars[symbol]
        open_, high, low, close, volume = (
            float(each[at]) for each in (bars.open, bars.high, bars.low, bars.close, bars.volume)
        )
        return Bar(symbol, moment(bars.end[at]), open_, high, low, close, volume, self.timeframe)

    def _first(self, bars: Columns) -> int:
        return int(np.searchsorted(bars.end, instant(self.opens_at), side="right"))

    def _times(self) -> Instants:
        """Return every time at which something is played: ends of bars, points of paths, quotes, session ends."""
        played = [bars.end[self._first(bars) :] for bars in self.bars.values()]
        ends = np.unique(np.concatenate(played))
        if not len(ends):
            return ends
        times = [ends, self._closes(ends)]
        if self.detail is Detail.PATH:
            times += [ends - self._back(share) for share in (0, 1, 2)]
        others = [*self._quotes, *(told.at for each in self.halts for told in each.told)]
        others += [*(each.at for each in self.splits), *self._also]
        times.append(np.array([instant(at) for at in others if at > self.opens_at], dtype="datetime64[us]"))
        return np.unique(np.concatenate(times))

    def _closes(self, ends: Instants) -> Instants:
        """Return the ends of the sessions in which there are bars."""
        sessions = self.calendar.sessions
        index = np.unique(np.searchsorted(sessions.closes, ends, side="left"))
        found: Instants = sessions.closes[index[index < len(sessions.closes)]]
        return found

    def _is_close(self, at: datetime) -> bool:
        closes, wanted = self.calendar.sessions.closes, instant(at)
        index = int(np.searchsorted(closes, wanted))
        return index < len(closes) and closes[index] == wanted

    def _back(self, share: int) -> np.timedelta64:
        """Return how long before its end the point of a bar's path lies: the open is a microsecond in."""
        parts = np.timedelta64(self.length) * (3 - share) // 3
        return parts - np.timedelta64(1, "us") if share == 0 else parts

    def _legs(self, at: datetime) -> tuple[Bar, ...]:
        """Return the stretch of each symbol's path that ends then."""
        found = []
        for share in range(4):
            end = at if share == 3 else moment(instant(at) + self._back(share))
            for symbol in self.symbols:
                if bar := self.ended(symbol, end):
                    prices = _stretch(bar, share)
                    found.append(Bar(symbol, at, *prices, bar.volume / 4, self.timeframe))
        return tuple(found)

    def _is_first(self, bar: Bar) -> bool:
        """Return whether this is the first range of its symbol in a regular session."""
        sessions = self.calendar.sessions
        index = int(np.searchsorted(sessions.closes, instant(bar.end), side="left"))
        if index == len(sessions.closes) or instant(bar.end) <= sessions.opens[index]:
            return False
        ends = self.bars[bar.symbol].end
        first = int(np.searchsorted(ends, sessions.opens[index], side="right"))
        begun = ends[first] if self.detail is Detail.BAR else ends[first] - self._back(0)
        return bool(first < len(ends) and instant(bar.end) == begun)


def _stretch(bar: Bar, part: int) -> tuple[float, float, float, float]:
    """Return a part (0 to 3) of a bar's path as open, high, low and close: the open alone, then each way on.

    A price between two points of the path is passed, so an order there fills at its own price.
    """
    points = intrabar.path(bar.open, bar.high, bar.low, bar.close)
    before, after = points[max(part - 1, 0)], points[part]
    return before, max(before, after), min(before, after), after


def _check_sources(sources: Sequence[Source], detail: Detail) -> None:
    first = sources[0].timeframe
    other = next((each.timeframe for each in sources if each.timeframe != first), None)
    if other is not None:
        raise ConfigError(f"the tape has bars of {first} and of {other}; play bars of one length")
    if detail is Detail.PATH and first.length is None:
        raise ConfigError(f"an intrabar path needs bars of minutes or hours, not {first}; try 1Min")


def _by_time(quotes: Iterable[Quote]) -> dict[datetime, tuple[Quote, ...]]:
    found: dict[datetime, tuple[Quote, ...]] = {}
    for quote in sorted(quotes, key=lambda each: each.at):
        at = quote.at.astimezone(UTC)
        found[at] = (*found.get(at, ()), quote)
    return found


def _unless(quotes: tuple[Quote, ...], halted: Halted) -> tuple[Quote, ...]:
    """Return the quotes of an instant without those of a symbol that is halted then."""
    return tuple(each for each in quotes if each.symbol != halted.symbol or not halted.since <= each.at < halted.until)
