"""The life of an order in Alpaca's sandbox: what is answered, what is told, what is filled."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from alpaca_book_venue import Venue, bracket, limits
from hypothesis import given
from hypothesis import settings as settings_
from hypothesis import strategies as st
from tape import OPEN, bars
from tape import Tape as Source

from brokers.alpaca.refusals import Refusal
from brokers.alpaca.settings import Settings
from feeds import SampleBars
from framework.model import Quote
from framework.sandbox.tape import Detail, Tape


def test_a_market_order_fills_at_the_next_open() -> None:
    """It is answered pending, told as new, and filled at the open of the bar that follows."""
    venue = Venue(100, 100, (101, 103, 99, 102))
    venue.play()
    order = venue.send()
    assert (order["status"], venue.status(order)) == ("pending_new", "new")
    venue.play()
    assert venue.book.entries[order["id"]].average == 101
    assert venue.told() == [("new", "market"), ("fill", "market")]


def test_a_fill_tells_its_own_quantity_and_the_order_the_sum() -> None:
    """A partial fill is an increment; the order's filled_qty is cumulative; position_qty is signed, after it."""
    venue = Venue(settings=Settings(partial=1.0))
    venue.send(qty=10)
    venue.play(2)
    fills = [each for each in venue.book.updates if "fill" in each.event]
    assert [(each.event, each.more["qty"], each.order["filled_qty"], each.more["position_qty"]) for each in fills] == [
        ("partial_fill", "5", "5", "5"),
        ("partial_fill", "2", "7", "7"),
    ]


def test_cancel_of_a_partly_filled_order_keeps_its_fills() -> None:
    """What was filled stays filled, and is in the position."""
    venue = Venue(settings=Settings(partial=1.0))
    order = venue.send(qty=10)
    venue.play()
    venue.book.cancel(order["id"], venue.now)
    assert (venue.status(order), venue.book.entries[order["id"]].filled_qty) == ("canceled", 5)
    assert venue.book.account.holding("XYZ").size == 5


def test_a_bracket_holds_its_exits_until_the_entry_has_filled() -> None:
    """The take-profit becomes new, the stop stays held; when the profit is taken, the stop is cancelled."""
    venue = Venue(100, 100, 100, (100, 106, 100, 106), 106)
    venue.play()
    venue.send(**bracket(105, 95))
    assert venue.told() == [("new", "market")]
    venue.play()
    assert venue.told() == [("fill", "market"), ("new", "limit"), ("held", "stop")]
    venue.play()
    assert venue.told() == [("fill", "limit"), ("canceled", "stop")]


def test_a_rejected_entry_takes_its_exits_with_it() -> None:
    """They would be held for ever: nothing could wake them."""
    venue = Venue()
    entry = venue.send(**bracket(105, 95))
    venue.book.reject(entry["id"], venue.now)
    assert [each.status for each in venue.book.entries.values()] == ["rejected", "canceled", "canceled"]
    assert not list(venue.book.live)


def test_where_a_bar_reaches_both_exits_the_stop_comes_first() -> None:
    """As in Backtrader's own brackets: the careful reading of a bar that holds both."""
    venue = Venue(100, 100, 100, (100, 106, 94, 100))
    venue.play()
    venue.send(**bracket(105, 95))
    venue.play(2)
    assert ("fill", "stop") in venue.told()


def test_an_oco_is_a_take_profit_with_a_stop_on_its_leg() -> None:
    """The parent is the limit order; the stop's fill cancels it."""
    venue = Venue(100, 100, 100, (99, 99, 94, 95))
    venue.send()
    venue.play()
    order = venue.send("sell", **bracket(105, 95, "oco", type="limit"))
    assert (order["type"], order["limit_price"], order["legs"][0]["status"]) == ("limit", "105", "held")
    venue.told()
    venue.play(2)
    assert venue.told() == [("fill", "stop"), ("canceled", "limit")]


def test_an_oto_has_one_exit_that_becomes_new() -> None:
    """A single stop beside no take-profit is not held once its entry has filled."""
    venue = Venue()
    venue.play()
    venue.send(order_class="oto", stop_loss={"stop_price": "95"})
    venue.told()
    venue.play()
    assert venue.told() == [("fill", "market"), ("new", "stop")]


def test_a_partly_filled_take_profit_shrinks_the_stop() -> None:
    """The two together never sell more than is held."""
    venue = Venue(100, 100, 100, 100, (100, 106, 100, 106), settings=Settings(participation=0.5))
    venue.play()
    order = venue.send(qty=8, **bracket(105, 95))
    venue.play(3)
    assert [leg["qty"] for leg in venue.book.entries[order["id"]].shown(venue.book.entries)["legs"]] == ["8", "3"]


def test_a_replaced_order_carries_on_under_a_new_id() -> None:
    """The old one is replaced and names the new; the new one is filled."""
    venue = Venue(100, 100, (100, 100, 98, 99))
    venue.play()
    old = venue.send(**limits(90))
    new = venue.book.replace(old["id"], {"limit_price": "98", "qty": "5"}, venue.now)
    venue.play()
    assert (venue.status(old), venue.book.entries[old["id"]].replaced_by, new.replaces) == (
        "replaced",
        new.id,
        old["id"],
    )
    assert (new.status, new.filled_qty, new.average) == ("filled", 5, 98)


def test_a_replaced_entry_keeps_its_exits() -> None:
    """A bracket whose entry is replaced before it fills still has its take-profit and its stop."""
    venue = Venue(100, 100, 100, (100, 100, 98, 99), 99)
    venue.play()
    old = venue.send(**limits(90), **bracket(105, 85))
    new = venue.book.replace(old["id"], {"limit_price": "98"}, venue.now)
    venue.play(2)
    shown = new.shown(venue.book.entries)
    assert (shown["status"], [leg["status"] for leg in shown["legs"]]) == ("filled", ["new", "held"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"qty": "0"}, "qty must be > 0"),
        ({"limit_price": "90.001"}, "sub-penny"),
        ({"limit_price": "cheap"}, "limit_price is not a number"),
        ({"qty": "99999"}, "insufficient buying power"),
        ({"client_order_id": "taken"}, "client_order_id must be unique"),
    ],
)
def test_a_wrong_replacement_leaves_the_order_as_it_is(changes: dict[str, str], words: str) -> None:
    """It is refused as a new order would be, and the old one lives."""
    venue = Venue()
    venue.send(client_order_id="taken", **limits(80))
    old = venue.send(**limits(90))
    with pytest.raises(Refusal, match=words):
        venue.book.replace(old["id"], changes, venue.now)
    assert venue.status(old) == "new"


def test_a_day_order_expires_at_the_close() -> None:
    """It is told as expired at the close itself, with or without a bar then."""
    venue = Venue()
    order = venue.send(**limits(90))
    while venue.play():
        pass
    entry = venue.book.entries[order["id"]]
    assert (entry.status, entry.expired_at) == ("expired", venue.tape.session(venue.tape.starts_at)[1])


def test_good_till_cancelled_outlives_the_day() -> None:
    """A GTC order still waits after the close, and would for ninety days."""
    venue = Venue()
    order = venue.send(**limits(90), time_in_force="gtc")
    while venue.play():
        pass
    assert venue.status(order) == "new"
    assert venue.book.entries[order["id"]].expires_at == venue.book.entries[order["id"]].created_at + timedelta(days=90)


def test_an_order_after_the_close_waits_for_the_next_session() -> None:
    """It is accepted, becomes new when the next session trades, and fills at its first open."""
    source = SampleBars(["XYZ"], "2026-10-05", "2026-10-06")
    venue = Venue()
    venue.use(Tape(source))
    while (instant := venue.play()) and not instant.closes:
        pass
    order = venue.send()
    assert order["status"] == "accepted"
    first = venue.play()
    assert first is not None
    assert venue.book.entries[order["id"]].average == first.bars[0].open
    assert venue.told()[-3:] == [("accepted", "market"), ("new", "market"), ("fill", "market")]


@pytest.mark.parametrize(("in_force", "ends"), [("ioc", "canceled"), ("fok", "canceled")])
def test_immediate_orders_end_with_the_next_bar(in_force: str, ends: str) -> None:
    """What cannot be filled at once is cancelled."""
    venue = Venue()
    venue.play()
    order = venue.send(**limits(90), time_in_force=in_force)
    venue.play()
    assert venue.status(order) == ends


def test_an_order_at_the_close_gets_the_closing_price() -> None:
    """It fills at the close of the session's last bar, at the close even where no bar ends there."""
    venue = Venue(100, (100, 105, 95, 104))
    order = venue.send(time_in_force="cls")
    while venue.play():
        pass
    assert (venue.status(order), venue.book.entries[order["id"]].average) == ("filled", 104)


def test_a_trailing_stop_shows_its_mark_and_its_moving_stop() -> None:
    """The mark is the highest close; the stop stays that far below it."""
    venue = Venue(100, 100, (100, 110, 100, 110), 109, 104)
    venue.send()
    venue.play()
    order = venue.send("sell", type="trailing_stop", trail_price="5")
    venue.play()
    entry = venue.book.entries[order["id"]]
    venue.book._trail(entry)
    assert (entry.hwm, entry.stop_price) == (110, 105)
    venue.play(2)
    assert (entry.status, entry.average) == ("filled", 104)


def test_a_notional_order_buys_what_the_money_buys() -> None:
    """The quantity is known once there is a price."""
    venue = Venue(100, 100, 80)
    venue.play()
    order = venue.send(qty=None, notional="1000")
    venue.play()
    entry = venue.book.entries[order["id"]]
    assert (entry.filled_qty, entry.shown()["qty"], entry.shown()["notional"]) == (12.5, None, "1000")


def test_extended_hours_fill_only_those_who_asked() -> None:
    """Before the open, a limit order for extended hours fills; an ordinary one waits."""
    early = bars([100, 100, 100], opens=Venue().tape.starts_at - timedelta(hours=2))
    venue = Venue()
    venue.use(Tape(Source({"XYZ": early}, start=None)))
    venue.play()
    wide, plain = venue.send(**limits(100), extended_hours=True), venue.send(**limits(100))
    venue.play()
    assert (venue.status(wide), venue.status(plain)) == ("filled", "accepted")


def test_an_extended_order_lasts_until_the_evening() -> None:
    """20:00 in New York, where an ordinary day order ends at 16:00."""
    venue = Venue()
    ends = [venue.send(**limits(90), extended_hours=wide)["expires_at"] for wide in (True, False)]
    assert ends == ["2026-01-06T01:00:00.000000Z", "2026-01-05T21:00:00.000000Z"]


def test_an_order_for_the_opening_fills_at_the_opening_price() -> None:
    """Sent before 9:28, it lets the pre-market pass and takes the first price of the session."""
    venue = Venue()
    early = Source({"XYZ": (99.0,) * 10 + ((100.0, 101.0, 98.0, 99.0), 99.0)}, opens=OPEN - timedelta(minutes=10))
    venue.use(Tape(early))
    venue.play(5)
    order = venue.send(time_in_force="opg")
    venue.play(5)
    assert venue.status(order) == "new"
    venue.play()
    assert (venue.status(order), venue.book.entries[order["id"]].average) == ("filled", 100)


def test_quotes_fill_buyers_at_the_ask_and_sellers_at_the_bid() -> None:
    """With `match_quotes`, the recorded quotes are what is traded at."""
    venue = Venue(settings=Settings(match_quotes=True))
    at = venue.tape.starts_at + timedelta(seconds=90)
    venue.use(Tape(venue_source(), quotes=[Quote("XYZ", at, 99.5, 50, 100.5, 50)]))
    venue.play()
    order = venue.send(qty=5)
    venue.play()
    assert venue.book.entries[order["id"]].average == 100.5


def venue_source() -> Source:
    return Source({"XYZ": (100.0,) * 20}, start=OPEN.replace(minute=31))


def test_along_the_path_a_bracket_enters_and_leaves_within_a_bar() -> None:
    """Bars played along their path: entry at the open, profit on the way to the high, all in one minute."""
    venue = Venue()
    source = Source({"XYZ": (100.0, 100.0, (100.0, 106.0, 99.0, 106.0))}, start=OPEN.replace(minute=31))
    venue.use(Tape(source, detail=Detail.PATH))
    venue.play(4)
    venue.send(**bracket(105, 95))
    venue.play(3)
    fills = [(each.price, each.at.minute) for each in venue.book.executions]
    assert fills == [(100, 32), (105, 32)]


def test_spread_and_latency_cost() -> None:
    """A buyer pays half the spread; an order that is on its way longer than a bar misses it."""
    venue = Venue(100, 100, 100, 101, settings=Settings(spread=0.02, latency=timedelta(seconds=70)))
    venue.play()
    order = venue.send()
    venue.play()
    assert venue.status(order) == "new"
    venue.play()
    assert venue.book.entries[order["id"]].average == pytest.approx(102.01)


def test_same_commands_make_the_same_book_to_the_last_id() -> None:
    """Ids and executions come from the seed: that is how a restart finds its book again."""
    shown = []
    for _ in range(2):
        venue = Venue(settings=Settings(partial=0.5))
        venue.send(**bracket(105, 95))
        venue.play(5)
        shown.append([each.shown() for each in venue.book.updates])
    assert shown[0] == shown[1]
    assert shown[0]


def test_crypto_trades_before_the_open_in_any_fraction() -> None:
    """A pair is bought for GTC and sold again while the stock market is closed; it cannot be sold short."""
    pair = Source({"BTC/USD": (50_000.0,) * 5}, opens=OPEN - timedelta(hours=5), calendar="24/7")
    venue = Venue()
    venue.use(Tape([Source({"XYZ": (100.0,) * 5}), pair]))
    venue.play()
    bought = venue.send(symbol="BTC/USD", qty="0.25", time_in_force="gtc")
    assert bought["status"] == "pending_new"
    venue.play()
    sold = venue.book.close("BTC/USD", venue.now)
    venue.play()
    assert (venue.status(bought), venue.book.entries[sold["id"]].filled_qty) == ("filled", 0.25)
    refusal = venue.refused("sell", symbol="BTC/USD", qty="1", time_in_force="gtc")
    assert refusal.body["message"] == "insufficient balance for BTC (requested: 1, available: 0)"


def cents(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """An order that makes sense around 100: what is refused is refused by the account, or by another order."""
    side = draw(st.sampled_from(["buy", "sell"]))
    above, below = cents(101, 106), cents(94, 99)
    profit, loss = (above, below) if side == "buy" else (below, above)
    prices = {
        "market": {},
        "limit": {"limit_price": cents(94, 106)},
        "stop": {"stop_price": loss if side == "sell" else above},
        "stop_limit": {"stop_price": loss if side == "sell" else above, "limit_price": cents(94, 106)},
        "trailing_stop": {"trail_price": cents(1, 4)},
    }
    kind = draw(st.sampled_from(list(prices)))
    order = {
        "side": side,
        "type": kind,
        "qty": draw(st.integers(1, 12)),
        **{k: draw(v) for k, v in prices[kind].items()},
    }
    if kind == "market" and draw(st.booleans()):
        exits = {"take_profit": {"limit_price": draw(profit)}, "stop_loss": {"stop_price": draw(loss)}}
        return {**order, **exits, "order_class": "bracket", "time_in_force": draw(st.sampled_from(["day", "gtc"]))}
    lives = ["day", "gtc"] if kind == "trailing_stop" else ["day", "gtc", "ioc", "fok"]
    return {**order, "time_in_force": draw(st.sampled_from(lives))}


bar_prices = st.tuples(*[st.integers(94, 106)] * 4).map(
    lambda four: (float(four[0]), float(max(four)), float(min(four)), float(four[1]))
)
changes = st.fixed_dictionaries({"qty": st.integers(1, 20)})
plays = st.integers(1, 2).map(lambda _: None)
moves = st.one_of(orders(), orders(), plays, plays, st.integers(0, 5), st.tuples(st.integers(0, 9), changes))


def lived(rows: list[tuple[float, float, float, float]], steps: list[object], partial: float) -> Venue:
    """Play bars, and between them whatever comes: orders, cancels, replacements."""
    venue = Venue(100.0, 100.0, *rows, settings=Settings(partial=partial))
    for step in steps:
        with contextlib.suppress(Refusal):
            known = list(venue.book.entries)
            if step is None:
                venue.play()
            elif isinstance(step, dict):
                venue.send(**step)
            elif isinstance(step, int) and step < len(known):
                venue.book.cancel(known[step], venue.now)
            elif isinstance(step, tuple) and step[0] < len(known):
                venue.book.replace(known[step[0]], step[1], venue.now)
    while venue.play():
        pass
    return venue


eight_bars, many_moves = st.lists(bar_prices, min_size=8, max_size=8), st.lists(moves, min_size=12, max_size=25)


@settings_(max_examples=150, deadline=None)
@given(eight_bars, many_moves, st.sampled_from([0.0, 0.5]))
def test_whatever_is_asked_the_book_adds_up(rows: list[Any], steps: list[object], partial: float) -> None:
    """Only refusals, no errors: cash and position are the fills', orders end once, a second life is the same."""
    venue = lived(rows, steps, partial)
    book, signs = venue.book, {"buy": 1, "sell": -1}
    done = [(signs[book.entries[each.entry].side] * each.quantity, each.price) for each in book.executions]
    assert book.account.cash == pytest.approx(100_000 - sum(size * price for size, price in done))
    assert book.account.holding("XYZ").size == pytest.approx(sum(size for size, _ in done))
    for entry in book.entries.values():
        own = [each.event for each in book.updates if each.order["id"] == entry.id]
        ends = [each for each in own if each in ("fill", "canceled", "expired", "replaced")]
        assert len(ends) <= 1
        assert not ends or own[-1] == ends[0]
    again = lived(rows, steps, partial).book
    assert [each.shown() for each in again.updates] == [each.shown() for each in book.updates]
