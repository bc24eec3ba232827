"""ALGOGENE's exchanges without a network: an order is sent once, and what is not a clear yes is looked up."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from algogene_talk import (
    ACCEPTED,
    API_KEY,
    LOGIN,
    NOTHING,
    OVER,
    SECRETS,
    TOKEN,
    USER,
    deal,
    driven,
    endpoint,
    listed,
    paths,
    query,
    session,
    trade,
)

from brokers.algogene.exchanges import (
    Refused,
    Submitted,
    Taken,
    Unknown,
    cancel_orders,
    close_orders,
    open_order,
    update_opened_order,
    update_pending_order,
)
from brokers.algogene.lookups import (
    Found,
    Place,
    accounts,
    balance,
    find_by_ref,
    opened_trades,
    pending_trades,
    positions,
    query_order,
    strategy_trade,
)
from brokers.algogene.protocol import Endpoint
from framework.errors import AuthenticationError, ConfigError, ConnectionLost, ProtocolError, RateLimited, VenueError
from framework.wire import Exchange, Priority

ORDER: Mapping[str, Any] = {"instrument": "BTCUSD", "buysell": "BUY", "volume": 1.0, "orderRef": "s-1-1"}
LOST = ConnectionLost("ALGOGENE", "no answer")
MINE = "746805590705"
LOOKED_UP = ["pending_trades", "opened_trades", "strategy_trade"]
LACKING = [NOTHING, NOTHING, NOTHING]


def sent(*answers: Any) -> tuple[Any, list[str]]:
    result, asked = driven(open_order(endpoint(), ORDER), [LOGIN, *answers])
    return result, paths(asked)[1:]


def test_an_order_that_is_answered_is_sent_once() -> None:
    """Its id is a text; credentials, account and mode are in the body, and in no repr."""
    result, asked = driven(open_order(endpoint(), ORDER), [LOGIN, ACCEPTED])
    assert result == Taken(MINE)
    own = {"user": USER, "api_key": API_KEY, "token": TOKEN, "runmode": "livetest", "accountid": "A1"}
    assert asked[1].json == {**own, **ORDER}
    assert not any(each in repr(asked) for each in SECRETS)


@pytest.mark.parametrize(
    "answer",
    [LOST, (504, b""), (502, b"<html>"), (200, b"<html>"), (200, b'{"tradeID": '), (200, {}), (200, []), (408, b""),
     (200, {"status": "PENDING_TO_FILL"}), (200, {"status": "PENDING_TO_FILL", "tradeID": None}),
     (200, {"tradeID": 5}), (200, {"status": "SOMETHING", "tradeID": 5}), (400, b"Invalid request")],
)  # fmt: skip
def test_an_answer_that_is_no_clear_yes_is_looked_up_by_our_reference(answer: Any) -> None:
    """Lost, a gateway's, cut, or without an id: the order is there, and it is ours. It is not sent again."""
    assert sent(answer, listed(trade()), NOTHING) == (Taken(MINE, True), ["open_order", *LOOKED_UP[:2]])


def test_an_order_that_is_not_there_yet_is_unknown_and_never_sent_again() -> None:
    """It may still be on its way; whoever asked gets the reference to look it up by."""
    with pytest.raises(Unknown, match="look it up again") as raised:
        sent(LOST, *LACKING)
    assert raised.value.order_ref == "s-1-1"
    assert raised.value.is_sent_unknown


@pytest.mark.parametrize(
    "failure", [LOST, (503, b""), (429, b""), (401, {"res": "no"}), (200, {"count": 1, "res": []})]
)
def test_a_look_up_that_fails_says_that_nothing_is_known(failure: Any) -> None:
    """Whatever goes wrong with it: the order may have been taken."""
    with pytest.raises(Unknown):
        sent(LOST, failure)


def test_a_refusal_is_believed_when_the_order_is_in_no_list() -> None:
    """No refusal is documented: one that is there all the same is taken, one that is not is refused."""
    refusal = (200, {"status": "FAILED", "res": f"insufficient available balance of {USER}"})
    result, asked = sent(refusal, *LACKING)
    assert result == Refused("insufficient available balance of ***", is_margin=True)
    assert asked == ["open_order", *LOOKED_UP]
    assert sent(refusal, NOTHING, listed(trade()))[0] == Taken(MINE, True)


def test_a_refused_token_is_no_reason_to_send_blindly() -> None:
    """It is looked for with a new session, and sent once more if it is not there."""
    result, asked = sent(OVER, LOGIN, *LACKING, ACCEPTED)
    assert result == Taken(MINE)
    assert asked == ["open_order", "session", *LOOKED_UP, "open_order"]
    assert sent(OVER, LOGIN, listed(trade()), NOTHING)[0] == Taken(MINE, True)


def test_a_limit_of_requests_took_nothing() -> None:
    """It says how long to wait."""
    with pytest.raises(RateLimited) as raised:
        sent((429, b"", {"retry-after": "9"}))
    assert raised.value.retry_after == 9.0


def test_what_makes_a_position_smaller_goes_first_and_so_does_its_login() -> None:
    """Where a venue allows so many requests a minute; an entry waits its turn, and may be withdrawn."""
    _, asked = driven(open_order(endpoint(), ORDER, lambda: False, Priority.EXIT), [LOGIN, ACCEPTED])
    assert [each.urgency for each in asked] == [Priority.EXIT, Priority.EXIT]
    assert asked[1].unless is not None
    _, asked = driven(open_order(endpoint(), ORDER), [LOGIN, ACCEPTED])
    assert asked[1].urgency is Priority.ENTRY


def test_an_order_without_a_session_was_not_sent() -> None:
    """That the login was lost leaves nothing open."""
    with pytest.raises(ConnectionLost) as raised:
        driven(open_order(endpoint(), ORDER), [LOST])
    assert not raised.value.is_sent_unknown


def test_an_order_without_a_reference_is_never_sent() -> None:
    """It could not be found again."""
    with pytest.raises(ProtocolError, match="without a reference"):
        driven(open_order(endpoint(), {**ORDER, "orderRef": ""}), [])


def test_a_reference_is_looked_for_where_the_order_may_be() -> None:
    """Waiting, open, or closed again, in that order: one that fills meanwhile is in the second list."""

    def found(*answers: Any) -> Any:
        return driven(find_by_ref(endpoint(), "s-1-1"), [LOGIN, *answers])[0]

    assert found(listed(trade()), NOTHING) == Found(MINE, Place.PENDING)
    assert found(listed(trade()), listed(trade())) == Found(MINE, Place.OPENED)
    assert found(NOTHING, listed(trade(order_Ref="")), listed(deal())) == Found(MINE, Place.CLOSED)
    assert found(NOTHING, NOTHING, listed(deal(openclose="close", order_ref="s-1-2"))) is None


def test_two_orders_with_one_reference_are_an_alarm() -> None:
    """It is used once: one of them was sent twice."""
    with pytest.raises(ProtocolError, match="2 orders bear the reference s-1-1"):
        driven(find_by_ref(endpoint(), "s-1-1"), [LOGIN, listed(trade(), trade(trade_ID=8)), NOTHING])


CHANGES: list[tuple[Exchange[Any], str, dict[str, Any]]] = [
    (close_orders(endpoint(), ["1", "2"]), "close_orders", {"tradeIDs": "1,2"}),
    (cancel_orders(endpoint(), ["3"]), "cancel_orders", {"tradeIDs": "3"}),
    (update_pending_order(endpoint(), "4", {"price": 5.0}), "update_pending_order", {"tradeID": "4", "price": 5.0}),
    (update_opened_order(endpoint(), "5", {"holdtime": 9}), "update_opened_order", {"tradeID": "5", "holdtime": 9}),
]


@pytest.mark.parametrize(("exchange", "path", "body"), CHANGES)
def test_what_names_trades_is_submitted_and_not_done(exchange: Exchange[Any], path: str, body: dict[str, Any]) -> None:
    """A close or a cancel goes before everything else."""
    result, asked = driven(
        exchange, [LOGIN, (200, {"status": "SUCCESS", "res": "Submitted close order request for '1',"})]
    )
    assert result == Submitted("Submitted close order request for '1',")
    assert paths(asked)[1] == path
    assert body.items() <= asked[1].json.items()
    assert asked[1].priority is (Priority.EXIT if "s" in path[-1] else None)


def test_a_close_of_what_is_gone_is_refused_in_the_venues_words() -> None:
    """A value, not an exception."""
    result, _ = driven(close_orders(endpoint(), ["1"]), [LOGIN, (200, {"status": "FAILED", "res": "no such trade"})])
    assert result == Refused("no such trade")


@pytest.mark.parametrize(
    ("answer", "error"),
    [(LOST, ConnectionLost), ((200, b"<html>"), ConnectionLost), ((200, {}), ProtocolError),
     ((200, {"status": "PERHAPS"}), ProtocolError), ((403, {"res": "no"}), AuthenticationError)],
)  # fmt: skip
def test_a_close_that_is_not_confirmed_is_an_error(answer: Any, error: type[VenueError]) -> None:
    """The lists tell what became of it."""
    with pytest.raises(error):
        driven(close_orders(endpoint(), ["1"]), [LOGIN, answer])


def test_a_refused_token_of_a_close_is_replaced() -> None:
    """To close a trade twice does no more than once."""
    result, asked = driven(
        close_orders(endpoint(), ["1"]), [LOGIN, OVER, LOGIN, (200, {"status": "SUCCESS", "res": "Submitted"})]
    )
    assert (result, paths(asked)[1:]) == (Submitted("Submitted"), ["close_orders", "session", "close_orders"])


def test_the_lists_are_read_by_their_ids() -> None:
    """Asked with the account's name in the query, never shown."""
    found, asked = driven(opened_trades(endpoint()), [LOGIN, listed(trade())])
    assert list(found) == [MINE]
    assert asked[1].params["accountid"] == "A1"
    assert asked[1].priority is Priority.LOOK_UP
    assert list(driven(pending_trades(endpoint()), [LOGIN, listed(trade(timeinforce=5))])[0]) == [MINE]


def test_money_positions_and_accounts_are_read() -> None:
    """Flat, by symbol, and as a list."""
    money = {"NAV": 5, "available_Balance": 4, "margin_Used": 1, "realized_PL": 0, "unrealized_PL": 0}
    stamped = {**money, "timestamp": "2026-01-05 14:30:00", "accountid": "A1", "runmode": "livetest"}
    assert driven(balance(endpoint()), [LOGIN, (200, stamped)])[0].nav == 5.0
    assert [each.accountid for each in driven(accounts(endpoint()), [LOGIN, listed(stamped)])[0]] == ["A1"]
    held = {"res": {"BTCUSD": {"Position": 1, "netVolume": 1, "MarketValue": 9}}, "count": 1}
    assert driven(positions(endpoint()), [LOGIN, (200, held)])[0]["BTCUSD"].units == 1.0


def test_history_is_by_reference_and_in_time() -> None:
    """`runtime_id` is the account; what bears another reference is not ours, whoever filters."""
    rows = [deal(timestamp="2026-01-05 15:00:00", openclose="close"), deal(), deal(order_ref="other")]
    found, asked = driven(strategy_trade(endpoint(), "s-1-1"), [LOGIN, listed(*rows)])
    assert [each.is_close for each in found] == [False, True]
    assert (asked[1].params["runtime_id"], asked[1].params["orderRef"]) == ("A1", "s-1-1")


def test_an_order_that_was_not_asked_for_is_odd() -> None:
    """A cache in between has been known to mix answers up."""
    assert driven(query_order(endpoint(), MINE), [LOGIN, (200, query())])[0].at == datetime(
        2026, 1, 5, 14, 30, 53, tzinfo=UTC
    )
    with pytest.raises(ProtocolError, match="told of 746805590705"):
        driven(query_order(endpoint(), "1"), [LOGIN, (200, query())])


@pytest.mark.parametrize(
    "answer", [listed(trade(buysell=API_KEY)), (200, {"error": f"{USER} {TOKEN}"}), (401, {"res": API_KEY})]
)
def test_no_error_shows_a_secret(answer: Any) -> None:
    """Neither in its message nor in its traceback, nor in what was received."""
    with pytest.raises(VenueError) as raised:
        driven(opened_trades(endpoint()), [LOGIN, answer])
    told = "".join(traceback.format_exception(raised.value)).split("Error: ", 1)[1]
    assert not any(each in told + str(getattr(raised.value, "received", "")) for each in SECRETS)


def test_a_mode_is_livetest_or_livetrade() -> None:
    """And an account has a name."""
    with pytest.raises(ConfigError, match="did you mean livetest"):
        Endpoint(session(), "A1", "live_test")
    with pytest.raises(ConfigError, match="accountid is empty"):
        Endpoint(session(), " ")
