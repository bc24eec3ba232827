"""Backtrader's simulated broker with its hot paths rewritten; the arithmetic is stock's, in stock's order.

`LeanBroker` is put behind a broker's own class for one run (a user's subclass of `BackBroker` stays in
front, and its `super()` calls land here). The value of the portfolio is worked out when it is asked for.
Whatever is not plain (a commission scheme of the user's own, futures, interest) runs stock's methods.
"""

from __future__ import annotations

import collections
from typing import Any

import backtrader as bt
from backtrader.order import Order
from backtrader.position import Position

from framework.engine.orders import new_order

_MARKET, _LIMIT, _STOP = Order.Market, Order.Limit, Order.Stop
_SUBMITTED, _ACCEPTED, _PARTIAL, _COMPLETED = Order.Submitted, Order.Accepted, Order.Partial, Order.Completed
_PLAIN = (bt.CommInfoBase, bt.CommissionInfo)
_PERCENT = bt.CommInfoBase.COMM_PERC


class Feed:
    """A data feed's columns and its cursor, as the broker reads them."""

    __slots__ = ("clock", "close", "comminfo", "data", "high", "low", "open", "plain", "ticks", "time")

    def __init__(self, data: Any, clock: Any, ticks: Any = None) -> None:
        self.data, self.clock, self.ticks = data, clock, ticks or clock
        self.comminfo: Any = None
        self.plain = False
        lines = data.lines
        self.open, self.high, self.low, self.close, self.time = (
            line.array for line in (lines.open, lines.high, lines.low, lines.close, lines.datetime)
        )


class LeanPosition(Position):
    """A position that works out when it is asked what stock writes into it at every bar."""

    feed: Any = None
    opened = -1
    _adjbase: Any = None
    _datetime: Any = None
    _closed_at: float | None = None

    def __bool__(self) -> bool:
        return self.size != 0  # type: ignore[no-any-return]

    @property
    def adjbase(self) -> Any:
        return self._adjbase if self.feed is None or not self.size else self.feed.close[self.feed.clock.at]

    @adjbase.setter
    def adjbase(self, value: Any) -> None:
        self._adjbase = value

    @property
    def datetime(self) -> Any:
        if self.feed is not None and self.size:
            return self.feed.data.num2date(self.feed.time[self.feed.clock.at])
        if self.feed is not None and self._closed_at is not None:
            return self.feed.data.num2date(self._closed_at)
        if "_datetime" not in vars(self):
            raise AttributeError("datetime")
        return self._datetime

    @datetime.setter
    def datetime(self, value: Any) -> None:
        self._datetime, self._closed_at = value, None


def netted(held: float, paid: float, size: float, price: float) -> tuple[float, float, float, float]:
    """Return size and price of a position after an execution, and how much it opened and closed."""
    total = held + size
    if not total:
        return total, 0.0, 0, size
    if not held:
        return total, price, size, 0
    if size > 0 if held > 0 else size < 0:
        return total, (paid * held + size * price) / total, size, 0
    if total > 0 if held > 0 else total < 0:
        return total, paid, 0, size
    return total, price, total, -held


def is_plain(comminfo: Any) -> bool:
    """Return whether a commission scheme is Backtrader's own, for stock-like assets, without interest."""
    return type(comminfo) in _PLAIN and comminfo.stocklike and not comminfo.p.interest and not comminfo._creditrate


class LeanBroker(bt.BackBroker):
    """Put behind the broker's class by `attach`; `run` is the lean run it works for."""

    run: Any
    positions: Any
    cash: float

    def attach(self, run: Any, feeds: dict[Any, Feed], observed: bool) -> None:
        self.run, self._feeds, self._observed = run, feeds, observed
        self._valued, self._awake, self._parted = -1, run.awake, set[int]()
        self._positions_opened()
        self._schemes()

    def detach(self) -> None:
        self._settle()
        for position in self.positions.values():
            self._closed_position(position)
        for name in ("run", "_feeds", "_observed", "_valued", "_awake", "_parted", "_all_plain"):
            delattr(self, name)

    def observed(self, observed: bool) -> None:
        """Say whether somebody looks at orders that have not been executed."""
        self._observed = observed

    def _positions_opened(self) -> None:
        made: Any = collections.defaultdict(LeanPosition)
        for data, position in self.positions.items():
            made[data].update(position.size, position.price)
        self.positions = made

    @staticmethod
    def _closed_position(position: Any) -> None:
        """Give a position its stock class back, with what it would have said."""
        known = vars(position)
        said = [(name, getattr(position, name)) for name in ("adjbase", "datetime") if hasattr(position, name)]
        for name in ("feed", "opened", "_adjbase", "_datetime", "_closed_at"):
            known.pop(name, None)
        position.__class__ = Position
        known.update(said)

    def _schemes(self) -> None:
        for data, feed in self._feeds.items():
            feed.comminfo = self.getcommissioninfo(data)
            feed.plain = is_plain(feed.comminfo) and self._is_simple(data)
            self._followed(self.positions.get(data), feed)
        self._all_plain = all(feed.plain for feed in self._feeds.values()) and not self._fundhist

    def _is_simple(self, data: Any) -> bool:
        return data._compensate is None and not data.replaying and bool(self.p.shortcash)

    @staticmethod
    def _followed(position: Any, feed: Feed) -> None:
        """Let an open position of a plain asset read its feed; let another keep what it would say now."""
        if position is None or not position.size:
            return
        position._adjbase, position._datetime = position.adjbase, getattr(position, "datetime", None)
        position.feed = feed if feed.plain else None

    def is_idle(self) -> bool:
        """Return whether the next bar needs no look at orders, cash or margins."""
        if self.pending or self.submitted or self.notifs or self._toactivate or self._cash_addition or self._userhist:
            return False
        return self._all_plain or (not self._fundhist and not any(p.size for p in self.positions.values()))

    # -- the value, when it is asked for

    def _settle(self) -> None:
        now = self.run.time()
        if self._valued != now:
            self._valued = now
            self._get_value()

    def get_value(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        self._settle()
        value: float = super().get_value(datas, mkt, lever)
        return value

    getvalue = get_value

    def get_leverage(self) -> float:
        self._settle()
        return self._leverage  # type: ignore[no-any-return]

    def get_fundshares(self) -> float:
        self._settle()
        return self._fundshares  # type: ignore[no-any-return]

    fundshares = property(get_fundshares)

    def get_fundvalue(self) -> float:
        self._settle()
        return self._fundval  # type: ignore[no-any-return]

    fundvalue = property(get_fundvalue)

    # -- what a user may change while the run is on: first everything is brought up to date

    def _changing(self) -> None:
        self._settle()
        self.run.go_live()
        self._awake.append(True)

    def set_cash(self, cash: float) -> None:
        self._changing()
        super().set_cash(cash)

    setcash = set_cash

    def add_cash(self, cash: float) -> None:
        self._changing()
        super().add_cash(cash)

    def setcommission(self, *args: Any, **kwargs: Any) -> None:
        self._changing()
        super().setcommission(*args, **kwargs)
        self._schemes()

    def addcommissioninfo(self, comminfo: Any, name: str | None = None) -> None:
        self._changing()
        super().addcommissioninfo(comminfo, name)
        self._schemes()

    def set_shortcash(self, shortcash: bool) -> None:
        self._changing()
        super().set_shortcash(shortcash)
        self._schemes()

    # -- orders in

    def buy(
        self, owner: Any, data: Any, size: float, price: Any = None, plimit: Any = None, exectype: Any = None,
        valid: Any = None, tradeid: int = 0, oco: Any = None, trailamount: Any = None, trailpercent: Any = None,
        parent: Any = None, transmit: bool = True, histnotify: bool = False, _checksubmit: bool = True, **kwargs: Any,
    ) -> Any:  # fmt: skip
        feed = self._feeds[data]
        at = feed.clock.at
        order = new_order(
            True, owner, data, feed.close[at], feed.time[at], size, price, plimit, exectype, valid, tradeid,
            trailamount, trailpercent, parent, transmit, histnotify,
        )  # fmt: skip
        return self._entered(order, oco, kwargs, _checksubmit)

    def sell(
        self, owner: Any, data: Any, size: float, price: Any = None, plimit: Any = None, exectype: Any = None,
        valid: Any = None, tradeid: int = 0, oco: Any = None, trailamount: Any = None, trailpercent: Any = None,
        parent: Any = None, transmit: bool = True, histnotify: bool = False, _checksubmit: bool = True, **kwargs: Any,
    ) -> Any:  # fmt: skip
        feed = self._feeds[data]
        at = feed.clock.at
        order = new_order(
            False, owner, data, feed.close[at], feed.time[at], size, price, plimit, exectype, valid, tradeid,
            trailamount, trailpercent, parent, transmit, histnotify,
        )  # fmt: skip
        return self._entered(order, oco, kwargs, _checksubmit)

    def _entered(self, order: Any, oco: Any, info: dict[str, Any], check: bool) -> Any:
        if info:
            order.addinfo(**info)
        if oco is not None or order.parent is not None or not order.transmit:
            self._ocoize(order, oco)
        return self.submit(order, check=check)

    def submit(self, order: Any, check: bool = True) -> Any:
        if order.parent is None and order.transmit and order.ref not in self._pchildren:
            return self.transmit(order, check=check)
        return super().submit(order, check=check)

    def transmit(self, order: Any, check: bool = True) -> Any:
        self._awake.append(True)
        if not (check and self.p.checksubmit):
            self.submit_accept(order)
            return order
        order.status, order.plen = _SUBMITTED, self._feeds[order.data].clock.at + 1
        order.broker = None
        self.submitted.append(order)
        self.orders.append(order)
        if self._observed or order.executed.size:
            self.notifs.append(order.clone())
        return order

    def notify(self, order: Any) -> None:
        """Queue a copy of an order, if somebody will look at it."""
        self._awake.append(True)
        executed = order.executed
        if self._observed or (executed.size and (order.status != _COMPLETED or order.ref in self._ocos)):
            self.notifs.append(order.clone())
        elif executed.size:  # alone and done, it will not change: it is as good as a copy
            executed.p1, executed.p2 = executed.p2, len(executed.exbits)
            self.notifs.append(order)

    def _take_children(self, order: Any) -> Any:
        """Return the group an order belongs to; a parent sent on its own has no entry here yet."""
        parent = order.parent
        known = parent is None or parent.ref in self._pchildren or parent.ref in self._parted
        if not known and parent.transmit and parent.parent is None:
            self._alone(parent)
            if parent.alive():
                self._pchildren[parent.ref].append(parent)
            elif parent.status == _COMPLETED:
                self._pchildren[parent.ref].clear()
        return super()._take_children(order)

    def _is_grouped(self, order: Any) -> bool:
        return order.parent is not None or order.ref in self._pchildren

    def _bracketize(self, order: Any, cancel: bool = False) -> None:
        if self._is_grouped(order):
            super()._bracketize(order, cancel)
            ref = order.ref if order.parent is None else order.parent.ref
            if ref not in self._pchildren:
                self._parted.add(ref)

    def _ocoize(self, order: Any, oco: Any) -> None:
        """Group two orders. One that is alone is a group in stock; here it becomes one when it must."""
        if oco is not None:
            self._alone(oco)
        super()._ocoize(order, oco)

    def _alone(self, order: Any) -> None:
        """Make an order the group of one that it is in stock from the start, until it is first executed."""
        if order.ref not in self._ocos:
            self._ocos[order.ref] = order.ref
            if not order.executed.size:
                self._ocol[order.ref].append(order.ref)

    def _ococheck(self, order: Any) -> None:
        if order.ref in self._ocos:
            super()._ococheck(order)

    def submit_accept(self, order: Any) -> None:
        order.pannotated = None
        order.status, order.plen = _ACCEPTED, self._feeds[order.data].clock.at + 1
        order.broker = None
        self.pending.append(order)
        if self._observed or order.executed.size:
            self.notifs.append(order.clone())

    def check_submitted(self) -> None:
        cash = self.cash
        held: dict[Any, Any] = {}
        while self.submitted:
            order = self.submitted.popleft()
            if order.parent is not None and self._take_children(order) is None:
                continue
            cash = self._tried(order, cash, held)
            if cash >= 0.0:
                self.submit_accept(order)
                continue
            order.margin()
            self.notify(order)
            self._ococheck(order)
            self._bracketize(order, cancel=True)

    def _tried(self, order: Any, cash: float, held: dict[Any, Any]) -> float:
        """Return the cash that would be left if the order were executed at the price it was made at."""
        data = order.data
        feed = self._feeds[data]
        if not feed.plain:
            position = held.setdefault(data, self.positions[data].clone())
            return self._execute(order, cash=cash, position=position)  # type: ignore[no-any-return]
        if data not in held:
            position = self.positions[data]
            held[data] = position.size, position.price
        price = order.created.price
        if self.p.coo and order.exectype == _MARKET:
            price = feed.open[feed.clock.at]
        before, bought = held[data]
        size, paid, opened, closed = netted(before, bought, order.executed.remsize, price)
        held[data] = size, paid
        comm = feed.comminfo.p
        rate = comm.commission
        if closed:
            value = -closed * price
            cash += value / comm.leverage if value > 0 else value
            cash -= abs(closed) * rate * price if feed.comminfo._commtype == _PERCENT else abs(closed) * rate
        if opened:
            value = opened * price
            cash -= value / comm.leverage if value > 0 else value
            cash -= abs(opened) * rate * price if feed.comminfo._commtype == _PERCENT else abs(opened) * rate
        return cash

    # -- orders out

    def next(self) -> None:
        while self._toactivate:
            self._toactivate.popleft().activate()
        if self.submitted and self.p.checksubmit:
            self.check_submitted()
        if not self._all_plain:
            self._charge()
        if self._userhist:
            self._process_order_history()
        if self.pending:
            self._work()
        if not self._all_plain:
            self._adjust()
        if self._cash_addition:
            self._valued = self.run.now
            self._get_value()

    def _work(self) -> None:
        """Play the bar against the orders that wait."""
        pending = self.pending
        pending.append(None)
        while (order := pending.popleft()) is not None:
            if order.exectype != _MARKET and order.expire():
                self.notify(order)
                self._ococheck(order)
                self._bracketize(order, cancel=True)
            elif not order._active:
                pending.append(order)
            else:
                self._try_exec(order)
                if order.status <= _PARTIAL:
                    pending.append(order)
                elif order.status == _COMPLETED:
                    self._bracketize(order)

    def _try_exec(self, order: Any) -> None:
        feed = self._feeds[order.data]
        at = feed.ticks.at
        kind = order.exectype
        if at < 0 or feed.data.replaying:
            super()._try_exec(order)
            return
        if kind == _MARKET:
            p = self.p
            if not feed.plain or p.coc or p.coo or p.slip_perc or p.slip_fixed or p.filler is not None:
                self._try_exec_market(order, feed.open[at], feed.high[at], feed.low[at])
            elif (when := feed.time[feed.clock.at]) > order.created.dt:
                self._fill(order, feed, order.executed.remsize, feed.open[at], when)
            return
        if kind in (_LIMIT, _STOP):
            low, high = feed.low[at], feed.high[at]
            wanted = order.created.price
            if (low > wanted) if (order.ordtype == Order.Buy) == (kind == _LIMIT) else (high < wanted):
                opened = feed.open[at]
                if low <= opened <= high:
                    return  # out of the bar's reach
        super()._try_exec(order)

    def _execute(
        self, order: Any, ago: int | None = None, price: Any = None, cash: Any = None, position: Any = None,
        dtcoc: Any = None,
    ) -> Any:  # fmt: skip
        feed = self._feeds[order.data]
        if ago is None or price is None or not feed.plain:
            return self._execute_stock(order, ago, price, cash, position, dtcoc)
        size = order.executed.remsize
        if self.p.filler is not None:
            size = self.p.filler(order, price, ago)
            if not order.isbuy():
                size = -size
        self._fill(order, feed, size, price, dtcoc or feed.time[feed.clock.at + ago])
        return None

    def _execute_stock(self, order: Any, ago: Any, price: Any, cash: Any, position: Any, dtcoc: Any) -> Any:
        left = super()._execute(order, ago=ago, price=price, cash=cash, position=position, dtcoc=dtcoc)
        if ago is not None and price is not None:
            data = order.data if order.data._compensate is None else order.data._compensate
            self.run.moved(data, self.positions[data], self.cash)
        return left

    def _fill(self, order: Any, feed: Feed, size: float, price: float, when: float) -> None:
        """Execute (part of) an order on a stock-like asset: stock's `_execute`, line by line, without its detours."""
        data = order.data
        position = self.positions[data]
        held, paid = position.size, position.price
        comm = feed.comminfo.p
        percent = feed.comminfo._commtype == _PERCENT
        psize, pprice, opened, closed = netted(held, paid, size, price)
        pnl = -closed * (price - paid) * comm.mult
        cash = self.cash
        closedvalue = closedcomm = openedvalue = openedcomm = 0.0
        if closed:
            closedvalue = -closed * paid
            cash += (closedvalue / comm.leverage if closedvalue > 0 else closedvalue) + pnl
            closedcomm = abs(closed) * comm.commission * price if percent else abs(closed) * comm.commission
            cash -= closedcomm
            self.cash = cash
        wanted = opened
        if opened:
            openedvalue = opened * price
            cash -= openedvalue / comm.leverage if openedvalue > 0 else openedvalue
            openedcomm = abs(opened) * comm.commission * price if percent else abs(opened) * comm.commission
            cash -= openedcomm
            if cash < 0.0:
                opened = 0
                openedvalue = openedcomm = 0.0
            else:
                self.cash = cash
        done = closed + opened
        if done:
            self._hold(position, feed, done, price, held, paid)
            order.executed.add(
                when, done, price, closed, closedvalue, closedcomm, opened, openedvalue, openedcomm, pnl, psize, pprice
            )
            order.executed.margin = comm.margin
            order.status = _PARTIAL if order.executed.remsize else _COMPLETED
            order.comminfo = feed.comminfo
            self.run.moved(data, position, self.cash)
            self.notify(order)
            self._ococheck(order)
        if wanted and not opened:
            order.margin()
            self.notify(order)
            self._ococheck(order)
            self._bracketize(order, cancel=True)

    def _hold(self, position: Any, feed: Feed, done: float, price: float, held: float, paid: float) -> None:
        size, now, opened, closed = netted(held, paid, done, price)
        if opened:
            position.opened, position._adjbase = self.run.now, price
        if not size:
            if position.opened != self.run.now:
                position._adjbase = feed.close[self.run.before(feed)]
            position._closed_at = feed.time[feed.clock.at]
        position.feed = feed
        position.price_orig, position.size, position.price = paid, size, now
        position.upopened, position.upclosed = opened, closed

    def _charge(self) -> None:
        """Take the day's interest, as stock does at every bar."""
        credit = 0.0
        for data, position in self.positions.items():
            if position and not self._feeds[data].plain:
                now = data.datetime.datetime()
                due = self.getcommissioninfo(data).get_credit_interest(data, position, now)
                self.d_credit[data] += due
                credit += due
                position.datetime = now
        self.cash -= credit

    def _adjust(self) -> None:
        """Settle futures at the bar's close, as stock does at every bar."""
        for data, position in self.positions.items():
            if position and not self._feeds[data].plain:
                close = data.close[0]
                self.cash += self.getcommissioninfo(data).cashadjust(position.size, position.adjbase, close)
                position.adjbase = close
        self.run.moved(None, None, self.cash)
