"""What the sandbox's data side may tell at an instant: the tape's past, with its late prints and its holes.

Owned by the thread that serves the market.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from feeds.alpaca.windows import Windows, windows
from framework.columns import Columns, instant, moment
from framework.model import Quote, Timeframe, Trade, Unit
from framework.sandbox.market import Market

DAY = Timeframe(1, Unit.DAY)

TODAY, LAST_DAYS = timedelta(hours=26), timedelta(days=10)
"""How far back to look for the day that a bar is of, and for the trading day before it."""


def is_crypto(symbol: str) -> bool:
    """Return whether a symbol is a pair of currencies."""
    return "/" in symbol


@dataclass(frozen=True, slots=True)
class LatePrint:
    """A trade of a bar that ended at `end`, reported late: it is told from `at` on."""

    symbol: str
    end: datetime
    at: datetime
    price: float
    size: float

    def body(self) -> dict[str, Any]:
        """Return it as the state file keeps it."""
        return {
            "late": self.symbol,
            "end": self.end.isoformat(),
            "at": self.at.isoformat(),
            "price": self.price,
            "size": self.size,
        }


class Book:
    """The bars, quotes and trades of a market's tape, as far as they are past."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._late: dict[str, list[LatePrint]] = {}
        self._holes: dict[str, list[np.datetime64]] = {}

    def print_late(self, late: LatePrint) -> None:
        """Let a trade be reported late."""
        self._late.setdefault(late.symbol, []).append(late)

    def leave_out(self, symbol: str, end: datetime) -> dict[str, Any]:
        """Let there be no bar of a symbol that ends then; return it as the state file keeps it."""
        self._holes.setdefault(symbol, []).append(instant(end))
        return {"hole": symbol, "end": end.isoformat()}

    def restore(self, body: Mapping[str, Any]) -> None:
        """Do again what the state file kept."""
        end = datetime.fromisoformat(body["end"])
        if "hole" in body:
            self.leave_out(body["hole"], end)
        else:
            at = datetime.fromisoformat(body["at"])
            self.print_late(LatePrint(body["late"], end, at, body["price"], body["size"]))

    def known(self, symbol: str, at: datetime) -> Columns:
        """Return the tape's bars of a symbol that have ended by then, late prints that were told worked in."""
        if symbol not in self.market.tape.symbols:
            return Columns.empty()
        bars = self.market.tape.known(symbol, at)
        if holes := self._holes.get(symbol):
            bars = bars[~np.isin(bars.end, holes)]
        for late in self._late.get(symbol, ()):
            if late.at <= at:
                bars = _printed(bars, late)
        return bars

    def bars(self, symbol: str, timeframe: Timeframe, at: datetime, *, adjusts: bool = False) -> Windows:
        """Return bars of any length by their starts; raise `ConfigError` where the tape's are too long for it.

        With `adjusts` they are in the shares of that time: what is before a split is adjusted for it.
        """
        bars, tape = self.known(symbol, at), self.market.tape
        if adjusts and len(bars):
            bars = tape.adjusted(symbol, bars, at)
        return windows(bars, tape.timeframe, timeframe, crypto=is_crypto(symbol))

    def days(self, symbol: str, at: datetime, back: timedelta = LAST_DAYS) -> Windows:
        """Return the day bars of the time before the last bar, of which the last is the day so far."""
        bars = self.known(symbol, at)
        if len(bars):
            bars = bars.between(moment(bars.end[-1]) - back, None)
        return windows(bars, self.market.tape.timeframe, DAY, crypto=is_crypto(symbol))

    def of(self, bars: Columns, timeframe: Timeframe, symbol: str) -> Windows:
        """Return bars of the tape as Alpaca tells them."""
        return windows(bars, timeframe, timeframe, crypto=is_crypto(symbol))

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """Return the quote that stood then."""
        if at >= self.market.played_at:
            return self.market.quote(symbol)
        found = self.quotes(symbol, at - timedelta(days=10), at)
        return found[-1] if found else None

    def quotes(self, symbol: str, since: datetime, until: datetime) -> list[Quote]:
        """Return the quotes with `since` <= at <= `until`."""
        return self.market.tape.quotes(symbol, since, until) if symbol in self.market.tape.symbols else []

    def trade(self, symbol: str, at: datetime) -> Trade | None:
        """Return the last trade by then."""
        bars = self.known(symbol, at)
        return self.trades(symbol, moment(bars.end[-1]) - self.market.tape.length, at, at)[-1] if len(bars) else None

    def trades(self, symbol: str, since: datetime, until: datetime, at: datetime) -> list[Trade]:
        """Return the trades with `since` <= at <= `until` of the bars that have ended by `at`."""
        bars = self.known(symbol, at)
        if not len(bars):
            return []
        last = moment(bars.end[-1]) - timedelta(microseconds=1)
        found = self.market.tape.trades(symbol, since, min(until, last))
        holes = [moment(end) for end in self._holes.get(symbol, ())]
        length = self.market.tape.length
        return [trade for trade in found if not any(end - length <= trade.at < end for end in holes)]


def _printed(bars: Columns, late: LatePrint) -> Columns:
    """Return bars with a late trade in the one it belongs to: it may move the extremes, not the close."""
    index = int(np.searchsorted(bars.end, instant(late.end)))
    if index == len(bars) or bars.end[index] != instant(late.end):
        return bars
    high, low, volume = bars.high.copy(), bars.low.copy(), bars.volume.copy()
    high[index], low[index] = max(high[index], late.price), min(low[index], late.price)
    volume[index] += late.size
    return replace(bars, high=high, low=low, volume=volume)
