"""Orders that are cheap to make and to copy, and otherwise Backtrader's own.

Stock builds an order through a metaclass, with a parameter object, two records, two containers and an
end of session that only `Close` orders read: 15 µs, and 3 µs for each of the copies it notifies.
"""

from __future__ import annotations

import collections
import datetime
import itertools
from typing import Any

from backtrader.order import BuyOrder, Order, OrderBase, OrderData, OrderExecutionBit, SellOrder
from backtrader.utils import AutoOrderedDict

_new = object.__new__
_TRAILING = (Order.StopTrail, Order.StopTrailLimit)
_DAY_END = datetime.time(23, 59, 59, 9999)
_SAME = (
    "owner", "data", "price", "pricelimit", "tradeid", "trailamount", "trailpercent", "parent", "transmit",
    "histnotify",
)  # fmt: skip


class LeanRecord(OrderData):
    """What was asked, or what was executed; the class holds what rarely differs from its default."""

    pclose = price = pricelimit = _plimit = trailamount = trailpercent = value = comm = pnl = 0.0
    p1 = p2 = 0
    size: float = 0
    remsize: float = 0
    psize: float = 0
    pprice: float = 0
    dt: float | None = None
    margin: float | None = None

    def __getattr__(self, name: str) -> Any:
        if name != "exbits":
            raise AttributeError(name)
        found: collections.deque[Any] = collections.deque()
        self.exbits = found
        return found

    def clone(self) -> LeanRecord:
        fields = self.__dict__
        fields["p1"], fields["p2"] = self.p2, len(self.exbits)
        copy = _new(LeanRecord)
        copy.__dict__ = fields.copy()
        return copy

    def add(
        self, dt: float, size: float, price: float, closed: float, closedvalue: float, closedcomm: float,
        opened: float, openedvalue: float, openedcomm: float, pnl: float, psize: float, pprice: float,
    ) -> None:  # fmt: skip
        """Add one execution: stock's sums, in stock's order."""
        bit = _new(OrderExecutionBit)
        value, comm = closedvalue + openedvalue, closedcomm + openedcomm
        bit.__dict__ = {
            "dt": dt, "size": size, "price": price, "closed": closed, "opened": opened, "closedvalue": closedvalue,
            "openedvalue": openedvalue, "closedcomm": closedcomm, "openedcomm": openedcomm, "value": value,
            "comm": comm, "pnl": pnl, "psize": psize, "pprice": pprice,
        }  # fmt: skip
        self.exbits.append(bit)
        self.remsize -= size
        self.dt = dt
        old = self.size * self.price
        self.size += size
        self.price = (old + size * price) / self.size
        self.value += value
        self.comm += comm
        self.pnl += pnl
        self.psize, self.pprice = psize, pprice


class _Lean:
    """What both sides share. `asked` holds size, exectype and valid as they were given."""

    broker = comminfo = origin = oco = None
    triggered = simulated = False
    position = 0
    _limitoffset = 0.0

    def __getattr__(self: Any, name: str) -> Any:
        if name.startswith("__") or "asked" not in vars(self):
            raise AttributeError(name)
        return getattr(self.params, name)

    @property
    def p(self: Any) -> Any:
        """Stock's parameter object, made when somebody asks for it."""
        first = self.origin or self
        if "_params" not in vars(first):
            first._params = made = type(first)._parameters()
            for name in _SAME:
                setattr(made, name, getattr(first, name))
            made.size, made.exectype, made.valid = first.asked
        return first._params

    @property
    def info(self: Any) -> Any:
        first = self.origin or self
        if "_info" not in vars(first):
            first._info = AutoOrderedDict()
        return first._info

    @property
    def dteos(self: Any) -> float:
        """The end of the session in which the order was made, as a date number."""
        data, made, end = self.data, self.data.num2date(self.created.dt), self.data.p.sessionend
        closes = made.replace(hour=end.hour, minute=end.minute, second=end.second, microsecond=end.microsecond)
        if closes < made:
            closes += datetime.timedelta(days=1)
        found: float = data.date2num(closes)
        return found

    def clone(self: Any) -> Any:
        fields = vars(self)
        copy = _new(type(self))
        copy.__dict__ = own = fields.copy()
        own["executed"] = fields["executed"].clone()
        own["origin"] = self.origin or self
        return copy


class LeanBuyOrder(_Lean, BuyOrder):
    _parameters = BuyOrder.params


class LeanSellOrder(_Lean, SellOrder):
    _parameters = SellOrder.params


LeanBuyOrder.params = LeanSellOrder.params = _Lean.p  # Backtrader's metaclass has put its own there


def new_order(
    buy: bool, owner: Any, data: Any, close: float, now: float, size: float, price: float | None,
    pricelimit: float | None, exectype: int | None, valid: Any, tradeid: int, trailamount: float | None,
    trailpercent: float | None, parent: Any, transmit: bool, histnotify: bool,
) -> Any:  # fmt: skip
    """Make an order as Backtrader's constructor does, at the bar that closes at `close` at the instant `now`."""
    cls = LeanBuyOrder if buy else LeanSellOrder
    signed = size if buy else -size
    created, executed = _new(LeanRecord), _new(LeanRecord)
    order: Any = _new(cls)
    created.__dict__ = {
        "pclose": close, "dt": now, "size": signed, "price": price if price or pricelimit else close,
        "pricelimit": pricelimit, "trailamount": trailamount, "trailpercent": trailpercent, "_plimit": pricelimit,
    }  # fmt: skip
    if not pricelimit:
        created.pricelimit = created.price
    elif not created.price:
        created.price = pricelimit
    executed.remsize = signed
    order.__dict__ = {
        "ref": next(OrderBase.refbasis), "owner": owner, "data": data, "size": signed, "price": price,
        "pricelimit": pricelimit, "exectype": Order.Market if exectype is None else exectype, "valid": valid,
        "tradeid": tradeid, "trailamount": trailamount, "trailpercent": trailpercent, "parent": parent,
        "transmit": transmit, "histnotify": histnotify, "asked": (size, exectype, valid), "_plimit": pricelimit,
        "_active": parent is None, "status": Order.Created, "created": created, "executed": executed,
    }  # fmt: skip
    if exectype in _TRAILING:
        _start_trailing(order, buy)
    if valid is not None:
        order.valid = _until(valid, data)
    return order


def _start_trailing(order: Any, buy: bool) -> None:
    created = order.created
    order._limitoffset = created.price - created.pricelimit
    price, created.price = created.price, float("inf") if buy else float("-inf")
    order.trailadjust(price)


def _until(valid: Any, data: Any) -> Any:
    """Return until when an order is valid: a date number, or what was given where stock leaves it."""
    if isinstance(valid, datetime.date):
        return data.date2num(valid)
    if isinstance(valid, datetime.timedelta):
        if valid == Order.DAY:
            return data.date2num(datetime.datetime.combine(data.datetime.date(), _DAY_END))
        return data.date2num(data.datetime.datetime() + valid)
    return valid


def pending_bits(executed: Any) -> Any:
    """Return the executions that a copy of an order is the first to tell of."""
    return itertools.islice(executed.exbits, executed.p1, executed.p2)
