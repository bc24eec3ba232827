"""The lean loop: what `Cerebro._runonce` does, bar by bar, without what nobody will notice.

A bar on which nothing is ordered, filled or observed costs two moved clocks and the strategy's `next`.
Every other bar takes the full `step`, in Backtrader's own order of events.
"""

from __future__ import annotations

import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from framework.engine.ahead import Taken
from framework.engine.broker import Feed, LeanBroker, is_plain
from framework.engine.clocks import Attached, Clock
from framework.engine.growth import DataGrowth, Growth
from framework.engine.history import History
from framework.engine.intrabar import Bar, IntrabarBroker
from framework.engine.schedule import Schedule
from framework.engine.seat import Indicators, Seat

_FOR_EVER = "always"


class Run:
    """One lean run: its schedule, its seats (a strategy each), its broker."""

    def __init__(
        self,
        cerebro: Any,
        strategies: list[Any],
        schedule: Schedule,
        indicators: list[Indicators],
        taken: list[Taken] | None = None,
    ) -> None:
        self.cerebro, self.schedule, self.taken = cerebro, schedule, taken
        self.broker = cerebro._broker
        self.times = array.array("d", schedule.times.tobytes())
        self.places = [array.array("q", each.tobytes()) for each in schedule.places]
        self.clocks = [Clock() for _ in schedule.places]
        self.moves = list(zip(self.clocks, self.places, strict=True))
        self.growths: list[Growth] = []
        self.stamps = self.times if schedule.stamps is None else array.array("d", schedule.stamps.tobytes())
        self.awake: list[Any] = []
        self.now = self.brokered = self.quiet_at = -1
        self.intrabar = cerebro.p.intrabar
        self.quick = cerebro.p.quicknotify or self.intrabar
        self.timed = bool(cerebro._timers or cerebro._timerscheat)
        self.defers = _defers(cerebro, schedule, taken)
        self.history: History | None = None
        self.seats = [Seat(self, *each) for each in zip(strategies, indicators, strict=True)]
        self.seat_of = {id(seat.strategy): seat for seat in self.seats}
        self.careful = self._is_careful()
        self.always = self._is_always()

    # -- what the broker asks

    def time(self) -> int:
        """Return the last step whose bar the broker has seen."""
        return max(self.brokered, self.quiet_at if self.taken else self.seats[0].clock.at)

    def before(self, feed: Feed) -> int:
        """Return where a feed stood one step ago."""
        places = self.places[self.clocks.index(feed.clock)]
        return places[self.now - 1] if self.now else -1

    def moved(self, data: Any, position: Any, cash: float) -> None:
        """Take down that cash or a position has changed."""
        if self.history is not None:
            self.history.moved(self.now, data, position, cash)

    def go_live(self) -> None:
        """Bring up to date whatever is deferred, and defer no more."""
        if self.history is None:
            return
        for seat in self.seats:
            seat.audience.go_live()
        self.history = None
        self.broker.observed(self._hears_orders())
        self.always = self._is_always()
        self.awake.append(_FOR_EVER)

    # -- the run

    def play(self) -> None:
        """Run all bars; a strategy's own exception passes through, and everything is given back."""
        with self._attached():
            self._loop()

    def _loop(self) -> None:
        steps = len(self.times)
        first = 0
        seat = self.seats[0]
        while first < steps:
            if self.awake or self.always or first < seat.ready:
                if not self.step(first):
                    return
                first += 1
            else:
                first = self._quiet(first, steps)

    def _quiet(self, first: int, steps: int) -> int:
        """Play bars until one must be looked at; return its number."""
        seat, deferring = self.seats[0], self.history is not None
        audience = seat.audience
        audience.stage, audience.between = 0, False
        try:
            now = self._play_quiet(seat, first, steps)
            if deferring and self.history is None:  # somebody looked: the bar has to be played to its end
                audience.end(-1)
        finally:
            audience.between = True
        return now

    def _play_quiet(self, seat: Seat, first: int, steps: int) -> int:
        awake = self.awake
        strategy, clock = seat.strategy, seat.clock
        if self.taken is not None:
            return self._play_growing(seat, first, steps)
        own, nan = [line.append for line in seat.own], float("nan")
        if len(self.moves) == 1 and not own:
            data_clock = self.clocks[0]
            for now in range(first, steps):
                if awake:
                    return now
                data_clock.at = clock.at = now
                strategy.next()
            return steps
        moves = [*self.moves, *seat.moves]
        for now in range(first, steps):
            if awake:
                return now
            for each, places in moves:
                each.at = places[now]
            clock.at = now
            for add in own:
                add(nan)
            strategy.next()
        return steps

    def _play_growing(self, seat: Seat, first: int, steps: int) -> int:
        awake, strategy = self.awake, seat.strategy
        for now in range(first, steps):
            if awake:
                return now
            for growth in self.growths:
                growth.move(now)
            self.quiet_at = now
            seat.move(now)
            strategy.next()
        return steps

    def step(self, now: int) -> bool:
        """Play one bar in full; return whether to go on."""
        cerebro, broker, when = self.cerebro, self.broker, self.times[now]
        if self.careful:
            broker._settle()
        self.now = now
        if self.intrabar:
            broker.along(self._bars(now), self._deliver)
        for growth in self.growths:
            growth.move(now)
        if self.taken is None:
            for clock, places in self.moves:
                clock.at = places[now]
        if self.timed:
            cerebro._check_timers(cerebro.runningstrats, when, cheat=True)
        if cerebro.p.cheat_on_open:
            for seat in self.seats:
                seat.strategy._oncepost_open()
                if cerebro._event_stop:
                    return False
        broker.next()
        self.brokered = now
        self._deliver()
        if cerebro._event_stop:
            return False
        if self.timed:
            cerebro._check_timers(cerebro.runningstrats, when, cheat=False)
        for seat in self.seats:
            seat.play(now)
            if cerebro._event_stop:
                return False
        if broker.is_idle():
            self.awake.clear()
        return True

    def _deliver(self) -> None:
        notifs = self.broker.notifs
        while notifs:
            order = notifs.popleft()
            owner = self.seats[0].strategy if order.owner is None else order.owner
            self.seat_of[id(owner)].take(order)

    def _grow(self, number: int) -> Clock:
        """Let a feed's lines grow bar by bar; return the clock of its ticks."""
        assert self.taken is not None
        one, ticks = self.taken[number], Clock()
        self.growths.append(DataGrowth(one, self.clocks[number], self.places[number], ticks))
        return ticks

    def _bars(self, now: int) -> list[Bar]:
        """Return the bars that are due at a step, before they are delivered."""
        bars = []
        for number, data in enumerate(self.cerebro.datas):
            group = self.schedule.group_of[number]
            place = self.places[group][now]
            if place != self.clocks[group].at:
                columns = self.taken[number].columns if self.taken else [line.array for line in data.lines]
                bars.append(Bar.of(data, columns, place))
        return bars

    def _is_careful(self) -> bool:
        """Return whether somebody may ask the broker for a value before it has seen the bar."""
        cerebro, broker = self.cerebro, self.broker
        return bool(
            cerebro.p.cheat_on_open
            or cerebro._timerscheat
            or broker.p.filler
            or broker.p.coo
            or type(broker).__module__ != "backtrader.brokers.bbroker"
            or any(type(each).__module__ != "backtrader.comminfo" for each in broker.comminfo.values())
        )

    def _is_always(self) -> bool:
        """Return whether every bar must be looked at in full."""
        return (
            self.timed
            or self.intrabar
            or self.cerebro.p.cheat_on_open
            or len(self.seats) > 1
            or self.seats[0].audience.hears_bars
        )

    def _hears_orders(self) -> bool:
        return any(seat.audience.hears_orders for seat in self.seats)

    def _places(self, data: Any) -> Any:
        number = next(number for number, each in enumerate(self.cerebro.datas) if each is data)
        return self.schedule.places[self.schedule.group_of[number]]

    @contextmanager
    def _attached(self) -> Iterator[None]:
        attached = Attached()
        cerebro, broker = self.cerebro, self.broker
        begun = False
        try:
            feeds = {}
            for number, (data, group) in enumerate(zip(cerebro.datas, self.schedule.group_of, strict=True)):
                ticks = self._grow(number) if self.taken is not None else self.clocks[group]
                attached.data(data, self.clocks[group], ticks)
                feeds[data] = Feed(data, self.clocks[group], ticks)
            for seat in self.seats:
                seat.attach(attached)
            attached.behind(broker, IntrabarBroker if self.intrabar else LeanBroker)
            broker.attach(self, feeds, self._hears_orders())
            if self.defers:
                self.history = History(broker, self.schedule.clock, self._places)
            for seat in self.seats:
                seat.audience.attach()
            begun = True
            yield
        finally:
            if begun:
                for seat in self.seats:
                    seat.detach()
                broker.detach()
            attached.detach()


def _defers(cerebro: Any, schedule: Schedule, taken: list[Taken] | None) -> bool:
    """Return whether values can be rebuilt after the run: plain assets, finite prices, time that goes on."""
    broker = cerebro._broker
    if any(data.replaying for data in cerebro.datas) or not schedule.is_steady():
        return False
    plain = all(is_plain(broker.getcommissioninfo(data)) and data._compensate is None for data in cerebro.datas)
    if taken is None:
        closes = [data.lines.close.array for data in cerebro.datas]
    else:
        closes = [each.columns[0] for each in taken]
    return bool(
        plain
        and broker.p.shortcash
        and not broker._userhist
        and all(np.isfinite(np.frombuffer(each, dtype=np.float64)).all() for each in closes if len(each))
        and (schedule.clock[1:] >= schedule.clock[:-1]).all()
    )
