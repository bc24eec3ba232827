"""What follows a break of the line upstream: bars and trades wait for what history has, and clients are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from feeds.alpaca.proxy.board import Change
from feeds.alpaca.proxy.figures import Counts
from feeds.alpaca.proxy.frames import Message
from feeds.alpaca.proxy.history import Found, History
from feeds.alpaca.proxy.markers import Gap, asked, lost
from feeds.alpaca.proxy.missed import Lacking, Missed, in_order
from feeds.alpaca.proxy.missed_trades import MissedTrades
from feeds.alpaca.wants import Channels
from framework.ports import Clock


class Mending:
    """Makes good what a stream leaves out. Owned by the proxy's loop.

    `wanted` returns what anybody wants. `tell` is given gaps, and what is to be sent to clients after their markers.
    """

    def __init__(
        self,
        history: History,
        clock: Clock,
        counts: Counts,
        wanted: Callable[[], Channels],
        tell: Callable[[list[Gap], list[Message]], None],
        remark: Callable[[str], None],
    ) -> None:
        self._history, self._clock, self._counts = history, clock, counts
        self._wanted, self._tell, self._remark = wanted, tell, remark
        self._bars, self._trades = Missed(), MissedTrades(history.limit)
        self._risen, self._is_up, self._breaks = asyncio.Event(), False, 0
        self._down: datetime | None = None  # since when, until something comes again
        self._torn: datetime | None = None  # since when, until history has answered

    async def run(self) -> None:
        """Ask history whenever the connection is up again."""
        while True:
            await self._risen.wait()
            self._risen.clear()
            if self._bars.is_holding and self._is_up:  # it may have gone down again before its turn
                await self._mend(self._breaks)

    @property
    def is_mending(self) -> bool:
        """Whether anything waits for history."""
        return self._bars.is_holding or self._trades.is_holding

    def change(self, change: Change) -> None:
        """Mind what is asked for upstream from now on."""
        now, wanted = self._clock.now(), self._wanted()
        self._bars.follow(change.more.get("bars", ()), now)
        self._bars.keep(wanted.get("bars", ()))
        self._trades.follow(change.more.get("trades", ()), now)
        self._trades.keep(wanted.get("trades", ()))

    def confirm(self, had: Channels) -> None:
        """Note what upstream tells of."""
        self._trades.confirm(had.get("trades", ()), self._clock.now())

    def lose(self, since: datetime) -> None:
        """Hold what has to wait: the connection has gone, and nothing was heard of it after a time."""
        self._is_up = False
        self._breaks += 1
        self._down, self._torn = self._down or since, self._torn or since
        self._bars.lose()
        self._trades.lose()

    def take(self, messages: list[Message]) -> list[Message]:
        """Return what of a frame goes on now."""
        self._resume()
        passed = self._trades.take(self._bars.take(messages))
        if self._trades.is_over:
            self._let_trades_go()
        return passed

    def rise(self) -> None:
        """Note that the connection is up."""
        self._resume()
        self._is_up = True
        self._risen.set()

    def _resume(self) -> None:
        """Tell what is lost for good, before anything else is told."""
        if self._down is not None:
            since, self._down = self._down, None
            self._tell(lost(self._wanted(), since, self._clock.now()), [])

    async def _mend(self, breaks: int) -> None:
        lacking = self._bars.lacking(), self._trades.lacking()
        found = await self._history.ask(*lacking)
        if breaks != self._breaks:
            return  # it has gone down meanwhile: the next time asks for all of it
        self._counts.gaps += any(lacking)
        bar_gaps, bars = self._bars_after(found[0], lacking[0])
        trade_gaps, trades = self._trades_after(found[1], lacking[1]) if self._trades.is_holding else ([], [])
        self._torn = None
        self._tell(bar_gaps + trade_gaps, in_order(bars, trades))

    def _bars_after(self, found: Found, lacking: Lacking | None) -> tuple[list[Gap], list[Message]]:
        since = self._since("bars", lacking, self._bars.since)
        messages = self._bars.mend(found.rows) if found.is_whole else self._bars.skip()
        self._counts.missed += self._bars.mended.total()
        self._open("bars", found.failure)
        return asked("bars", since, self._clock.now(), self._bars.mended if found.is_whole else None), messages

    def _trades_after(self, found: Found, lacking: Lacking | None) -> tuple[list[Gap], list[Message]]:
        since = self._since("trades", lacking, self._trades.since)
        messages = self._trades.mend(found.rows) if found.is_whole else self._trades.skip()
        self._counts.missed_trades += self._trades.mended.total()
        self._open("trades", found.failure or ("those of * cannot be asked for" if "*" in since else ""))
        return asked("trades", since, self._clock.now(), self._trades.mended if found.is_whole else None), messages

    def _let_trades_go(self) -> None:
        """Wait for history no longer, for too many trades came meanwhile."""
        since = self._since("trades", self._trades.lacking(), self._trades.since)
        self._open("trades", f"more than {self._trades.most:,} came before history had answered")
        self._tell(asked("trades", since, self._clock.now(), None), self._trades.skip())

    def _since(self, channel: str, lacking: Lacking | None, since: Callable[[str], datetime]) -> Mapping[str, datetime]:
        """Return since when a channel's symbols are in doubt, where history has not answered for them."""
        wanted = self._wanted().get(channel, frozenset())
        named = {each: since(each) for each in (lacking.symbols if lacking else ()) if each in wanted}
        return named | ({"*": self._torn} if "*" in wanted and self._torn else {})

    def _open(self, what: str, failure: str) -> None:
        """Note that a gap stays open, where there is a reason."""
        if failure:
            self._counts.gaps_open += 1
            self._remark(f"{self._history.endpoint.path}: {what} may be missing, for {failure}")
