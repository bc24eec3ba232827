"""Exchanges without a network: who is asked what, one after another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from asked import NOW, order, posted, shown

from brokers.alpaca.answers import Ground, Refused
from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.exchanges import Cancelled, Taken, cancel, cancel_all, replace, submit
from brokers.alpaca.lookups import account, calendar, fills_after, orders_after, pair, read_position
from framework.config import Credentials
from framework.errors import AuthenticationError, ConnectionLost, ProtocolError, RateLimited
from framework.wire import Exchange, HttpRequest, HttpResponse

HERE = Endpoint("http://here", Credentials("PK-MINE", "S3CR3T"))
LOST = ConnectionLost("Alpaca", "no answer")
GONE = (404, {"code": 40410000, "message": "order not found"})
UNIQUE = (422, {"code": 40010001, "message": "client_order_id must be unique"})


def said(answer: Any) -> HttpResponse:
    status, body = answer
    return HttpResponse(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def driven(exchange: Exchange[Any], answers: Sequence[Any]) -> tuple[Any, list[HttpRequest]]:
    """Drive an exchange with prepared answers; return its result and what it asked."""
    asked = [next(exchange)]
    try:
        for each in answers:
            asked.append(exchange.throw(each) if isinstance(each, Exception) else exchange.send(said(each)))
    except StopIteration as end:
        return end.value, asked
    raise AssertionError(f"it goes on with {asked[-1].method} {asked[-1].url}")


def methods(asked: list[HttpRequest]) -> list[str]:
    return [each.method for each in asked]


def sent(*answers: Any, **more: Any) -> tuple[Any, list[str]]:
    result, asked = driven(submit(HERE, posted(order()), **more), answers)
    return result, methods(asked)


MINE = (200, shown())


def test_an_order_that_is_answered_is_sent_once() -> None:
    """One request, and nothing else."""
    assert sent(MINE) == (Taken(MINE[1]), ["POST"])


@pytest.mark.parametrize(
    "silence", [LOST, (504, b""), (502, b"<html>"), (500, {"message": "x"}), (200, b'{"id": '), (408, b"")]
)
def test_an_answer_that_says_nothing_is_looked_up_not_repeated(silence: Any) -> None:
    """Lost, a gateway's, or cut: the order is there, and is ours."""
    assert sent(silence, MINE) == (Taken(MINE[1], is_adopted=True), ["POST", "GET"])


def test_what_is_proven_absent_is_sent_again_once_under_the_same_id() -> None:
    """404, then a second POST; after that it is for someone else to decide."""
    assert sent(LOST, GONE, MINE) == (Taken(MINE[1]), ["POST", "GET", "POST"])
    with pytest.raises(ConnectionLost, match="look it up again"):
        sent(LOST, GONE, LOST, GONE)


def test_a_first_that_lands_after_the_look_up_is_found_by_the_second() -> None:
    """It was on its way all the while: the second is a duplicate, or short of what the first took."""
    for second in (UNIQUE, (403, {"code": 40310000, "message": "insufficient qty available for order"})):
        result, asked = sent(LOST, GONE, second, MINE)
        assert (result, asked) == (Taken(MINE[1], is_adopted=True), ["POST", "GET", "POST", "GET"])


def test_a_look_up_that_fails_says_that_nothing_is_known() -> None:
    """It is not sent again, and whoever asked knows to look again."""
    for failure in (LOST, (503, b""), (429, {"message": "rate limit exceeded"})):
        with pytest.raises(ConnectionLost, match="what became of order run-1-1 is not known"):
            sent(LOST, failure)


def test_a_rate_limit_took_nothing_and_is_the_callers() -> None:
    """Told with how long to wait; on a second sending it says nothing of the first."""
    with pytest.raises(RateLimited) as caught:
        sent((429, {"message": "rate limit exceeded"}))
    assert caught.value.retry_after == 60
    with pytest.raises(ConnectionLost, match="not known"):
        sent(LOST, GONE, (429, {"message": "rate limit exceeded"}))


def test_an_id_that_is_taken_by_our_own_order_is_adopted() -> None:
    """422 says that it must be unique; what is there is the same thing."""
    assert sent(UNIQUE, MINE) == (Taken(MINE[1], is_adopted=True), ["POST", "GET"])


@pytest.mark.parametrize("other", [{"side": "sell"}, {"qty": "11"}, {"symbol": "IBM"}])
def test_an_id_that_is_taken_by_another_order_is_a_refusal(other: dict[str, str]) -> None:
    """It is not ours because it bears our name."""
    result, _ = sent(UNIQUE, (200, {**shown(), **other}))
    assert (result.ground, "another name" in result.reason) == (Ground.DUPLICATE, True)


def test_an_order_from_before_is_not_adopted() -> None:
    """A lost journal counts runs from 1 again: last week's order must not pass for today's."""
    assert isinstance(sent(UNIQUE, MINE, since=NOW + timedelta(minutes=1))[0], Taken)
    assert isinstance(sent(UNIQUE, MINE, since=NOW + timedelta(days=7))[0], Refused)


def test_a_buy_stop_that_became_a_stop_limit_is_ours() -> None:
    """Alpaca changes the type, which says nothing against it."""
    assert isinstance(sent(LOST, (200, shown(type="stop_limit")))[0], Taken)


REFUSALS = [
    (403, {"code": 40310000, "message": "insufficient buying power", "buying_power": "1"}, Ground.MARGIN),
    (403, {"code": 40310000, "message": "insufficient day trading buying power"}, Ground.MARGIN),
    (403, {"code": 40310000, "message": "insufficient qty available", "held_for_orders": "5"}, Ground.QUANTITY),
    (403, {"code": 40310000, "message": "potential wash trade detected", "existing_order_id": "A"}, Ground.WASH_TRADE),
    (403, {"code": 40310000, "message": "cost basis must be >= minimal amount of order 1"}, Ground.TOO_SMALL),
    (
        403,
        {"code": 40310000, "message": "insufficient balance for USD (requested: 9)", "symbol": "BTC/USD"},
        Ground.MARGIN,
    ),
    (
        403,
        {"code": 40310000, "message": "insufficient balance for BTC (requested: 9)", "symbol": "BTC/USD"},
        Ground.QUANTITY,
    ),
    (403, {"code": 40310100, "message": "trade denied due to pattern day trading protection"}, Ground.FORBIDDEN),
    (404, {"code": 40410000, "message": "asset not found"}, Ground.NOT_FOUND),
    (422, {"code": 42210000, "message": "sub-penny increment"}, Ground.INVALID),
    (400, {"message": "only a message"}, Ground.INVALID),
]


@pytest.mark.parametrize(("status", "body", "ground"), REFUSALS)
def test_what_alpaca_says_against_an_order_is_a_value(status: int, body: Any, ground: Ground) -> None:
    """Its own words, told apart where one code stands for many things; only money is Margin."""
    result, asked = sent((status, body))
    assert (result.ground, body["message"] in result.reason, asked) == (ground, True, ["POST"])
    assert result.update("run-1-1", NOW).is_margin == (ground is Ground.MARGIN)


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"code": 40110000, "message": "request is not authorized"}),
        (401, {"message": "unauthorized."}),
        (403, {"message": "forbidden."}),
        (403, b"<html>"),
    ],
)
def test_keys_that_are_not_accepted_stop_the_session(answer: Any) -> None:
    """An exception, for nothing that follows would go better."""
    with pytest.raises(AuthenticationError, match="paper account has its own keys"):
        sent(answer)


def test_an_answer_that_nobody_expected_is_a_protocol_error() -> None:
    """Another server's page, a redirect."""
    for answer in ((404, b"<html>"), (302, b"")):
        with pytest.raises(ProtocolError, match="check base_url"):
            sent(answer)


def test_no_secret_is_in_what_is_said() -> None:
    """A gateway that quotes the key, the repr of what is sent."""
    result, asked = driven(submit(HERE, posted(order())), [(422, {"message": "bad PK-MINE and S3CR3T"})])
    texts = (result.reason, repr(HERE), repr(asked[0]))
    assert not any("PK-MINE" in each or "S3CR3T" in each for each in texts)


def test_a_cancel_is_taken_up_or_finds_the_order_as_it_is() -> None:
    """204; or 422 with a look at what it is; or 404."""
    assert driven(cancel(HERE, "A"), [(204, b"")])[0] == Cancelled()
    filled = (200, shown("filled"))
    assert driven(cancel(HERE, "A"), [(422, {"message": "already filled"}), filled])[0] == Taken(filled[1])
    assert driven(cancel(HERE, "A"), [GONE])[0].ground is Ground.NOT_FOUND


def test_a_cancel_without_an_answer_looks_before_it_is_repeated() -> None:
    """pending_cancel: it was taken up. new: it was not, and once more does no harm."""
    pending = (200, shown("pending_cancel"))
    result, asked = driven(cancel(HERE, "A"), [LOST, pending])
    assert (result, methods(asked)) == (Taken(pending[1]), ["DELETE", "GET"])
    result, asked = driven(cancel(HERE, "A"), [LOST, MINE, (204, b"")])
    assert (result, methods(asked)) == (Cancelled(), ["DELETE", "GET", "DELETE"])
    assert driven(cancel(HERE, "A"), [LOST, GONE])[0].ground is Ground.NOT_FOUND


def test_cancelling_all_tells_what_was_not() -> None:
    """207: each order has a status of its own."""
    answers = [{"id": "A", "status": 200}, {"id": "B", "status": 422, "body": {"message": "already filled"}}]
    assert driven(cancel_all(HERE), [(207, answers)])[0] == (("B", "already filled"),)


CHANGES = {"qty": "5", "client_order_id": "run-1-1.1"}
NEW = (200, shown(id="B", name="run-1-1.1", replaces="A"))


def test_a_replacement_is_sent_once_and_looked_up_by_its_own_id() -> None:
    """As an order is: adopted where it is there, sent again where it is not."""
    assert driven(replace(HERE, "A", CHANGES), [NEW])[0] == Taken(NEW[1])
    result, asked = driven(replace(HERE, "A", CHANGES), [LOST, NEW])
    assert (result, methods(asked)) == (Taken(NEW[1], is_adopted=True), ["PATCH", "GET"])
    assert methods(driven(replace(HERE, "A", CHANGES), [LOST, GONE, NEW])[1]) == ["PATCH", "GET", "PATCH"]
    strange = (200, shown(id="B", name="run-1-1.1", replaces="Z"))
    assert driven(replace(HERE, "A", CHANGES), [LOST, strange])[0].ground is Ground.DUPLICATE


def test_a_replacement_that_is_refused_says_why() -> None:
    """The order has filled: the old one is as it was."""
    assert driven(replace(HERE, "A", CHANGES), [(422, {"message": "order is not open"})])[0].ground is Ground.INVALID


def pages(count: int, first: int = 0, **more: Any) -> list[Any]:
    return [{"id": f"{first + at}", "submitted_at": NOW.isoformat(), **more} for at in range(count)]


def test_orders_are_paged_across_a_shared_instant() -> None:
    """500 a page: the next begins just before the last one's time, and knows whom it has seen."""
    result, asked = driven(orders_after(HERE, NOW), [(200, pages(500)), (200, pages(30, 490))])
    assert (len(result), asked[0].params["status"], asked[0].params["limit"]) == (520, "all", "500")
    assert asked[1].params["after"] == "2026-10-05T14:59:59.999999Z"


def test_a_page_that_leads_to_itself_ends_with_an_error() -> None:
    """Rather than for ever, or with orders missing."""
    for exchange, page in ((orders_after(HERE, NOW), 500), (fills_after(HERE, NOW), 100)):
        with pytest.raises(ProtocolError, match="leads to itself"):
            driven(exchange, [(200, pages(page))] * 3)


def test_fills_are_paged_by_the_last_one_s_id() -> None:
    """100 a page."""
    result, asked = driven(fills_after(HERE, NOW), [(200, pages(100)), (200, pages(2, 100))])
    assert (len(result), asked[0].url) == (102, "http://here/v2/account/activities/FILL")
    assert [each.params.get("page_token") for each in asked] == [None, "99"]


ACCOUNT = {"account_number": "PA1", "currency": "USD", "cash": "10", "equity": "20", "buying_power": "30"}


def test_an_account_is_read_in_both_shapes() -> None:
    """With the fields that were removed in July 2026, and without; equity by its older name too."""
    for shape in (
        {"status": "ACTIVE"},
        {"pattern_day_trader": False, "daytrade_count": 0, "daytrading_buying_power": "4"},
    ):
        result, _ = driven(account(HERE, NOW), [(200, ACCOUNT | shape), (200, []), (200, [])])
        found = result.snapshot
        assert (found.account, found.cash, found.equity, found.buying_power, result.bar) == ("PA1", 10, 20, 30, "")
    older = {key: value for key, value in ACCOUNT.items() if key != "equity"} | {"portfolio_value": "21"}
    assert driven(account(HERE, NOW), [(200, older), (200, []), (200, [])])[0].snapshot.equity == 21


def test_an_account_that_cannot_trade_says_so() -> None:
    """Blocked, suspended by its owner, or not active yet."""
    for shape, why in (({"trading_blocked": True}, "trading blocked"), ({"status": "ONBOARDING"}, "ONBOARDING")):
        result, _ = driven(account(HERE, NOW), [(200, ACCOUNT | shape), (200, []), (200, [])])
        assert why in result.bar


def test_positions_have_the_symbols_of_orders_and_a_sign() -> None:
    """BTCUSD is BTC/USD, and what is short is negative."""
    held = {"symbol": "BTCUSD", "asset_class": "crypto", "qty": "0.5", "side": "long", "avg_entry_price": "9"}
    assert (read_position(held).symbol, read_position(held).quantity) == ("BTC/USD", 0.5)
    short = {"symbol": "SPY", "asset_class": "us_equity", "qty": "-5", "side": "short", "avg_entry_price": "9"}
    assert read_position(short).quantity == -5
    assert [pair(each) for each in ("ETHUSDT", "ETHBTC", "BTC/USD")] == ["ETH/USDT", "ETH/BTC", "BTC/USD"]


def test_trading_days_are_utc_with_their_early_closes() -> None:
    """Extended hours are written with a colon on some days, without on others."""
    rows = [
        {"date": "2026-11-27", "open": "09:30", "close": "13:00", "session_open": "0400", "session_close": "17:00"},
        {"date": "2026-07-01", "open": "09:30", "close": "16:00"},
    ]
    early, summer = driven(calendar(HERE, date(2026, 7, 1), date(2026, 11, 27)), [(200, rows)])[0]
    assert [each.isoformat()[11:16] for each in (early.opens_at, early.closes_at, early.extended_until)] == [
        "14:30", "18:00", "22:00"
    ]  # fmt: skip
    assert summer.closes_at.isoformat() == "2026-07-01T20:00:00+00:00"
