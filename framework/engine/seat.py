"""A strategy's seat in the lean loop: what it and its analyzers must be told, and what they need not.

`take` and `play` are `Strategy._addnotification` and `Strategy._oncepost`; a call that would reach only
Backtrader's own empty method is left out.
"""

from __future__ import annotations

from typing import Any

from framework.engine.audience import Audience
from framework.engine.clocks import Attached, Clock
from framework.engine.orders import pending_bits
from framework.engine.schedule import statuses
from framework.engine.trades import booked, copied, new_trade

_NAN = float("nan")


class Seat:
    """One strategy in a run; `groups` says which feeds' bars each of its indicators follows."""

    def __init__(self, run: Any, strategy: Any, groups: list[tuple[Any, int]]) -> None:
        self.run, self.strategy, self.groups = run, strategy, groups
        self.clock = Clock()
        self.status = statuses(run.schedule, strategy._minperiods).tolist()
        self.ready = next((step for step, missing in enumerate(self.status) if missing < 0), len(self.status))
        self.audience = Audience(run, strategy, self.clock)

    def attach(self, attached: Attached) -> None:
        """Let the strategy's lines and its indicators' lines follow clocks."""
        run, strategy = self.run, self.strategy
        clocks = [self.clock] if len(run.moves) == 1 else [Clock() for _ in run.moves]
        self.moves = [] if len(run.moves) == 1 else list(zip(clocks, run.places, strict=True))
        for indicator, group in self.groups:
            attached.series(indicator, clocks[group])
        attached.series(strategy, self.clock)
        clock_line = strategy.lines.datetime
        self.append_time = clock_line.array.append
        self.own = [line.array for line in strategy.lines if line is not clock_line]

    def detach(self) -> None:
        self.audience.open()
        if self.clock.at >= 0:
            self.strategy._minperstatus = self.status[self.clock.at]

    def take(self, order: Any) -> None:
        """Book an order's news: stock's `_addnotification`."""
        strategy, audience = self.strategy, self.audience
        strategy._orderspending.append(order)
        told: list[Any] = []
        if order.executed.size:
            self._book(order, told)
            strategy._tradespending.extend(told)
            audience.mark(order, told)
        if self.run.quick:
            audience.tell([order], [copied(each) for each in told])

    def _book(self, order: Any, told: list[Any]) -> None:
        """Carry an order's executions into trades; `told` receives a copy of each trade opened or closed."""
        strategy, data = self.strategy, order.data
        if data._compensate is not None:
            data = data._compensate
        trades = strategy._trades[data][order.tradeid]
        history = strategy._tradehistoryon
        if not trades:
            trades.append(new_trade(data, order.tradeid, history))
        trade = trades[-1]
        for bit in pending_bits(order.executed):
            if bit.closed:
                booked(trade, order, bit.closed, bit.price, bit.closedvalue, bit.closedcomm, bit.pnl)
                if trade.isclosed:
                    told.append(copied(trade))
            if bit.opened:
                if trade.isclosed:
                    trade = new_trade(data, order.tradeid, history)
                    trades.append(trade)
                booked(trade, order, bit.opened, bit.price, bit.openedvalue, bit.openedcomm, bit.pnl)
                if trade.isclosed:
                    told.append(copied(trade))
            if trade.justopened:
                told.append(copied(trade))

    def play(self, now: int, when: float) -> None:
        """Play the strategy's part of a bar: stock's `_oncepost`."""
        strategy, audience = self.strategy, self.audience
        for clock, places in self.moves:
            clock.at = places[now]
        self.clock.at = now
        self.append_time(when)
        for line in self.own:
            line.append(_NAN)
        audience.begin()
        missing = strategy._minperstatus = self.status[now]
        if missing < 0:
            strategy.next()
        elif missing == 0:
            strategy.nextstart()
        else:
            strategy.prenext()
        audience.end(missing)
        strategy._orderspending = []
        strategy._tradespending = []

