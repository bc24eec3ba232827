"""The proxy's `/stream`: one connection to the account's order updates, and everybody who hears of them."""

from __future__ import annotations

import json
import queue
import socket as sockets
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from order_proxy import WAIT, Front, Teller, proxied
from sandbox_client import Socket, opened
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from brokers.alpaca.proxy.conversation import Conversation
from brokers.alpaca.proxy.ownership import Ownership
from framework.app.sandbox import Sandbox
from framework.config import Credentials

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn when they are imported
    from alpaca.trading.enums import TradeEvent
    from alpaca.trading.stream import TradingStream

UNAUTHORIZED = {"stream": "authorization", "data": {"status": "unauthorized", "action": "authenticate"}}


@pytest.fixture
def front() -> Iterator[Front]:
    with Sandbox() as sandbox, proxied(sandbox) as found:
        yield found


def filled(front: Front, **order: str) -> None:
    """Let an order of ten fill: `new` and `fill` are told."""
    assert front.rest.send(**order).status_code == 200
    front.sandbox.step()


# -- who hears what


def test_account_itself_has_one_connection_only(front: Front) -> None:
    """The symptom: without the proxy the second program is turned away."""
    with opened(front.sandbox), opened(front.sandbox, listening=False) as second:
        assert second.authenticate()["data"]["code"] == 406


def test_every_program_hears_every_update_once(front: Front) -> None:
    """As the account told it, in order, and in binary frames, as it does."""
    with opened(front.proxy) as one, opened(front.proxy) as two:
        filled(front)
        assert one.events(2) == two.events(2) == ["new", "fill"]
    assert front.figures()["messages_received_total"] == 2
    assert front.figures()["messages_sent_total"] == 4


def test_program_that_says_so_hears_of_its_own_orders_only(front: Front) -> None:
    """By the beginning of their ids."""
    with opened(front.proxy) as everything, opened(front.proxy, path="/stream?prefix=mine-") as own:
        filled(front, client_order_id="theirs-1")
        filled(front, client_order_id="mine-1")
        told = [everything.hear()["data"]["order"]["client_order_id"] for _ in range(4)]
        assert told == ["theirs-1", "theirs-1", "mine-1", "mine-1"]
        assert own.events(2) == ["new", "fill"]


def test_program_that_joins_or_leaves_costs_the_others_nothing(front: Front) -> None:
    """The one connection upstream stays as it is."""
    with opened(front.proxy) as staying:
        for _ in range(3):
            with opened(front.proxy):
                filled(front)
        assert staying.events(6) == ["new", "fill"] * 3
    assert front.sandbox.state()["sent"]["trade_updates"] == 6
    assert front.figures()["reconnects_total"] == 0


def test_nobody_asks_and_nothing_is_connected(front: Front) -> None:
    """The account's one connection stays free for another program until it is wanted."""
    assert "/stream" not in front.proxy.figures()
    with opened(front.sandbox) as straight:
        filled(front)
        assert straight.events(2) == ["new", "fill"]


def test_program_that_listens_no_more_hears_nothing(front: Front) -> None:
    """An empty list stops the stream; asked again, it goes on."""
    with opened(front.proxy) as socket, opened(front.proxy) as other:
        assert socket.say(action="listen", data={"streams": []})["data"] == {"streams": []}
        filled(front)
        assert other.events(2) == ["new", "fill"]  # so the proxy has had them
        assert socket.listen()["data"] == {"streams": ["trade_updates"]}
        filled(front)
        assert socket.events(2) == ["new", "fill"]


def test_alpaca_py_hears_of_a_fill_through_it(front: Front) -> None:
    """Its `TradingStream`, unmodified."""
    heard: queue.Queue[Any] = queue.Queue()

    async def hear(update: Any) -> None:
        heard.put(update.event)

    stream = TradingStream(front.proxy.key, front.proxy.secret, url_override=f"{front.proxy.websocket}/stream")
    stream.subscribe_trade_updates(hear)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    front.until(lambda: front.figures().get("subscriptions") == 1)
    filled(front)
    assert [heard.get(timeout=WAIT) for _ in range(2)] == [TradeEvent.NEW, TradeEvent.FILL]
    stream.stop()
    filled(front)  # it looks whether to stop when a message comes
    thread.join(WAIT)
    assert not thread.is_alive()


# -- who is let in


def test_only_the_local_key_opens_it(front: Front) -> None:
    """The account's own does not, and the right one may follow; both forms of a login are known."""
    with opened(front.proxy, listening=False) as socket:
        keys = {"key_id": front.sandbox.key, "secret_key": front.sandbox.secret}
        assert socket.say(action="authenticate", data=keys) == UNAUTHORIZED
        assert socket.listen()["data"] == {"status": "unauthorized", "action": "listen"}
        newer = {"action": "auth", "key": front.proxy.key, "secret": front.proxy.secret}
        assert socket.say(**newer)["data"]["status"] == "authorized"


def test_who_does_not_log_in_is_sent_away() -> None:
    """After the time that there is for it."""
    with Sandbox() as sandbox, proxied(sandbox, login=0.01) as front, opened(front.proxy, listening=False) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.hear()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.reason == "nobody logged in"


@given(st.one_of(st.text(), st.binary(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)))
def test_nonsense_is_answered_and_opens_nothing(frame: str | bytes) -> None:
    """Whatever it is."""
    talk = Conversation(Credentials("key", "secret"))
    answer = talk.receive(frame)
    assert answer is not None
    assert answer["stream"] == "error"
    assert not talk.is_known


def test_account_whose_keys_are_wrong_is_said_and_lets_nobody_in() -> None:
    """A program must not wait for news that cannot come; the data's stream is no matter of that."""
    with Teller("unauthorized") as teller, proxied(teller) as front:  # type: ignore[arg-type]
        with opened(front.proxy, listening=False) as socket:
            socket.connection.send(json.dumps({"action": "auth", "key": front.proxy.key, "secret": front.proxy.secret}))
            assert socket.hear()["data"]["status"] == "authorized"
            assert socket.hear() == UNAUTHORIZED
        assert any("/stream has ended" in each and "does not accept the keys" in each for each in front.proxy.remarks)
        assert not any(teller.secret in each for each in front.proxy.remarks)


# -- what goes wrong


def test_break_upstream_disconnects_everybody_who_listens(front: Front) -> None:
    """Nothing is replayed on this stream: only who connects again knows that something is to be looked up."""
    with opened(front.proxy) as socket:
        front.sandbox.fault("drop", stream="trade_updates")
        filled(front)
        with pytest.raises(ConnectionClosed) as closed:
            socket.events(3)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, "look up what was missed" in closed.value.rcvd.reason) == (1012, True)
    with opened(front.proxy) as again:
        filled(front)
        assert again.events(2) == ["new", "fill"]
    assert front.figures()["reconnects_total"] >= 1


def test_program_is_told_that_it_listens_when_there_is_something_to_hear() -> None:
    """While the line upstream is down it waits: from the answer on, nothing is missing."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        first = stack.enter_context(opened(sandbox))
        front = stack.enter_context(proxied(sandbox))
        socket = stack.enter_context(opened(front.proxy, listening=False))
        assert socket.authenticate()["data"]["status"] == "authorized"
        socket.connection.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        with pytest.raises(TimeoutError):
            socket.hear(timeout=0.1)  # `first` has the account's one connection
        first.connection.close()
        assert socket.hear() == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        filled(front)
        assert socket.events(2) == ["new", "fill"]


def test_program_that_never_reads_is_cut_and_the_others_hear_all() -> None:
    """More than so much does not wait for anybody; who is cut connects again, and looks up what it missed."""
    with Teller() as teller, ExitStack() as stack:
        front = stack.enter_context(proxied(teller, budget=1 << 20))  # type: ignore[arg-type]
        reading = stack.enter_context(opened(front.proxy))
        deaf = sockets.create_connection(("127.0.0.1", int(front.proxy.url.rpartition(":")[2])))
        stack.callback(deaf.close)
        deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        options = {"sock": deaf, "close_timeout": 0.1, "ping_interval": None, "max_queue": 1}
        deaf_one = Socket(stack.enter_context(connect(f"{front.proxy.websocket}/stream", **options)), front.proxy)
        deaf_one.authenticate()
        deaf_one.listen()
        front.until(lambda: front.figures()["subscriptions"] == 2)
        count = 0
        while front.figures()["slow_clients_total"] == 0:
            teller.tell({"event": "new", "order": {"number": count}, "padding": "x" * (1 << 18)})
            assert reading.hear()["data"]["order"]["number"] == count
            count += 1
            assert count < 200
        front.until(lambda: front.figures()["clients"] == 1)


def test_end_of_the_proxy_is_a_lost_connection_and_not_a_refusal() -> None:
    """A session goes on by itself when the proxy is there again; told that its keys are wrong, it would stop."""
    with Sandbox() as sandbox, ExitStack() as stack:
        with proxied(sandbox) as front:
            socket = stack.enter_context(opened(front.proxy))
        with pytest.raises(ConnectionClosed) as closed:
            socket.hear()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.reason == "the proxy ends"


# -- whose it is


def test_proxy_tells_its_programs_whose_account_it_is(front: Front) -> None:
    """And nobody else."""
    address = f"{front.proxy.url}/_proxy/account"
    headers = {"APCA-API-KEY-ID": front.proxy.key, "APCA-API-SECRET-KEY": front.proxy.secret}
    number = front.rest.get("/v2/account")["account_number"]
    assert requests.get(address, headers=headers, timeout=WAIT).json() == {"url": front.sandbox.url, "account": number}
    assert requests.get(address, timeout=WAIT).status_code == 401


def order(name: str, number: str, **more: object) -> dict[str, object]:
    return {"order": {"client_order_id": name, "id": number, **more}}


def test_legs_and_replacements_are_their_orders_owners() -> None:
    """Alpaca names them itself: they are known by the order that told of them."""
    own = Ownership("mine-")
    assert own.has(order("mine-1", "a", legs=[{"id": "leg"}], replaced_by="next"))
    assert own.has(order("c0ffee", "leg"))
    assert own.has(order("another", "next", replaces="a"))
    assert not own.has(order("theirs-1", "b", legs=[{"id": "other leg"}]))
    assert not own.has(order("feed", "other leg"))


@pytest.mark.parametrize("odd", [None, [], {}, {"order": None}, {"event": "fill"}])
def test_update_that_names_no_order_is_everybodys(odd: object) -> None:
    """Better heard twice than by nobody."""
    assert Ownership("mine-").has(odd)
