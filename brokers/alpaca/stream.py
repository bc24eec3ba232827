"""The conversation on `/stream`, without a socket: frames in, frames to send and order updates out.

Source: Alpaca's page on websocket streaming for trading. The paper account sends JSON in binary frames, the
page shows text: both are read. Nothing is replayed: after a reconnect, what was missed is looked up.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from brokers.alpaca.endpoint import Endpoint
from feeds.alpaca.protocol import NAME, VARIABLES
from framework.config import Credentials
from framework.errors import AuthenticationError, ConnectionLost, ProtocolError
from framework.live.stream import Frame

STREAM = "trade_updates"
IN_USE = "the account's one connection for order updates is in use"


class State(enum.Enum):
    """How far the conversation is."""

    CONNECTED = "connected"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    LISTENING = "listening"


class TradeStream:
    """One connection's conversation. Owned by the thread that holds its socket.

    `open` is sent first. Then each frame goes to `receive`, and what `to_send` gives is sent.
    """

    def __init__(self, credentials: Credentials, variables: tuple[str, str] = VARIABLES) -> None:
        self._credentials, self._variables = credentials, variables
        self._waiting: list[str] = []
        self.state = State.CONNECTED

    def open(self) -> None:
        """Begin to log in."""
        self.state = State.AUTHENTICATING
        keys = {"key_id": self._credentials.key, "secret_key": self._credentials.secret}
        self._say("authenticate", keys)

    def to_send(self) -> list[str]:
        """Take the frames that wait to be sent. They may hold the secret: they are not for a log."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def receive(self, frame: str | bytes) -> list[Any]:
        """Return the updates of a frame: each goes to `Reports.hear`.

        Raise `AuthenticationError`, `ConnectionLost` where the account's one connection is in use (try again
        later), `ProtocolError` for what is no message; after the last, the connection can go on.
        """
        message = self._read(frame)
        data = message.get("data")
        match message.get("stream"):
            case "trade_updates":
                return [data]
            case "authorization":
                self._authorized(data if isinstance(data, dict) else {})
            case "listening":
                self._listening(data if isinstance(data, dict) else {})
            case other:
                raise ProtocolError(
                    NAME, f"a message of the stream {other!r}, which was not asked for", self._hidden(data)
                )
        return []

    def _authorized(self, data: dict[str, Any]) -> None:
        if data.get("status") == "authorized":
            self.state = State.SUBSCRIBING
            self._say("listen", {"streams": [STREAM]})
        elif data.get("code") == 406:
            raise ConnectionLost(NAME, f"{IN_USE}; try again later")
        else:
            advice = f"check {self._variables[0]} and {self._variables[1]} (a paper account has its own keys)"
            raise AuthenticationError(NAME, f"the stream of order updates does not accept the keys; {advice}")

    def _listening(self, data: dict[str, Any]) -> None:
        if STREAM not in (data.get("streams") or ()):
            raise ProtocolError(NAME, f"listening to {data.get('streams')!r}, not to {STREAM}", self._hidden(data))
        self.state = State.LISTENING

    def _say(self, action: str, data: dict[str, Any]) -> None:
        self._waiting.append(json.dumps({"action": action, "data": data}))

    def _read(self, frame: str | bytes) -> dict[str, Any]:
        try:
            message = json.loads(frame)
        except ValueError:
            raise ProtocolError(NAME, f"a frame of {len(frame)} bytes that is not JSON") from None
        if not isinstance(message, dict):
            raise ProtocolError(NAME, "a frame that holds no message", self._hidden(message))
        return message

    def _hidden(self, received: object) -> str:
        return self._credentials.hidden(str(received))


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the stream; `data` goes to `Reports.hear`, and has been seen to be None."""

    data: Any


class OrderStream:
    """The conversation as `framework.live.stream.StreamProtocol`: a new one with each connection."""

    headers: Mapping[str, str] = {}

    def __init__(self, endpoint: Endpoint) -> None:
        self.url = endpoint.stream_url
        self._keys = endpoint.stream_credentials, endpoint.stream_variables
        self._talk = TradeStream(*self._keys)

    @property
    def is_ready(self) -> bool:
        return self._talk.state is State.LISTENING

    def opening(self, now: float) -> Sequence[Frame]:
        self._talk = TradeStream(*self._keys)
        self._talk.open()
        return self._talk.to_send()

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Sequence[Message]]:
        events = [Message(each) for each in self._talk.receive(frame)]
        return self._talk.to_send(), events
