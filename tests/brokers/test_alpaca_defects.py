"""The defects of alpaca-backtrader-api 0.15.0 that are decided here, each with what ours does.

The numbers are those of the issues that its users wrote: github.com/alpacahq/alpaca-backtrader-api/issues.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asked import CLOSE, NOW, bracket, event, filled, fills, followed, order, planned, posted, shown, statuses
from desk import Desk, spy

from brokers.alpaca.answers import Refused
from brokers.alpaca.exchanges import Taken, replace
from brokers.alpaca.following import Reports
from brokers.alpaca.groups import Hold
from brokers.alpaca.orders import changes
from framework.app.sandbox import Sandbox
from framework.errors import SwitchbackError
from framework.model import GroupKind, OrderStatus, OrderType, OrderUpdate, TimeInForce

S = OrderStatus


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Sandbox() as sandbox, Desk(sandbox) as desk:
        yield desk


def test_defect_02_a_partial_fill_does_not_forget_the_order() -> None:
    """10 shares filled 5 and 5 are Partial, then Completed, each fill with its own 5 (issue 57)."""
    told = followed(filled(5, 100.0, 5, 100.0), filled(5, 102.0, 10, 101.0))
    assert statuses(told) == [S.PARTIALLY_FILLED, S.FILLED]
    assert fills(told) == [(5, 100.0), (5, 102.0)]


def test_defect_03_sizes_keep_their_fraction(desk: Desk) -> None:
    """2.5 shares are sent, taken and filled as 2.5."""
    desk.taken(spy(quantity=2.5, time_in_force=TimeInForce.DAY))
    desk.sandbox.step()
    shown = desk.found("run-1-1")
    assert (shown["qty"], shown["filled_qty"], shown["status"]) == ("2.5", "2.5", "filled")


def test_defect_04_a_stop_limit_keeps_its_trigger_and_its_limit_apart() -> None:
    """Trigger 105 and limit 106 are sent as such, not the other way round (issues 185, 50)."""
    body = posted(order(stop_price=105.0, limit_price=106.0)).body
    assert (body["type"], body["stop_price"], body["limit_price"]) == ("stop_limit", "105", "106")


def test_defect_05_a_cancelled_order_is_cancelled_and_nothing_more() -> None:
    """One Canceled, no Rejected after it; done_for_day, replaced and pending_* are no rejections (issue 127)."""
    told = followed(
        event("new", shown("new")),
        event("pending_cancel", shown("pending_cancel", seconds=1)),
        event("canceled", shown("canceled", seconds=2)),
        event("canceled", shown("canceled", seconds=2)),
    )
    assert statuses(told) == [S.NEW, S.PENDING_CANCEL, S.CANCELED]
    for said in ("done_for_day", "replaced", "pending_replace", "suspended", "calculated"):
        assert S.REJECTED not in statuses(followed(event(said, shown(said))))


@pytest.mark.parametrize("order_of_arrival", [(0, 1, 2, 3), (1, 0, 3, 2), (3, 2, 1, 0), (0, 0, 1, 1, 0)])
def test_defect_11_statuses_go_forward_and_come_once(order_of_arrival: tuple[int, ...]) -> None:
    """Submitted, Accepted, and never back to Submitted, whatever arrives when (issue 57)."""
    messages = [
        event("pending_new", shown("pending_new")),
        event("new", shown("new")),
        filled(4, 100.0, 4, 100.0),
        filled(6, 100.0, 10, 100.0),
    ]
    found = statuses(followed(*(messages[each] for each in order_of_arrival)))
    known = [S.PENDING_NEW, S.NEW, S.PARTIALLY_FILLED, S.FILLED]
    assert [known.index(each) for each in found] == sorted({known.index(each) for each in found})


def test_defect_14_legs_have_names_and_keep_them() -> None:
    """No arithmetic on refs: a leg stays the order that it was asked as, under another id too (issues 69, 80)."""
    reports = Reports()
    reports.expect(posted(*bracket(), kind=GroupKind.BRACKET), NOW)
    legs = [leg("P", "limit"), leg("S", "stop")]
    reports.see(shown("new", legs=legs), NOW)
    assert (reports.owner("P"), reports.owner("S")) == ("run-1-3", "run-1-2")
    moved = {**leg("S2", "stop"), "replaces": "S"}
    told = reports.hear(filled_leg(moved), NOW)
    assert (fills(told), statuses(told, "run-1-2")) == ([(10, 95.0)], [S.FILLED])


def leg(id: str, kind: str) -> Any:
    return shown("held", id=id, name=f"venue {id}", side="sell", type=kind)


def filled_leg(body: Any) -> Any:
    done = {**body, "status": "filled", "filled_qty": "10", "filled_avg_price": "95"}
    return event("fill", done, qty="10", price="95", execution_id="E")


def test_defect_14_a_single_leg_is_no_bracket(desk: Desk) -> None:
    """An entry with a stop alone is an OTO, which Alpaca takes (issue 77)."""
    stop = spy("run-1-2", "sell", stop_price=1.5)
    assert desk.taken(spy(), stop, kind=GroupKind.BRACKET).order["order_class"] == "oto"


def test_defect_15_valid_and_oco_are_not_ignored() -> None:
    """An order for the day is one; a date within it too, and we end it; two exits are an OCO."""
    assert posted(order(time_in_force=TimeInForce.DAY)).body["time_in_force"] == "day"
    dated = planned(order(time_in_force=TimeInForce.GTD, expires_at=CLOSE - timedelta(hours=1)))
    assert (dated.posts[0].body["time_in_force"], len(dated.duties)) == ("day", 1)
    assert posted(*bracket()[1:], kind=GroupKind.OCO, position=10).body["order_class"] == "oco"


@pytest.mark.parametrize("kind", list(OrderType))
def test_defect_15_every_type_goes_somewhere(kind: OrderType) -> None:
    """Each is sent, or is ours and says so; none is a KeyError."""
    found = planned(order(order_type=kind, stop_price=99.0, limit_price=98.0, trail_amount=1.0))
    assert len(found.posts) == (kind is not OrderType.TRAILING_STOP_LIMIT)
    assert bool(found.posts) or (isinstance(found.duties[0], Hold) and found.remarks)


def test_defect_15_an_order_can_be_replaced(desk: Desk) -> None:
    """One PATCH; the new order carries on from the old one."""
    name = desk.taken(spy(limit_price=9.0)).order["id"]
    answer = desk.send(replace(desk.endpoint, name, changes(spy("run-1-1.1", limit_price=9.5))))
    assert isinstance(answer, Taken)
    assert (answer.order["replaces"], answer.order["limit_price"]) == (name, "9.5")


def test_defect_16_a_refusal_reaches_the_order_with_its_reason(desk: Desk) -> None:
    """In the news of the order itself, Margin told from Rejected, and so does a later rejection (issue 127)."""
    answer = desk.submit(spy(quantity=1e6))
    assert isinstance(answer, Refused)
    update = answer.update("run-1-1", NOW)
    assert (update.status, update.is_margin) == (S.REJECTED, True)
    assert "insufficient buying power" in update.reason
    (late,) = followed({**event("rejected", shown("rejected")), "reason": "halted"})
    assert isinstance(late, OrderUpdate)
    assert (late.status, late.reason) == (S.REJECTED, "halted")


def test_defect_16_a_gateways_error_is_not_swallowed(desk: Desk) -> None:
    """It is an exception of ours, in one line, not a dict that nobody looks at."""
    desk.sandbox.fault("bad_gateway", count=0)
    with pytest.raises(SwitchbackError, match="look it up again"):
        desk.submit(spy())


def test_defect_18_a_fill_has_its_own_price_not_the_average() -> None:
    """5 at 100, then 5 at 102, of which the venue says 10 at 101: the trade's profit is right (issues 29, 72)."""
    told = followed(filled(5, 100.0, 5, 100.0), filled(5, 102.0, 10, 101.0))
    assert sum(size * price for size, price in fills(told)) == 10 * 101.0


def test_defect_18_a_snapshot_does_not_count_a_fill_again() -> None:
    """The stream tells it, a look-up and the activities tell it again: it is one."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    body = shown("filled", seconds=10, filled_qty="10", filled_avg_price="100")
    numbers = {"qty": "10", "price": "100"}
    told = reports.hear(event("fill", body, execution_id="E", **numbers), NOW)
    told += reports.see(body, NOW)
    told += reports.execute({"id": "0::E", "order_id": "A", "cum_qty": "10", **numbers}, NOW)
    assert fills(told) == [(10, 100.0)]
