"""The live loop: Backtrader's own order of events, driven by what arrives instead of by a poll.

One instant is: its bars are loaded, its fills are notified (`len(self)` has not moved yet), `next`. In a
backtest and in lock-step the fills come with the bars; in real time they are notified when they arrive.
The loop waits on the bridge's one condition and does nothing while nothing comes, but for timers, which
go by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from framework.engine.compat import MendedCerebro
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData, Row, last_time, number, row
from framework.engine.timers import Zoned
from framework.engine.translate import symbol_of
from framework.live.bridge import Bridge
from framework.live.clock import pace
from framework.live.commands import End, Idle, Instant
from framework.live.ending import ended_by_interrupt
from framework.live.missed import Missed
from framework.live.records import BARS, LINK, REMARK, REVISION, Records
from framework.live.windows import Growing, ending
from framework.model import Bar, Link, OrderUpdate, Quote, Remark, Revision, Snapshot, Timeframe, Trade
from framework.ports import Clock

LATEST = 3.0
"""Seconds after its end that a longer bar waits for its last minute, where no other bar says that it will not come."""

PAUSE = 0.02
"""Seconds that a record waits to be written with others: a fill is often close behind what was just heard."""

TICK = 1.0
"""Seconds between two looks at the clock while nothing arrives: for timers, and for Ctrl-C everywhere."""


@dataclass(slots=True)
class Tally:
    """What a session counted: bars that came late, instants, revisions, bars that were backfilled."""

    instants: int = 0
    late: int = 0
    revisions: int = 0
    stale: int = 0
    notes: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        """Return what the user should know, in sentences."""
        counts = {
            "bars came after their instant, and had a next of their own": self.late,
            "bars were changed by the venue afterwards": self.revisions,
            "instants were played later than they happened; no position was opened on them": self.stale,
        }
        return [*dict.fromkeys(self.notes), *(f"{count} {what}" for what, count in counts.items() if count)]


@dataclass(frozen=True, slots=True)
class Line:
    """What the loop needs of the session around it. `is_told` where the venue's clock stands still between instants,
    `is_path` where some of these lie between the bars.

    `restore` is called when the first bars are loaded, to give the broker what an earlier run left; `checked`
    with each snapshot of the account.
    """

    bridge: Bridge
    clock: Clock
    records: Records
    is_told: bool
    is_path: bool = False
    windows: tuple[Growing, ...] = ()
    restore: Callable[[Any], None] = lambda strategy: None
    checked: Callable[[Any, Snapshot], list[Remark]] = lambda strategy, snapshot: []


class LiveCerebro(Zoned, MendedCerebro):
    """Cerebro for `LiveData` and a `LiveBroker`; `line` is set before `run`."""

    line: Line
    tally: Tally

    def _runnext(self, runstrats: list[Any]) -> None:
        self.tally = Tally()
        loop = Loop(self, runstrats, self.line, self.tally)
        loop.warm_up()
        loop.go_on()


class Loop:
    """One session's run. Owned by the engine's thread."""

    def __init__(self, cerebro: Any, strategies: list[Any], line: Line, tally: Tally) -> None:
        self._cerebro, self._strategies, self._line, self.tally = cerebro, strategies, line, tally
        self._broker: LiveBroker = cerebro._broker
        self._broker.age = self._lateness
        self._broker.say = lambda text: self._told(Remark(text))
        self._datas: dict[tuple[str, Timeframe], LiveData] = {
            (data.p.symbol, data.unit): data for data in cerebro.datas
        }
        self._windows: dict[str, list[Growing]] = {}
        for window in line.windows:
            self._windows.setdefault(window.symbol, []).append(window)
        self._is_over = self._is_restored = False
        self._down: set[str] = set()
        self._at: datetime | None = None
        self._latest: datetime | None = None
        self._write_at: float | None = None
        self._missed = Missed()

    # -- history

    def warm_up(self) -> None:
        """Play the history: nothing trades, and the strategy's indicators fill."""
        for rows in _instants(self._cerebro.datas):
            self._step(rows)
            if self._is_over:
                return
        self._restored()
        self._broker.begin()

    def _restored(self) -> None:
        """Give the broker what an earlier run left: before the first `next`, and when there are prices."""
        if not self._is_restored:
            self._is_restored = True
            self._line.restore(self._strategies[0])

    # -- live

    def go_on(self) -> None:
        """Take what arrives until the end; an interrupt (Ctrl-C) ends it too, a second one at once."""
        try:
            with ended_by_interrupt(self._interrupted):
                while not self._is_over:
                    self._turn()
        except KeyboardInterrupt:
            self.tally.notes.append("interrupted")
        self._line.records.commit()

    def _interrupted(self) -> None:
        """End when what is at hand is done; the loop wakes where it waits."""
        self._is_over = True
        self.tally.notes.append("interrupted")
        self._line.bridge.post(End())

    def _turn(self) -> None:
        news = self._line.bridge.wait(self._patience())
        if news is not None:
            self._handle(news)
        elif self._line.records.is_waiting:
            self._line.records.commit()
        elif not self._line.is_told:
            self._by_the_clock()
        if self._line.is_told and news is not None:
            self._line.bridge.send(Idle(self._line.bridge.taken))
        self._is_over |= bool(self._cerebro._event_stop)

    def _patience(self) -> float:
        """Return how long to wait for news before the journal is written, or the clock is looked at."""
        if not self._line.records.is_waiting:
            self._write_at = None
            return TICK
        now = self._line.clock.monotonic()
        if self._write_at is None:
            self._write_at = now if self._line.is_told else now + PAUSE
        return max(self._write_at - now, 0.0)

    def _handle(self, news: Any) -> None:
        match news:
            case Instant():
                self._instant(news)
            case OrderUpdate():
                self._broker.take(news)
                self._spread_word()
            case Quote() | Trade():
                self._each("notify_quote" if isinstance(news, Quote) else "notify_tick", news)
            case Snapshot():
                for remark in self._line.checked(self._strategies[0], news):
                    self._told(remark)
            case Link() | Revision() | Remark():
                self._told(news)
            case End():
                self._is_over = True

    def _instant(self, told: Instant) -> None:
        """Play the bars of an instant, and before them the longer bars that have ended since."""
        self._broker.restraint.begin_day(told.at)
        for end in ending(self._all_windows(), told.at - timedelta(microseconds=1)):
            self._play(end, self._complete(end))
        for bar in told.bars:
            for window in self._windows.get(bar.symbol, ()):
                window.add(bar)
        self._count(told)
        self._play(told.at, [*told.bars, *self._complete(told.at)], told.updates)

    def _play(self, at: datetime, bars: Iterable[Bar], updates: Iterable[OrderUpdate] = ()) -> None:
        rows = {self._datas[bar.symbol, bar.timeframe]: row(bar) for bar in bars}
        ahead = {data: each for data, each in rows.items() if each[0] > last_time(data)}
        if ahead and not self._late(at):
            self._tell_missed()
        self._at = self._latest = at
        try:
            self._fresh_or_not(at, ahead)
            self._step(ahead, updates)
        finally:
            self._at = None

    def _complete(self, until: datetime) -> list[Bar]:
        return [each.take() for each in self._all_windows() if each.ends_at is not None and each.ends_at <= until]

    def _all_windows(self) -> Iterator[Growing]:
        return (window for windows in self._windows.values() for window in windows)

    def _count(self, told: Instant) -> None:
        if told.bars:
            self.tally.instants += 1
            self.tally.late += told.is_late
            self._line.records.append(BARS, told.at.isoformat(), {"symbols": [bar.symbol for bar in told.bars]})

    def _by_the_clock(self) -> None:
        """Do what time alone brings about: timers, and longer bars whose last minutes had no trade."""
        now = self._line.clock.now()
        for end in ending(self._all_windows(), now - timedelta(seconds=LATEST * max(pace(self._line.clock), 1.0))):
            self._play(end, self._complete(end))
        if self._cerebro._timers or self._cerebro._timerscheat:
            self._timers(number(now))
            self._spread_word()

    # -- one step, in Backtrader's order

    def _step(self, rows: Mapping[LiveData, Row], updates: Iterable[OrderUpdate] = ()) -> None:
        """Load bars, take and notify what became of orders, call `next`; without bars there is no `next`."""
        cerebro = self._cerebro
        if self._line.is_path and rows:  # as in real time: what is known is told before the next bar is there
            cerebro._brokernotify()
            self._broker.depart()
        for data, each in rows.items():
            data.feed(each)
        if rows:
            self._restored()
        for update in updates:
            self._broker.take(update)
        cerebro._storenotify()
        cerebro._datanotify()
        time = max((each[0] for each in rows.values()), default=0.0)
        if rows:
            cerebro._check_timers(self._strategies, time, cheat=True)
        cerebro._brokernotify()
        self._broker.depart()
        if rows and not cerebro._event_stop:
            cerebro._check_timers(self._strategies, time, cheat=False)
            for strategy in self._strategies:
                strategy._next()
                cerebro._next_writers(self._strategies)
            self._broker.depart()
        self._is_over |= bool(cerebro._event_stop)
        self._spread_word()

    def _spread_word(self) -> None:
        """Notify orders at once, and send what is asked for in answer, until nothing is left to say.

        In lock-step what is to be said waits for the next instant, as in a backtest.
        """
        if self._line.is_told:
            return
        quick = self._cerebro.p.quicknotify
        while self._broker.notifs or self._broker.submitted:
            # Not `_brokernotify`: it would end an instant first, for every fill.
            while (order := self._broker.get_notification()) is not None:
                owner = self._strategies[0] if order.owner is None else order.owner
                owner._addnotification(order, quicknotify=quick)
            self._broker.depart()

    def _timers(self, time: float) -> None:
        self._cerebro._check_timers(self._strategies, time, cheat=True)
        self._cerebro._check_timers(self._strategies, time, cheat=False)
        self._broker.depart()

    # -- what else is told

    def _told(self, news: Link | Revision | Remark) -> None:
        match news:
            case Link(stream=stream, is_up=is_up, reason=reason):
                if news.brings_prices:
                    (self._down.discard if is_up else self._down.add)(stream)
                self._line.records.append(LINK, stream, {"is_up": is_up, "reason": reason})
                self._say(f"{stream}: {'up' if is_up else f'down ({reason})'}", news)
                if is_up and not self._down:
                    self._tell_missed()
            case Revision(bar, was):
                self.tally.revisions += 1
                self._line.records.append(REVISION, bar.symbol, {"bar": bar, "was": was})
                self._each("notify_revision", news)
            case Remark(text, subject):
                self._line.records.append(REMARK, subject, {"text": text})
                self.tally.notes.append(text)
                self._say(text, news)
        self._spread_word()

    def _say(self, text: str, news: Any) -> None:
        """Tell the strategy, through `notify_store`."""
        self._cerebro.notify_store(text, news)
        for strategy in self._strategies:
            strategy.notify_store(text, news)
        self._broker.depart()

    def _each(self, name: str, news: Any) -> None:
        """Call a strategy's own method where it has one of that name."""
        for strategy in self._strategies:
            if (method := getattr(strategy, name, None)) is not None:
                method(news)
        self._broker.depart()
        self._spread_word()

    # -- how old the bars are

    def _fresh_or_not(self, at: datetime, rows: Mapping[LiveData, Row]) -> None:
        """Let the feeds know whether these bars are those of now."""
        late = self._late(at)
        if late > 0 and rows:
            self.tally.stale += 1
            self._missed = self._missed.with_instant(at, [symbol_of(data) for data in rows])
        for data in rows:
            data.become(LiveData.DELAYED if late > 0 else LiveData.LIVE)

    def _tell_missed(self) -> None:
        """Tell what was missed, once it has been played; what is asked for in answer still meets the last of it."""
        missed, self._missed = self._missed, Missed()
        if missed.until is not None:
            before, self._at = self._at, missed.until
            try:
                self._told(Remark(missed.told(self._cerebro.p.tz)))
            finally:
                self._at = before

    def _late(self, at: datetime) -> float:
        """Return how many seconds too old is what ended at `at`; 0 where it is fresh."""
        age = (self._line.clock.now() - at).total_seconds()
        return age if age > self._broker.restraint.limits.stale * max(pace(self._line.clock), 1.0) else 0.0

    def _lateness(self, data: Any) -> float:
        """Return by how many seconds the prices are too old to open a position on, 0 where they are those of now."""
        if self._at is not None:
            return self._late(self._at)
        if not self._down or self._latest is None:
            return 0.0
        return max((self._line.clock.now() - self._latest).total_seconds(), 1.0)


def _instants(datas: Iterable[LiveData]) -> Iterator[dict[LiveData, Row]]:
    """Yield the rows of the feeds' histories by their instants, the earliest first."""
    rows = {data: data.history() for data in datas}
    times = sorted({each[0] for found in rows.values() for each in found})
    places = dict.fromkeys(rows, 0)
    for time in times:
        now = {}
        for data, found in rows.items():
            if places[data] < len(found) and found[places[data]][0] == time:
                now[data] = found[places[data]]
                places[data] += 1
        yield now
