"""The live loop where Backtrader's own loop goes round: one round of stock's is one thing that has happened.

Stock's loop polls: it asks its stores for messages, each feed for a bar, the broker for news of orders, and then calls
`next`. `begin_round` stands where it asks the stores. There it waits, on the bridge's one condition, for what
arrives, and lays out what this round is to find: the bars of one instant in their feeds, what became of orders in
the broker, the messages. Everything else is the live loop's (`framework.engine.live`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from framework.engine.forgetting import forget
from framework.engine.live import Line, Loop
from framework.engine.live_data import last_time, row
from framework.engine.store_data import StoreData
from framework.engine.tally import Tally
from framework.live.commands import Idle, Leave
from framework.model import Bar, Link, OrderUpdate, Remark, Revision, Signals, Timeframe, nothing

Said = tuple[str, Any]
"""A message and what it is about: what `notify_store` is given."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of stock's loop plays. `at` is its instant, None for history and where there is none.

    A step ends an instant, as each of the live loop's does; other rounds tell something in between.
    """

    at: datetime | None = None
    rows: Mapping[Any, Any] = field(default_factory=nothing)
    updates: tuple[OrderUpdate, ...] = ()
    said: tuple[Said, ...] = ()
    is_new: bool = True
    is_step: bool = False


class StockLoop(Loop):
    """One session's run, in stock's rounds. Owned by the engine's thread; `datas` are the session's live feeds."""

    def __init__(
        self, cerebro: Any, strategies: list[Any], line: Line, datas: Sequence[StoreData], zone: tzinfo
    ) -> None:
        super().__init__(cerebro, strategies, line, Tally())
        self._zone, self._live = zone, list(datas)
        self._datas = {(data.p.symbol, data.unit): data for data in datas}
        self._feeds: dict[tuple[str, Timeframe], list[StoreData]] = {}
        for data in datas:
            self._feeds.setdefault((data.p.symbol, data.unit), []).append(data)
        self._rest = min((data.p.qcheck for data in datas if data.p.qcheck > 0), default=1.0)
        self._past = _warm_up(datas)
        self._rounds: deque[Round] = deque()
        self._now = Round()
        self._playing = ExitStack()
        self._news: Any = None
        self._is_warm = self._is_owed = self._is_finished = False

    # -- what stock's loop comes by

    def begin_round(self) -> tuple[Said, ...]:
        """Lay out what this round is to find, and return the messages; wait for it where nothing has come yet."""
        self._end_round()
        if not self._is_warm:
            self._warm_up()
        if not self._rounds:
            self._between()
        if not self._rounds and not self._is_over and (self._line.is_told or not self._broker.notifs):
            self._listen()
        if self._is_over:
            self.finish()
            self._cerebro.runstop()
            return tuple(said for each in self._rounds for said in each.said)
        return self._laid_out()

    def loaded(self) -> bool:
        """Take what became of orders, now that the bars are there; return whether an instant ends with this round."""
        if not self._is_restored and all(len(data) for data in self._live):
            self._restored()
        updates, self._now = self._now.updates, replace(self._now, updates=())
        for update in updates:
            self._broker.take(update)
        return self._now.is_step

    @property
    def is_silent(self) -> bool:
        """Whether news of orders wait for the next instant: in lock-step they do, as in a backtest."""
        return self._line.is_told and not self._now.is_step and not self._is_finished

    def finish(self) -> None:
        """End: send what was asked for last, and hear what becomes of the entries that were cancelled. Once."""
        if self._is_finished:
            return
        self._is_finished = True
        self._playing.close()
        self._depart()
        self._say_farewell()
        self.oversight.finish()
        self._line.records.commit()

    # -- one round

    def _end_round(self) -> None:
        """Send what was asked for in the round that is over."""
        self._depart()
        self._playing.close()
        if self._now.is_step:
            for strategy in self._strategies:
                forget(strategy)
        self._now = Round()

    def _warm_up(self) -> None:
        """Lay down the next instant of the history; where all of it has been played, begin to trade."""
        if (following := next(self._past, None)) is not None:
            self._rounds.append(following)
            return
        self._is_warm = True
        self._restored()
        self._broker.begin()
        self._line.stop.reaches(lambda: self._line.bridge.post(Leave("interrupted")))

    def _between(self) -> None:
        """Do what is due when all that has arrived is dealt with."""
        self.oversight.look()
        self._depart()
        self._is_over |= bool(self._cerebro._event_stop) or self.oversight.is_leaving
        if self._is_owed and not self._rounds and not self._is_over:
            self._is_owed = False
            self._line.bridge.send(Idle(self._line.bridge.taken))
        self._line.look(self._is_calm(self._news))
        self._news = None

    def _listen(self) -> None:
        """Wait for news, and lay them down as rounds; stock's loop is not kept for longer than `qcheck`."""
        self._news = news = self._line.bridge.wait(min(self._patience(), self._rest))
        if news is not None:
            self._is_owed = self._line.is_told
            self._handle(news)
        elif self._line.records.is_waiting:
            self._line.records.commit()
        elif not self._line.is_told:
            self._by_the_clock()

    def _laid_out(self) -> tuple[Said, ...]:
        if not self._rounds:
            return ()
        rows = self._ahead(self._rounds[0])
        if rows and self._line.is_path and self._broker.notifs:
            self._now = Round(is_step=True)  # as in real time: what is known is told before the next bar is there
            return ()
        if rows and self._is_warm and self._is_fresh(self._rounds[0]) and self._is_more_to_tell():
            self._rounds.rotate(1)  # what was missed comes first
            rows = {}
        self._now = now = self._rounds.popleft()
        if now.at is not None:
            self._playing.enter_context(self._fresh.playing(now.at, is_new=now.is_new))
            self.tally.stale += self._fresh.note(now.at, rows)
        for data, each in rows.items():
            data.lay(each)
        return now.said

    def _ahead(self, now: Round) -> dict[StoreData, Any]:
        return {data: each for data, each in now.rows.items() if each[0] > last_time(data)}

    def _is_fresh(self, now: Round) -> bool:
        return now.at is not None and not self._fresh.late(now.at)

    def _is_more_to_tell(self) -> bool:
        count = len(self._rounds)
        self._tell_missed()
        return len(self._rounds) > count

    # -- what the live loop does at once, as rounds

    def _play(
        self,
        at: datetime,
        bars: Iterable[Bar],
        updates: Iterable[OrderUpdate] = (),
        signals: Iterable[Signals] = (),
        looked: Mapping[Any, Any] | None = None,
    ) -> None:
        rows = {
            data: row(bar)
            for bar in bars
            for data in self._feeds.get((bar.symbol, bar.timeframe), ())
            if not data.is_over and (data.p.backfill or not data.is_down)
        }
        self._rounds.append(Round(at, rows, tuple(updates), is_step=True))

    def _say(self, text: str, news: Any) -> None:
        self._rounds.append(Round(said=((text, news),)))

    def _tell_missed(self) -> None:
        missed = self._fresh.missed()
        if missed.until is not None:
            self._told(Remark(missed.told(self._zone)))
            self._rounds[-1] = replace(self._rounds[-1], at=missed.until, is_new=False)

    def _told(self, news: Link | Revision | Remark) -> None:
        if isinstance(news, Link) and news.brings_prices:
            over_it = [data for data in self._live if data.store.line(data) == news.stream]
            for data in over_it or self._live:
                data.linked(is_up=news.is_up)
            if all(data.is_over for data in self._live):
                self.oversight.leave(f"{news.stream} is down, and no feed is to connect again")
        super()._told(news)

    def _spread_word(self) -> None:
        """Stock's loop asks the broker in each round."""


def _warm_up(datas: Iterable[StoreData]) -> Iterator[Round]:
    """Yield the history of the feeds, an instant each."""
    rows: dict[float, dict[StoreData, Any]] = {}
    for data in datas:
        for each in data.history():
            rows.setdefault(each[0], {})[data] = each
    return (Round(rows=rows[time], is_step=True) for time in sorted(rows))
