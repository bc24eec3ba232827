"""Where a session stands, by the fold of its records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.live.records import DAY, INTENT, LINK, POSITION, REMARK, REPLACE, SPLIT, START, STOP, UPDATE
from framework.live.standing import ENDED, Figures, Lot, Mark, Standing, repriced, together
from framework.live.status import Execution, Holding, Requests
from framework.model import Fill, OrderGroup, OrderRequest, OrderStatus, OrderType, OrderUpdate, Side, Split

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)
BEGIN = {
    "run": 1, "strategy": "Dip", "symbols": ["SPY"], "account": "PA123456789", "currency": "USD",
    "cash": 1000.0, "money": "paper", "zone": "America/New_York", "commission": 0.0,
}  # fmt: skip


def begun(**more: Any) -> Standing:
    standing = Standing()
    standing.take(AT, START, "dip", {**BEGIN, **more})
    return standing


def order(ref: int, side: Side, quantity: float, feed: str = "SPY", **more: Any) -> tuple[str, Mapping[str, Any]]:
    name = f"dip-1-{ref}"
    request = OrderRequest(name, feed.split()[0], side, OrderType.LIMIT, quantity, **{"limit_price": 10.0, **more})
    return name, {"group": OrderGroup((request,)), "tickets": [{"client_order_id": name, "data": feed}]}


def traded(
    standing: Standing, ref: int, side: Side, quantity: float, price: float, *, feed: str = "SPY", paid: float = 0.0,
    status: OrderStatus = OrderStatus.FILLED,
) -> Execution:  # fmt: skip
    name, body = order(ref, side, quantity, feed)
    standing.take(AT, INTENT, name, body)
    fill = Fill(f"e{ref}", quantity, price, AT, paid)
    told = standing.take(AT, UPDATE, name, {"update": OrderUpdate(name, "v", status, AT, fill)})
    assert told is not None
    return told


sizes = st.integers(-5, 5).filter(bool)
prices = st.sampled_from([1.0, 2.5, 3.3, 10.07])


@given(st.lists(st.tuples(sizes, prices), max_size=12))
def test_positions_are_those_that_backtrader_keeps(fills: list[tuple[int, float]]) -> None:
    """Opened, added to, made smaller, closed and turned: size and average price to the last bit."""
    lot, theirs = Lot("SPY"), bt.Position()
    for size, price in fills:
        lot.trade(size, price)
        theirs.update(size, price)
        assert (lot.quantity, lot.price) == (theirs.size, theirs.price)


@given(st.lists(st.tuples(sizes, prices), max_size=12), prices)
def test_what_was_made_is_realised_or_not(fills: list[tuple[int, float]], last: float) -> None:
    """Realised and unrealised together are what the money came to, whatever was traded."""
    lot, cash = Lot("SPY"), 0.0
    for size, price in fills:
        lot.trade(size, price)
        cash -= size * price
    unrealised = lot.quantity * (last - lot.price)
    assert lot.realised + unrealised == pytest.approx(cash + lot.quantity * last)


def test_an_execution_tells_what_it_did() -> None:
    """What is held after it, what it realised, and the session's sum."""
    standing = begun()
    traded(standing, 1, Side.BUY, 10, 5.0)
    told = traded(standing, 2, Side.SELL, 4, 6.0)
    assert (told.side, told.value, told.position) == ("sell", 24.0, 6.0)
    assert (told.realised, told.cumulative) == (4.0, 4.0)
    assert standing.cash == 1000 - 50 + 24


def test_a_commission_is_the_venues_or_the_one_that_was_set() -> None:
    """A venue that names none leaves the user's own."""
    standing = begun(commission=0.01)
    assert traded(standing, 1, Side.BUY, 10, 5.0).commission == 0.5
    assert traded(standing, 2, Side.BUY, 10, 5.0, paid=2.0).commission == 2.0
    assert standing.cash == 1000 - 102.5


def test_cash_is_unknown_where_the_commission_is() -> None:
    """A commission of one's own making is not in the journal."""
    assert begun(commission=None).status(AT).cash is None


def test_feeds_of_one_symbol_are_told_as_one() -> None:
    """Backtrader keeps a position for each feed, the account one for each symbol."""
    standing = begun()
    traded(standing, 1, Side.BUY, 10, 5.0)
    traded(standing, 2, Side.BUY, 30, 6.0, feed="SPY 5Min")
    assert standing.held("SPY") == (40, 5.75)
    assert together([(5, 2.0), (-5, 3.0)]) == (0, 0.0)


def test_an_order_is_open_until_it_ends() -> None:
    """In a trader's words, as it was changed, with what is filled of it."""
    standing = begun()
    name, body = order(7, Side.BUY, 10)
    standing.take(AT, INTENT, name, body)
    changed = OrderRequest("dip-1-7.1", "SPY", Side.BUY, OrderType.LIMIT, 20, limit_price=9.5)
    standing.take(AT, REPLACE, name, {"request": changed})
    fill = Fill("e", 3, 9.5, AT)
    standing.take(AT, UPDATE, name, {"update": OrderUpdate(name, "v", OrderStatus.PARTIALLY_FILLED, AT, fill)})
    (shown,) = standing.working()
    assert (shown.name, shown.asked, shown.status, shown.filled) == (
        "#1-7", "buy 20 limit 9.50", "partially filled", 3,
    )  # fmt: skip
    standing.take(AT, UPDATE, name, {"update": OrderUpdate(name, "v", OrderStatus.CANCELED, AT)})
    assert standing.working() == ()


def test_a_position_taken_over_and_a_split_count() -> None:
    """Neither is a fill; cash stays."""
    standing = begun()
    standing.take(AT, POSITION, "SPY", {"quantity": 10, "price": 8.0})
    standing.take(AT, SPLIT, "SPY", {"split": Split("SPY", AT, 2.0), "before": 10, "after": 20})
    assert standing.held("SPY") == (20, 4.0)
    standing.take(AT, POSITION, "SPY", {"quantity": 0, "price": 4.0})
    assert standing.status(AT).holdings == ()
    assert standing.cash == 1000


def test_news_of_an_order_of_nobodys_is_left_out() -> None:
    """As the session itself does."""
    update = OrderUpdate("other-1-1", "v", OrderStatus.FILLED, AT, Fill("e", 1, 1.0, AT))
    assert begun().take(AT, UPDATE, "other-1-1", {"update": update}) is None


def test_profit_is_counted_from_the_day_and_from_the_session() -> None:
    """From what each began with: the session from its first day's value, before that from its cash."""
    standing = begun()
    assert standing.status(AT, Figures(value=1010.0)).total == 10
    standing.take(AT, DAY, "2026-10-05", {"value": 1100.0})
    standing.take(AT + timedelta(days=1), DAY, "2026-10-06", {"value": 1150.0})
    status = standing.status(AT, Figures(value=1130.0))
    assert (status.day, status.total) == (-20, 30)


def test_a_holding_is_valued_at_the_last_price() -> None:
    """Short positions too; what is flat has what it realised."""
    standing = begun()
    traded(standing, 1, Side.SELL, 10, 5.0)
    status = standing.status(AT, Figures(marks={"SPY": Mark(4.0, AT)}, requests=Requests(3, 200)))
    assert status.holdings == (Holding("SPY", -10, 5.0, 4.0, -40.0, 10.0, 0.2, 0.0),)
    traded(standing, 2, Side.BUY, 10, 5.5)
    assert standing.status(AT).holdings == (Holding("SPY", 0, 0.0, realised=-5.0),)


def test_the_engines_positions_count_where_there_is_an_engine() -> None:
    """What the strategy has is what is shown."""
    status = begun().status(AT, Figures(positions={"IBM": (5, 2.0)}))
    assert [(each.symbol, each.quantity) for each in status.holdings] == [("IBM", 5)]


def test_prices_of_before_are_given_to_a_session_that_died() -> None:
    """The journal knows what is held, the last status what it was worth."""
    standing = begun()
    traded(standing, 1, Side.BUY, 10, 5.0)
    before = standing.status(AT, Figures(marks={"SPY": Mark(6.0, AT)}))
    traded(standing, 2, Side.BUY, 10, 7.0)
    (held,) = repriced(standing.status(AT), before).holdings
    assert (held.quantity, held.average_price, held.value) == (20, 6.0, 120.0)


def test_links_are_those_of_this_run() -> None:
    """A new run begins with none; the last word of each counts."""
    standing = begun()
    standing.take(AT, LINK, "data", {"is_up": True, "reason": ""})
    standing.take(AT, LINK, "data", {"is_up": False, "reason": "1006"})
    (link,) = standing.status(AT).connections
    assert (link.stream, link.is_up, link.reason) == ("bars", False, "1006")
    standing.take(AT, START, "dip", {**BEGIN, "run": 2})
    assert standing.status(AT).connections == ()


def test_the_last_lines_are_kept_and_warnings_marked() -> None:
    """As the journal tells them."""
    standing = begun()
    for number in range(30):
        standing.take(AT, REMARK, "SPY", {"text": f"remark {number}"})
    messages = standing.status(AT).messages
    assert (len(messages), messages[-1].text, messages[-1].is_warning) == (20, "remark 29", True)


def test_what_is_remembered_has_an_end() -> None:
    """Weeks bring many orders; the last ones that are over are kept, as fills may come late."""
    standing = begun()
    for ref in range(1, ENDED + 50):
        traded(standing, ref, Side.BUY if ref % 2 else Side.SELL, 1, 5.0)
    assert len(standing.story.lives) == len(standing._feeds) == ENDED
    assert len(standing.status(AT).fills) == 20


def test_why_it_ended_is_known() -> None:
    """Until it begins again."""
    standing = begun()
    standing.take(AT, STOP, "dip", {"why": "KeyError"})
    assert standing.ended_by == "KeyError"
    standing.take(AT, START, "dip", {**BEGIN, "run": 2})
    assert (standing.ended_by, standing.status(AT).run) == ("", 2)
