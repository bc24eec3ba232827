"""Whether a stream of bars has fallen silent, or its symbols do not trade: history tells. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from feeds.gaps import Handed, News, Origin

FEW, MANY = 2, 32
"""How much must be lacking before a stream is mute, and the most that it takes."""


_NEVER = datetime.max.replace(tzinfo=UTC)


class Mute:
    """Weighs the minutes of which history has bars and the stream brought none of any symbol. Owned by the I/O thread.

    A minute in which two symbols or more were lacking is enough: that bars are lost one by one happens, and
    all of a minute at once it does not. A single bar may be lost by itself, so of those it takes two minutes.
    To connect again costs something too (the account's one slot may be held for 90 seconds), so each time
    that it was in vain it takes twice as much.
    """

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._joined: dict[str, datetime] = {}
        self._lacking: dict[datetime, set[str]] = {}
        self._needed = FEW

    def opened(self, at: datetime) -> None:
        """Note that minutes that end after a time are to be brought."""
        self._since = at
        self._lacking.clear()

    def joined(self, symbol: str, at: datetime) -> None:
        """Note that one more symbol's minutes that end after a time are to be brought."""
        self._joined[symbol] = at

    def excuse(self, symbol: str) -> None:
        """Note that the stream does not carry a symbol."""
        self._joined[symbol] = _NEVER

    def closed(self) -> None:
        """Note that nothing can be brought for now."""
        self._since = None
        self._lacking.clear()

    def brought(self, end: datetime) -> None:
        """Note that the stream told of a minute that ended then: up to there it was not mute."""
        self._needed = FEW
        if self._since is not None and end > self._since:
            self._since = end
            self._lacking = {each: symbols for each, symbols in self._lacking.items() if each > end}

    def is_shown(self, news: Iterable[News]) -> bool:
        """Take what history brought; return whether it shows that the stream is mute."""
        if self._since is None:
            return False
        for each in news:
            if isinstance(each, Handed) and each.origin is Origin.BACKFILLED and self._is_due(each, self._since):
                self._lacking.setdefault(each.bar.end, set()).add(each.bar.symbol)
        if sum(min(len(symbols), FEW) for symbols in self._lacking.values()) < self._needed:
            return False
        self._lacking.clear()
        self._needed = min(2 * self._needed, MANY)
        return True

    def _is_due(self, handed: Handed, since: datetime) -> bool:
        """Return whether the stream was to bring a bar."""
        return handed.bar.end > max(since, self._joined.get(handed.bar.symbol, since))
