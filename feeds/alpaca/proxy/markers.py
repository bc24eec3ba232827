"""Markers of gaps, for clients that ask for them: what was missed while the line upstream was down. Pure.

Alpaca's streams have no such message, so nobody is sent one who did not ask. A marker is of one channel
and one symbol of a client's list, `*` where that is in it, and comes before what follows the gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from feeds.alpaca.messages import Row
from feeds.alpaca.proxy.board import Pair
from feeds.alpaca.proxy.frames import Message
from feeds.alpaca.wants import Channels

GAP = "gap"
"""The type of a marker."""

MENDED = ("bars", "trades")
"""The channels of which history is asked; what is missed of all others is lost."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What one channel's messages of a symbol are in doubt for: those after `since`, up to `until` (aware UTC).

    `is_filled` says that history had an answer: `count` of them were missed, and follow. `*` is never filled, for
    history cannot be asked for everything; there `count` is how many follow of all symbols.
    """

    channel: str
    symbol: str
    since: datetime
    until: datetime
    is_filled: bool = False
    count: int = 0

    def row(self) -> Row:
        """Return it as it is sent."""
        times = {"from": self.since, "to": max(self.since, self.until)}
        return {"T": GAP, "S": self.symbol, "channel": self.channel, **times, "filled": self.is_filled, "n": self.count}


def lost(channels: Channels, since: datetime, until: datetime) -> list[Gap]:
    """Return the gaps of the channels of which history is not asked."""
    pairs = [(name, symbol) for name, symbols in channels.items() for symbol in sorted(symbols)]
    return [Gap(name, symbol, since, until) for name, symbol in pairs if name not in MENDED]


def asked(channel: str, since: Mapping[str, datetime], until: datetime, found: Mapping[str, int] | None) -> list[Gap]:
    """Return the gaps of a channel of which history was asked: what was `found` of each symbol, None without answer."""
    return [
        Gap(channel, symbol, at, until, found is not None and symbol != "*", _count(found or {}, symbol))
        for symbol, at in since.items()
    ]


def messages(gaps: Iterable[Gap]) -> dict[Pair, Message]:
    """Return markers by what they are of."""
    return {(each.channel, each.symbol): Message.of(each.row()) for each in gaps}


def own(markers: Mapping[Pair, Message], channels: Channels) -> list[Message]:
    """Return the markers of what is in a client's list."""
    return [message for (name, symbol), message in markers.items() if symbol in channels.get(name, ())]


def _count(found: Mapping[str, int], symbol: str) -> int:
    return sum(found.values()) if symbol == "*" else found.get(symbol, 0)
