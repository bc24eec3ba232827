"""Whatever the order, the repetition or the loss of messages: after one look at the venue, the books agree."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from alpaca_book_venue import Venue
from asked import NOW, event, order, posted, shown
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.alpaca import records
from brokers.alpaca.chain import Told
from brokers.alpaca.following import Reports
from brokers.alpaca.groups import Post
from brokers.alpaca.settings import Settings
from framework.errors import ProtocolError
from framework.model import GroupKind, OrderStatus, OrderUpdate

ENDS = ("canceled", "expired", "rejected")


class History:
    """A venue with one order: what it says, and what is true."""

    def __init__(self, carries: bool) -> None:
        self.carries, self.seconds = carries, 0
        self.order: Any = shown(id="O0", qty="1000")
        self.orders = [self.order]
        self.messages: list[Any] = []
        self.activities: list[Any] = []
        self.total, self.value, self.paid = 0.0, 0.0, 0.0
        self.tell("new")

    def tell(self, what: str, **more: Any) -> None:
        self.seconds += 1
        self.order["updated_at"] = (NOW + timedelta(seconds=self.seconds)).isoformat()
        self.messages.append(copy.deepcopy(event(what, self.order, **more)))

    def fill(self, quantity: float, price: float) -> None:
        self.total, self.value = self.total + quantity, self.value + quantity * price
        done = float(self.order["filled_qty"]) + quantity
        self.paid += quantity * price
        self.order |= {
            "status": "partially_filled",
            "filled_qty": f"{done:g}",
            "filled_avg_price": f"{self.paid / done:.9f}",
        }
        name = f"E{len(self.activities)}"
        numbers = {"qty": f"{quantity:g}", "price": str(price)}
        self.tell("partial_fill", execution_id=name, **numbers)
        self.activities.append(
            {"id": f"0::{name}", "order_id": self.order["id"], "cum_qty": f"{done:g}", **numbers}
        )  # fmt: skip

    def replace(self) -> None:
        old, name = self.order, f"O{len(self.orders)}"
        self.seconds += 1
        at = (NOW + timedelta(seconds=self.seconds)).isoformat()
        new = copy.deepcopy(old) | {"id": name, "client_order_id": f"venue {name}", "replaces": old["id"]}
        old |= {"status": "replaced", "replaced_by": name, "replaced_at": at}
        self.tell("replaced")
        if not self.carries:
            new |= {"filled_qty": "0", "filled_avg_price": None, "status": "new"}
            self.paid = 0.0
        self.order = new
        self.orders.append(new)
        self.tell("new")

    def end(self, status: str) -> None:
        self.order["status"] = status
        self.tell("fill" if status == "filled" else status)


steps = st.one_of(
    st.tuples(st.integers(1, 20), st.integers(9_000, 11_000)), st.just("replace"), st.just("pending_cancel")
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History(draw(st.booleans()))
    for step in draw(st.lists(steps, max_size=6)):
        if isinstance(step, tuple):
            history.fill(step[0], step[1] / 100)
        elif step == "replace":
            history.replace()
        else:
            history.order["status"] = step
            history.tell(step)
    end = draw(st.sampled_from(["", "filled", *ENDS]))
    if end and (end != "filled" or float(history.order["filled_qty"])):
        history.end(end)
    return history


def delivered(draw: Any, messages: list[Any]) -> list[Any]:
    """Return messages as a bad line brings them: some lost, some twice, in any order."""
    kept = [each for each in messages for _ in range(draw(st.sampled_from([0, 1, 1, 2])))]
    return list(draw(st.permutations(kept))) if draw(st.booleans()) else kept


def booked(told: Iterable[Told], name: str) -> tuple[float, float]:
    found = [each.fill for each in told if isinstance(each, OrderUpdate) and each.client_order_id == name]
    fills = [each for each in found if each is not None]
    assert all(each.quantity > 0 and each.price > 0 for each in fills)
    assert len({each.execution_id for each in fills}) == len(fills)
    return math.fsum(each.quantity for each in fills), math.fsum(each.quantity * each.price for each in fills)


def ends(told: Iterable[Told], name: str) -> list[str]:
    found = [each.status for each in told if isinstance(each, OrderUpdate) and each.client_order_id == name]
    return [each.value for each in found if each.is_final]


@given(histories(), st.data())
@settings(max_examples=300, deadline=None)
def test_after_a_snapshot_fills_and_ends_are_those_of_the_venue(history: History, data: st.DataObject) -> None:
    """Sizes agree exactly, values within a cent, ends are told once: whether replacements count on or begin anew."""
    reports = Reports()
    reports.expect(posted(order(quantity=1000)), NOW)
    told = [each for message in delivered(data.draw, history.messages) for each in reports.hear(message, NOW)]
    told += [each for body in history.orders for each in reports.see(body, NOW)]
    told += [each for body in history.activities for each in reports.execute(body, NOW)]
    size, value = booked(told, "run-1-1")
    assert size == history.total
    assert abs(value - history.value) < 0.01
    status = history.order["status"]
    assert ends(told, "run-1-1") == ([status] if status in (*ENDS, "filled") else [])
    assert reports.unheard(NOW) == ()


@given(histories(), st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_is_told_twice_by_a_second_delivery(history: History, data: st.DataObject) -> None:
    """All once more, in any order: no fill and no end is news."""
    reports = Reports()
    reports.expect(posted(order(quantity=1000)), NOW)
    for message in history.messages:
        reports.hear(message, NOW)
    again = [each for message in delivered(data.draw, history.messages) for each in reports.hear(message, NOW)]
    again += [each for body in history.orders for each in reports.see(body, NOW)]
    assert booked(again, "run-1-1") == (0.0, 0.0)
    assert ends(again, "run-1-1") == []


# The sandbox's own book: brackets, partial fills, moved legs


actions = st.lists(
    st.sampled_from(["play", "play", "play", "cancel", "replace", "move", "moved_stop"]), min_size=1, max_size=10
)


def three() -> Post:
    entry = order("run-1-1", symbol="XYZ", limit_price=101.0)
    stop = order("run-1-2", "sell", symbol="XYZ", stop_price=97.0)
    return posted(entry, stop, order("run-1-3", "sell", symbol="XYZ", limit_price=103.0), kind=GroupKind.BRACKET)


prices = st.lists(st.sampled_from([96.0, 98.0, 100.0, 102.0, 104.0]), min_size=12, max_size=12)


@given(prices, actions, st.integers(0, 9), st.data())
@settings(max_examples=150, deadline=None)
def test_a_bracket_on_a_bad_line_ends_as_the_venue_has_it(
    path: list[float], wanted: list[str], seed: int, data: st.DataObject
) -> None:
    """Entry and exits: their fills, their ends, and which of the venue's orders carries each."""
    market = Venue(100.0, *path, settings=Settings(partial=0.5))
    market.book.seed = seed
    market.play()
    reports, post = Reports(), three()
    reports.expect(post, market.now)
    answer = market.book.submit(dict(post.body), market.now)
    messages = [each for action in wanted for each in happened(market, action)]
    told = reports.see(answer, market.now) if data.draw(st.booleans()) else []
    told += [each for message in delivered(data.draw, messages) for each in reports.hear(message, market.now)]
    query = {"status": "all", "nested": "true", "direction": "asc"}
    told += [each for body in records.orders(market.book, query) for each in reports.see(body, market.now)]
    assert not [each for each in told if isinstance(each, ProtocolError) and "not a known" in str(each)]
    for request in post.orders:
        check(market, reports, told, request.client_order_id)


def happened(market: Venue, action: str) -> list[Any]:
    """Let something happen; return what the stream says of it."""
    live = [each for each in market.book.live if each.type != "market"]
    if action == "play":
        market.play()
    elif action == "cancel" and live:
        market.book.cancel(live[0].id, market.now)
    elif action == "replace" and live and live[0].status in ("new", "held") and live[0].type == "limit":
        market.book.replace(live[0].id, {"limit_price": str((live[0].limit_price or 0) + 1)}, market.now)
    elif action in ("move", "moved_stop"):
        market.book.move_leg(market.now)
    updates, market.book.updates = market.book.updates, []
    return [copy.deepcopy(each.shown()) for each in updates]


def check(market: Venue, reports: Reports, told: list[Told], name: str) -> None:
    entry = market.book.entries[reports.venue_order_id(name) or ""]
    note(f"{entry.status} {'moved' if entry.replaces else ''}")
    assert entry.replaced_by is None
    size, value = booked(told, name)
    assert size == entry.filled_qty
    assert abs(value - entry.paid) < 0.01
    assert ends(told, name) == ([entry.status] if OrderStatus(entry.status).is_final else [])
