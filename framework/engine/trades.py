"""Trades kept as Backtrader keeps them, with its arithmetic and without its detours."""

from __future__ import annotations

from typing import Any

from backtrader.trade import Trade

from framework.engine.broker import is_plain

_new = object.__new__


def new_trade(data: Any, tradeid: int, history: bool) -> Any:
    """Make a trade that is not open yet."""
    return Trade(data=data, tradeid=tradeid, historyon=history)


def copied(trade: Any) -> Any:
    """Return a copy as `copy.copy` makes it."""
    copy = _new(Trade)
    copy.__dict__ = vars(trade).copy()
    return copy


def booked(
    trade: Any, order: Any, size: float, price: float, value: float, commission: float, pnl: float
) -> None:  # fmt: skip
    """Carry (part of) an execution into a trade: `Trade.update`."""
    comminfo = order.comminfo
    if trade.historyon or not is_plain(comminfo):
        trade.update(order, size, price, value, commission, pnl, comminfo=comminfo)
        return
    fields = vars(trade)
    data = trade.data
    bars = len(data)
    before = trade.size
    after = before + size
    fields["commission"] += commission
    fields["size"] = after
    fields["justopened"] = opened = bool(not before and size)
    if opened:
        fields["baropen"], fields["dtopen"], fields["long"] = bars, data.datetime[0], after > 0
    fields["barlen"] = bars - trade.baropen
    fields["isopen"] = bool(after)
    fields["isclosed"] = closed = bool(before and not after)
    if closed:
        fields["barclose"], fields["dtclose"] = bars, data.datetime[0]
        fields["status"] = Trade.Closed
    elif after:
        fields["status"] = Trade.Open
    if abs(after) > abs(before):
        fields["price"] = (before * trade.price + size * price) / after
        gained = 0.0
    else:
        gained = -size * (price - trade.price) * comminfo.p.mult
    fields["pnl"] += gained
    fields["pnlcomm"] = trade.pnl - trade.commission
    fields["value"] = after * trade.price
