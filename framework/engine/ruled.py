"""Backtrader's simulated broker, keeping to a venue's rules and to the end of the warm-up.

An order is rounded and refused as the venue would: the same orders then go through live. Without a
venue and without a warm-up that trades, the runner uses Backtrader's own broker, untouched.
"""

from __future__ import annotations

import math
from typing import Any

import backtrader as bt

from framework.engine.translate import order_request, order_type, symbol_of
from framework.model import OrderType
from framework.ports import Rules

WARMING_UP = "warming up: the history before the start is not traded"


class RuledBroker(bt.brokers.BackBroker):
    """A `BackBroker` that refuses orders: Rejected, with the reason in `order.info.reason`.

    Orders on a feed's warm-up bars are refused; `rules` may be None.
    """

    params = (("rules", None),)

    lean_overrides = frozenset({"_try_exec"})
    """What is overridden here that the lean engine need not fall back for."""

    def buy(self, owner: Any, data: Any, size: float, price: Any = None, plimit: Any = None, **kwargs: Any) -> Any:
        size, price, plimit = self._rounded(data, size, price, plimit, kwargs.get("exectype"), buys=True)
        return super().buy(owner, data, size, price, plimit, **kwargs)

    def sell(self, owner: Any, data: Any, size: float, price: Any = None, plimit: Any = None, **kwargs: Any) -> Any:
        size, price, plimit = self._rounded(data, size, price, plimit, kwargs.get("exectype"), buys=False)
        return super().sell(owner, data, size, price, plimit, **kwargs)

    def submit(self, order: Any, check: bool = True) -> Any:
        reason = self._refusal(order)
        if not reason:
            return super().submit(order, check)
        self._refuse(order, reason)
        return order

    def _try_exec(self, order: Any) -> None:
        """Try an order on each bar once, and never on one that had ended before the order was sent.

        Stock tries it on its symbol's last bar again whenever only another symbol has a new one, and so
        may fill it in the past: no venue does.
        """
        now = order.data.datetime[0]
        if self.p.rules is not None and now <= getattr(order, "tried_on", order.created.dt):
            return
        order.tried_on = now
        super()._try_exec(order)

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
        if order.data.datetime[0] <= getattr(order.data.p, "opens_at", float("-inf")):
            return WARMING_UP
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

    def _refuse(self, order: Any, reason: str) -> None:
        """Reject the order and, where it is part of a bracket not sent yet, the orders it came with."""
        parent = getattr(order.parent, "ref", order.ref)
        for each in [*self._pchildren.pop(parent, ()), order]:
            each.addinfo(reason=reason)
            each.reject(self)
            self.notify(each)


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
