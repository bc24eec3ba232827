"""The symbol of Alpaca's test stream, which trades day and night: a price made of the time alone. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from feeds.alpaca.messages import quote_row, trade_row
from feeds.alpaca.protocol import TEST_SYMBOL
from feeds.alpaca.subscriptions import Told
from framework.model import Bar
from framework.sandbox.tape import made_quote, made_trades

SYMBOL = TEST_SYMBOL

_MINUTE = timedelta(minutes=1)
_SPREAD = 0.0002


def told(at: datetime) -> Iterator[Told]:
    """Yield the trades, the quote and the bar of the last minute that has ended."""
    bar = _bar(_whole(at))
    for trade in made_trades(bar, _MINUTE):
        yield Told("trades", SYMBOL, trade_row(trade))
    yield Told("quotes", SYMBOL, quote_row(made_quote(SYMBOL, bar.end, bar.close, _SPREAD)))
    row = {"t": bar.end - _MINUTE, "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close}
    yield Told("bars", SYMBOL, row | {"v": int(bar.volume), "n": 4, "vw": bar.close})


def next_minute(at: datetime) -> datetime:
    """Return when the minute ends that a time is in."""
    return _whole(at) + _MINUTE


def _bar(end: datetime) -> Bar:
    number = int(end.timestamp()) // 60
    before, after = (round(100 + 5 * math.sin(each / 30), 2) for each in (number - 1, number))
    high, low = round(max(before, after) + 0.01, 2), round(min(before, after) - 0.01, 2)
    return Bar(SYMBOL, end, before, high, low, after, 100.0 + number % 50)


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)
