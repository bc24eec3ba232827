"""Changes of a position that are not news: an earlier run's fills, a position adopted, one that was sold elsewhere.

The ledger, the strategy's trades and the recorder take them in; the strategy is told nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import backtrader as bt

from framework.engine.booking import book
from framework.engine.live_data import number


def take_in(strategy: Any, told: Any) -> None:
    """Let an order's fills, as `notify` copied it, change the strategy's trades and the record of what is open."""
    simulated, told.p.simulated = told.p.simulated, True
    with _some_time(told.data, told.executed.exbits[-1].dt):
        strategy._addnotification(told, quicknotify=False)
    told.p.simulated = simulated
    strategy._tradespending.clear()
    _date_trade(strategy, told)
    strategy.analyzers.recorder.follow(told)


def settle(broker: Any, strategy: Any, data: Any, size: float, price: float, at: datetime) -> None:
    """Set a position to what the account said at a time (aware), at a price; cash stays as it is."""
    was = broker.positions[data].size
    delta = size - was
    if not delta:
        return
    kind = bt.BuyOrder if delta > 0 else bt.SellOrder
    order = kind(owner=strategy, data=data, size=_whole(abs(delta)), price=price, pricelimit=price, simulated=True)
    cash = broker.cash
    book(broker, order, _whole(abs(delta)), price, number(at))
    broker.cash = cash
    broker.changes.taken(data, number(at), was, size)
    take_in(strategy, order.clone())


@contextmanager
def _some_time(data: Any, at: float) -> Iterator[None]:
    """Let a feed that has no bar yet have a time: a trade that closes asks it for one."""
    if len(data.datetime):
        yield
        return
    data.datetime.forward(at)
    yield
    data.datetime.backwards()


def _date_trade(strategy: Any, told: Any) -> None:
    """Give a trade that was opened in silence the time of its fill."""
    trades = strategy._trades[told.data][told.tradeid]
    if trades and trades[-1].isopen and not trades[-1].dtopen:
        trades[-1].dtopen = told.executed.exbits[-1].dt


def _whole(size: float) -> float:
    return int(size) if size == int(size) else size
