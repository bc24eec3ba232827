"""ALGOGENE's rows as values: each trap of its names and types, and what is missing or odd."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from algogene_talk import deal, query, trade

from brokers.algogene.reports import (
    Word,
    read_account,
    read_deal,
    read_held,
    read_money,
    read_pending,
    read_query,
    read_trade,
)
from feeds.algogene.answers import rows, table
from framework.errors import ProtocolError
from framework.model import Side

MONEY = {"NAV": 1000.5, "timestamp": "2026-01-05 14:30:00"}
CAMEL = {"availableBalance": 900, "marginUsed": 100, "realizedPL": 1.5, "unrealizedPL": -2}
SNAKE = {"available_Balance": 900, "margin_Used": 100, "realized_PL": 1.5, "unrealized_PL": -2}


def test_a_trade_is_read_as_it_was_observed() -> None:
    """Id and reference are texts, the time is UTC though it does not say so, no level is 0."""
    found = read_trade(trade())
    assert (found.trade_id, found.order_ref, found.side, found.signed) == ("746805590705", "s-1-1", Side.BUY, 1.0)
    assert found.at == datetime(2026, 1, 5, 14, 30, 53, 787035, tzinfo=UTC)
    assert (found.take_profit, found.stop_loss, found.holdtime) == (None, None, None)


def test_ids_are_texts_however_they_come() -> None:
    """`tradeID` as a number and `trade_ID` as a text are one id; beyond 2^53 too."""
    big = 2**60 + 1
    assert read_trade(trade(trade_ID=big)).trade_id == str(big)
    assert read_query(query(tradeID=746805590705)).trade_id == read_query(query()).trade_id == "746805590705"
    for wrong in (None, "", " ", 7.0, True, ["7"]):
        with pytest.raises(ProtocolError, match=r"trade_ID is .*, which is no id"):
            read_trade(trade(trade_ID=wrong))


def test_our_reference_has_three_names() -> None:
    """`order_Ref` in lists, `orderRef` in a query, `order_ref` in history; without any nothing can be found."""
    assert read_trade(trade()).order_ref == read_query(query()).order_ref == read_deal(deal()).order_ref == "s-1-1"
    nameless = trade()
    del nameless["order_Ref"]
    with pytest.raises(ProtocolError, match="without its reference"):
        read_trade(nameless)


@pytest.mark.parametrize("buysell", ["BUY", "SELL", 0, 2, None, True, "1"])
def test_a_side_that_is_told_is_one_or_minus_one(buysell: Any) -> None:
    """BUY and SELL are what is asked, never what is told."""
    assert read_trade(trade(buysell=-1)).side is Side.SELL
    with pytest.raises(ProtocolError, match=r"buysell is .*, not 1 or -1"):
        read_trade(trade(buysell=buysell))


@pytest.mark.parametrize(
    ("key", "value"),
    [("volume", 0), ("volume", -1), ("volume", "lots"), ("price", None), ("price", float("nan")), ("timestamp", "now"),
     ("timestamp", ""), ("timestamp", 5), ("instrument", ""), ("unrealizedPL", "x"), ("takeProfitLevel", "high")],
)  # fmt: skip
def test_a_row_that_is_odd_says_what_is_wrong_with_it(key: str, value: Any) -> None:
    """One `ProtocolError` that names the field, with the row."""
    with pytest.raises(ProtocolError, match=key) as raised:
        read_trade(trade(**{key: value}))
    assert raised.value.received is not None


@pytest.mark.parametrize("key", ["trade_ID", "buysell", "volume", "price", "timestamp", "instrument", "unrealizedPL"])
def test_a_row_that_lacks_something_says_what(key: str) -> None:
    """Missing is not zero."""
    row = trade()
    del row[key]
    with pytest.raises(ProtocolError, match=key):
        read_trade(row)


def test_a_pending_order_has_its_limit_and_how_long_it_lasts() -> None:
    """A market order that waits has the price 0."""
    found = read_pending(trade(price=0.0, timeinforce=60))
    assert (found.price, found.lasts) == (0.0, 60.0)
    assert read_pending(trade(timeinforce=0)).lasts is None


def test_a_status_that_is_not_known_is_kept_as_it_came() -> None:
    """Three are documented; what is new is for a person to read, and ends no order."""
    words = {each: read_query(query(status=each)).word for each in ("PENDING", "FILLED", "PARTIAL_FILLED", "HELD_UP")}
    assert words == {"PENDING": Word.PENDING, "FILLED": Word.FILLED, "PARTIAL_FILLED": Word.PARTIAL, "HELD_UP": None}
    assert read_query(query(status="HELD_UP")).said == "HELD_UP"


def test_accounts_and_balance_spell_the_same_figures_otherwise() -> None:
    """`availableBalance` there, `available_Balance` here."""
    balance = read_money({**MONEY, **SNAKE, "BaseCurrency": "USD"})
    own = {"accountid": 17, "runmode": "livetest", "NAV": 1000.5, "lastUpdatedTime": MONEY["timestamp"], **CAMEL}
    account = read_account(own)
    assert (account.accountid, account.money.available, balance.currency) == ("17", balance.available, "USD")
    assert account.money.unrealized == balance.unrealized == -2.0
    with pytest.raises(ProtocolError, match="available_Balance"):
        read_money(MONEY)


def test_positions_are_in_units_and_in_lots() -> None:
    """`Position` are shares, `netVolume` lots."""
    held = read_held("XAUUSD", {"Position": -250, "netVolume": -2.5, "MarketValue": -500000.0})
    assert (held.units, held.lots) == (-250.0, -2.5)


def test_a_list_that_is_told_to_be_longer_is_not_the_whole() -> None:
    """A position that is not shown would be opened again."""
    assert rows({"res": [{}, {}], "count": 2}) == [{}, {}]
    for wrong in ({"count": 3, "res": [{}]}, {"count": 1}, {"res": {}}, {"res": [1]}, {"count": "1", "res": [{}]}):
        with pytest.raises(ProtocolError, match="list"):
            rows(wrong)


def test_positions_are_a_table_and_none_may_be_an_empty_list() -> None:
    """What is there for no position at all is not documented."""
    assert table({"res": {"A": {}}}) == {"A": {}}
    assert table({"res": []}) == {}
    with pytest.raises(ProtocolError, match="symbols"):
        table({"res": [{}]})
