"""A fill that a venue decided, booked as Backtrader's own broker books it: the same bits."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import cases
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework.engine.booking import book

PRICES = st.floats(0.01, 5_000).map(lambda price: round(price, 4))
SIZES = st.one_of(st.integers(1, 500), st.floats(0.001, 500).map(lambda size: round(size, 9)))
FILLS = st.lists(st.tuples(st.booleans(), SIZES, PRICES, st.integers(1, 3)), min_size=1, max_size=12)
SCHEMES = st.sampled_from([
    {},
    {"commission": 0.0005},
    {"commission": 1.25, "commtype": bt.CommInfoBase.COMM_FIXED, "stocklike": True},
    {"commission": 0.001, "leverage": 2.0},
    {"commission": 2.0, "margin": 1_000.0, "mult": 10.0},
])  # fmt: skip


class Nothing(bt.Strategy):
    """Has a feed with a bar, for orders to be made on."""


def ground(shortcash: bool, scheme: dict[str, Any]) -> tuple[Any, Any]:
    """Return a broker and its feed, at a bar."""
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(cases.feed(cases.bars(3)))
    cerebro.addstrategy(Nothing)
    cerebro.broker.set_shortcash(shortcash)
    cerebro.broker.setcommission(**scheme)
    cerebro.broker.set_cash(1e9)
    cerebro.run()
    return cerebro.broker, cerebro.datas[0]


def order(broker: Any, data: Any, buys: bool, size: float, price: float) -> Any:
    made = (bt.BuyOrder if buys else bt.SellOrder)(
        owner=None, data=data, size=size, price=price, exectype=bt.Order.Limit, simulated=True
    )
    broker._ocoize(made, None)
    made.addcomminfo(broker.getcommissioninfo(data))
    return made


def bits(one: Any) -> list[tuple[Any, ...]]:
    names = ("dt", "size", "price", "closed", "opened", "closedvalue", "openedvalue", "closedcomm", "openedcomm", "pnl",
             "psize", "pprice")  # fmt: skip
    return [tuple(getattr(bit, name) for name in names) for bit in one.executed.exbits]


def parts(size: float, count: int) -> list[float]:
    """Return a size in parts that add up to it, whole ones where it is whole."""
    share = size // count if isinstance(size, int) else round(size / count, 9)
    return [size] if not share or count == 1 else [share, size - share]


THROUGH_ZERO = [
    (False, 1162.0, 1.0, 1), (True, 936, 1.0, 1), (True, 194.388604952, 1.0, 2), (True, 32, 1.0, 1),
    (False, 128.76304049, 1.0, 1),
]  # fmt: skip
"""A fill whose two parts add up to another last bit."""


@settings(deadline=None, max_examples=60)
@given(FILLS, SCHEMES, st.booleans())
@example(THROUGH_ZERO, {}, False)
def test_fills_are_booked_as_backtrader_books_them(fills: list[Any], scheme: dict[str, Any], shortcash: bool) -> None:
    """Long, short, through zero and in parts, by any commission scheme: cash, position and the orders' fills."""
    stock, stocks = ground(shortcash, scheme)
    ours, own = ground(shortcash, scheme)
    for buys, size, price, count in fills:
        theirs, mine = order(stock, stocks, buys, size, price), order(ours, own, buys, size, price)
        for part in parts(size, count):
            stock.p.filler = lambda order, price, ago, part=part: part
            stock._execute(theirs, ago=0, price=price)
            book(ours, mine, part, price, own.datetime[0])
        assert bits(mine) == bits(theirs)
        assert (mine.executed.pnl, mine.executed.comm, mine.executed.value) == (
            theirs.executed.pnl, theirs.executed.comm, theirs.executed.value,
        )  # fmt: skip
    assert ours.cash == stock.cash
    held, theirs = ours.positions[own], stock.positions[stocks]
    assert (held.size, held.price, held.adjbase) == (theirs.size, theirs.price, theirs.adjbase)


def test_a_venues_commission_counts_in_place_of_ours() -> None:
    """A fill that closes and opens shares it by size."""
    broker, data = ground(True, {"commission": 0.01})
    book(broker, order(broker, data, True, 10, 5.0), 10, 5.0, 1.0, commission=1.0)
    turning = order(broker, data, False, 15, 5.0)
    book(broker, turning, 15, 5.0, 1.0, commission=3.0)
    (bit,) = turning.executed.exbits
    assert (bit.closedcomm, bit.openedcomm) == (2.0, 1.0)


def test_what_floats_leave_of_an_order_is_nothing() -> None:
    """Three tenths are filled by three fills of a tenth."""
    broker, data = ground(True, {})
    one = order(broker, data, True, 0.3, 5.0)
    for _ in range(3):
        book(broker, one, 0.1, 5.0, 1.0)
    assert one.executed.remsize == 0
    assert one.status == one.Completed


def test_what_has_happened_is_booked_though_it_cannot_be_paid_for() -> None:
    """The venue has bought: cash goes below zero, and nothing is refused."""
    broker, data = ground(True, {})
    broker.cash = 10.0
    book(broker, order(broker, data, True, 10, 5.0), 10, 5.0, 1.0)
    assert broker.cash == -40.0
