"""Orders followed: fills once, statuses once and in their order, whatever is said when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asked import NOW, bracket, event, filled, fills, followed, order, posted, shown, statuses

from brokers.alpaca.answers import Ground, Refused
from brokers.alpaca.following import Reports
from brokers.alpaca.groups import Post
from brokers.alpaca.reports import STATUSES
from framework.errors import ProtocolError
from framework.model import GroupKind, OrderStatus, OrderUpdate

S = OrderStatus


def news(status: str, said: str = "", **more: Any) -> Any:
    """Return a message that tells a status."""
    return event(said or status, shown(status, **more))


def test_second_partial_fill_adds_only_the_difference() -> None:
    """Alpaca's filled_qty is of all fills; a fill is what came with it."""
    told = followed(filled(4, 100.0, 4, 100.0), filled(6, 101.0, 10, 100.6))
    assert fills(told) == [(4, 100.0), (6, 101.0)]
    assert statuses(told) == [S.PARTIALLY_FILLED, S.FILLED]


def test_an_execution_told_twice_is_one_fill() -> None:
    """Seen in the wild: two messages with one execution_id."""
    one = filled(4, 100.0, 4, 100.0)
    assert fills(followed(one, one, one)) == [(4, 100.0)]


def test_a_missing_fill_comes_with_the_next_one_at_the_right_value() -> None:
    """6 at 101 are told, 4 at 100 were not: together 10 for 1,006."""
    told = followed(filled(6, 101.0, 10, 100.6))
    assert fills(told) == [(10, pytest.approx(100.6))]


def test_fills_that_change_places_are_counted_once() -> None:
    """The last comes first and holds them all; the first then says nothing new."""
    told = followed(filled(6, 101.0, 10, 100.6), filled(4, 100.0, 4, 100.0))
    assert sum(size for size, _ in fills(told)) == 10
    assert statuses(told) == [S.FILLED]


def test_a_snapshot_says_what_the_stream_did_not() -> None:
    """A fill that was never streamed: the order itself tells it."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    told = reports.see(shown("filled", filled_qty="10", filled_avg_price="100.5"), NOW)
    assert (fills(told), statuses(told)) == ([(10, 100.5)], [S.FILLED])
    assert reports.hear(filled(10, 100.5, 10, 100.5), NOW) == []


@pytest.mark.parametrize(("said", "status"), [each for each in STATUSES.items() if each[1] not in (None, S.REPLACED)])
def test_every_status_has_a_word_of_ours(said: str, status: OrderStatus) -> None:
    """All that Alpaca's reference lists."""
    assert statuses(followed(news(said))) == [status]


def test_calculated_is_news_for_the_bookkeeper_only() -> None:
    """It says nothing that a trader has not been told."""
    assert followed(news("new"), news("calculated", seconds=1))[1:] == []


def test_an_unknown_status_is_reported_and_harms_nothing() -> None:
    """A value, not an exception, with what was said; the order is followed on."""
    told = followed(news("new"), news("quantum", seconds=1), filled(10, 100.0, 10, 100.0))
    strange = [each for each in told if isinstance(each, ProtocolError)]
    assert [each.received for each in strange] == ["quantum"]
    assert statuses(told) == [S.NEW, S.FILLED]


@pytest.mark.parametrize("data", [{}, {"event": "new"}, {"event": "new", "order": None}, 7, {"order": {"id": "A"}}])
def test_a_message_that_is_none_is_reported_not_raised(data: Any) -> None:
    """The next one is read as ever."""
    told = followed(data, news("new"))
    assert isinstance(told[0], ProtocolError)
    assert statuses(told) == [S.NEW]


def test_null_data_is_nothing() -> None:
    """Seen in the wild: `"data": null`."""
    assert followed(None) == []


def test_numbers_that_are_none_are_reported() -> None:
    """A total that is no number, a fill at no price, a time that is none."""
    for more in ({"filled_qty": "x"}, {"filled_qty": "5"}, {"filled_qty": "nan"}, {"updated_at": "noon"}):
        (told,) = followed({"event": "new", "order": shown(**more)})
        assert isinstance(told, ProtocolError)


def test_a_late_status_does_not_turn_the_order_back() -> None:
    """New after the fill, pending_new after new."""
    told = followed(news("new"), filled(10, 100.0, 10, 100.0), news("new"), news("pending_new"))
    assert statuses(told) == [S.NEW, S.FILLED]


def test_an_old_word_among_the_live_ones_changes_nothing() -> None:
    """pending_cancel was of a second ago, and comes after the cancel's rejection."""
    told = followed(news("new"), news("new", "order_cancel_rejected", seconds=2), news("pending_cancel", seconds=1))
    assert S.PENDING_CANCEL not in statuses(told)


def test_a_replacement_on_its_way_does_not_turn_the_order_back() -> None:
    """pending_new is of the new id; the order itself has long been accepted."""
    told = followed(news("new"), news("pending_new", name="x", id="B", replaces="A", seconds=1))
    assert statuses(told) == [S.NEW]


def test_a_value_that_was_told_too_high_makes_no_price_below_zero() -> None:
    """The venue corrects an average downwards: what is left for the next share would be less than nothing."""
    told = followed(
        filled(9, 100.0, 9, 100.0), event("new", shown(seconds=20, filled_qty="10", filled_avg_price="50"))
    )  # fmt: skip
    assert fills(told) == [(9, 100.0), (1, 50.0)]


def test_two_fills_of_one_size_are_told_apart_by_their_value() -> None:
    """5 at 100 were never told; what then comes with 5 at 102 is their difference to what was."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    reports.see(shown("partially_filled", seconds=7, filled_qty="5", filled_avg_price="102"), NOW)
    told = reports.hear(filled(5, 102.0, 10, 101.0), NOW)
    assert fills(told) == [(5, 100.0)]


def test_a_day_order_goes_on_the_next_day() -> None:
    """done_for_day is no end: a later report makes it new again."""
    told = followed(news("new"), news("done_for_day", seconds=60), news("new", seconds=120))
    assert statuses(told) == [S.NEW, S.DONE_FOR_DAY, S.NEW]


def test_fills_before_a_cancel_are_kept() -> None:
    """The message of the cancel holds the fill that was never told: it comes first, then the end."""
    told = followed(news("new"), news("canceled", seconds=5, filled_qty="4", filled_avg_price="100"))
    assert statuses(told) == [S.NEW, S.PARTIALLY_FILLED, S.CANCELED]
    assert fills(told) == [(4, 100.0)]


def test_a_fill_after_the_end_is_booked_and_reported() -> None:
    """The position is real, whatever was said before; the end itself is told once."""
    told = followed(news("canceled"), news("canceled", seconds=5, filled_qty="4", filled_avg_price="100"))
    assert statuses(told) == [S.CANCELED, S.PARTIALLY_FILLED]
    assert any(isinstance(each, ProtocolError) and "after it was canceled" in str(each) for each in told)


def test_a_cancel_that_was_rejected_says_so_once() -> None:
    """Answered 204, then order_cancel_rejected: the order is as it was."""
    rejected = news("new", "order_cancel_rejected", seconds=3)
    told = followed(news("new"), news("pending_cancel", seconds=2), rejected, rejected)
    assert statuses(told) == [S.NEW, S.PENDING_CANCEL, S.NEW, S.NEW]
    assert [each.reason for each in told if isinstance(each, OrderUpdate)][-1] == "order cancel rejected"


def test_a_fill_that_is_taken_back_is_reported() -> None:
    """A bust: what was booked is wrong, and only a look at the positions helps."""
    told = followed(filled(10, 100.0, 10, 100.0), event("trade_bust", shown("filled", seconds=90)))
    assert any(isinstance(each, ProtocolError) and "trade bust" in str(each) for each in told)


def test_a_rejection_tells_its_reason_and_whether_it_is_for_money() -> None:
    """Alpaca's own text; without one we say that there was none."""
    (told,) = followed({**news("rejected"), "reason": "insufficient buying power"})
    assert isinstance(told, OrderUpdate)
    assert (told.reason, told.is_margin) == ("insufficient buying power", True)
    (told,) = followed(news("rejected"))
    assert isinstance(told, OrderUpdate)
    assert (told.reason, told.is_margin) == ("rejected by the venue, without a reason", False)


def test_a_refused_bracket_is_rejected_whole() -> None:
    """Every order of the POST, for the same reason."""
    reports, post = Reports(), posted(*bracket(), kind=GroupKind.BRACKET)
    reports.expect(post, NOW)
    told = reports.refuse(post, Refused(Ground.MARGIN, "insufficient buying power", 403), NOW)
    assert [each.status for each in told if isinstance(each, OrderUpdate) and each.is_margin] == [S.REJECTED] * 3


def test_strangers_orders_change_nothing() -> None:
    """Placed by hand, or by another session."""
    assert followed(news("new", name="by hand", id="Z"), filled(5, 9.0, 5, 9.0, name="by hand", id="Z")) == []


def test_fills_booked_before_a_restart_are_not_told_again() -> None:
    """The journal knows 4 for 400; the venue shows 10 for 1,006."""
    reports = Reports()
    reports.expect(posted(order()), NOW, {"run-1-1": (4.0, 400.0)})
    told = reports.see(shown("filled", filled_qty="10", filled_avg_price="100.6"), NOW)
    assert fills(told) == [(6, pytest.approx(101.0))]


# Replacements


def replaced(to: str = "B", seconds: float = 5, **more: Any) -> Any:
    at = (NOW + timedelta(seconds=seconds)).isoformat()
    return event("replaced", shown("replaced", seconds=seconds, replaced_by=to, replaced_at=at, **more))


def test_a_replaced_order_is_the_same_order_under_a_new_id() -> None:
    """It does not end: its next news bears the new id, and the old one."""
    told = followed(news("new"), replaced(), news("new", name="else", id="B", replaces="A", seconds=5))
    last = told[-1]
    assert isinstance(last, OrderUpdate)
    assert (last.client_order_id, last.venue_order_id, last.replaces) == ("run-1-1", "B", "A")
    assert statuses(told) == [S.NEW, S.NEW]


def test_a_replacement_is_known_by_its_own_id_before_the_old_one_is() -> None:
    """Its PATCH was ours: the new client id was told before it was sent."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    reports.expect_change("run-1-1", "run-1-1.1")
    assert statuses(reports.hear(news("new", name="run-1-1.1", id="B"), NOW)) == [S.NEW]
    assert reports.owner("B") == "run-1-1"


PARTLY = {"filled_qty": "4", "filled_avg_price": "100"}


def test_a_replacement_that_counts_on_adds_only_what_is_new() -> None:
    """4 were filled, the new order shows 4 from its start: then 6 more make 10."""
    told = followed(
        filled(4, 100.0, 4, 100.0),
        replaced(**PARTLY),
        news("partially_filled", id="B", name="x", replaces="A", seconds=5, **PARTLY),
        filled(6, 101.0, 10, 100.6, id="B", name="x", replaces="A"),
    )
    assert fills(told) == [(4, 100.0), (6, 101.0)]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_replacement_that_begins_at_nothing_adds_all_that_it_fills(is_told: bool) -> None:
    """Alpaca-API issue 165: the new order fills its whole size again; 4 and 10 make 14."""
    begun = news("new", id="B", name="x", replaces="A", seconds=6)
    told = followed(
        filled(4, 100.0, 4, 100.0),
        replaced(**PARTLY),
        *([begun] if is_told else []),
        filled(10, 101.0, 10, 101.0, id="B", name="x", replaces="A"),
    )
    assert fills(told) == [(4, 100.0), (10, 101.0)]


def test_a_replacement_that_was_seen_to_begin_at_nothing_needs_no_executions() -> None:
    """4 had filled when it began, at nothing; then one look shows 10 of its own."""
    look = event("new", shown("filled", name="x", id="B", replaces="A", seconds=9, **FILLED))
    begun = news("new", id="B", name="x", replaces="A", seconds=6)
    told = followed(filled(4, 100.0, 4, 100.0), replaced(**PARTLY), begun, look)
    assert sum(size for size, _ in fills(told)) == 14


def test_a_fill_while_the_replacement_is_pending_is_counted_once() -> None:
    """The PATCH's answer shows 4; the old order fills 2 more before it goes; the new one shows 6."""
    more = {"filled_qty": "6", "filled_avg_price": "100"}
    told = followed(
        filled(4, 100.0, 4, 100.0),
        news("partially_filled", id="B", name="x", replaces="A", seconds=4.5, **PARTLY),
        filled(2, 100.0, 6, 100.0),
        replaced(seconds=7, **more),
        news("partially_filled", id="B", name="x", replaces="A", seconds=8, **more),
    )
    assert sum(size for size, _ in fills(told)) == 6


def test_a_replacement_that_is_rejected_leaves_the_old_order() -> None:
    """The old one filled before it: that is its end, told once."""
    told = followed(
        news("new"),
        news("pending_new", id="B", name="x", replaces="A", seconds=1),
        filled(10, 100.0, 10, 100.0),
        news("rejected", id="B", name="x", replaces="A", seconds=11),
    )
    assert statuses(told)[-1] is S.FILLED
    assert statuses(told).count(S.FILLED) == 1
    assert S.REJECTED not in statuses(told)


def test_an_order_replaced_by_what_nobody_told_is_to_be_looked_up() -> None:
    """At once, whenever it was last heard of; the look-up finds what carries on."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    for each in (news("new"), replaced()):
        reports.hear(each, NOW)
    assert reports.unheard(NOW - timedelta(hours=1)) == ("run-1-1",)
    reports.see(shown(id="B", name="x", replaces="A", seconds=5), NOW)
    assert (reports.unheard(NOW), reports.venue_order_id("run-1-1")) == ((), "B")


def test_an_order_of_which_nothing_is_heard_is_to_be_looked_up() -> None:
    """The stream may have lost its fill; an order that has ended needs no look."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    assert reports.unheard(NOW) == ()
    assert reports.unheard(NOW + timedelta(seconds=1)) == ("run-1-1",)
    reports.hear(filled(10, 100.0, 10, 100.0), NOW)
    assert reports.unheard(NOW + timedelta(seconds=1)) == ()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "on its way"),
        (news("pending_new"), "on its way"),
        (news("new"), ""),
        (filled(4, 100.0, 4, 100.0), "filled in part"),
        (news("canceled"), "it is canceled"),
    ],
)
def test_what_stands_against_a_replacement(said: Any, why: str) -> None:
    """Alpaca refuses it on the way; a partial fill it may fill twice."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    reports.hear(said, NOW)
    found = reports.obstacle("run-1-1")
    assert why in found
    assert bool(why) == bool(found)


# Groups


@pytest.fixture
def post() -> Post:
    return posted(*bracket(), kind=GroupKind.BRACKET)


def leg(name: str, status: str = "held", **more: Any) -> Any:
    kinds = {"profit": {"type": "limit", "limit_price": "110"}, "stop": {"type": "stop", "stop_price": "95"}}
    return shown(status, name=f"its {name}", id=more.pop("id", name), side="sell", **kinds[name], **more)


def taken(**more: Any) -> Any:
    return shown("pending_new", order_class="bracket", legs=[leg("profit"), leg("stop")], **more)


def test_legs_are_known_by_what_they_are(post: Post) -> None:
    """Alpaca gives them ids of its own: the answer to the POST shows which is which."""
    reports = Reports()
    reports.expect(post, NOW)
    reports.see(taken(), NOW)
    assert (reports.owner("profit"), reports.owner("stop")) == ("run-1-3", "run-1-2")
    told = reports.hear(event("new", leg("profit", "new", seconds=2)), NOW)
    assert statuses(told, "run-1-3") == [S.NEW]


def test_legs_that_overtake_the_answer_wait_for_it(post: Post) -> None:
    """Their events name nobody that is known, until the answer comes: nothing is lost."""
    reports = Reports()
    reports.expect(post, NOW)
    early = filled(10, 110.0, 10, 110.0, name="its profit", id="profit", type="limit", side="sell")
    assert reports.hear(early, NOW) == []
    told = reports.see(taken(), NOW)
    assert fills(told) == [(10, 110.0)]
    assert statuses(told, "run-1-3")[-1] is S.FILLED


def test_the_silent_end_of_a_held_stop_is_inferred(post: Post) -> None:
    """alpaca-py issue 198: the take-profit has filled, and nobody tells of the stop. Told late, it is told once."""
    reports = Reports()
    reports.expect(post, NOW)
    reports.see(taken(), NOW)
    done = filled(10, 110.0, 10, 110.0, name="its profit", id="profit", type="limit", side="sell")
    assert statuses(reports.hear(done, NOW), "run-1-2") == [S.CANCELED]
    assert reports.hear(event("canceled", leg("stop", "canceled", seconds=20)), NOW) == []


def test_a_live_exit_is_not_taken_for_ended(post: Post) -> None:
    """The stop has filled, the take-profit works at the market: only Alpaca knows what becomes of it."""
    reports = Reports()
    reports.expect(post, NOW)
    reports.see(taken(), NOW)
    reports.hear(event("new", leg("profit", "new", seconds=2)), NOW)
    done = filled(10, 95.0, 10, 95.0, name="its stop", id="stop", type="stop", side="sell")
    assert statuses(reports.hear(done, NOW), "run-1-3") == []
    assert reports.unheard(NOW + timedelta(seconds=1)) == ("run-1-1", "run-1-3")


def test_a_moved_leg_is_the_same_leg(post: Post) -> None:
    """alpaca-backtrader issue 80: the stop goes on under another id; a nested look at its parent tells."""
    reports = Reports()
    reports.expect(post, NOW)
    reports.see(taken(), NOW)
    moved = leg("stop", "held", id="moved", seconds=3)
    reports.see(shown("filled", seconds=3, legs=[leg("profit", "new", seconds=3), moved], **FILLED), NOW)
    assert reports.venue_order_id("run-1-2") == "moved"
    assert reports.owner("moved") == "run-1-2"


FILLED = {"filled_qty": "10", "filled_avg_price": "100"}


def test_the_exits_of_an_entry_that_ended_unfilled_have_ended(post: Post) -> None:
    """Cancelled before it filled: they were never at the market."""
    reports = Reports()
    reports.expect(post, NOW)
    reports.see(taken(), NOW)
    told = reports.hear(news("canceled", seconds=4), NOW)
    assert [statuses(told, f"run-1-{each}")[-1] for each in (1, 2, 3)] == [S.CANCELED] * 3


def test_exits_that_nobody_told_of_end_with_their_entry(post: Post) -> None:
    """The entry was rejected before anything was said of them."""
    reports = Reports()
    reports.expect(post, NOW)
    told = reports.hear(news("rejected"), NOW)
    assert [statuses(told, f"run-1-{each}")[-1] for each in (1, 2, 3)] == [S.REJECTED, S.CANCELED, S.CANCELED]


def test_a_leg_of_a_message_that_was_held_up_is_no_new_leg(post: Post) -> None:
    """It moved twice; then comes what its entry looked like before."""
    reports = Reports()
    reports.expect(post, NOW)
    latest = leg("stop", id="third", replaces="second", seconds=9)
    reports.see(shown("filled", seconds=9, legs=[leg("profit", "new"), latest], **FILLED), NOW)
    reports.hear(event("new", taken(seconds=1)), NOW)
    assert reports.venue_order_id("run-1-2") == "third"


def test_the_exits_of_an_entry_that_filled_in_part_are_left_alone(post: Post) -> None:
    """They may guard what was bought."""
    reports = Reports()
    reports.expect(post, NOW)
    reports.see(taken(), NOW)
    told = reports.hear(news("canceled", seconds=4, **PARTLY), NOW)
    assert statuses(told, "run-1-2") == []


def test_activities_tell_fills_that_nothing_else_told() -> None:
    """A FILL bears the order's id and its total: known ones are known by it, whatever their own id."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    reports.hear(filled(4, 100.0, 4, 100.0), NOW)
    told = [each for total, price in ((4, 100.0), (10, 101.0)) for each in reports.execute(activity(total, price), NOW)]
    assert fills(told) == [(6, 101.0)]


def test_the_last_fill_ends_its_order_whoever_tells_it() -> None:
    """One end, with its fill: not a fill in part, and then an end without one."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    reports.hear(event("new", shown()), NOW)
    told = [
        *reports.execute(activity(4, 100.0) | {"type": "partial_fill"}, NOW),
        *reports.execute(activity(10, 101.0) | {"type": "fill"}, NOW),
    ]
    assert statuses(told) == [OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED]
    assert fills(told) == [(4, 100.0), (6, 101.0)]


def activity(total: float, price: float) -> dict[str, Any]:
    size = {4: "4", 10: "6"}[int(total)]
    numbers = {"qty": size, "price": str(price), "cum_qty": str(total)}
    return {"id": f"2026::{total}", "order_id": "A", "transaction_time": NOW.isoformat(), **numbers}


def test_an_order_that_is_over_is_forgotten_when_it_is_old() -> None:
    """Not before: what is told late is understood until then, and is a stranger's afterwards."""
    reports = Reports()
    reports.expect(posted(order()), NOW)
    reports.hear(filled(4, 100.0, 4, 100.0), NOW)
    assert not reports.forget("run-1-1", NOW + timedelta(days=1))
    reports.hear(filled(6, 100.0, 10, 100.0), NOW)
    assert not reports.forget("run-1-1", NOW)
    assert reports.forget("run-1-1", NOW + timedelta(seconds=1))
    assert (reports.post("run-1-1"), reports.owner("A")) == (None, None)
    assert reports.hear(filled(6, 100.0, 10, 100.0), NOW) == []


def test_a_group_is_forgotten_as_one() -> None:
    """The entry of a bracket is over, its exits are open: news of these are followed by it."""
    reports = Reports()
    reports.expect(posted(*bracket(), kind=GroupKind.BRACKET), NOW)
    reports.hear(filled(10, 100.0, 10, 100.0), NOW)
    assert not reports.forget("run-1-1", NOW + timedelta(days=1))
    assert reports.post("run-1-2") is not None
