"""The sandbox's ALGOGENE over real HTTP and a real websocket, as its documentation and the seed call it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
from algogene_client import PRICES, WAIT, Client, served, subscribed
from tape import OPEN
from tape import Tape as Source
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from brokers.algogene.settings import Settings


def test_the_seeds_rounds_can_be_made() -> None:
    """Three times: look the last trade up, close it, and buy or sell one; as the seed calls it, answer for answer."""
    chance, last = Random(1), 0
    with served() as client:
        for _ in range(3):
            if last:
                [row] = client.rows("opened_trades", tradeID=last)
                assert (row["trade_ID"], row["order_Ref"], row["volume"]) == (str(last), "", 1.0)
                closed = client.send("close_orders", tradeIDs=last).json()
                assert closed == {"status": "SUCCESS", "res": f"Submitted close order request for '{last}',"}
            order = {"instrument": "BTCUSD", "buysell": chance.choice(["BUY", "SELL"]), "volume": 1, "ordertype": "MKT"}
            told = client.send("open_order", **order, orderRef="").json()
            assert (told["status"], set(told)) == ("PENDING_TO_FILL", {"status", "timestamp_utc", "tradeID"})
            last = told["tradeID"]
            client.sandbox.step()
        assert len(client.rows("opened_trades")) == 1
        assert [each["openclose"] for each in client.rows("strategy_trade")].count("close") == 2


def test_a_session_lasts_an_hour_by_the_servers_date() -> None:
    """Told in UTC without saying so, to the microsecond."""
    with served() as client:
        answer = requests.get(f"{client.url}/session", client.identity, timeout=WAIT)
        ends = datetime.fromisoformat(answer.json()["res"]["expired_utc"]).replace(tzinfo=UTC)
        begun = datetime.strptime(answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        assert 3598 < (ends - begun).total_seconds() < 3602


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"user": "x"}, 401), ({"api_key": ""}, 401), ({"token": "x"}, 401), ({"accountid": "x"}, 200),
     ({"runmode": "backtest"}, 200)],
)  # fmt: skip
def test_strangers_are_turned_away(changed: dict[str, str], status: int) -> None:
    """By user, API key, token, account and mode."""
    with served() as client:
        answer = client.ask("balance", **changed)
        assert (answer.status_code, answer.json()["status"]) == (status, "FAILED")
        assert client.send("open_order", **changed).json()["status"] == "FAILED"


def test_the_traps_of_its_types_are_all_there() -> None:
    """A number and a text for one id, three spellings of a reference, two of a balance, words in and numbers out."""
    with served() as client:
        trade = client.open(buysell="SELL", orderRef="mine")
        client.sandbox.step()
        [row], [done] = client.rows("opened_trades"), client.rows("strategy_trade", orderRef="mine")
        query = client.ask("query_order", tradeID=trade).json()
        assert (row["trade_ID"], row["order_Ref"], row["buysell"]) == (str(trade), "mine", -1)
        assert (query["tradeID"], query["orderRef"], done["order_ref"]) == (str(trade), "mine", "mine")
        assert {"availableBalance", "unrealizedPL"} < set(client.rows("accounts")[0])
        assert {"available_Balance", "unrealized_PL"} < set(client.ask("balance").json())


def test_orders_are_listed_changed_and_cancelled() -> None:
    """By what the documentation calls them."""
    with served() as client:
        limit = client.open(ordertype="LMT", price=50, timeinforce=600)
        [row] = client.rows("pending_trades")
        assert (row["trade_ID"], row["price"], row["timeinforce"]) == (str(limit), 50.0, 600)
        assert client.send("update_pending_order", tradeID=limit, price=60).json()["status"] == "SUCCESS"
        assert client.rows("pending_trades")[0]["price"] == 60.0
        assert client.send("cancel_orders", tradeIDs=f"{limit}").json()["res"] == "Submitted for BULK_CANCEL"
        assert client.ask("query_order", tradeID=limit).json()["status"] == "CANCELLED"


def test_trades_are_closed_by_their_reference_too() -> None:
    """Where no ids are given; and their levels are changed while they are open."""
    with served() as client:
        trade = client.open(orderRef="mine")
        client.sandbox.step()
        client.send("update_opened_order", tradeID=trade, stopLossLevel=1.0)
        assert client.rows("opened_trades")[0]["stopLossLevel"] == 1.0
        client.send("close_orders", tradeIDs="", orderRef="mine")
        client.sandbox.step()
        assert client.rows("opened_trades") == []
        assert client.send("close_orders", tradeIDs=trade).json()["status"] == "FAILED"


def test_prices_and_instruments_need_no_session() -> None:
    """User and API key are enough."""
    with served(source=Source({"SPY": [1.0, 2.0, 3.0]}), algogene=Settings(contracts={"SPY": 100})) as client:
        client.token = ""
        client.sandbox.step(2)
        page = client.rows("history_price", instrument="SPY", count=1, interval="M", timestamp="2026-01-05 14:32:00")
        assert [(each["t"], each["c"]) for each in page] == [("2026-01-05 14:31:00", 1.0)]
        quotes = client.ask("realtime_price", symbols="SPY,BTCUSD", broker="").json()["res"]
        assert (quotes["SPY"]["bidPrice"], quotes["SPY"]["timestamp"]) == (2.0, "2026-01-05 14:31:59.999000")
        assert [each["instrument"] for each in client.rows("list_instrument")] == ["SPY", "BTCUSD"]
        assert client.rows("meta_instrument", instrument="SPY")[0]["contractSize"] == 100


def test_the_socket_tells_a_bar_in_four_quotes() -> None:
    """Inside of its minute, flat and without a message id; the step knows how many."""
    with served() as client, subscribed(client) as socket:
        assert client.sandbox.step()["sent"]["algogene"] == 4
        prices = [("14:30:00", 100.0), ("14:30:20", 99.0), ("14:30:40", 101.0), ("14:30:59", 100.0)]
        assert socket.quotes() == [("ALGOGENE", *each) for each in prices]


def test_a_stranger_gets_no_prices() -> None:
    """It is told so, and hung up on."""
    with served() as client, connect(f"{client.sandbox.websocket}/ws", close_timeout=1) as connection:
        connection.send('{"msg_id": 13, "user": "x", "api_key": "y", "symbols": ["BTCUSD"]}')
        assert '"status": false' in str(connection.recv(timeout=WAIT))
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=WAIT)


def test_quotes_stand_still() -> None:
    """On the socket and in `realtime_price`: prices and times of a minute before."""
    with served() as client, subscribed(client) as socket:
        client.sandbox.step()
        before = socket.quotes()[-1]
        client.sandbox.fault("frozen_quotes", stream="algogene")
        client.sandbox.step()
        assert socket.quotes() == [before] * 4
        client.sandbox.fault("frozen_quotes", stream="algogene_api")
        assert client.ask("realtime_price", symbols="BTCUSD").json()["res"]["BTCUSD"]["bidPrice"] == before[2]


def test_brokers_interleave_and_times_go_back() -> None:
    """As was seen in July 2025; who asks for one broker hears that one."""
    with served() as client, subscribed(client) as every, subscribed(client, broker="IG") as one:
        client.sandbox.fault("interleaved_brokers")
        client.sandbox.fault("backward_timestamps")
        client.sandbox.step()
        told = every.quotes(9)
        assert [each[0] for each in told] == ["ALGOGENE", "OANDA"] * 4 + ["ALGOGENE"]
        assert (told[6][1], told[8][1]) == ("14:30:59", "14:30:46")
        assert {each[0] for each in one.quotes(5)} == {"IG"}


@pytest.mark.parametrize(
    ("fault", "status", "is_done"),
    [("bad_gateway", 502, False), ("rate_limited", 429, False), ("expired_token", 401, False),
     ("gateway_timeout", 504, True), ("html_answer", 200, True), ("odd_answer", 200, True)],
)  # fmt: skip
def test_a_request_goes_wrong_before_or_after_it_was_carried_out(fault: str, status: int, is_done: bool) -> None:
    """What the answer says, and whether the order is there all the same."""
    with served() as client:
        client.sandbox.fault(fault, match={"path": "/open_order"})
        order = {"instrument": "BTCUSD", "buysell": "BUY", "volume": 1, "ordertype": "MKT"}
        assert client.send("open_order", **order).status_code == status
        assert len(client.rows("pending_trades")) == is_done


@pytest.mark.parametrize(("fault", "is_done"), [("cut_answer", True), ("stall", True), ("stall_early", False)])
def test_an_answer_does_not_come(fault: str, is_done: bool) -> None:
    """The order is there, or it is not."""
    with served() as client:
        client.sandbox.fault(fault, match={"method": "POST"}, seconds=0.05)
        with pytest.raises(requests.ConnectionError):
            client.open()
        assert len(client.rows("pending_trades")) == is_done


def test_an_order_is_taken_and_then_rejected() -> None:
    """`query_order` says so, and why."""
    with served() as client:
        client.sandbox.fault("rejected")
        query = client.ask("query_order", tradeID=client.open()).json()
        assert (query["status"], query["err_msg"]) == ("REJECTED", "rejected by broker")


def test_a_close_is_submitted_and_comes_late_or_never() -> None:
    """The answer is the same each time."""
    with served() as client:
        trade, left = client.open(), []
        client.sandbox.step()
        client.sandbox.fault("lost_close")
        client.sandbox.fault("slow_close", seconds=90)
        for _ in range(2):
            assert client.send("close_orders", tradeIDs=trade).json()["status"] == "SUCCESS"
            client.sandbox.step()
            left.append(len(client.rows("opened_trades")))
        client.sandbox.step()
        assert [*left, len(client.rows("opened_trades"))] == [1, 1, 0]


def test_what_was_answered_survives_a_stop(tmp_path: Path) -> None:
    """Orders, trades, levels and the session: the same book, the same credentials; no token is in the file."""

    def seen(client: Client) -> list[Any]:
        return [client.rows(each) for each in ("opened_trades", "pending_trades", "strategy_trade")]

    state = tmp_path / "book"
    with served(state=state) as client:
        client.open(orderRef="a", takeProfitLevel=500)
        client.sandbox.step()
        client.open(orderRef="b", ordertype="LMT", price=1)
        client.send("close_orders", orderRef="a")
        token, before = client.token, seen(client)
    assert token not in state.read_text()
    with served(state=state) as again:
        again.token = token
        assert seen(again) == before
        again.sandbox.step()
        assert again.rows("opened_trades") == []


def test_alpacas_dialect_knows_nothing_of_it() -> None:
    """Two venues over one tape: what is held on the one is not held on the other."""
    with served(source=Source({"SPY": PRICES}, start=OPEN.replace(minute=31))) as client:
        client.open(instrument="SPY")
        client.sandbox.step()
        keys = {"APCA-API-KEY-ID": client.sandbox.key, "APCA-API-SECRET-KEY": client.sandbox.secret}
        assert requests.get(f"{client.sandbox.url}/v2/positions", headers=keys, timeout=WAIT).json() == []
        assert len(client.rows("opened_trades")) == 1
