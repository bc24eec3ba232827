"""A strategy's seat in the lean loop: what it and its analyzers must be told, and what they need not.

`take` and `play` are `Strategy._addnotification` and `Strategy._oncepost`; a call that would reach only
Backtrader's own empty method is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import backtrader as bt

from framework.engine.clocks import Attached, Clock
from framework.engine.orders import pending_bits
from framework.engine.schedule import statuses
from framework.engine.trades import booked, copied, new_trade


def overrides(item: Any, name: str, base: type[Any]) -> bool:
    """Return whether an instance's method is not the base class's own."""
    return name in vars(item) or getattr(type(item), name) is not getattr(base, name)


class Seat:
    """One strategy in a run."""

    def __init__(self, run: Any, strategy: Any) -> None:
        self.run, self.strategy = run, strategy
        self.clock = Clock()
        self.status = statuses(run.schedule, strategy._minperiods).tolist()
        self.ready = next((step for step, missing in enumerate(self.status) if missing < 0), len(self.status))
        self.analyzers = [*strategy.analyzers, *strategy._slave_analyzers]
        self.observers = strategy._lineiterators[strategy.ObsType]
        self.watches_notify = overrides(strategy, "_notify", bt.Strategy)
        self.order_calls = list(self._calls("notify_order"))
        self.trade_calls = list(self._calls("notify_trade"))
        self.tells_cash = self._tells_cash()
        self.own_order = overrides(strategy, "notify_order", bt.Strategy)
        self.own_trade = overrides(strategy, "notify_trade", bt.Strategy)
        self.hears_orders = bool(self.own_order or self.order_calls or self.observers or self.watches_notify)
        self.hears_trades = bool(self.own_trade or self.trade_calls or self.observers or self.watches_notify)

    def is_watched(self) -> bool:
        """Return whether somebody must be told of every bar."""
        return bool(self.analyzers or self.observers or self.tells_cash)

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

    groups: list[tuple[Any, int]] = []

    def detach(self) -> None:
        if self.clock.at >= 0:
            self.strategy._minperstatus = self.status[self.clock.at]

    # -- what happened

    def take(self, order: Any) -> None:
        """Book an order's news: stock's `_addnotification`."""
        strategy, quick = self.strategy, self.run.quick
        strategy._orderspending.append(order)
        told: list[Any] = []
        if order.executed.size:
            self._book(order, told)
            if self.hears_trades:
                strategy._tradespending.extend(told)
        if quick and (self.hears_orders or self.hears_trades):
            strategy._notify(qorders=[order], qtrades=[copied(each) for each in told])

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

    # -- the bar

    def play(self, now: int, when: float) -> None:
        """Play the strategy's part of a bar: stock's `_oncepost`."""
        strategy = self.strategy
        for clock, places in self.moves:
            clock.at = places[now]
        self.clock.at = now
        self.append_time(when)
        for line in self.own:
            line.append(float("nan"))
        if self.tells_cash or self.watches_notify or (strategy._orderspending and not self.run.quick):
            strategy._notify()
        missing = strategy._minperstatus = self.status[now]
        if missing < 0:
            strategy.next()
        elif missing == 0:
            strategy.nextstart()
        else:
            strategy.prenext()
        if self.analyzers:
            strategy._next_analyzers(missing, once=True)
        if self.observers:
            strategy._next_observers(missing, once=True)
        strategy._orderspending = []
        strategy._tradespending = []

    def _calls(self, name: str) -> Iterator[Callable[..., None]]:
        for analyzer in itertools.chain.from_iterable(map(_family, self.analyzers)):
            if overrides(analyzer, name, bt.Analyzer) or overrides(analyzer, f"_{name}", bt.Analyzer):
                yield getattr(analyzer, name)

    def _tells_cash(self) -> bool:
        names = ("notify_cashvalue", "notify_fund")
        own = any(overrides(self.strategy, name, bt.Strategy) for name in names)
        return own or any(True for name in names for _ in self._calls(name))


def _family(analyzer: Any) -> Iterator[Any]:
    """Yield an analyzer's children, then itself: the order in which Backtrader tells them."""
    for child in analyzer._children:
        yield from _family(child)
    yield analyzer
