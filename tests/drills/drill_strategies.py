"""Strategies that want orders: what they do is drawn from a seed, and all that they are told is written down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from random import Random
from typing import Any

import backtrader as bt

Order = bt.Order

LETTERS = {
    Order.Submitted: "S",
    Order.Accepted: "A",
    Order.Partial: "P",
    Order.Completed: "C",
    Order.Canceled: "X",
    Order.Expired: "E",
    Order.Margin: "M",
    Order.Rejected: "R",
}
"""A letter for each status, so that an order's history is a word."""


@dataclass(slots=True)
class Story:
    """What a strategy was told of one order: its statuses as letters, and its fills so far (size is signed)."""

    ref: int
    symbol: str
    word: str = ""
    size: float = 0.0
    price: float = 0.0
    reason: str = ""

    @property
    def is_over(self) -> bool:
        return self.word[-1:] in "CXEMR"


def cents(price: float) -> float:
    return round(price, 2)


class Hungry(bt.Strategy):
    """Sends, brackets and cancels at random: `seed` decides. From `until` on it only watches."""

    params = (("seed", 0), ("appetite", 0.35), ("until", None))

    def __init__(self) -> None:
        self.chance = Random(self.p.seed)
        self.stories: dict[int, Story] = {}
        self.ids: dict[int, str] = {}
        self.open: dict[int, Any] = {}
        self.said: list[str] = []

    # What is told

    def notify_store(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self.said.append(str(msg))

    def notify_order(self, order: Any) -> None:
        self.ids |= getattr(self.broker, "_ids", {})  # the broker forgets those of orders that are over
        story = self.stories.setdefault(order.ref, Story(order.ref, order.data._name))
        story.word += LETTERS[order.status]
        story.size, story.price = order.executed.size, order.executed.price
        story.reason = order.info.get("reason", "") or story.reason
        if order.alive():
            self.open[order.ref] = order
        else:
            self.open.pop(order.ref, None)
        self.answer(order)

    # What is asked for

    def answer(self, order: Any) -> None:
        """Act within `notify_order` now and then."""
        if self.is_quiet or order.parent is not None:
            return
        if order.status == Order.Completed and self.chance.random() < 0.3:
            held = self.getposition(order.data).size
            if held and not self.exits_of(order.data):
                self.leave(order.data, held)
        elif order.status in (Order.Partial, Order.Accepted) and self.chance.random() < 0.1:
            self.cancel(self.open[order.ref])

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        if self.is_quiet:
            return
        for data in self.datas:
            if len(data) and self.chance.random() < self.p.appetite:
                self.chance.choice(self.moves(data))(data)

    @property
    def is_quiet(self) -> bool:
        latest = max((each.datetime[0] for each in self.datas if len(each)), default=0.0)
        return self.p.until is not None and (not latest or bt.num2date(latest).replace(tzinfo=UTC) >= self.p.until)

    def moves(self, data: Any) -> list[Any]:
        entries = [self.at_market, self.at_limit, self.at_stop, self.at_stop_limit, self.bracketed, self.both_sides]
        if self.getposition(data).size:
            entries += [self.go, self.go]
        return entries + ([self.take_back, self.take_back] if self.open else [])

    def sides(self, data: Any) -> tuple[Any, float]:
        """Return a way to trade, and +1 or -1: what is held is not turned, and no order meets one of ours."""
        held = self.getposition(data).size
        sign = (held > 0) - (held < 0) or self.side_of(data) or (1 if self.chance.random() < 0.7 else -1)
        return (self.buy if sign > 0 else self.sell), sign

    def side_of(self, data: Any) -> int:
        return next((1 if each.isbuy() else -1 for each in self.open.values() if each.data is data), 0)

    def exits_of(self, data: Any) -> list[Any]:
        held = self.getposition(data).size
        return [each for each in self.open.values() if each.data is data and each.size * held < 0]

    def size(self) -> int:
        return self.chance.choice((1, 2, 5, 10))

    def at_market(self, data: Any) -> None:
        trade, _ = self.sides(data)
        trade(data=data, size=self.size())

    def at_limit(self, data: Any) -> None:
        trade, sign = self.sides(data)
        near = self.chance.choice((0.9995, 0.9999, 1.0005, 0.98))
        price = cents(data.close[0] * (near if sign > 0 else 2 - near))
        valid = self.chance.choice((None, None, timedelta(minutes=5)))
        trade(data=data, size=self.size(), exectype=Order.Limit, price=price, valid=valid)

    def at_stop(self, data: Any) -> None:
        trade, sign = self.sides(data)
        price = cents(data.close[0] * (1 + sign * 0.0005))
        trade(data=data, size=self.size(), exectype=Order.Stop, price=price)

    def at_stop_limit(self, data: Any) -> None:
        trade, sign = self.sides(data)
        price = cents(data.close[0] * (1 + sign * 0.0004))
        trade(data=data, size=self.size(), exectype=Order.StopLimit, price=price, plimit=cents(price + sign * 0.03))

    def bracketed(self, data: Any) -> None:
        _, sign = self.sides(data)
        close, made = data.close[0], self.buy_bracket if sign > 0 else self.sell_bracket
        entry = self.chance.choice((Order.Market, Order.Limit))
        made(
            data=data, size=self.size(), exectype=entry, price=cents(close),
            stopprice=cents(close * (1 - sign * 0.002)), limitprice=cents(close * (1 + sign * 0.001)),
        )  # fmt: skip

    def both_sides(self, data: Any) -> None:
        """A pair of exits of which one cancels the other; without a position something else."""
        held = self.getposition(data).size
        if not held or self.exits_of(data):
            self.at_market(data)
            return
        away, sign = (self.sell, 1) if held > 0 else (self.buy, -1)
        close = data.close[0]
        first = away(data=data, size=abs(held), exectype=Order.Limit, price=cents(close * (1 + sign * 0.001)))
        away(data=data, size=abs(held), exectype=Order.Stop, price=cents(close * (1 - sign * 0.001)), oco=first)

    def go(self, data: Any) -> None:
        held = self.getposition(data).size
        if self.exits_of(data):
            self.cancel(self.chance.choice(self.exits_of(data)))
        else:
            self.leave(data, held)

    def leave(self, data: Any, held: float) -> None:
        kind = self.chance.choice(("close", "limit", "trail"))
        away, sign = (self.sell, 1) if held > 0 else (self.buy, -1)
        if kind == "close":
            self.close(data=data)
        elif kind == "limit":
            price = cents(data.close[0] * (1 + sign * 0.0004))
            away(data=data, size=abs(held), exectype=Order.Limit, price=price)
        else:
            away(data=data, size=abs(held), exectype=Order.StopTrail, trailamount=cents(data.close[0] * 0.0006))

    def take_back(self, data: Any) -> None:
        self.cancel(self.chance.choice(list(self.open.values())))
