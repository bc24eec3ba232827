"""The account's one stream of order updates, for every program of this machine that knows the local key.

There is no replay on this stream, and none is made up here: when the connection to Alpaca breaks, everybody is
disconnected too, and let in again when it is back. So each looks up what it missed, as it would without a proxy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web

from brokers.alpaca.answers import decoded
from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.proxy.conversation import Conversation, authorization
from brokers.alpaca.proxy.listener import Listener
from brokers.alpaca.proxy.ownership import Ownership
from brokers.alpaca.stream import OrderStream
from brokers.alpaca.via import ACCOUNT
from feeds.alpaca.protocol import NAME
from feeds.alpaca.proxy.figures import Counts, Standing
from feeds.alpaca.proxy.keys import is_let_in
from framework.config import Credentials
from framework.errors import SwitchbackError
from framework.live.socket import Socket
from framework.live.stream import Frame, Link, LinkState, Pace
from framework.ports import AsyncHttp, Clock
from framework.sandbox.streams import is_text
from framework.wire import Exchange

PATH = "/stream"

BUDGET = 1 << 22
"""Bytes that may wait for one program: news of some thousand orders."""

LOGIN = 10.0
"""Seconds that a program has to say who it is."""


class Update(NamedTuple):
    """One message as it came: `data` is what it says."""

    data: Any
    frame: bytes


class _Stream:
    """`OrderStream`, with the frames themselves."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._stream = OrderStream(endpoint)
        self.url = self._stream.url
        self.headers: Mapping[str, str] = self._stream.headers

    @property
    def is_ready(self) -> bool:
        return self._stream.is_ready

    def opening(self, now: float) -> Sequence[Frame]:
        return self._stream.opening(now)

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Iterable[Update]]:
        replies, messages = self._stream.receive(frame, now)
        raw = frame.encode() if isinstance(frame, str) else frame
        return replies, [Update(each.data, raw) for each in messages]


class OrderUpdates:
    """The connection to one account's updates, and who hears of them. Owned by the proxy's loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        local: Credentials,
        clock: Clock,
        http: AsyncHttp,
        remark: Callable[[str], None],
        pace: Pace = Pace(),  # noqa: B008  (it is frozen)
        login: float = LOGIN,
        budget: int = BUDGET,
    ) -> None:
        self.counts = Counts()
        self._endpoint, self._local, self._http, self._remark = endpoint, local, http, remark
        self._login, self._budget = login, budget
        self._socket = Socket(NAME, _Stream(endpoint), clock, self._consume, pace)
        self._listeners: dict[Listener, None] = {}
        self._wanted = asyncio.Event()
        self._is_up = self._has_failed = False
        self._number = ""

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served."""
        return (web.get(PATH, self._serve, allow_head=False), web.get(ACCOUNT, self._account, allow_head=False))

    async def run(self) -> None:
        """Connect when somebody first logs in, and stay so until cancelled, or until waiting cures nothing."""
        await self._wanted.wait()
        try:
            await self._socket.run()
        except SwitchbackError as failure:
            self._has_failed = True
            self._remark(f"{PATH} has ended: {failure}")
            for each in self._listeners:
                self._turn_away(each)
        finally:
            self._is_up = False
            for each in self._listeners:
                each.end("the proxy ends")

    def standing(self) -> Sequence[Standing]:
        """Return how it stands, nothing where nobody has ever asked for it."""
        if not self._wanted.is_set():
            return ()
        known = [each for each in self._listeners if each.conversation.is_known]
        told = sum(each.is_told for each in known)
        waiting = sum(each.size for each in known)
        return (Standing(PATH, self._is_up, len(known), told, waiting, 0.0, self.counts),)

    # What comes

    async def _consume(self, item: Update | Link) -> None:
        match item:
            case Update():
                self._spread(item)
            case Link(state=LinkState.LOST):
                self._sink(item)
            case Link():
                self._rise(item)

    def _spread(self, update: Update) -> None:
        self.counts.received += 1
        for each in list(self._listeners):
            self.counts.sent += each.hear(update.data, update.frame)
            if each.is_slow:
                self.counts.slow += 1
                each.cut()

    def _sink(self, lost: Link) -> None:
        if self._is_up:
            self._remark(f"{PATH} is down: {lost.reason}")
        self._is_up = False
        for each in self._listeners:
            if each.is_told:
                each.end("the account's stream broke: connect again, and look up what was missed")

    def _rise(self, link: Link) -> None:
        self._is_up = True
        self.counts.reconnects += link.state is LinkState.RECONNECTED
        self._remark(f"{PATH} is up")
        for each in self._listeners:
            if each.conversation.is_listening:
                each.begin()

    # What programs say

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await socket.prepare(request)
        assert request.transport is not None
        ownership = Ownership(request.query.get("prefix", ""))
        listener = Listener(socket, request.transport, Conversation(self._local), ownership, self._budget)
        writing = asyncio.create_task(listener.write())
        self._listeners[listener] = None
        try:
            await self._converse(listener, socket)
        except ConnectionError:
            pass  # gone while a ping was answered
        finally:
            del self._listeners[listener]
            if not listener.is_over:
                writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return socket

    async def _converse(self, listener: Listener, socket: web.WebSocketResponse) -> None:
        try:
            async with asyncio.timeout(self._login) as deadline:
                while is_text((frame := await socket.receive()).type):
                    self._answer(listener, frame.data)
                    if listener.conversation.is_known:
                        deadline.reschedule(None)
        except TimeoutError:
            listener.end("nobody logged in")

    def _answer(self, listener: Listener, frame: str | bytes) -> None:
        talk = listener.conversation
        answer = talk.receive(frame)
        if talk.is_known:
            self._wanted.set()
        if talk.is_known and self._has_failed:
            self._turn_away(listener)
        elif answer is not None:
            listener.is_told = listener.is_told and talk.is_listening
            listener.say(answer)
        elif self._is_up:
            listener.begin()

    def _turn_away(self, listener: Listener) -> None:
        listener.say(authorization(is_in=False))
        listener.end("the account's stream has ended; see what the proxy says")

    # Whose account it is

    async def _account(self, request: web.Request) -> web.Response:
        if not is_let_in(self._local, request.headers):
            return web.json_response({"message": "unauthorized."}, status=401)
        try:
            self._number = self._number or await self._http.send(_number(self._endpoint))
        except SwitchbackError as failure:
            return web.json_response({"message": str(failure)}, status=502)
        return web.json_response({"url": self._endpoint.base_url, "account": self._number})


def _number(endpoint: Endpoint) -> Exchange[str]:
    told = decoded((yield endpoint.get("/account")), endpoint, dict)
    return str(told.get("account_number") or told.get("id") or "")
