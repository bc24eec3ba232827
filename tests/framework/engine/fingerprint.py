"""What a run left behind, bit for bit: two engines agree where their fingerprints are equal.

Floats are compared by their bits (`float.hex`), order and trade numbers by their order of appearance.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import backtrader as bt

Fingerprint = dict[str, Any]


class Watched(bt.Strategy):
    """Put in front of a strategy: writes down all it is told, when, and what it then sees."""

    params = (("probe", True),)

    def __init__(self) -> None:
        self.heard: list[Any] = []
        super().__init__()

    def next(self) -> None:
        self._probe()
        super().next()

    def prenext(self) -> None:
        self._probe()
        super().prenext()

    def notify_order(self, order: Any) -> None:
        self.heard.append(("order", len(self), [len(d) for d in self.datas], order_bits(order)))
        super().notify_order(order)

    def notify_trade(self, trade: Any) -> None:
        self.heard.append(("trade", len(self), trade_bits(trade)))
        super().notify_trade(trade)

    def notify_cashvalue(self, cash: float, value: float) -> None:
        self.heard.append(("cash", len(self), bits(cash), bits(value)))
        super().notify_cashvalue(cash, value)

    def notify_fund(self, cash: float, value: float, fundvalue: float, shares: float) -> None:
        self.heard.append(("fund", len(self), bits(cash), bits(value), bits(fundvalue), bits(shares)))
        super().notify_fund(cash, value, fundvalue, shares)

    def _probe(self) -> None:
        if not self.p.probe:
            return
        broker = self.broker
        seen = [len(self), bits(broker.getvalue()), bits(broker.getcash()), self.datetime.datetime()]
        for data in self.datas:
            if len(data):
                position = self.getposition(data)
                seen += [len(data), bits(data.close[0]), bits(data.close[-1]), position.size, bits(position.price)]
        self.heard.append(("seen", seen))


def watched(strategy: type[Any]) -> type[Any]:
    """Return the strategy with `Watched` in front of it."""
    made: type[Any] = type(strategy.__name__, (Watched, strategy), {})
    return made


def fingerprint(cerebro: Any, strategies: list[Any]) -> Fingerprint:
    """Return all that the run of these strategies left: notifications, lines, results, orders, broker."""
    found: Fingerprint = {"broker": _broker(cerebro.broker)}
    for number, data in enumerate(cerebro.datas):
        found[f"data{number}"] = _lines(data)
    for number, strategy in enumerate(strategies):
        found[f"heard{number}"] = getattr(strategy, "heard", None)
        found[f"strategy{number}"] = [_lines(strategy), strategy._minperstatus]
        found[f"trades{number}"] = _trades(strategy)
        for place, each in enumerate(_indicators(strategy)):
            # Backtrader numbers the classes of its couplers through the whole process.
            kind = re.sub(r"_\d+$", "", type(each).__name__)
            found[f"indicator{number}.{place}.{kind}"] = _lines(each)
        for place, each in enumerate(strategy.getobservers()):
            found[f"observer{number}.{place}.{type(each).__name__}"] = _lines(each)
        for name, analyzer in strategy.analyzers.getitems():
            found[f"analyzer{number}.{name}"] = bits(analyzer.get_analysis())
    numbered = _Numbered()
    return {key: numbered.replaced(value) for key, value in found.items()}


def differences(left: Fingerprint, right: Fingerprint) -> list[str]:
    """Return where two fingerprints differ, one short line each."""
    said = [f"only in one: {key}" for key in sorted(left.keys() ^ right.keys())]
    for key in left.keys() & right.keys():
        if left[key] != right[key]:
            said.append(f"{key}: {_first(left[key], right[key])}")
    return said


def bits(value: Any) -> Any:
    """Return a value with each float as its bits; 1 and 1.0 and True stay apart."""
    match value:
        case bool() | None | str():
            return value
        case float():
            return float(value).hex()
        case dict():
            return [(bits(key), bits(each)) for key, each in value.items()]
        case list() | tuple():
            return [bits(each) for each in value]
        case date():
            return repr(value)
    return repr(value)


def order_bits(order: Any) -> list[Any]:
    created, executed = order.created, order.executed
    return [
        ("order", order.ref), order.status, order.isbuy(), order.exectype, bits(order.size), order.alive(),
        bits(created.dt), bits(created.size), bits(created.price), bits(created.pricelimit), bits(created.pclose),
        bits(executed.dt), bits(executed.size), bits(executed.price), bits(executed.value), bits(executed.comm),
        bits(executed.pnl), bits(executed.remsize), bits(executed.margin), bits(executed.psize),
        bits(executed.pprice), bits(order.valid), order.triggered, getattr(order, "plen", None), order.tradeid,
        bits(order.dteos),
        [_exbit(each) for each in executed.exbits], len(executed.getpending()), bits(order.plimit),
        order.p.transmit, bits(order.p.size), order.data._name, bits(dict(order.info)), order.comminfo is None,
    ]  # fmt: skip


def trade_bits(trade: Any) -> list[Any]:
    names = (
        "size", "price", "value", "commission", "pnl", "pnlcomm", "justopened", "isopen", "isclosed", "baropen",
        "dtopen", "barclose", "dtclose", "barlen", "status", "tradeid",
    )  # fmt: skip
    return [("trade", trade.ref), *(bits(getattr(trade, name)) for name in names), bits(trade.history)]


def _exbit(bit: Any) -> list[Any]:
    return [bits(each) for each in vars(bit).values()]


def _broker(broker: Any) -> list[Any]:
    values = [broker.getcash(), broker.getvalue(), broker.get_fundvalue(), broker.get_fundshares()]
    values += [broker.get_leverage(), broker.getvalue(mkt=True), broker.getvalue(lever=True), broker._unrealized]
    positions = [
        [data._name, *map(bits, (p.size, p.price, p.adjbase, p.upopened, p.upclosed, p.datetime))]
        for data, p in broker.positions.items()
        if hasattr(p, "datetime")
    ]
    return [bits(values), positions, [order_bits(each) for each in broker.orders], len(broker.pending)]


def _lines(item: Any) -> list[Any]:
    lines = item.lines if hasattr(item, "lines") else [item]
    return [[line.lencount, line.idx, line.array.tobytes().hex() if len(line.array) else ""] for line in lines]


def _indicators(owner: Any) -> Iterator[Any]:
    for each in owner._lineiterators[owner.IndType] if hasattr(owner, "_lineiterators") else []:
        yield each
        yield from _indicators(each)


def _trades(strategy: Any) -> list[Any]:
    return [
        [data._name, tradeid, [trade_bits(each) for each in trades]]
        for data, by_id in strategy._trades.items()
        for tradeid, trades in by_id.items()
    ]


class _Numbered:
    """Renumbers orders and trades by first appearance: the counters behind them are the process's own."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}
        self._next = itertools.count(1)

    def replaced(self, value: Any) -> Any:
        if isinstance(value, tuple) and len(value) == 2 and value[0] in ("order", "trade"):
            if value not in self._known:
                self._known[value] = next(self._next)
            return (value[0], self._known[value])
        if isinstance(value, list | tuple):
            return [self.replaced(each) for each in value]
        return value


def _first(left: Any, right: Any, path: str = "") -> str:
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return f"{path} length {len(left)} != {len(right)}"
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            if one != other:
                return _first(one, other, f"{path}[{place}]")
    return f"{path} {str(left)[:160]} != {str(right)[:160]}"
