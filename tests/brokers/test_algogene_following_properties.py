"""Whatever the times of the polls, the updates of an order add up to the same story."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from algogene_model import Venue
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework.model import OrderStatus, OrderUpdate

ORDERS = st.fixed_dictionaries(
    {"buysell": st.sampled_from(["BUY", "SELL"]), "volume": st.integers(1, 9)},
    optional={
        "kind": st.sampled_from([("LMT", 99.0), ("LMT", 101.5), ("STOP", 102.0), ("STOP", 98.0)]),
        "timeinforce": st.integers(1, 400),
        "takeProfitLevel": st.sampled_from([98.5, 101.5, 103.5]),
        "stopLossLevel": st.sampled_from([97.5, 100.2, 102.5]),
        "holdtime": st.integers(1, 400),
    },
)
WHAT = st.one_of(
    st.tuples(st.just("open"), ORDERS), st.tuples(st.sampled_from(["close", "cancel"]), st.integers(0, 4)),
    st.just(("step", None)), st.just(("step", None)),
)  # fmt: skip


class Life:
    """A venue and what happens to it, the same each time; polled or not."""

    def __init__(self, seed: int, partial: float) -> None:
        self.venue = Venue(partial, seed)
        self.trades: list[str] = []

    def happen(self, what: tuple[str, Any]) -> None:
        kind, more = what
        if kind == "open":
            order = dict(more)
            kind_, price = order.pop("kind", ("MKT", 0.0))
            self.trades.append(self.venue.open(f"o{len(self.trades)}", ordertype=kind_, price=price, **order))
        elif kind == "step":
            self.venue.step()
        elif more < len(self.trades):
            trade = self.trades[more]
            if kind == "close":
                self.venue.close(f"c{more}", trade)
            else:
                self.venue.cancel(trade)

    def end(self) -> None:
        self.venue.settle()


def summed(told: Sequence[OrderUpdate]) -> dict[str, tuple[float, float, OrderStatus]]:
    """Return what each order filled, its value, and where it stands in the end."""
    found: dict[str, tuple[float, float, OrderStatus]] = {}
    for each in told:
        units, value, _ = found.get(each.client_order_id, (0.0, 0.0, None))
        if each.fill is not None:
            units, value = units + each.fill.quantity, value + each.fill.quantity * each.fill.price
        found[each.client_order_id] = (round(units, 6), round(value, 4), each.status)
    return found


def check_order(told: Sequence[OrderUpdate]) -> None:
    """NEW comes first, an end comes last, and a fill is more than nothing and has a name of its own."""
    for name in {each.client_order_id for each in told}:
        mine = [each for each in told if each.client_order_id == name]
        assert mine[0].status in (OrderStatus.NEW, OrderStatus.REJECTED)
        assert not any(each.status.is_final for each in mine[:-1])
        fills = [each.fill for each in mine if each.fill is not None]
        assert all(each.quantity > 0 and math.isfinite(each.price) for each in fills)
        assert len({each.execution_id for each in fills}) == len(fills)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(WHAT, max_size=18),
    st.lists(st.integers(0, 4), max_size=60),
    st.integers(0, 5),
    st.sampled_from([0.0, 0.6]),
)
@example(
    [("step", None), ("open", {"buysell": "BUY", "volume": 2, "kind": ("LMT", 99.0), "holdtime": 1}),
     ("step", None), ("step", None), ("step", None), ("close", 0)], [], 0, 0.6,
)  # fmt: skip
def test_the_story_does_not_depend_on_when_it_is_polled(
    events: list[tuple[str, Any]], pauses: list[int], seed: int, partial: float
) -> None:
    """Polled after everything that happens, or now and then with things happening between the answers."""
    closely, rarely = Life(seed, partial), Life(seed, partial)
    for each in events:
        closely.happen(each)
        closely.venue.poll()
    left, spans = list(events), iter(pauses)

    def happen() -> None:
        for _ in range(next(spans, 1)):
            if left:
                rarely.happen(left.pop(0))

    between: list[Callable[[], None]] = [happen] * 3
    while left:
        happen()
        rarely.venue.poll(between)
    for each in (closely, rarely):
        each.end()
        check_order(each.venue.told)
    assert summed(rarely.venue.told) == summed(closely.venue.told)


@settings(max_examples=50, deadline=None)
@given(st.lists(WHAT, max_size=18), st.integers(0, 5), st.sampled_from([0.0, 0.6]))
def test_what_was_told_is_what_the_venue_holds(events: list[tuple[str, Any]], seed: int, partial: float) -> None:
    """Fills of opens less those of closes are the account's own position, once everything has been told."""
    life = Life(seed, partial)
    for each in events:
        life.happen(each)
        life.venue.poll()
    life.end()
    book = life.venue.book
    opened = {f"o{place}": book.entries[trade] for place, trade in enumerate(life.trades)}
    for name, (units, value, _) in summed(life.venue.told).items():
        if name in opened:
            assert (units, value) == (round(opened[name].filled, 6), round(opened[name].paid, 4))
