"""A strategy's seat in the lean loop: what it and its analyzers must be told, and what they need not.

`take` and `play` are `Strategy._addnotification` and `Strategy._oncepost`; a call that would reach only
Backtrader's own empty method is left out.
"""

from __future__ import annotations

import array
from dataclasses import dataclass, field
from typing import Any

import backtrader as bt
import numpy as np

from framework.engine.audience import Audience
from framework.engine.clocks import Attached, Clock, Positioned
from framework.engine.growth import Growth, LineGrowth, OwnGrowth
from framework.engine.orders import pending_bits
from framework.engine.schedule import statuses
from framework.engine.trades import booked, copied, new_trade

_NAN = float("nan")


@dataclass(slots=True)
class Indicators:
    """A strategy's indicators: each with the group of feeds it follows, or stepped as in stock.

    `columns` holds, where lines grow during the run, what each ready indicator's lines will be.
    """

    groups: list[tuple[Any, int]] = field(default_factory=list)
    stepped: list[Any] = field(default_factory=list)
    columns: list[tuple[Any, Any, int]] = field(default_factory=list)


class Seat:
    """One strategy in a run."""

    def __init__(self, run: Any, strategy: Any, indicators: Indicators) -> None:
        self.run, self.strategy, self.indicators = run, strategy, indicators
        self.growths: list[Growth] = []
        self.clock = Clock()
        status = statuses(run.schedule, strategy._minperiods)
        self.status = array.array("q", status.tobytes())
        self.ready = int(np.argmax(status < 0)) if (status < 0).any() else len(status)
        self.audience = Audience(run, strategy, self.clock)

    def attach(self, attached: Attached) -> None:
        """Let the strategy's lines and its indicators' lines follow clocks."""
        run, strategy = self.run, self.strategy
        alone = len(run.moves) == 1 and run.taken is None
        clocks = [self.clock] if alone else [Clock() for _ in run.moves]
        self.moves = [] if alone or run.taken is not None else list(zip(clocks, run.places, strict=True))
        for indicator, group in self.indicators.groups:
            attached.series(indicator, clocks[group])
        stamp = strategy.lines.datetime
        if run.taken is None:
            attached.stamped(stamp, self.clock, run.times)
        attached.series(strategy, self.clock)
        self._shorten(attached)
        own = [line for line in strategy.lines if line is not stamp]
        self.own = [line.array for line in own]
        if run.taken is not None:
            for group, clock in enumerate(clocks):
                columns = [(line, column) for line, column, place in self.indicators.columns if place == group]
                self.growths.append(LineGrowth(columns, clock, run.places[group]))
            self.growths.append(OwnGrowth(stamp, own, run.stamps, self.clock, run.schedule.own.tolist()))

    def _shorten(self, attached: Attached) -> None:
        """Give the strategy short ways to its positions, where neither it nor its broker has ways of its own."""
        strategy, cls, broker = self.strategy, type(self.strategy), self.run.broker
        if cls.getposition is not bt.Strategy.getposition or type(broker).getposition is not bt.BackBroker.getposition:
            return
        datas = strategy.datas

        def getposition(data: Any = None, broker: Any = None) -> Any:
            if broker is not None and broker is not strategy.broker:
                return cls.getposition(strategy, data, broker)
            return strategy.broker.positions[datas[0] if data is None else data]

        attached.name(strategy, "getposition", getposition)
        if cls.position is bt.Strategy.position:
            attached.name(strategy, "lean_position", None)
            attached.front(strategy, Positioned)

    def move(self, now: int) -> None:
        """Move the strategy's own lines and its indicators' to a step, where lines grow during the run."""
        for growth in self.growths:
            growth.move(now)
        for indicator in self.indicators.stepped:
            indicator._next()

    def detach(self) -> None:
        self.audience.open()
        if (now := self.run.time()) >= 0:
            self.strategy._minperstatus = self.status[now]

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
            audience.tell([order], [copied(each) for each in told] if audience.hears_trades else told)

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
        heard = self.audience.hears_trades
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
            if heard and trade.justopened:
                told.append(copied(trade))

    def play(self, now: int) -> None:
        """Play the strategy's part of a bar: stock's `_oncepost`."""
        strategy, audience = self.strategy, self.audience
        if self.growths:
            self.move(now)
        else:
            for clock, places in self.moves:
                clock.at = places[now]
            self.clock.at = now
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
