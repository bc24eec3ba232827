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

from framework.engine.adding import add_feed
from framework.engine.clock_data import LiveClockData
from framework.engine.compat import MendedCerebro
from framework.engine.forgetting import forget
from framework.engine.freshness import Freshness
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData, last_time, number, row
from framework.engine.live_signals import LiveSignalData, lines_of
from framework.engine.oversight import Left, Orders, Oversight
from framework.engine.quote_data import is_quoted, quote_row, quoted_at
from framework.engine.splitting import sentence, split_feed, split_ledger, split_window
from framework.engine.tally import Tally
from framework.engine.timers import Zoned
from framework.live.bridge import Bridge
from framework.live.clock import pace
from framework.live.commands import End, Idle, Instant, Leave
from framework.live.ending import Stop, ended_by_interrupt
from framework.live.recipe import priced
from framework.live.records import ADDED, BARS, HALT, LINK, REMARK, REVISION, SPLIT, TOLD, Records
from framework.live.windows import Growing, ending
from framework.model import (
    Bar,
    Halt,
    Link,
    OrderUpdate,
    Quote,
    Remark,
    Revision,
    Signals,
    Snapshot,
    Split,
    Timeframe,
    Trade,
)  # fmt: skip
from framework.ports import Added, Clock
from framework.signalling import opened

LATEST = 3.0
"""Seconds after its end that a longer bar waits for its last minute, where no other bar says that it will not come."""

PAUSE = 0.02
"""Seconds that a record waits to be written with others: a fill is often close behind what was just heard."""

LONGEST_PAUSE = 0.2
"""Seconds that it waits at most where news of orders go on coming."""

REST = 0.05
"""Seconds between two looks for news of the last orders."""

TICK = 1.0
"""Seconds between two looks at the clock while nothing arrives: for timers, and for Ctrl-C everywhere."""


FAREWELL = 5.0
"""Seconds for which a session that ends waits for the cancels of its entries."""

NEVER = Orders()
"""No orders for the session's whole life."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the loop needs of the session around it. `is_told` where the venue's clock stands still between instants,
    `is_path` where some of these lie between the bars.

    `restore` is called when the first bars are loaded, to give the broker what an earlier run left, and returns
    what the account holds beside it; `checked` with each snapshot of the account. `stop` is how the session is
    asked to end, `settle` waits in lock-step for what was asked for last, and hands its news on. `look` is
    called at the end of each turn, with whether nothing waits. `made` makes the feed of a symbol that is added.
    """

    bridge: Bridge
    clock: Clock
    records: Records
    is_told: bool
    is_path: bool = False
    windows: tuple[Growing, ...] = ()
    restore: Callable[[Any], dict[str, float]] = lambda strategy: {}
    checked: Callable[[Any, Snapshot], list[Remark]] = lambda strategy, snapshot: []
    look: Callable[[bool], None] = lambda is_quiet: None
    orders: Orders = NEVER
    stop: Stop = field(default_factory=Stop)
    settle: Callable[[], None] = lambda: None
    made: Callable[[Added], LiveData] | None = None


class LiveCerebro(Zoned, MendedCerebro):
    """Cerebro for `LiveData` and a `LiveBroker`; `line` is set before `run`."""

    line: Line
    tally: Tally
    left: Left

    def _runnext(self, runstrats: list[Any]) -> None:
        self.tally = Tally()
        loop = Loop(self, runstrats, self.line, self.tally)
        self.left = loop.oversight.left
        loop.warm_up()
        loop.go_on()


class Loop:
    """One session's run. Owned by the engine's thread."""

    def __init__(self, cerebro: Any, strategies: list[Any], line: Line, tally: Tally) -> None:
        self._cerebro, self._strategies, self._line, self.tally = cerebro, strategies, line, tally
        self._broker: LiveBroker = cerebro._broker
        self._fresh = Freshness(line.clock, self._broker.restraint.limits.stale)
        self._broker.age = self._age
        self._broker.keeps_turns = line.is_told
        self._broker.say = lambda text: self._told(Remark(text))
        bars = [data for data in cerebro.datas if isinstance(data, LiveData)]
        self._datas: dict[tuple[str, Timeframe], LiveData] = {(data.p.symbol, data.unit): data for data in bars}
        self._signals = lines_of(cerebro)
        self._beaten = next((data for data in cerebro.datas if isinstance(data, LiveClockData)), None)
        self._quoted = {data.p.symbol: data for data in bars if is_quoted(data)}
        self._windows: dict[str, list[Growing]] = {}
        for window in line.windows:
            self._windows.setdefault(window.symbol, []).append(window)
        self._is_over = self._is_restored = False
        self._begun = line.clock.now()
        self._write_at: float | None = None
        self._write_by = 0.0
        self.oversight = Oversight(
            line.orders, self._broker, strategies[0], line.clock, line.records, is_told=line.is_told
        )

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
            self.oversight.foreign = self._line.restore(self._strategies[0])

    # -- live

    def go_on(self) -> None:
        """Take what arrives until the end; an interrupt (Ctrl-C) ends it too, a second one at once."""
        try:
            with ended_by_interrupt(self._line.stop.ask):
                self._line.stop.reaches(lambda: self._line.bridge.post(Leave("interrupted")))
                while not self._is_over:
                    self._turn()
                self._say_farewell()
        except KeyboardInterrupt:
            self.tally.notes.append("interrupted at once: what was under way was not waited for")
        self.oversight.finish()
        self._line.records.commit()

    def _say_farewell(self) -> None:
        """Where the session was asked to end, hear what becomes of the entries that were cancelled."""
        if not self.oversight.is_leaving:
            return
        self.tally.notes.append(self.oversight.left.why)
        clock = self._line.clock
        until = clock.monotonic() + FAREWELL
        while self.oversight.is_any_ending and clock.monotonic() < until:
            self._line.settle()
            news = self._line.bridge.wait(REST)
            if isinstance(news, OrderUpdate | Link | Remark):
                self._handle(news)
        self._notify(is_quick=True)  # no instant follows that would tell it

    def _turn(self) -> None:
        news = self._line.bridge.wait(self._patience())
        if news is not None:
            self._handle(news)
        elif self._line.records.is_waiting:
            self._line.records.commit()
        elif not self._line.is_told:
            self._by_the_clock()
        self.oversight.look()
        self._depart()
        self._is_over |= bool(self._cerebro._event_stop) or self.oversight.is_leaving
        if self._line.is_told and news is not None and not self._is_over:
            self._line.bridge.send(Idle(self._line.bridge.taken))
        self._line.look(self._is_calm(news))

    def _is_calm(self, news: Any) -> bool:
        """Return whether nothing waits, and nothing is likely to come of what just happened."""
        is_over = not isinstance(news, Instant | OrderUpdate) and not self._line.records.is_waiting
        return is_over and self._line.bridge.is_quiet

    def _patience(self) -> float:
        """Return how long to wait for news before the journal is written, or the clock is looked at."""
        if not self._line.records.is_waiting:
            self._write_at = None
            return TICK
        now = self._line.clock.monotonic()
        if self._write_at is None:
            self._write_at = now if self._line.is_told else now + PAUSE
            self._write_by = now + LONGEST_PAUSE
        return max(self._write_at - now, 0.0)

    def _go_on_pausing(self) -> None:
        """Wait a little longer before the journal is written: of a burst of orders one answer follows another."""
        if self._write_at is not None and not self._line.is_told:
            self._write_at = min(self._line.clock.monotonic() + PAUSE, self._write_by)

    def _handle(self, news: Any) -> None:
        match news:
            case Instant():
                self._instant(news)
            case OrderUpdate():
                self._broker.take(news)
                self._spread_word()
                self._go_on_pausing()
            case Quote() | Trade():
                self._each("notify_quote" if isinstance(news, Quote) else "notify_tick", news)
            case Snapshot():
                self.oversight.take(news)
                for remark in self._line.checked(self._strategies[0], news):
                    self._told(remark)
            case Link() | Revision() | Remark():
                self._told(news)
            case Halt():
                self._halted(news)
            case Split():
                self._split(news)
            case Added():
                self._added(news)
            case End():
                self._is_over = True
            case Leave(why):
                self.oversight.ask_to_leave(why)

    def _instant(self, told: Instant) -> None:
        """Play the bars of an instant, and before them the longer bars that have ended since."""
        self._broker.restraint.begin_day(told.at)
        if told.quotes is not None and not told.bars:
            self._beat(told)
            return
        if told.signals and not told.bars and not self._line.is_told:
            # Bars that end by now may still be on their way, and prices are as old as they were.
            self._step(self._heard(told.signals))
            return
        for end in ending(self._all_windows(), told.at - timedelta(microseconds=1)):
            self._play(end, self._complete(end))
        for bar in told.bars:
            for window in self._windows.get(bar.symbol, ()):
                window.add(bar)
        self._count(told)
        self._play(told.at, [*told.bars, *self._complete(told.at)], told.updates, told.signals, self._looked(told))

    def _beat(self, told: Instant) -> None:
        """Play an instant of the session's clock: what stands is what is known, however old it is."""
        self._step({**self._looked(told), **self._heard(told.signals)}, told.updates)

    def _looked(self, told: Instant) -> dict[Any, Any]:
        """Return the items of the clock, and of the quotes that are looked at by it."""
        if told.quotes is None or self._beaten is None:
            return {}
        rows: dict[Any, Any] = {self._beaten: self._beaten.row(told.at)}
        for each in told.quotes:
            data = self._quoted[each.symbol]
            rows[data] = quote_row(each)
            data.become(data.DELAYED if self._fresh.late(each.quoted) > 0 else data.LIVE)
        return rows

    def _age(self, data: Any) -> float:
        """Return by how many seconds prices are too old to open a position on, 0 where they are new."""
        if not is_quoted(data):
            return self._fresh.age(data)
        return self._fresh.late(quoted_at(data)) if len(data) else float("inf")

    def _heard(self, signals: Iterable[Signals]) -> dict[Any, Any]:
        """Return the items of signals by their feeds."""
        told: dict[Any, list[Signals]] = {}
        symbols = {symbol for symbol, _ in self._datas}
        for each in signals:
            self.tally.unfollowed.update(symbol for symbol in opened(each) if symbol not in symbols)
            told.setdefault(self._signals[each.algorithm], []).append(each)
        return {data: data.row(batches) for data, batches in told.items()}

    def _play(
        self,
        at: datetime,
        bars: Iterable[Bar],
        updates: Iterable[OrderUpdate] = (),
        signals: Iterable[Signals] = (),
        looked: Mapping[Any, Any] | None = None,
    ) -> None:
        rows = {self._datas[bar.symbol, bar.timeframe]: row(bar) for bar in bars}
        ahead = {data: each for data, each in rows.items() if each[0] > last_time(data)}
        if ahead and not self._fresh.late(at):
            self._tell_missed()
        with self._fresh.playing(at):
            self.tally.stale += self._fresh.note(at, ahead)
            self._step({**ahead, **(looked or {}), **self._heard(signals)}, updates)

    def _complete(self, until: datetime) -> list[Bar]:
        return [each.take() for each in self._all_windows() if each.ends_at is not None and each.ends_at <= until]

    def _all_windows(self) -> Iterator[Growing]:
        return (window for windows in self._windows.values() for window in windows)

    def _count(self, told: Instant) -> None:
        if told.bars:
            self.tally.instants += 1
            self.tally.late += told.is_late
            body = {"symbols": [bar.symbol for bar in told.bars], "bars": priced(told.bars)}
            self._line.records.append(BARS, told.at.isoformat(), body)

    def _by_the_clock(self) -> None:
        """Do what time alone brings about: timers, and longer bars whose last minutes had no trade."""
        now = self._line.clock.now()
        for end in ending(self._all_windows(), now - timedelta(seconds=LATEST * max(pace(self._line.clock), 1.0))):
            self._play(end, self._complete(end))
        if self._cerebro._timers or self._cerebro._timerscheat:
            self._timers(number(now))
            self._spread_word()

    # -- one step, in Backtrader's order

    def _step(self, rows: Mapping[Any, Any], updates: Iterable[OrderUpdate] = ()) -> None:
        """Load bars and signals, take and notify what became of orders, call `next`; where there are any."""
        cerebro = self._cerebro
        if self._line.is_path and rows:  # as in real time: what is known is told before the next bar is there
            cerebro._brokernotify()
            self._broker.depart()
        for data, each in rows.items():
            data.feed(each)
        if not self._is_restored and all(len(data) for data in self._datas.values()):
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
                forget(strategy)
            for data in self._signals.values():
                data.over()
            self._depart()
        self._is_over |= bool(cerebro._event_stop)
        self._spread_word()

    def _depart(self) -> None:
        """Send what was asked for, and note which signals are done with."""
        self._broker.depart()
        waiting = [data for data in self._signals.values() if data.is_waiting]
        unanswered = self._broker.unanswered() if waiting else frozenset()
        for data in waiting:
            for name in data.finished(unanswered):
                self._line.records.append(TOLD, name, {})

    def _spread_word(self) -> None:
        """Notify orders at once, and send what is asked for in answer, until nothing is left to say.

        In lock-step what is to be said waits for the next instant, as in a backtest.
        """
        if self._line.is_told:
            return
        self._notify(is_quick=self._cerebro.p.quicknotify)

    def _notify(self, *, is_quick: bool) -> None:
        while self._broker.notifs or self._broker.submitted:
            # Not `_brokernotify`: it would end an instant first, for every fill.
            while (order := self._broker.get_notification()) is not None:
                owner = self._strategies[0] if order.owner is None else order.owner
                owner._addnotification(order, quicknotify=is_quick)
            self._depart()

    def _timers(self, time: float) -> None:
        self._cerebro._check_timers(self._strategies, time, cheat=True)
        self._cerebro._check_timers(self._strategies, time, cheat=False)
        self._broker.depart()

    # -- what else is told

    def _told(self, news: Link | Revision | Remark) -> None:
        match news:
            case Link(stream=stream, is_up=is_up, reason=reason):
                is_whole = self._fresh.link(stream, is_up or not news.brings_prices)
                self._line.records.append(LINK, stream, {"is_up": is_up, "reason": reason})
                self._say(f"{stream}: {'up' if is_up else f'down ({reason})'}", news)
                if is_up and is_whole:
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

    def _halted(self, halt: Halt) -> None:
        """Open no position in a symbol that is halted: an order would wait, and meet the price after the news."""
        symbol = halt.symbol
        if halt.is_halted:
            self._broker.halted[symbol] = halt.reason
        else:
            self._broker.halted.pop(symbol, None)
        self._line.records.append(HALT, symbol, {"is_halted": halt.is_halted, "reason": halt.reason})
        self._say(f"{symbol}: {f'halted ({halt.reason})' if halt.is_halted else 'trades again'}", halt)
        self._spread_word()

    def _added(self, added: Added) -> None:
        """Let the strategies have one more feed."""
        assert self._line.made is not None
        data = self._line.made(added)
        add_feed(self._cerebro, self._strategies, data)
        self._datas[added.symbol, added.timeframe] = data
        self._broker.restraint.know_feeds()
        self._line.records.append(ADDED, added.symbol, {"timeframe": str(added.timeframe)})
        self._say(f"{added.symbol}: its bars come too from now on", added)

    def _split(self, split: Split) -> None:
        """Go through a split, once; bars that were loaded since this run began are put into the new shares."""
        mine = [data for (symbol, _), data in self._datas.items() if symbol == split.symbol]
        if not mine or split.name in self._broker.splits:
            return
        before, after, price = split_ledger(self._broker, self._strategies[0], mine, split)
        self.oversight.split(split)
        self._line.records.append(SPLIT, split.symbol, {"split": split, "before": before, "after": after})
        if split.at > self._begun:
            self._split_bars(mine, split)
        elif before == after:
            return  # all of it was bought afterwards, over bars that knew
        text = sentence(split, before, after, price)
        self.tally.notes.append(text)
        self._say(text, split)
        self._spread_word()

    def _split_bars(self, datas: Iterable[LiveData], split: Split) -> None:
        for data in datas:
            split_feed(data, split)
        if self._fresh.latest is None or self._fresh.latest <= split.at:
            for window in self._windows.get(split.symbol, ()):
                split_window(window, split)
        self._broker.revalue()

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

    def _tell_missed(self) -> None:
        """Tell what was missed, once it has been played; what is asked for in answer still meets the last of it."""
        missed = self._fresh.missed()
        if missed.until is not None:
            with self._fresh.playing(missed.until, is_new=False):
                self._told(Remark(missed.told(self._cerebro.p.tz)))


def _instants(datas: Iterable[LiveData | LiveSignalData]) -> Iterator[dict[Any, Any]]:
    """Yield the rows of the feeds' histories by their instants, the earliest first."""
    rows: dict[Any, list[Any]] = {data: data.history() for data in datas}
    times = sorted({each[0] for found in rows.values() for each in found})
    places = dict.fromkeys(rows, 0)
    for time in times:
        now = {}
        for data, found in rows.items():
            if places[data] < len(found) and found[places[data]][0] == time:
                now[data] = found[places[data]]
                places[data] += 1
        yield now
