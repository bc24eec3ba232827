"""Backtrader's simulated broker, keeping to a venue's rules and to the end of the warm-up.

An order is rounded and refused as the venue would: the same orders then go through live. Without a
venue and without a warm-up that trades, the runner uses Backtrader's own broker, untouched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import backtrader as bt

from framework.engine.clock_data import is_clock
from framework.engine.holding import OVER, Holds, hold_name
from framework.engine.signal_data import is_signals
from framework.engine.translate import order_request, order_type, symbol_of, time_in_force
from framework.errors import ConfigError
from framework.live.identity import check_name
from framework.model import OrderType, TimeInForce
from framework.ports import Resting, Rules

WARMING_UP = "warming up: the history before the start is not traded"
NO_PRICES = "a feed of signals has no prices; name the symbol's feed: buy(data=self.getdatabyname(signal.symbol))"


class RuledBroker(bt.brokers.BackBroker):
    """A `BackBroker` that refuses orders: Rejected, with the reason in `order.info.reason`.

    Orders on a feed's warm-up bars are refused; `rules` may be None. `buy(..., name="a1b2")` names an order: a second
    one of that name is refused, live in every run of the session, unless the first was rejected. The exits of a
    bracket so named are "a1b2s" and "a1b2t". `buy(..., holdtime=60)` closes what it opened after so many seconds.
    """

    params = (("rules", None),)

    lean_overrides = frozenset({"_try_exec", "next", "notify"})
    """What is overridden here that the lean engine need not fall back for."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.refusals: list[Callable[[Any], str]] = []
        """Each is asked why an order of the strategy's is not to be taken, and says so, or nothing."""
        self.named: dict[str, int] = {}
        """The names of orders that were taken, and their refs; one that is rejected gives its name back."""
        self._is_overruled = False
        self._has_signals: bool | None = None
        self._holds = Holds(self._end_hold)

    @contextmanager
    def overruling(self) -> Iterator[None]:
        """Take orders that are not the strategy's within the block: what closes its positions."""
        self._is_overruled = True
        try:
            yield
        finally:
            self._is_overruled = False

    def unfinished(self) -> list[Any]:
        """Return the orders that are not over, those that have not left yet among them."""
        return [order for order in (*self.submitted, *self.pending) if order.alive()]

    def take_back(self, order: Any) -> None:
        """Cancel an order, whether it has left yet or not."""
        if not self._is_withdrawn(order):
            self.cancel(order)

    def only_reduces(self, order: Any) -> bool:
        """Return whether an order can only make the position smaller."""
        held = self.getposition(order.data).size
        return bool(held * order.size < 0 and abs(order.size) <= abs(held))

    def buy(self, owner: Any, data: Any, size: float, price: Any = None, plimit: Any = None, **kwargs: Any) -> Any:
        size = _sized(data, size, kwargs.get("notional"))
        size, price, plimit = self._rounded(data, size, price, plimit, kwargs.get("exectype"), buys=True)
        return super().buy(owner, data, size, price, plimit, **kwargs)

    def sell(self, owner: Any, data: Any, size: float, price: Any = None, plimit: Any = None, **kwargs: Any) -> Any:
        size = _sized(data, size, kwargs.get("notional"))
        size, price, plimit = self._rounded(data, size, price, plimit, kwargs.get("exectype"), buys=False)
        return super().sell(owner, data, size, price, plimit, **kwargs)

    def submit(self, order: Any, check: bool = True) -> Any:
        _name_exit(order)
        reason = self._refusal(order)
        if not reason and (reason := self._objection(order)):
            order.submit(self)
            self.notify(order)
        if reason:
            self._refuse(order, reason)
            return order
        if self.p.rules is not None:
            self._date(order)
        if name := order.info.get("name"):
            self.named[name] = order.ref
        if self._has_signals is None:
            self._has_signals = any(is_signals(data) for data in order.owner.datas)
        if self._has_signals:
            order.sent_at = _now(order.owner)
        self.hold(order)
        return super().submit(order, check)

    def hold(self, order: Any) -> None:
        """Close what an order opens after its hold time, where it has one."""
        self._holds.take(order, hold_name(self._order_id(order)))

    def resume_hold(self, order: Any, order_id: str) -> None:
        """Go on with the hold of an earlier run's order."""
        self._holds.take(order, hold_name(order_id))

    def _order_id(self, order: Any) -> str:
        return f"run-1-{order.ref}"

    def _end_hold(self, owner: Any, data: Any, size: float, name: str) -> None:
        if name not in self.named:
            with self.overruling():
                send = self.buy if size > 0 else self.sell
                send(owner, data, abs(size), exectype=bt.Order.Market, name=name, closing=OVER)

    def is_idle(self) -> bool:
        """Return whether the lean engine may leave a bar out."""
        return not self._holds and bool(super().is_idle())  # the lean engine's own, put behind this one

    def notify(self, order: Any) -> None:
        """Tell of an order. What is rejected has come to nothing, and may be asked for again under its name."""
        super().notify(order)
        if order.status in (order.Rejected, order.Margin) and self.named.get(order.info.get("name")) == order.ref:
            del self.named[order.info.name]

    def cancel(self, order: Any, bracket: bool = False) -> bool:
        """Cancel an order; one that has not left yet is taken back (stock would send and fill it)."""
        if self.p.rules is not None and not bracket and self._is_withdrawn(order):
            return True
        return bool(super().cancel(order, bracket))

    def replace(
        self, order: Any, *, size: float | None = None, price: float | None = None, plimit: float | None = None
    ) -> None:
        """Change an open order: its size, price or limit; it stays the same order for the strategy.

        Raise `ConfigError` for an order that is not open.
        """
        mine = next((each for each in self.pending if each.ref == order.ref), None)
        if mine is None:
            raise ConfigError(f"order {order.ref} is not open; it cannot be replaced")
        asked = abs(mine.created.size) if size is None else abs(size)
        whole, at, limit = self._rounded(mine.data, asked, price, plimit, mine.exectype, buys=mine.isbuy())
        mine.size = mine.created.size = whole if mine.isbuy() else -whole
        mine.executed.remsize = mine.size - mine.executed.size
        mine.created.price = mine.created.price if price is None else at
        mine.created.pricelimit = mine.created.pricelimit if plimit is None else limit

    def _is_withdrawn(self, order: Any) -> bool:
        """Take back an order that has not left yet, and the orders of its bracket; return whether it was one."""
        if all(each.ref != order.ref for each in self.submitted):
            return False
        family = _family(order)
        self._pchildren.pop(family, None)
        for each in [each for each in self.submitted if _family(each) == family]:
            self.submitted.remove(each)
            each.cancel()
            self.notify(each)
        return True

    def _try_exec(self, order: Any) -> None:
        """Try an order on each bar once, and never on one that had ended before the order was sent.

        Stock tries it on its symbol's last bar again whenever only another symbol has a new one, and so
        may fill it in the past: no venue does. An exit's first bar is the one after that which filled its entry.
        """
        now = order.data.datetime[0]
        if (self.p.rules is not None or _is_between(order)) and now <= (
            getattr(order, "tried_on", None) or _seen(order)
        ):
            return
        if _is_between(order) and _is_too_late(order):
            return
        order.tried_on = now
        super()._try_exec(order)

    def next(self) -> None:
        """Play an instant, and end the orders whose time has passed while their symbol had no bar.

        An order for the day ends with the session, not with the next one's first bar: its venue does that.
        """
        super().next()
        if self._holds:
            self._look_at_holds()
        if self.p.rules is not None and any(order.valid for order in self.pending):
            for order in [each for each in self.pending if self._is_over(each)]:
                if order in self.pending:  # none before it has taken it out
                    self.pending.remove(order)
                    order.status, order.executed.dt = order.Expired, order.data.datetime[0]
                    self.notify(order)
                    self._ococheck(order)
                    self._bracketize(order, cancel=True)

    def _look_at_holds(self) -> None:
        self._holds.look(_now(self._holds.owner), lambda data: float(self.getposition(data).size))

    def _date(self, order: Any) -> None:
        """Let an order for the day end with its exchange's session; Backtrader keeps it to midnight, or for ever.

        So ends what the venue takes for the day only, where it was to last longer.
        """
        calendar = order.data._calendar
        asked = time_in_force(order.p.valid)
        if calendar is None or order.exectype == order.Market:
            return
        request = order_request(order, symbol_of(order.data), str(order.ref))
        if asked is not TimeInForce.DAY and not self.p.rules.is_for_the_day(request):
            return
        closes = bt.date2num(calendar.schedule(bt.num2date(order.created.dt + _SECOND), order.data._tz)[1])
        if asked is not TimeInForce.GTD or order.valid > closes:
            order.valid, order.ends_with_day = closes, True

    def _is_over(self, order: Any) -> bool:
        """Return whether an order's time has passed at the instant that is played, whichever symbol has a bar then."""
        if not order.valid or order.exectype == order.Market:
            return False
        return bool(_now(order.owner) > order.valid - (_SECOND if getattr(order, "ends_with_day", False) else 0.0))

    def _rounded(
        self, data: Any, size: float, price: Any, plimit: Any, exectype: int | None, *, buys: bool
    ) -> tuple[float, Any, Any]:
        rules: Rules | None = self.p.rules
        if rules is None:
            return size, price, plimit
        symbol, kind = symbol_of(data), order_type(exectype)
        is_limit = kind is OrderType.LIMIT
        return (
            round_size(size, rules.lot(symbol)),
            _to_tick(rules, symbol, price, down=buys if is_limit else not buys),
            _to_tick(rules, symbol, plimit, down=buys),
        )

    def _refusal(self, order: Any) -> str:
        if is_signals(order.data):
            return NO_PRICES
        if is_clock(order.data):
            return "a clock has no prices; name the symbol's feed: buy(data=self.getdatabyname(symbol))"
        if (name := order.info.get("name")) and check_name(name) in self.named:
            return f"an order named {name} was made before"
        if self._is_warming_up(order):
            return WARMING_UP
        if why := self._barred(order):
            return why
        if self.p.rules is None:
            return ""
        if not order.size:
            return f"{self.p.rules.venue}: the size is below the smallest step"
        return str(
            self.p.rules.refusal(
                order_request(order, symbol_of(order.data), str(order.ref)),
                position=self.getposition(order.data).size,
                price=order.data.close[0],
                grouped=order.parent is not None,
            )
        )

    def _is_warming_up(self, order: Any) -> bool:
        """Return whether what is played is the history before the start."""
        return bool(order.data.datetime[0] <= getattr(order.data.p, "opens_at", float("-inf")))

    def _barred(self, order: Any) -> str:
        if self._is_overruled:
            return ""
        return next((why for each in self.refusals if (why := each(order))), "")

    def _objection(self, order: Any) -> str:
        """Return why the venue would not take an order beside those that are open, or an empty string.

        Live the venue itself says so, which knows the market and the orders as they are when it is asked.
        """
        if self.p.rules is None or order.parent is not None:
            return ""
        symbol = symbol_of(order.data)
        return str(
            self.p.rules.objection(
                order_request(order, symbol, str(order.ref)),
                position=self.getposition(order.data).size,
                price=order.data.close[0],
                grouped=not order.transmit or self._has_pair(order),
                resting=tuple(self._resting(order)),
            )
        )

    def _has_pair(self, order: Any) -> bool:
        """Return whether an order is one of a pair that cancel each other."""
        return bool(self._ocos.get(order.ref, order.ref) != order.ref)

    def _resting(self, order: Any) -> Iterator[Resting]:
        """Yield what is open of an order's symbol: of a pair of exits, what the venue counts of it, the first."""
        symbol, seen = symbol_of(order.data), {self._ocos.get(order.ref, order.ref), order.ref}
        for each in (*self.pending, *self.submitted):
            family = each.parent.ref if each.parent is not None else self._ocos.get(each.ref, each.ref)
            is_exit = each.parent is not None
            if symbol_of(each.data) != symbol or family in seen or (is_exit and not each.active()):
                continue
            seen.add(family)
            grouped = is_exit or family != each.ref or bool(self._pchildren.get(each.ref)) or self._leads(each)
            request = order_request(each, symbol, str(each.ref))
            yield Resting(replace(request, quantity=abs(each.executed.remsize)), grouped)

    def _leads(self, order: Any) -> bool:
        """Return whether other orders end with this one."""
        return len(self._ocol.get(order.ref, ())) > 1

    def _refuse(self, order: Any, reason: str) -> None:
        """Reject the order and, where it is part of a bracket not sent yet, the orders it came with."""
        parent = getattr(order.parent, "ref", order.ref)
        for each in [*self._pchildren.pop(parent, ()), order]:
            each.addinfo(reason=reason)
            each.reject(self)
            self.notify(each)


def _seen(order: Any) -> float:
    """Return the time of the bar up to which an order that was never tried has nothing to do with the market."""
    parent = order.parent
    return float(order.created.dt if parent is None else max(order.created.dt, parent.executed.dt or 0.0))


def _now(owner: Any) -> float:
    """Return the instant that is played."""
    return float(max(data.datetime[0] for data in owner.datas if len(data)))


def _name_exit(order: Any) -> None:
    """Give an exit of a named bracket a name of its own: `buy_bracket(name=...)` hands all three the same."""
    name = order.info.get("name")
    if name and order.parent is not None and name == order.parent.info.get("name"):
        order.addinfo(name=f"{name}{'t' if order.exectype == order.Limit else 's'}")


def _is_between(order: Any) -> bool:
    """Return whether an order may have been sent between bars: where there are signals."""
    return hasattr(order, "sent_at")


def _is_too_late(order: Any) -> bool:
    """Return whether an order came too long after its symbol's bar began: that first price was gone.

    So it is where a signal came within a bar. An order at the close waits for another price.
    """
    data = order.data
    if order.exectype == order.Close:
        return False
    if data._timeframe == bt.TimeFrame.Minutes:
        began = data.datetime[0] - data._compression / 1440
    else:
        began = data.datetime[-1] if len(data) > 1 else data.datetime[0]
    return bool(order.sent_at > began + REACH)


REACH = 5 / 86_400
"""Days (five seconds) after a bar's first price in which an order still has it, as in the sandbox."""

_SECOND = 1 / 86_400
"""A date number does not hold an instant exactly."""


def _family(order: Any) -> int:
    """Return the ref of an order's bracket: its parent's, or its own."""
    return int(getattr(order.parent, "ref", order.ref))


def _sized(data: Any, size: float, notional: float | None) -> float:
    """Return the size of an order: what an amount of money buys at the last price, where one was given."""
    return notional / float(data.close[0]) if notional else size


def _to_tick(rules: Rules, symbol: str, price: Any, *, down: bool) -> Any:
    return price if not price else round_price(price, rules.tick(symbol, price), down=down)


def round_price(price: float, tick: float, *, down: bool) -> float:
    """Return the price on the venue's grid, never beyond what was asked.

    A limit is rounded away from the market (a buy down, a sell up); a stop so that it triggers no
    earlier (a buy up, a sell down). A price within a millionth of a step counts as on the grid.
    """
    steps = price / tick
    nearest = round(steps)
    if math.isclose(steps, nearest, rel_tol=0, abs_tol=1e-6):
        whole = nearest
    else:
        whole = math.floor(steps) if down else math.ceil(steps)
    return round(whole * tick, 10)


def round_size(size: float, lot: float) -> float:
    """Return the size on the venue's grid, never more than was asked; whole sizes stay integers."""
    steps = abs(size) / lot
    # A share is 10^9 of Alpaca's steps: at 496 shares the quotient is off by more than any fixed tolerance.
    is_whole = math.isclose(steps, round(steps), rel_tol=1e-12, abs_tol=1e-9)
    rounded = math.copysign(abs(size) if is_whole else round(math.floor(steps) * lot, 10), size)
    return int(rounded) if isinstance(size, int) and rounded == int(rounded) else rounded
