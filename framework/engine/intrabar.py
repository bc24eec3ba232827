"""The simulated broker in the order of events of real trading: `Cerebro(intrabar=True)`.

The bar is played along its `path`, in four stretches, while the strategy still sees the bar before. On a
stretch the price goes straight: what it touches first is filled first, the exits of an entry wake where it
was filled and work the rest, and one of a group cancels the others. The strategy hears of it at the end of
the stretch, and what it sends in answer works from the next one on, as at a venue, where an answer takes
its time. `brokers.sim.matching` plays the sandbox's paths alike, fill by fill. Results are not stock's any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import backtrader as bt
from backtrader.order import Order

from framework.engine.broker import LeanBroker
from framework.intrabar import path, touched_at

_STOPS = (Order.Stop, Order.StopTrail, Order.StopLimit, Order.StopTrailLimit)
_STOP_LIMITS = (Order.StopLimit, Order.StopTrailLimit)
_TRAILING = (Order.StopTrail, Order.StopTrailLimit)

_DAY_MS = 86_400_000
_LENGTHS = {bt.TimeFrame.Seconds: 1_000, bt.TimeFrame.Minutes: 60_000}
"""Of bars whose stretches have times of their own, in milliseconds; a longer bar has one time."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A feed's bar that is about to be played; `time` is its date number."""

    data: Any
    time: float
    points: tuple[float, float, float, float]

    @classmethod
    def of(cls, data: Any, columns: list[Any], place: int) -> Bar:
        """Return the bar at a place of a feed's columns (in Backtrader's order of lines)."""
        close, low, high, opened = (columns[number][place] for number in range(4))
        return cls(data, columns[6][place], path(opened, high, low, close))

    def reached(self, stretch: int) -> float:
        """Return when a stretch is over, in milliseconds; the first is, as soon as the bar has begun."""
        data = self.data
        length: int = _LENGTHS.get(data._timeframe, 0) * data._compression
        return round(self.time * _DAY_MS) - length * (3 - stretch) // 3 + (0.5 if length and not stretch else 0)


class IntrabarBroker(LeanBroker):
    """Plays bars stretch by stretch; `tell` delivers what has been notified."""

    stretch = 0
    """The stretch that was played last, 0 (the open alone) to 3."""

    def along(self, bars: list[Bar], tell: Callable[[], None]) -> None:
        """Play the bars of one instant, all of them a stretch at a time."""
        self._times = {bar.data: bar.time for bar in bars}
        for self.stretch in range(4):
            self._accept()
            self._expire(max((bar.reached(self.stretch) for bar in bars), default=0.0))
            for bar in bars:
                self._walk(bar.data, bar.points[max(self.stretch - 1, 0)], bar.points[self.stretch])
            if self.notifs:
                self._value_again()
            tell()

    def _value_again(self) -> None:
        """Work out the value at the prices of the bar before, with what has been filled since."""
        self._valued = -1
        self._settle()

    def next(self) -> None:
        """End the bar: its stretches have been played."""
        for order in [each for each in self.pending if each.exectype == Order.Close and each._active]:
            if order in self.pending:  # none before it has taken it out
                self._out_of_book(order, self._match_close)
        if not self._all_plain:
            self._charge()
            self._adjust()
        if self._cash_addition:
            self._valued = self.run.now
            self._get_value()

    def _match_close(self, order: Any) -> None:
        feed = self._feeds[order.data]
        self._try_exec_close(order, feed.close[feed.clock.at])

    def _accept(self) -> None:
        while self._toactivate:
            self._toactivate.popleft().activate()
        if self.submitted and self.p.checksubmit:
            self.check_submitted()

    def _expire(self, now: float) -> None:
        """End what is valid no more, whether its symbol trades or not: `now` is in milliseconds."""
        for order in list(self.pending):
            if order.exectype == Order.Market or not order.valid or now <= round(order.valid * _DAY_MS):
                continue
            if order in self.pending:
                self.pending.remove(order)
                order.status, order.executed.dt = Order.Expired, self._times.get(order.data, order.data.datetime[0])
                self.notify(order)
                self._ococheck(order)
                self._bracketize(order, cancel=True)

    def _walk(self, data: Any, start: float, end: float) -> None:
        """Go straight from one price to another: each order is tried once, in the order in which they are touched.

        An order is tried against all of the stretch that it was there for.
        """
        since = {order.ref: start for order in self._working(data)}
        while (touched := self._first_touched(data, since, start, end)) is not None:
            price, order = touched
            self._out_of_book(order, self._match, since.pop(order.ref), end)
            for each in [each for each in self._toactivate if each.data is data]:
                self._toactivate.remove(each)
                each.activate()
                since[each.ref] = price
        for order in self._working(data):
            if order.ref in since and order.exectype in _TRAILING and not order.triggered:
                order.trailadjust(end)

    def _first_touched(self, data: Any, since: dict[int, float], start: float, end: float) -> tuple[float, Any] | None:
        """Return where the price touches an order first, and the order; among equals the oldest."""
        levels = ((_level(order, since[order.ref], end), order) for order in self._working(data) if order.ref in since)
        touched = ((price, order) for price, order in levels if price is not None)
        return min(touched, key=lambda each: abs(each[0] - start), default=None)

    def _working(self, data: Any) -> Iterator[Any]:
        return (each for each in self.pending if each.data is data and each._active and each.exectype != Order.Close)

    def _out_of_book(self, order: Any, match: Callable[..., None], *prices: float) -> None:
        """Match an order while it is out of the book (its own fill must not cancel it); put it back in its place."""
        book = list(self.pending)
        self.pending.remove(order)
        match(order, *prices)
        if order.alive():
            left = {each.ref for each in self.pending} | {order.ref}
            self.pending.clear()
            self.pending.extend(each for each in book if each.ref in left)
        elif order.status == Order.Completed:
            self._bracketize(order)

    def _match(self, order: Any, start: float, end: float) -> None:
        kind, created, high, low = order.exectype, order.created, max(start, end), min(start, end)
        if kind == Order.Market:
            slip = self._slip_up if order.isbuy() else self._slip_down
            self._execute(order, ago=0, price=slip(high if order.isbuy() else low, start, doslip=self.p.slip_open))
        elif kind == Order.Limit:
            self._try_exec_limit(order, start, high, low, created.price)
        elif kind in _STOP_LIMITS and order.triggered:
            self._try_exec_limit(order, start, high, low, created.pricelimit)
        elif kind in _STOP_LIMITS:
            self._try_exec_stoplimit(order, start, high, low, end, created.price, created.pricelimit)
        elif kind in _STOPS:
            self._try_exec_stop(order, start, high, low, created.price, end)

    def _execute(
        self, order: Any, ago: int | None = None, price: Any = None, cash: Any = None, position: Any = None,
        dtcoc: Any = None,
    ) -> Any:  # fmt: skip
        if ago is not None:
            dtcoc = dtcoc or self._times.get(order.data)
        return super()._execute(order, ago, price, cash, position, dtcoc)


def _level(order: Any, start: float, end: float) -> float | None:
    """Return at what price of a stretch an order is touched, or None."""
    if order.exectype == Order.Market:
        return start
    stops = order.exectype in _STOPS and not order.triggered
    price: float = order.created.pricelimit if order.triggered else order.created.price
    return touched_at(price, start, end, from_below=stops == order.isbuy())
