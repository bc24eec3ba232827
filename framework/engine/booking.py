"""How a fill changes cash, position and order: Backtrader's arithmetic, for fills that a venue decided."""

from __future__ import annotations

from typing import Any

NOISE = 1e-9
"""Units: what is left of an order that the venue says is filled, because floats do not add up."""


def book(broker: Any, order: Any, quantity: float, price: float, time: float, *, commission: float = 0.0) -> None:
    """Book a fill into an order and its broker's cash and position, to the last bit as `BackBroker` does.

    `time` is a date number. A venue's own `commission` counts in place of the one that was set. Nothing is
    refused for want of cash: it has happened.
    """
    data, info = order.data, broker.getcommissioninfo(order.data)
    position = broker.positions[data]
    before, size = position.price, quantity if order.isbuy() else -quantity
    psize, pprice, opened, closed = position.pseudoupdate(size, price)
    pnl = info.profitandloss(-closed, before, price)
    closed_value, closed_cost = _closed(broker, info, closed, before, price, commission * _share(closed, size))
    if closed:
        back = closed_value / info.get_leverage() if closed_value > 0 else closed_value
        broker.cash = broker.cash + (back + pnl * info.stocklike) - closed_cost
        broker.cash += info.cashadjust(-closed, position.adjbase, price)
    opened_value, opened_cost = _opened(broker, info, opened, price, commission * _share(opened, size))
    if opened:
        paid = opened_value / info.get_leverage() if opened_value > 0 else opened_value
        broker.cash = broker.cash - paid - opened_cost
        if abs(psize) > abs(opened):
            broker.cash += info.cashadjust(psize - opened, position.adjbase, price)
        position.adjbase = price
    booked = closed + opened  # as stock adds it up: where a fill goes through zero the last bit may be another
    info.confirmexec(booked, price)
    position.update(booked, price, data.num2date(time))
    order.execute(
        time, booked, price, closed, closed_value, closed_cost, opened, opened_value, opened_cost,
        info.margin, pnl, psize, pprice,
    )  # fmt: skip
    order.addcomminfo(info)
    if abs(order.executed.remsize) <= NOISE:
        order.executed.remsize = 0
        order.completed()


def _share(part: float, size: float) -> float:
    return abs(part / size) if size else 0.0


def _closed(
    broker: Any, info: Any, closed: float, before: float, price: float, commission: float
) -> tuple[float, float]:
    if not closed:
        return 0.0, 0.0
    value = info.getvaluesize(-closed, before) if broker.p.shortcash else info.getoperationcost(closed, before)
    return value, commission or info.getcommission(closed, price)


def _opened(broker: Any, info: Any, opened: float, price: float, commission: float) -> tuple[float, float]:
    if not opened:
        return 0.0, 0.0
    value = info.getvaluesize(opened, price) if broker.p.shortcash else info.getoperationcost(opened, price)
    return value, commission or info.getcommission(opened, price)
