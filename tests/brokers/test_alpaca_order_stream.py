"""The conversation on `/stream`: logging in, listening, updates, and what can go wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_client import Rest
from websockets.sync.client import connect

from brokers.alpaca.stream import State, TradeStream
from framework.app.sandbox import Sandbox
from framework.config import Credentials
from framework.errors import AuthenticationError, ConnectionLost, ProtocolError

AUTHORIZED = {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
LISTENING = {"stream": "listening", "data": {"streams": ["trade_updates"]}}


def begun() -> TradeStream:
    stream = TradeStream(Credentials("PK-MINE", "S3CR3T"))
    stream.open()
    return stream


def frame(message: Any) -> str:
    return json.dumps(message)


def test_a_conversation_as_it_is_recorded() -> None:
    """Authenticate, listen, then updates, in text and in binary frames."""
    stream = begun()
    keys = {"key_id": "PK-MINE", "secret_key": "S3CR3T"}
    assert [json.loads(each) for each in stream.to_send()] == [{"action": "authenticate", "data": keys}]
    assert (stream.receive(frame(AUTHORIZED)), stream.state) == ([], State.SUBSCRIBING)
    assert json.loads(stream.to_send()[0]) == {"action": "listen", "data": {"streams": ["trade_updates"]}}
    assert (stream.receive(frame(LISTENING)), stream.state, stream.to_send()) == ([], State.LISTENING, [])
    assert stream.receive(frame({"stream": "trade_updates", "data": {"event": "new"}}).encode()) == [{"event": "new"}]
    assert stream.receive(frame({"stream": "trade_updates", "data": None})) == [None]


def test_keys_that_are_not_accepted_are_told_without_them() -> None:
    """One line, with what to check, and no secret."""
    with pytest.raises(AuthenticationError, match="paper account has its own keys") as caught:
        begun().receive(frame({"stream": "authorization", "data": {"status": "unauthorized"}}))
    assert "S3CR3T" not in str(caught.value)


@pytest.mark.parametrize(
    "message", ["{", "[]", frame({"stream": "news", "data": "S3CR3T"}), frame({"stream": "listening", "data": None})]
)
def test_what_is_no_message_is_a_protocol_error(message: str) -> None:
    """Told without a secret; the conversation can go on."""
    stream = begun()
    with pytest.raises(ProtocolError) as caught:
        stream.receive(message)
    assert "S3CR3T" not in f"{caught.value} {caught.value.received}"
    stream.receive(frame(AUTHORIZED))
    assert stream.state is State.SUBSCRIBING


def test_the_sandbox_understands_it() -> None:
    """Over a real socket, to the news of an order; a second client is told that the place is taken."""
    with Sandbox() as sandbox, connect(f"{sandbox.websocket}/stream", close_timeout=1) as socket:
        stream = TradeStream(Credentials(sandbox.key, sandbox.secret))
        stream.open()
        while stream.state is not State.LISTENING:
            for each in stream.to_send():
                socket.send(each)
            stream.receive(socket.recv(timeout=20))
        Rest(sandbox).send()
        assert [each["event"] for each in stream.receive(socket.recv(timeout=20))] == ["new"]
        with connect(f"{sandbox.websocket}/stream", close_timeout=1) as other:
            second = TradeStream(Credentials(sandbox.key, sandbox.secret))
            second.open()
            other.send(second.to_send()[0])
            with pytest.raises(ConnectionLost, match="in use"):
                second.receive(other.recv(timeout=20))
