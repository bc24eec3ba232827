"""Who listens to a strategy's run: the strategy itself, its analyzers, its observers.

Those that can be brought up to date in one go are put aside; those that would hear nothing are left
out; the rest is told, in Backtrader's own order. When somebody looks at what is put aside, all of it is
brought up to date and told of every bar from then on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import backtrader as bt

from framework.engine import analyzers, observers
from framework.engine.clocks import Clock
from framework.engine.shelf import Shelf, is_held_elsewhere

_CASH = ("notify_cashvalue", "notify_fund")
Call = Callable[..., None]


class Audience:
    """The listeners of one strategy."""

    def __init__(self, run: Any, strategy: Any, clock: Clock) -> None:
        self.run, self.strategy, self.clock = run, strategy, clock
        self.roots = [*strategy.analyzers, *strategy._slave_analyzers]
        self.observers = list(strategy._lineiterators[strategy.ObsType])
        self.shelf = Shelf(run.go_live)
        self.aside: list[tuple[int, Any, analyzers.CatchUp]] = []
        self.drawn: list[tuple[int, Any]] = []
        self.collected: dict[int, list[Any]] = {}
        self.orders: dict[int, observers.Marks] = {}
        self.trades: observers.Marks = []
        self.between, self.told, self.stage, self.heard = True, True, 0, False
        self._listen(defer=run.defers and not _notifies_itself(strategy))

    # -- who hears what

    def _listen(self, defer: bool) -> None:
        count = len(self.strategy.analyzers)
        self.families = [list(_family(root)) for root in self.roots]
        self.live: list[tuple[int, Any]] = []
        self.gated: list[tuple[int, Any]] = []
        for stage, root in enumerate(self.roots[:count]):
            self._place(stage, root, self.families[stage], defer)
        self.watching: list[tuple[int, Any]] = []
        for stage, observer in enumerate(self.observers, start=count):
            if defer and observers.is_deferred(observer) and self._moves_always(observer):
                self.drawn.append((stage, observer))
            else:
                self.watching.append((stage, observer))
        self._collect()

    def _is_possible(self, analyzer: Any) -> bool:
        """Return whether an analyzer that reads feeds can do so: a line that grows has no bar at first."""
        if self.run.taken is None or type(analyzer) not in analyzers.READ_FEEDS:
            return True
        return all(places[0] >= 0 for places in self.run.schedule.places)

    def _moves_always(self, observer: Any) -> bool:
        """Return whether an observer's lines grow at every step: its clock's do."""
        run = self.run
        if run.taken is None or observer._stclock:
            return True
        number = next((n for n, data in enumerate(run.cerebro.datas) if data is observer._clock), None)
        return number is not None and bool(run.schedule.is_steady(number))

    def _place(self, stage: int, root: Any, family: list[Any], defer: bool) -> None:
        ways = [analyzers.catch_up_of(each) if self._is_possible(each) else None for each in family]
        known = all(
            way is not None or type(each) in analyzers.GATED or analyzers.is_silent(each)
            for each, way in zip(family, ways, strict=True)
        )
        if not known or not defer or any(is_held_elsewhere(each) for each in family):
            if not all(analyzers.is_silent(each) for each in family):
                self.live.append((stage, root))
            return
        for each, way in zip(family, ways, strict=True):
            if type(each) is bt.analyzers.TradeAnalyzer:
                trades = self.collected[id(each)] = []
                self.aside.append((stage, each, functools.partial(analyzers.trade_stats, trades)))
            elif way is not None:
                self.aside.append((stage, each, way))
            elif type(each) in analyzers.GATED:
                self.gated.append((stage, each))

    def _collect(self) -> None:
        """List the calls that reach somebody, in the order in which Backtrader makes them."""
        aside = {id(each) for _, each, _ in self.aside}
        strategy = self.strategy
        own = {name for name in ("notify_order", "notify_trade", *_CASH) if _overrides(strategy, name, bt.Strategy)}
        self.own_order = strategy.notify_order if "notify_order" in own else None
        self.own_trade = strategy.notify_trade if "notify_trade" in own else None
        self.order_calls = [call for family in self.families for call in _calls(family, "notify_order", aside)]
        self.trade_calls = [
            call for family in self.families for call in _calls(family, "notify_trade", aside, self.collected)
        ]
        self.cash_calls: list[tuple[bool, Call]] = [
            (name == "notify_fund", getattr(strategy, name)) for name in _CASH if name in own
        ]
        for family in self.families:
            for name in _CASH:
                self.cash_calls += [(name == "notify_fund", call) for call in _calls(family, name, aside)]
        self.itself = _notifies_itself(strategy)
        self.signals = isinstance(strategy, bt.SignalStrategy) and not self.itself

    @property
    def hears_orders(self) -> bool:
        """Whether a copy of an order that has not been executed must be made."""
        return bool(self.own_order or self.order_calls or self.watching or self.itself or self.signals or self.gated)

    @property
    def hears_trades(self) -> bool:
        """Whether somebody is told of trades, besides observers that draw closed ones after the run."""
        return bool(self.own_trade or self.trade_calls or self.watching or self.itself)

    @property
    def hears_bars(self) -> bool:
        """Whether somebody must be told of every bar."""
        return bool(self.live or self.watching or self.cash_calls or self.itself)

    # -- putting aside, and bringing back

    def attach(self) -> None:
        for _, analyzer, _ in self.aside:
            self.shelf.analyzer(analyzer)
        for _, observer in self.drawn:
            self.shelf.observer(observer)

    def open(self) -> None:
        """Bring all that is put aside up to date."""
        if not self.aside and not self.drawn:
            return
        self.shelf.empty()
        bars = self.clock.at + 1
        series = self.run.history.series(bars)
        notified = bars if self.told or self.between else bars - 1
        for stage, analyzer, catch_up in self.aside:
            catch_up(analyzer, series, notified, self._done(stage))
        for stage, observer in self.drawn:
            mine = self.orders.get(id(observer.data), [])
            observers.draw(observer, series, mine, self.trades, self._done(stage))
        self.aside.clear()
        self.drawn.clear()
        self.collected.clear()

    def _done(self, stage: int) -> int:
        """Return how many bars are over for what has this place in a bar."""
        return self.clock.at + (1 if self.between or stage < self.stage else 0)

    def go_live(self) -> None:
        """Bring everything up to date and tell everybody of every bar from now on."""
        if self.aside or self.drawn or self.gated:
            self.open()
            self._listen(defer=False)

    def mark(self, order: Any, trades: list[Any]) -> None:
        """Take down what the observers will draw."""
        if self.drawn:
            self.orders.setdefault(id(order.data), []).append((self.run.now, order))
            self.trades += [(self.run.now, each) for each in trades]

    # -- a bar

    def begin(self) -> None:
        """Tell of what happened, then of the money: stock's `_notify`."""
        self.between = self.told = False
        self.stage = 0
        strategy = self.strategy
        if self.itself:
            strategy._notify()
        else:
            if not self.run.quick and strategy._orderspending:
                self.tell(strategy._orderspending, strategy._tradespending)
            if self.cash_calls:
                self._tell_cash()
        self.told = True

    def tell(self, orders: list[Any], trades: list[Any]) -> None:
        """Tell of orders and trades."""
        if self.itself:
            self.strategy._notify(qorders=orders, qtrades=trades)
            return
        if self.signals:
            _free(self.strategy, orders)
        self.heard = True
        for order in orders:
            if self.own_order is not None and (order.exectype != order.Historical or order.histnotify):
                self.own_order(order)
            for call in self.order_calls:
                call(order)
        for trade in trades:
            if self.own_trade is not None:
                self.own_trade(trade)
            for call in self.trade_calls:
                call(trade)

    def _tell_cash(self) -> None:
        broker = self.strategy.broker
        cash, value = broker.getcash(), broker.getvalue()
        fund = cash, value, broker.fundvalue, broker.fundshares
        for is_fund, call in self.cash_calls:
            call(*fund) if is_fund else call(cash, value)

    def end(self, missing: int) -> None:
        """Let analyzers and observers have their turn: stock's `_next_analyzers` and `_next_observers`."""
        if self.heard:
            self.heard = False
            for stage, analyzer in self.gated:
                self.stage = stage
                analyzer.next()
        self._turns("live", lambda root: _turn(root, missing))
        self._turns("watching", lambda observer: self._observe(observer, missing))
        self.between = True

    def _observe(self, observer: Any, missing: int) -> None:
        for analyzer in observer._analyzers:
            _turn(analyzer, missing)
        if self.run.taken is not None:
            observer._next()
            return
        if len(self.strategy) > len(observer):
            observer.forward()
        if missing < 0:
            observer.next()
        elif missing == 0:
            observer.nextstart()
        elif len(observer):
            observer.prenext()

    def _turns(self, who: str, turn: Call) -> None:
        """Give each its turn. When one of them looks at what is put aside, those after it join in."""
        listed = getattr(self, who)
        for stage, each in listed:
            self.stage = stage
            turn(each)
            if getattr(self, who) is not listed:
                break
        else:
            return
        for stage, each in [late for late in getattr(self, who) if late[0] > self.stage]:
            self.stage = stage
            turn(each)


def _turn(analyzer: Any, missing: int) -> None:
    if missing < 0:
        analyzer._next()
    elif missing == 0:
        analyzer._nextstart()
    else:
        analyzer._prenext()


def _free(strategy: Any, orders: list[Any]) -> None:
    """Let a signal strategy forget the order it waited for: its own `_notify`."""
    waiting = strategy._sentinel
    if waiting is not None and any(order == waiting and not order.alive() for order in orders):
        strategy._sentinel = None


def _notifies_itself(strategy: Any) -> bool:
    own = type(strategy)._notify
    return own is not bt.Strategy._notify and own is not bt.SignalStrategy._notify


def _overrides(item: Any, name: str, base: type[Any]) -> bool:
    return name in vars(item) or getattr(type(item), name) is not getattr(base, name)


def _family(analyzer: Any) -> Iterator[Any]:
    """Yield an analyzer's children, then itself: the order in which Backtrader tells them."""
    for child in analyzer._children:
        yield from _family(child)
    yield analyzer


def _calls(family: list[Any], name: str, aside: set[int], collected: dict[int, list[Any]] | None = None) -> list[Call]:
    """Return a family's methods of that name which do something; one that passes news on itself passes all."""
    if any(id(each) not in aside and _overrides(each, f"_{name}", bt.Analyzer) for each in family):
        return [getattr(family[-1], f"_{name}")]
    calls: list[Call] = []
    for each in family:
        if id(each) in (collected or {}):
            calls.append((collected or {})[id(each)].append)
        elif id(each) not in aside and _overrides(each, name, bt.Analyzer):
            calls.append(getattr(each, name))
    return calls
