"""The simulated broker in the order of events of real trading: `Cerebro(intrabar=True)`.

The bar is played along its `path` while the strategy still sees the bar before. Along a leg the order
that is touched first is filled first and told at once; what the strategy sends in answer works the rest
of the way. Results are not stock's any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from backtrader.order import Order

from framework.engine.broker import LeanBroker
from framework.intrabar import path

_MOST = 1_000
"""Fills in one bar after which answers wait for the next bar: a strategy may answer every fill with an order."""

_STOPS = (Order.Stop, Order.StopTrail, Order.StopLimit, Order.StopTrailLimit)
_STOP_LIMITS = (Order.StopLimit, Order.StopTrailLimit)


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


class IntrabarBroker(LeanBroker):
    """Plays bars leg by leg; `tell` delivers what has been notified."""

    def along(self, bars: list[Bar], tell: Callable[[], None]) -> None:
        """Play the bars of one instant, all of them a leg at a time."""
        self._left = _MOST
        self._times = {bar.data: bar.time for bar in bars}
        self._accept()
        self._expire()
        tell()
        for number in range(4):
            for bar in bars:
                self._leg(bar.data, bar.points[max(number - 1, 0)], bar.points[number], tell)

    def next(self) -> None:
        """End the bar: its legs have been played."""
        for order in [each for each in self.pending if each.exectype == Order.Close and each._active]:
            self.pending.remove(order)
            self._closing(order)
        if not self._all_plain:
            self._charge()
            self._adjust()
        if self._cash_addition:
            self._valued = self.run.now
            self._get_value()

    def _closing(self, order: Any) -> None:
        feed = self._feeds[order.data]
        self._try_exec_close(order, feed.close[feed.clock.at])
        if order.alive():
            self.pending.append(order)

    def _accept(self) -> None:
        while self._toactivate:
            self._toactivate.popleft().activate()
        if self.submitted and self.p.checksubmit:
            self.check_submitted()

    def _expire(self) -> None:
        for order in list(self.pending):
            time = self._times.get(order.data)
            if time is None or order.exectype == Order.Market or not order.valid or time <= order.valid:
                continue
            self.pending.remove(order)
            order.status, order.executed.dt = Order.Expired, time
            self.notify(order)
            self._ococheck(order)
            self._bracketize(order, cancel=True)

    def _leg(self, data: Any, start: float, end: float, tell: Callable[[], None]) -> None:
        while self._left:
            touched = self._touched(data, start, end)
            filled = self._play(data, start, touched)
            tell()
            self._accept()
            if touched == end and not filled:
                return
            start = touched

    def _touched(self, data: Any, start: float, end: float) -> float:
        """Return where along a leg the first order is touched, or its end."""
        levels = (_level(order, start, end) for order in self._working(data))
        return min((level for level in levels if level is not None), key=lambda level: abs(level - start), default=end)

    def _working(self, data: Any) -> Iterator[Any]:
        return (each for each in self.pending if each.data is data and each._active and each.exectype != Order.Close)

    def _play(self, data: Any, start: float, end: float) -> bool:
        """Play a leg against the orders that work; return whether one was filled or triggered."""
        high, low = max(start, end), min(start, end)
        moved = False
        for order in list(self._working(data)):
            before = order.executed.size, order.triggered, order.status
            self._match(order, start, high, low, end)
            if not order.alive():
                self._done(order)
            moved |= before != (order.executed.size, order.triggered, order.status)
        self._left -= moved
        return moved

    def _done(self, order: Any) -> None:
        if order in self.pending:
            self.pending.remove(order)
        if order.status == Order.Completed:
            self._bracketize(order)

    def _match(self, order: Any, start: float, high: float, low: float, end: float) -> None:
        kind, created = order.exectype, order.created
        if order not in self.pending:
            return
        if kind == Order.Market:
            slip = self._slip_up if order.isbuy() else self._slip_down
            self._execute(order, ago=0, price=slip(start, start, doslip=self.p.slip_open))
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
    """Return at what price of a leg an order is touched, or None."""
    created, buys = order.created, order.isbuy()
    if order.exectype == Order.Market:
        return start
    stops = order.exectype in _STOPS and not order.triggered
    price: float = created.pricelimit if order.triggered else created.price
    touched = start >= price if stops == buys else start <= price
    if touched:
        return start
    return price if min(start, end) <= price <= max(start, end) else None
