"""The sandbox's book of ALGOGENE: separate trades, closes that take a price, levels, and money that adds up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from algogene_model import Venue
from hypothesis import given, settings
from hypothesis import strategies as st
from tape import OPEN
from tape import Tape as Source

from brokers.algogene.sandbox_board import BITCOIN, Board, spans
from brokers.algogene.sandbox_book import Book
from brokers.algogene.sandbox_entries import Status
from brokers.algogene.sandbox_prices import history
from brokers.algogene.sandbox_records import listed, opened, pending, positions
from brokers.algogene.sandbox_requests import Refusal
from brokers.algogene.settings import Settings
from feeds import SampleBars
from framework.sandbox.tape import Tape


def volumes(book: Book) -> list[tuple[int, float]]:
    return [(each["buysell"], each["volume"]) for each in opened(book)["res"]]


def test_each_order_is_a_trade_of_its_own() -> None:
    """Buying and selling does not net: both are open until they are closed."""
    venue = Venue()
    venue.open("a", volume=3)
    venue.open("b", "SELL", volume=1)
    venue.step()
    assert volumes(venue.book) == [(1, 3.0), (-1, 1.0)]
    assert positions(venue.book, venue.at)["res"]["XYZ"]["Position"] == 2.0


def test_a_close_takes_the_next_price() -> None:
    """Submitted at the end of one minute, done at the open of the next; the trade is there until then."""
    venue = Venue()
    trade = venue.open("a")
    venue.step()
    venue.book.close(trade, venue.at)
    venue.book.close(trade, venue.at)
    assert volumes(venue.book) == [(1, 4.0)]
    venue.step()
    assert opened(venue.book) == listed([])
    assert [(each.is_close, each.price) for each in venue.book.done] == [(False, 100.0), (True, 102.0)]


def test_levels_work_from_the_minute_after_the_fill() -> None:
    """As a bracket's exits do in a backtest; one of them ends the trade and the other."""
    venue = Venue()
    venue.open("a", takeProfitLevel=102.5, stopLossLevel=98.5)
    venue.step()
    assert volumes(venue.book) == [(1, 4.0)]
    venue.step()
    assert venue.book.done[-1].price == 102.5
    assert [each.symbol for each in venue.book.core.resting] == []


def test_levels_are_changed_while_a_trade_is_open() -> None:
    """0 takes one away; what is being closed is not changed any more."""
    venue = Venue()
    trade = venue.open("a", takeProfitLevel=200, stopLossLevel=98.5)
    venue.step()
    venue.book.update_opened(trade, {"takeProfitLevel": 102.5, "stopLossLevel": 0}, venue.at)
    [order] = venue.book.core.resting
    assert order.price == 102.5
    venue.book.close(trade, venue.at)
    with pytest.raises(Refusal, match="being closed"):
        venue.book.update_opened(trade, {"stopLossLevel": 1}, venue.at)


def test_an_order_that_waits_is_changed_cancelled_or_ends_by_itself() -> None:
    """Its new price counts from the next minute on."""
    venue = Venue()
    first, second, third = (venue.open(name, ordertype="LMT", price=1, timeinforce=90) for name in "abc")
    venue.book.update_pending(first, {"price": 101.0, "orderRef": "a.1"}, venue.at)
    assert venue.book.entries[first].order_ref == "a.1"
    venue.book.cancel(second, venue.at)
    for _ in range(3):
        venue.step()
    states = [venue.book.entries[each].status for each in (first, second, third)]
    assert states == [Status.FILLED, Status.CANCELLED, Status.CANCELLED]
    assert venue.book.entries[third].ended_at == venue.book.entries[third].created_at + timedelta(seconds=90)
    for each in (first, second, "7"):
        with pytest.raises(Refusal, match="no pending order"):
            venue.book.cancel(each, venue.at)


def test_a_hold_time_closes_a_trade() -> None:
    """At the first price after it."""
    venue = Venue()
    venue.open("a", holdtime=61)
    for _ in range(3):
        venue.step()
    assert [(each.is_close, each.price) for each in venue.book.done] == [(False, 100.0), (True, 98.0)]


def test_half_a_fill_is_in_both_lists() -> None:
    """What is open and what is still to be opened, under one id."""
    venue = Venue(partial=1.0)
    trade = venue.open("a")
    venue.step()
    assert [(each["trade_ID"], each["volume"]) for each in opened(venue.book)["res"]] == [(trade, 2.0)]
    assert [(each["trade_ID"], each["volume"]) for each in pending(venue.book)["res"]] == [(trade, 2.0)]
    assert venue.book.entries[trade].query()["status"] == "PARTIAL_FILLED"


def test_a_volume_is_lots_and_a_position_units() -> None:
    """A contract of a hundred."""
    tape = Tape(Source({"XAU": [100.0, 100.0, 110.0]}, start=OPEN + timedelta(minutes=1)))
    book = Book(tape, Settings(contracts={"XAU": 100.0}, cash=1e6))
    book.open({"instrument": "XAU", "buysell": "SELL", "volume": 0.5, "ordertype": "MKT"}, tape.starts_at)
    for _ in range(2):
        book.play(tape.after(book.now))
    held = positions(book, book.now)["res"]["XAU"]
    assert (held["Position"], held["netVolume"]) == (-50.0, -0.5)
    assert (opened(book)["res"][0]["volume"], opened(book)["res"][0]["unrealizedPL"]) == (0.5, -500.0)


@pytest.mark.parametrize(
    "more",
    [{"volume": 0}, {"volume": 0.001}, {"volume": "x"}, {"buysell": 1}, {"ordertype": "MARKET"}, {"instrument": "ABC"},
     {"ordertype": "LMT"}, {"ordertype": "STOP", "price": -1}, {"timeinforce": 0.5}, {"volume": 1e9}],
)  # fmt: skip
def test_what_cannot_be_is_refused(more: dict[str, Any]) -> None:
    """And leaves nothing."""
    book = Venue().book
    order = {"instrument": "XYZ", "buysell": "BUY", "volume": 1, "ordertype": "MKT", **more}
    with pytest.raises(Refusal):
        book.open(order, book.now)
    assert pending(book) == listed([])


WHAT = st.tuples(st.sampled_from(["BUY", "SELL", "close", "step", "step"]), st.integers(1, 9), st.integers(0, 5))


@settings(deadline=None)
@given(st.lists(WHAT, max_size=20), st.sampled_from([0.0, 0.6]))
def test_money_adds_up(events: list[tuple[str, int, int]], partial: float) -> None:
    """What the account is worth is its cash, what trades have brought, and what open ones would."""
    venue = Venue(partial)
    for what, volume, which in events:
        if what == "step":
            venue.step()
        elif what == "close":
            trades = venue.book.opened
            venue.book.close(trades[which % len(trades)].id, venue.at) if trades else None
        else:
            venue.open("x", what, volume)
    money = venue.book.money()
    assert money["nav"] == pytest.approx(1e9 + money["realized"] + money["unrealized"], abs=1e-3)
    net = sum(each.held * each.side.sign for each in venue.book.opened)
    assert net == pytest.approx(venue.book.account.holding("XYZ").size)


def test_the_same_commands_make_the_same_book() -> None:
    """To the last id: that is how a restart finds it again."""

    def played() -> list[Any]:
        venue = Venue(partial=0.5, seed=3)
        for name in "abc":
            venue.open(name, takeProfitLevel=101)
            venue.step()
        return venue.book.done

    assert played() == played()


def test_bitcoin_is_there_whatever_is_on_the_tape() -> None:
    """The sample's own minutes, round the clock, by the market's seed; or the tape's pair, or its BTCUSD."""
    sample = SampleBars([BITCOIN], "2026-01-05", "2026-01-05", seed=5, calendar="24/7").history()[BITCOIN]
    board = Board(Tape(Source({"SPY": [1.0, 2.0]})), 5)
    known = board.known(BITCOIN, OPEN + timedelta(minutes=2))
    own = sample.between(None, OPEN + timedelta(minutes=2))
    assert np.array_equal(known.close[-len(own) :], own.close)
    assert np.array_equal(known.end[-len(own) :], own.end)
    for name in ("BTC/USD", BITCOIN):
        paired = Board(Tape(Source({name: [1.0, 2.0]})), 5)
        assert paired.names == (BITCOIN,)
        last = paired.last(BITCOIN, OPEN + timedelta(minutes=2))
        assert last is not None
        assert (last.symbol, last.close) == (BITCOIN, 2.0)


def test_a_bars_quotes_make_the_bar_again() -> None:
    """Four of them, inside of its minute."""
    board = Board(Tape(Source({"SPY": [(10.0, 12.0, 9.0, 11.0)]})), 0)
    bar = board.ended("SPY", OPEN + timedelta(minutes=1))
    assert bar is not None
    quotes = board.quotes(bar)
    prices = [each.bid for each in quotes]
    assert (prices[0], max(prices), min(prices), prices[-1]) == (10.0, 12.0, 9.0, 11.0)
    assert OPEN <= quotes[0].at < quotes[-1].at < bar.end


def test_longer_bars_are_cut_at_round_times() -> None:
    """By their ends, and none before it is over."""
    tape = Tape(Source({"SPY": [float(each) for each in range(1, 8)]}, start=OPEN + timedelta(minutes=6)))
    board, now = Board(tape, 0), OPEN + timedelta(minutes=7)
    query = {"instrument": "SPY", "count": "9", "interval": "M5", "timestamp": ""}
    assert [(each["t"], each["o"], each["c"], each["v"]) for each in history(board, query, now)["res"]] == [
        ("2026-01-05 14:35:00", 1.0, 5.0, 5000.0)
    ]
    assert len(spans(board.known("SPY", now), timedelta(minutes=5))) == 2
