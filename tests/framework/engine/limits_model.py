"""What a session under limits may do, written a second time: a plain table of orders, and every rule read off it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from framework.live.limits import Limits


@dataclass
class Known:
    """One order as the session knows it. `sizes` are all it may be for; `over` is "filled" or "ended"."""

    symbol: str
    buys: bool
    sizes: list[float]
    price: float | None
    stop: float | None
    entry: str = ""
    mates: tuple[str, ...] = ()
    filled: float = 0.0
    over: str = ""
    is_ending: bool = False
    is_changed: bool = False

    @property
    def sign(self) -> int:
        return 1 if self.buys else -1

    @property
    def left(self) -> float:
        return max(self.sizes) - self.filled


@dataclass
class Model:
    """The table, and the rules. `cash` counts what fills brought and cost."""

    limits: Limits
    prices: dict[str, float]
    orders: dict[str, Known] = field(default_factory=dict)
    positions: dict[str, float] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)
    barred: bool = False
    age: float = 0.0
    cash: float = 0.0
    opened: float = 0.0
    is_lost: bool = False

    @property
    def value(self) -> float:
        return self.cash + sum(size * self.prices[symbol] for symbol, size in self.positions.items())

    def held(self, symbol: str) -> float:
        return self.positions.get(symbol, 0.0)

    def reduces(self, order: Known, size: float) -> bool:
        held = self.held(order.symbol)
        return order.sign * held < 0 and size <= abs(held)

    def waits_for(self, order: Known) -> float:
        entry = self.orders.get(order.entry)
        if entry is None or entry.over or entry.buys == order.buys:
            return 0.0
        return min(entry.sizes)

    def far(self, symbol: str, buys: bool, orders: Iterable[Known]) -> float:
        """The position when all of a side has filled, of mates only the one with the most left."""
        families: dict[tuple[str, ...] | int, float] = {}
        for each in orders:
            if (each.symbol, each.buys) == (symbol, buys) and not each.over:
                key = id(each) if each.is_changed else each.mates or id(each)
                families[key] = max(families.get(key, 0.0), self.may_fill(each))
        return self.held(symbol) + (1 if buys else -1) * sum(families.values())

    def may_fill(self, order: Known) -> float:
        entry = self.orders.get(order.entry)
        if entry is None or entry.buys == order.buys:
            return order.left
        if not entry.over:
            return max(order.left - max(min(entry.sizes) - entry.filled, 0.0), 0.0)
        return order.left if entry.filled else 0.0

    def open(self) -> list[Known]:
        return [each for each in self.orders.values() if not each.over]

    def worth(self, order: Known) -> float:
        last = self.prices[order.symbol]
        return max(order.sizes) * (order.price or order.stop or last)

    def beyond(self, order: Known, now: float, gathered: int = 0, *, is_change: bool = False) -> set[str]:
        """Which limits an entry that is not in the table yet goes beyond."""
        limits, last = self.limits, self.prices[order.symbol]
        others = [each for each in self.open() if each is not order]
        found = set()
        if self.barred:
            found.add("barred")
        if order.symbol in self.halted:
            found.add("halted")
        if limits.symbols is not None and order.symbol not in limits.symbols:
            found.add("symbols")
        if self.age > limits.stale:
            found.add("stale")
        if limits.daily_loss is not None and (self.is_lost or self.opened - self.value >= limits.daily_loss):
            found.add("daily_loss")
        found |= self.crowded(now, gathered, len(others))
        if limits.order_value is not None and self.worth(order) > limits.order_value + 1e-6:
            found.add("order_value")
        if limits.position_value is not None:
            size = abs(self.far(order.symbol, order.buys, [*others, order]))
            if size * max(last, order.price or 0, order.stop or 0) > limits.position_value + 1e-6:
                found.add("position_value")
        return found | self.collared(order)

    def crowded(self, now: float, gathered: int, others: int) -> set[str]:
        limits, found = self.limits, set()
        if limits.open_orders is not None and others + gathered + 1 > limits.open_orders:
            found.add("open_orders")
        lately = sum(now - at < 60 for at in self.sent)
        if limits.orders_per_minute is not None and lately + gathered + 1 > limits.orders_per_minute:
            found.add("orders_per_minute")
        return found

    def collared(self, order: Known) -> set[str]:
        if self.limits.collar is None or order.price is None:
            return set()
        last = self.prices[order.symbol]
        if order.buys:
            is_beyond = order.price > max(last, order.stop or last) * (1 + self.limits.collar) + 1e-6
        else:
            is_beyond = order.price < min(last, order.stop or last) * (1 - self.limits.collar) - 1e-6
        return {"collar"} if is_beyond else set()

    def turns_round(self, order: Known, size: float) -> bool:
        """Whether an exit, with every other that is open on its side, opens more than is held and than is allowed."""
        if self.limits.position_value is None:
            return False
        others = [each for each in self.open() if each is not order and not self.is_ending(each)]
        families: dict[tuple[str, ...] | int, float] = {(order.mates or -1): size}
        for each in others:
            if (each.symbol, each.buys) != (order.symbol, order.buys):
                continue
            left = self.may_fill(each)
            if each.mates:
                left -= sum(mate.filled for mate in self.mates(each) if mate in others)
                left += each.filled
            key = each.mates or id(each)
            families[key] = max(families.get(key, 0.0), left)
        held = self.held(order.symbol)
        after = held + order.sign * sum(families.values())
        worth = abs(after) * max(self.prices[order.symbol], order.price or 0, order.stop or 0)
        return after * held < 0 and abs(after) > abs(held) and worth > self.limits.position_value + 1e-6

    def is_ending(self, order: Known) -> bool:
        return order.is_ending or any(each.over for each in self.mates(order))

    def mates(self, order: Known) -> list[Known]:
        return [self.orders[each] for each in order.mates if each in self.orders]
