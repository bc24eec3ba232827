"""A scalper: buy when the price crosses above its 20-minute average, sell at once for a cent more.

After Alpaca's scalping example, one state machine per symbol:

    TO_BUY ──signal──▶ BUY_SUBMITTED ──filled──▶ TO_SELL ──at once──▶ SELL_SUBMITTED ──filled──▶ TO_BUY
                             └──unfilled: back to TO_BUY                    └──lost: back to TO_SELL, at the market

For a signal of your own, subclass it and override `is_buy_signal`.
"""

from __future__ import annotations

import enum
import math
from datetime import datetime, timedelta
from typing import Any

import backtrader as bt

_MINUTES_A_DAY = 24 * 60


class State(enum.Enum):
    """Where a symbol's machine stands."""

    TO_BUY = "to buy"
    BUY_SUBMITTED = "buy submitted"
    TO_SELL = "to sell"
    SELL_SUBMITTED = "sell submitted"


class SmaCrossScalper(bt.Strategy):
    """Scalps every symbol it is given, each on its own.

    lot      dollars to buy for: `int(lot / price)` shares
    period   bars in the average; it is not traded before there are `period` + 1 bars of the session
    patience minutes after which an unfilled buy is cancelled
    flat     minutes before the session ends (early closes too) at which everything is sold
    """

    params = (("lot", 2_000), ("period", 20), ("patience", 2), ("flat", 5))

    def __init__(self) -> None:
        self.averages = {data: bt.ind.SMA(data, period=self.p.period) for data in self.datas}
        self.machines = {data: _Machine(self, data) for data in self.datas}

    def is_buy_signal(self, data: Any) -> bool:
        """Return whether to buy now: the close has crossed above its average with this bar."""
        average = self.averages[data]
        return bool(data.close[-1] < average[-1] and data.close[0] > average[0])

    def prenext(self) -> None:
        self.next()  # a symbol without bars must not keep the others waiting

    def next(self) -> None:
        for machine in self.machines.values():
            machine.on_instant(self.datetime[0])

    def notify_order(self, order: Any) -> None:
        self.machines[order.data].on_order(order)


class _Machine:
    """One symbol's state. It knows its own orders only, and counts its own shares from their fills."""

    def __init__(self, strategy: SmaCrossScalper, data: Any) -> None:
        self.strategy, self.data, self.p = strategy, data, strategy.p
        self.state = State.TO_BUY
        self.order: Any = None
        self.held: float = 0
        self.entry = 0.0
        self._filled = 0.0
        self._seen = 0
        self._session_bars = 0
        self._opens = self._closes = self._refused = 0.0

    def on_instant(self, now: float) -> None:
        """Look at what time it is and, where this symbol has a new bar, at the bar."""
        if len(self.data) > self._seen:
            self._seen = len(self.data)
            self._count()
        elif not self._seen:
            return
        if self._is_late(now):
            self._flatten(now)
        elif self.state is State.TO_SELL and now > self._refused:
            self._sell_at_market()
        elif self.state is State.TO_BUY and self._is_due(now) and self.strategy.is_buy_signal(self.data):
            self._buy()

    def on_order(self, order: Any) -> None:
        """Follow an order of ours: fills first, then what became of it."""
        if self.order is None or order.ref != self.order.ref:
            return
        self._book(order)
        if order.status == order.Partial and order.isbuy():
            # What is bought must be for sale at once, and a venue refuses a sale across our own
            # resting buy: so the rest of the buy goes first. Its Canceled brings us back here.
            self.strategy.cancel(self.order)
        elif not order.alive():
            self._finish(order)

    def _book(self, order: Any) -> None:
        executed = abs(order.executed.size)
        if order.isbuy():
            self.held += executed - self._filled
            self.entry = order.executed.price
        else:
            self.held -= executed - self._filled
        self._filled = executed

    def _finish(self, order: Any) -> None:
        self.order = None
        self.state = State.TO_SELL if self.held else State.TO_BUY
        if order.status in (order.Rejected, order.Margin):
            # A refused sale is tried again with the next bar, never at once: it may be refused again.
            self._refused = self.data.datetime[0]
            return
        if not self.held:
            return
        if order.isbuy() and not self._is_late(self.data.datetime[0]):
            self._sell_at_profit()
        else:
            self._sell_at_market()

    def _buy(self) -> None:
        price = _to_tick(self.data.close[0], math.floor)
        size = int(self.p.lot / price)
        if size:
            patience = timedelta(minutes=self.p.patience)
            self._submit(State.BUY_SUBMITTED, self.strategy.buy, size, bt.Order.Limit, price, patience)

    def _sell_at_profit(self) -> None:
        price = _to_tick(max(self.entry + 0.01, self.data.close[0]), math.ceil)
        self._submit(State.SELL_SUBMITTED, self.strategy.sell, self.held, bt.Order.Limit, price, bt.Order.DAY)

    def _sell_at_market(self) -> None:
        self._submit(State.SELL_SUBMITTED, self.strategy.sell, self.held, bt.Order.Market, None, None)

    def _submit(self, state: State, side: Any, size: float, exectype: int, price: float | None, valid: Any) -> None:
        self.state, self._filled = state, 0.0
        self.order = side(self.data, size=size, exectype=exectype, price=price, valid=valid)

    def _flatten(self, now: float) -> None:
        """Cancel what rests, and sell what is held once that is confirmed: never two sales at a time."""
        if self.order is not None and self.order.exectype == bt.Order.Limit:
            self.strategy.cancel(self.order)
        elif self.state is State.TO_SELL and now > self._refused:
            self._sell_at_market()

    def _count(self) -> None:
        """Count this bar into its session."""
        now = self.data.datetime[0]
        if now > self._closes:
            self._opens, self._closes = _session(self.data)
            self._session_bars = 0
        self._session_bars += now > self._opens

    def _is_due(self, now: float) -> bool:
        """Return whether this instant brought a bar, and the session has bars enough for the average."""
        return bool(self.data.datetime[0] == now) and self._session_bars > self.p.period

    def _is_late(self, now: float) -> bool:
        # A little room: a date number does not hold a minute exactly.
        left = (self._closes - now) * _MINUTES_A_DAY
        return bool(-0.01 < left < self.p.flat + 0.01)


def _session(data: Any) -> tuple[float, float]:
    """Return open and close (date numbers, UTC) of the session that a data's bar is in or before.

    From the data's own Backtrader calendar; without one, from its session times.
    """
    if data._calendar is None:
        opens = datetime.combine(data.datetime.date(0), data.p.sessionstart)
        return data.date2num(opens), data._getnexteos()[1]
    opens, closes = data._calendar.schedule(bt.num2date(data.datetime[0]), data._tz)
    return bt.date2num(opens), bt.date2num(closes)


def _to_tick(price: float, rounding: Any) -> float:
    """Return a price on the US grid: whole cents from a dollar, hundredths of a cent below."""
    decimals = 2 if price >= 1 else 4
    return float(round(rounding(round(price * 10**decimals, 6)) / 10**decimals, decimals))
