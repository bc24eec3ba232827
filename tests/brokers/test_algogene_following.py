"""Order news from polls: fills as increments, each once, whatever happens between the answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from algogene_model import Venue

from brokers.algogene.advancing import advance, questions, whose
from brokers.algogene.diff import diff
from brokers.algogene.following import Following, Kind, Part, Poll
from brokers.algogene.reports import Deal, Query, Trade, Word
from framework.model import OrderStatus, Side


def test_an_order_that_fills_between_two_polls_is_new_and_filled() -> None:
    """Its price and time are the venue's, not the poll's."""
    venue = Venue()
    venue.open("a")
    venue.poll()
    venue.step()
    venue.step()
    [update] = venue.poll()
    assert venue.story("a") == ["new", "filled 4@100"]
    assert update.fill is not None
    assert (update.fill.at, update.venue_order_id) == (venue.tape.after(venue.tape.starts_at).at, "746000000000")


def test_nothing_is_told_twice() -> None:
    """However often it is polled."""
    venue = Venue()
    venue.open("a")
    venue.step()
    venue.settle()
    assert venue.poll() == []
    assert venue.story("a") == ["new", "filled 4@100"]


def test_a_close_is_done_when_its_trade_is_gone() -> None:
    """ "Submitted" is not done: until then it is new, and its price is that of the account's history."""
    venue = Venue()
    trade = venue.open("a")
    venue.step()
    venue.close("b", trade)
    venue.settle()
    assert venue.story("b") == ["new"]
    venue.step()
    venue.settle()
    assert venue.story("b") == ["new", "filled 4@102"]


def test_a_trade_that_opens_and_closes_between_two_polls_is_told_whole() -> None:
    """It was in no list that was seen: history has both."""
    venue = Venue()
    venue.open("a", holdtime=30)
    venue.step()
    venue.step()
    venue.settle()
    assert venue.story("a") == ["new", "filled 4@100"]


def test_a_level_that_is_reached_fills_its_order_and_cancels_the_other() -> None:
    """A bracket's exits: one of them closed the trade, whoever asked for it."""
    venue = Venue()
    venue.open("a", takeProfitLevel=102.5, stopLossLevel=50)
    for _ in range(3):
        venue.step()
    venue.settle()
    assert venue.story("a/take_profit") == ["new", "filled 4@102.5"]
    assert venue.story("a/stop_loss")[-1] == "canceled"


def test_levels_of_an_order_that_never_opened_are_canceled() -> None:
    """There is nothing that they could close."""
    venue = Venue()
    trade = venue.open("a", ordertype="LMT", price=1, takeProfitLevel=102.5)
    venue.cancel(trade)
    venue.settle()
    assert venue.story("a")[-1] == venue.story("a/take_profit")[-1] == "canceled"


def test_an_order_whose_time_is_over_expires() -> None:
    """One that is cancelled before is cancelled, however late that is seen."""
    venue = Venue()
    venue.open("a", ordertype="LMT", price=1, timeinforce=60)
    venue.cancel(venue.open("b", ordertype="LMT", price=1, timeinforce=120))
    for _ in range(4):
        venue.step()
    venue.settle()
    assert (venue.story("a")[-1], venue.story("b")[-1]) == ("expired", "canceled")


def test_what_leaves_a_list_while_it_is_read_is_not_lost() -> None:
    """It fills between two answers, after the one and before the other: it is in neither, and asked for."""
    venue = Venue()
    venue.open("a")
    venue.poll([lambda: None, lambda: None, venue.step])
    venue.settle()
    assert venue.story("a") == ["new", "filled 4@100"]


def test_a_cancel_is_told_after_what_had_filled() -> None:
    """In pieces: a half, then the cancel of the rest."""
    venue = Venue(partial=1.0)
    trade = venue.open("a")
    venue.step()
    venue.cancel(trade)
    venue.settle()
    assert venue.story("a") == ["new", "partially_filled 2@100", "canceled"]


def test_an_order_of_several_parts_is_filled_when_all_are() -> None:
    """Two trades closed and one opened, as netting has it; how a trade was closed is asked for when it is gone."""
    venue = Venue()
    trades = [venue.open(name) for name in "ab"]
    venue.step()
    for each in trades:
        venue.close(f"close {each}", each)
    opened = venue.open("c", "SELL")
    parts = [venue.followed.pop(f"close {each}").parts[0] for each in trades]
    venue.followed["c"] = Following("c", (*parts, replace(venue.followed["c"].parts[0], trade_id=opened)))
    venue.settle()
    assert venue.story("c") == ["new"]
    venue.step()
    venue.settle()
    assert venue.story("c") == ["new", "partially_filled 4@102", "filled 8@102"]


def test_an_order_that_waits_for_its_remainder_is_not_filled() -> None:
    """What is to be opened when a trade is gone has no id yet; three were closed, but one is what was to be sold."""
    parts = (Part("1", Kind.CLOSE, Decimal(3), Side.BUY), Part("", Kind.OPEN, Decimal(2), Side.BUY))
    poll = Poll(Venue().at, {}, {}, {}, (Deal("1", "x", True, Side.SELL, 3.0, 9.0, Venue().at),))
    after = advance({"c": Following("c", parts)}, poll)
    assert [each.status for each in diff({}, after, poll.at)] == [OrderStatus.NEW]
    assert questions(after, poll).queries == ()


def test_trades_that_are_closed_against_each_other_are_told_as_their_net() -> None:
    """Three sold at 9 and two bought back at 10 are one sold at 9, which has cost 2 more: the cash is exact."""
    parts = (Part("1", Kind.CLOSE, Decimal(3), Side.BUY), Part("2", Kind.CLOSE, Decimal(2), Side.SELL))
    at = Venue().at
    deals = (Deal("1", "x", True, Side.SELL, 3.0, 9.0, at), Deal("2", "y", True, Side.BUY, 2.0, 10.0, at))
    half = advance({"c": Following("c", parts)}, Poll(at, {}, {}, {"2": _trade("2")}, deals[:1]))
    assert [each.status for each in diff({}, half, at)] == [OrderStatus.NEW]
    [update] = diff(half, advance(half, Poll(at, {}, {}, {}, deals)), at)
    assert update.fill is not None
    assert (update.status, update.fill.quantity, update.fill.price, update.fill.commission) == (
        OrderStatus.FILLED, 1.0, 9.0, 2.0,
    )  # fmt: skip


def _trade(trade_id: str) -> Trade:
    return Trade(trade_id, "y", "XYZ", Side.SELL, 2.0, 10.0, Venue().at, None, None, None, 0.0)


def test_a_run_that_goes_on_is_told_what_it_had_not_booked() -> None:
    """Half of the fills were known when it died: the other half is told, at its own price."""
    venue = Venue(partial=1.0)
    venue.open("a")
    venue.step()
    booked = (Decimal(2), Decimal(200))
    venue.followed["a"] = replace(venue.followed["a"], booked=booked)
    venue.settle()
    assert [each for each in venue.story("a") if "@" in each] == []
    for _ in range(9):
        venue.step()
    venue.settle()
    filled = [each.fill for each in venue.told if each.client_order_id == "a" and each.fill]
    assert sum(each.quantity for each in filled) == 2.0


@pytest.mark.parametrize("word", [None, Word.PENDING, Word.PARTIAL])
def test_an_order_in_no_list_is_not_taken_for_gone(word: Word | None) -> None:
    """A status that is not known, or that says that it waits, ends nothing."""
    venue = Venue()
    venue.followed["a"] = Following("a", (Part("7", Kind.OPEN, Decimal(1), Side.BUY),))
    query = Query("7", "a", word, "?", 1.0, 0.0, venue.at, "")
    after = advance(venue.followed, Poll(venue.at, {"7": query}, {}, {}, ()))
    assert after["a"].status is OrderStatus.NEW
    assert questions(after, Poll(venue.at, {}, {}, {})).queries == ("7",)


def test_a_fill_without_a_price_waits_for_one() -> None:
    """`query_order` may tell 0 for a market order: it is not booked at nothing; history has the price."""
    venue = Venue()
    followed = {"a": Following("a", (Part("7", Kind.OPEN, Decimal(1), Side.BUY),))}
    query = Query("7", "a", Word.FILLED, "FILLED", 1.0, 0.0, venue.at, "")
    after = advance(followed, Poll(venue.at, {"7": query}, {}, {}, ()))
    assert after["a"].status is OrderStatus.NEW
    deal = Deal("7", "a", False, Side.BUY, 1.0, 9.5, venue.at)
    [_, update] = diff(followed, advance(after, Poll(venue.at, {"7": query}, {}, {}, (deal,))), venue.at)
    assert (update.status, update.fill and update.fill.price) == (OrderStatus.FILLED, 9.5)


def test_an_order_without_a_part_cannot_be_followed() -> None:
    """It would be filled before it began."""
    with pytest.raises(ValueError, match="without a part"):
        Following("a", ())


def test_a_rejection_says_why() -> None:
    """By the venue's own text, whether it comes in an answer or is asked for."""
    venue = Venue()
    venue.book.reject(venue.open("a"), venue.at)
    venue.settle()
    assert (venue.story("a")[-1], venue.told[-1].reason) == ("rejected", "rejected by broker")
    venue.open("b")
    before = venue.followed
    after = {"b": before["b"].refused(before["b"].parts[0].trade_id, "no margin", venue.at)}
    assert [(each.status, each.reason) for each in diff(before, after, venue.at)] == [
        (OrderStatus.REJECTED, "no margin")
    ]


def test_a_close_belongs_to_one_order_alone() -> None:
    """A level that was reached, else who asked, else the nearer level."""
    part = Part("1", Kind.CLOSE, Decimal(1), Side.BUY)
    profit, loss = replace(part, kind=Kind.TAKE_PROFIT, level=110.0), replace(part, kind=Kind.STOP_LOSS, level=90.0)
    rivals, asked = [(("tp", 0), profit), (("sl", 0), loss)], (("mine", 0), part)

    def closed(price: float, *more: tuple[tuple[str, int], Part]) -> str:
        deal = Deal("1", "x", True, Side.SELL, 1.0, price, Venue().at)
        return whose(deal, [*rivals, *more])[0]

    assert [closed(each) for each in (111, 110, 90, 80, 104, 96)] == ["tp", "tp", "sl", "sl", "tp", "sl"]
    assert [closed(each, asked) for each in (111, 104, 80)] == ["tp", "mine", "sl"]


def test_what_was_booked_keeps_its_value_until_more_is_known() -> None:
    """Two units of another part are known first, at another price: the third is told at what it cost."""
    at = Venue().at
    parts = (Part("1", Kind.CLOSE, Decimal(1), Side.SELL), Part("2", Kind.OPEN, Decimal(2), Side.BUY))
    order = Following("c", parts, booked=(Decimal(2), Decimal("200.3")))
    trade = replace(_trade("2"), side=Side.BUY, price=100.13)
    first = advance({"c": order}, Poll(at, {}, {}, {"2": trade}))
    assert diff({"c": order}, first, at) == []
    deals = (Deal("1", "x", True, Side.BUY, 1.0, 100.15, at), Deal("2", "y", False, Side.BUY, 2.0, 100.13, at))
    [update] = diff(first, advance(first, Poll(at, {}, {}, {"2": trade}, deals)), at)
    assert update.fill is not None
    assert (update.fill.quantity, update.fill.price) == (1.0, 100.11)
