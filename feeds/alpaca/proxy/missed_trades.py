"""What clients missed of trades while the connection was down: in their order and each once. Pure.

As with bars (`missed`): from a loss on trades are held, with their corrections and cancels, until history
has answered. What was told shortly before a loss is remembered, for trades of several symbols may come
a little out of their order, and history is asked from a little before the last.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from feeds.alpaca.proxy.frames import Message, nanoseconds
from feeds.alpaca.proxy.missed import Lacking, Rows
from feeds.alpaca.proxy.past_trades import MOST
from feeds.alpaca.subscriptions import KINDS, WITH_TRADES

TRADE = KINDS["trades"]
_HELD = (TRADE, *(KINDS[each] for each in WITH_TRADES))

SKEW = 5 * 10**9
"""Nanoseconds by which a trade may be older than one that was told before it: what is older still was not missed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str, str, int]
"""What a trade is known by: its symbol, number, exchange and time, for numbers are an exchange's own."""


class MissedTrades:
    """The last trades on one stream, and what is held, `most` at the most of each. Owned by the proxy's loop."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._followed: dict[str, int] = {}  # from when on each is to be told
        self._asked: set[str] = set()  # those that upstream has not confirmed
        self._recent: deque[Message] = deque(maxlen=most)
        self._found: Counter[str] = Counter()
        self._told: frozenset[Key] = frozenset()  # shortly before the loss
        self._since = 0  # up to there all has been told
        self._mended: set[Key] = set()
        self._settled = 0  # from here on nothing comes that history was quicker with
        self._held: list[Message] | None = None

    @property
    def is_holding(self) -> bool:
        """Whether trades wait for what was missed."""
        return self._held is not None

    @property
    def is_over(self) -> bool:
        """Whether more is held than is to be: `skip` it."""
        return self._held is not None and len(self._held) > self.most

    @property
    def mended(self) -> Counter[str]:
        """How many trades of each symbol were missed and found the last time."""
        return self._found

    def follow(self, symbols: Iterable[str], now: datetime) -> None:
        """Mind these symbols' trades from now on. Those of `*` cannot be asked for."""
        for symbol in symbols:
            if symbol != "*" and symbol not in self._followed:
                self._followed[symbol] = _count(now)
                self._asked.add(symbol)

    def confirm(self, symbols: Iterable[str], now: datetime) -> None:
        """Note that upstream tells of these: while the connection holds, nothing from before is to be told."""
        for symbol in self._asked.intersection(symbols):
            self._asked.discard(symbol)
            if self._held is None:
                self._followed[symbol] = _count(now)

    def keep(self, symbols: Iterable[str]) -> None:
        """Forget all but these."""
        kept = set(symbols)
        self._followed = {symbol: since for symbol, since in self._followed.items() if symbol in kept}
        self._asked &= kept

    def lose(self) -> None:
        """Hold trades from now on: the connection has gone."""
        if self._held is not None:
            return
        self._held, self._mended = [], set()
        keys = [_key(each.symbol, each.row()) for each in self._recent]
        self._told = frozenset(keys)
        if keys:
            oldest = keys[0][3] if len(keys) == self.most else 0  # what was told before it is not known any more
            self._since = max(max(at for *_, at in keys) - SKEW, oldest, self._since)

    def take(self, messages: list[Message]) -> list[Message]:
        """Return what of a frame goes on now: trades do not while they are held, nor where history was quicker."""
        if self._held is None and not self._mended:
            if self._followed:
                self._recent.extend([each for each in messages if each.kind == TRADE])
            return messages
        return [each for each in messages if self._passes(each)]

    def lacking(self) -> Lacking | None:
        """Return what to ask history for, None where nothing can be missing."""
        symbols = tuple(sorted(self._followed))
        return Lacking(symbols, min(map(self.since, symbols))) if symbols else None

    def since(self, symbol: str) -> datetime:
        """Return up to when nothing of a symbol is missing."""
        return _EPOCH + timedelta(microseconds=self._floor(symbol) // 1000)

    def mend(self, rows: Rows) -> list[Message]:
        """Take history's answer; return what was missed, and what was held, by time."""
        held = self._release()
        live = {_key(each.symbol, each.row()) for each in held if each.kind == TRADE}
        found = {key: each for key, each in _messages(rows) if key not in live and self._is_new(key)}
        self._mended, self._found = set(found), Counter(symbol for symbol, *_ in found)
        self._settled = max((at for *_, at in found), default=0) + SKEW
        timed = [(key[3], each) for key, each in found.items()]
        whole = sorted(timed + _timed(held), key=lambda each: each[0])
        return self._tell([each for _, each in whole])

    def skip(self) -> list[Message]:
        """Go on without what was missed; return what was held."""
        self._found = Counter()
        return self._tell(self._release())

    def _passes(self, message: Message) -> bool:
        if message.kind not in _HELD:
            return True
        if self._held is not None:
            self._held.append(message)
            return False
        if message.kind == TRADE:
            key = _key(message.symbol, message.row())
            if key in self._mended:
                return False
            if key[3] > self._settled:
                self._mended = set()
            self._recent.append(message)
        return True

    def _release(self) -> list[Message]:
        held, self._held = self._held or [], None
        return held

    def _tell(self, messages: list[Message]) -> list[Message]:
        self._recent.extend([each for each in messages if each.kind == TRADE])
        return messages

    def _is_new(self, key: Key) -> bool:
        symbol, *_, at = key
        return symbol in self._followed and self._followed[symbol] <= at > self._since and key not in self._told

    def _floor(self, symbol: str) -> int:
        return max(self._followed[symbol], self._since)


def _messages(rows: Rows) -> Iterable[tuple[Key, Message]]:
    for symbol, each in rows.items():
        for row in each:
            yield _key(symbol, row), Message.of({"T": TRADE, "S": symbol, **row})


def _timed(held: Iterable[Message]) -> list[tuple[int, Message]]:
    """Return messages with their times, in the order in which they came: what is older is not put before others."""
    latest, timed = 0, []
    for each in held:
        latest = max(latest, nanoseconds(each.row()))
        timed.append((latest, each))
    return timed


def _key(symbol: str, row: Mapping[str, Any]) -> Key:
    return symbol, str(row.get("i")), str(row.get("x")), nanoseconds(row)


def _count(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
