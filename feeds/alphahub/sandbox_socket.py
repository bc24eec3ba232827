"""`/socket/websocket` in the sandbox: joins, heartbeats, broadcasts, and what goes wrong with them.

Who says nothing for a minute of I/O time is closed with 1000, as Cowboy under Phoenix does. That pings do not
count for it is a guess: AlphaHub's own note says that they do not do.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from aiohttp import WSMsgType, web

from feeds.alphahub.sandbox_frames import (
    GARBAGE,
    NEW_SIGNALS,
    Said,
    broadcast,
    decoded,
    ended,
    garbage,
    half,
    reply,
)
from feeds.alphahub.sandbox_sessions import Sessions
from feeds.alphahub.sandbox_signals import Publication
from framework.sandbox import streams
from framework.sandbox.faults import Fault
from framework.sandbox.market import Market
from framework.sandbox.streams import ZOMBIE_SECONDS, Connection, is_text

STREAM = "alphahub"
"""The name of the socket, for faults and in the counts: of `new_signals`, one for each channel that is told."""

CHANNELS = 100
"""Topics that one socket may join: what Phoenix allows unless told otherwise."""

FAULTS = {
    **{name: text for name, text in streams.FAULTS.items() if name != "zombie"},  # there is no limit of connections
    "cut_halfway": "cut the socket when half of the frame of a publication is out",
    "cut_after": "cut the socket right after a publication",
    "channel_crash": "phx_error: a channel is gone, its socket is not (a publication does not come through)",
    "channel_close": "phx_close of a channel that the client has not left (a publication does not come through)",
    "duplicate_join": "phx_close of an earlier join after a join was answered, as after joining twice",
    "unanswered_join": "a join is not carried out and not answered",
    "refused_join": "a join is answered with an error (reason, unauthorized)",
    "instant_close": "close the socket as soon as a join was answered (code, 1011)",
    "unanswered_heartbeat": "a heartbeat is not answered",
    "garbage": "send what nobody expects, before a publication or after an answer (kind: the next of "
    f"{', '.join(GARBAGE)})",
    "expired_token": "a token has expired: 403 for a socket, 401 for a request",
}


class Client:
    """One socket and the channels that it has joined, each with its join_ref."""

    def __init__(self, market: Market, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.connection = Connection(market, STREAM, socket, request)
        self.channels: dict[str, Any] = {}
        self.deadline = asyncio.timeout(None)
        self.kinds = itertools.cycle(GARBAGE)
        self._market, self._request, self._socket = market, request, socket

    async def say(self, frame: str) -> None:
        """Write what is no signal."""
        await self.connection.reply(frame)

    async def say_garbage(self, kind: str, topic: str) -> None:
        """Write what nobody expects; signals that cannot be read are counted as signals are."""
        await self.connection.reply(garbage(kind, topic))
        if kind == "payload":
            self._market.sent[STREAM] += 1

    async def end(self, topic: str, event: str) -> None:
        """End a channel with phx_error or phx_close."""
        await self.say(ended(self.channels.pop(topic), topic, event))

    async def close(self, code: int) -> None:
        """Close the socket as the venue does."""
        await self._socket.close(code=code)

    def go_deaf(self, fault: Fault) -> None:
        """Say and hear nothing more, and leave the socket open."""
        self.deadline.reschedule(None)
        self.connection.go_deaf(fault.seconds(ZOMBIE_SECONDS))

    async def tell(self, frame: str, **facts: Any) -> None:
        """Write a publication, or what a fault makes of it."""
        if self._market.faults.take("cut_halfway", STREAM, **facts):
            self._market.lost[STREAM] += 1
            return self._hang_up(half(frame))
        await self.connection.send(frame, **facts)
        if self.connection.is_deaf:
            self.deadline.reschedule(None)
        if self._market.faults.take("cut_after", STREAM, **facts):
            self._hang_up()
        return None

    def _hang_up(self, last: bytes = b"") -> None:
        """Close the line without a closing handshake; what was written before arrives."""
        transport = self._request.transport
        if isinstance(transport, asyncio.Transport):
            transport.write(last)
            transport.close()


class Sockets:
    """Every socket of the sandbox's AlphaHub. Owned by the thread that serves the market."""

    def __init__(self, market: Market, sessions: Sessions) -> None:
        self.market, self.sessions = market, sessions
        self._clients: dict[Client, None] = {}
        market.faults.know(FAULTS)

    def on(self, topic: str) -> int:
        """Return how many have joined a topic."""
        return sum(topic in each.channels for each in self._clients)

    async def tell(self, publication: Publication) -> None:
        """Write a publication to each socket that has joined its topic."""
        frame = broadcast(publication.topic, publication.payload())
        async with asyncio.TaskGroup() as telling:
            for client in [each for each in self._clients if publication.topic in each.channels]:
                telling.create_task(self._tell(client, publication, frame))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one client's conversation."""
        self.market.requests[STREAM] += 1
        if not self._is_let_in(request):
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = Client(self.market, socket, request)
        self._clients[client] = None
        try:
            await self._converse(client, socket)
        except ConnectionError:
            pass  # cut while something was answered
        finally:
            self._clients.pop(client, None)
            for topic in list(client.channels):
                await self._leave(client, topic)
        return socket

    def _is_let_in(self, request: web.Request) -> bool:
        """Return whether Phoenix would: by its version of the protocol (else another framing), and by the token."""
        token = request.query.get("api_token", "")
        session = self.sessions.of_token(token, self.market.clock.wall())
        is_known = session is not None and request.query.get("vsn", "").startswith("2.")
        return is_known and not self.market.faults.take("expired_token", STREAM)

    async def _converse(self, client: Client, socket: web.WebSocketResponse) -> None:
        loop, idle = asyncio.get_running_loop(), self.sessions.lifetimes.idle
        try:
            async with client.deadline as deadline:
                while True:
                    if not client.connection.is_deaf:
                        deadline.reschedule(loop.time() + idle)
                    frame = await socket.receive()
                    if not is_text(frame.type):
                        return
                    await self._hear(client, frame.data, frame.type)
        except TimeoutError:
            await client.close(1000)

    async def _hear(self, client: Client, frame: str | bytes, kind: WSMsgType) -> None:
        said = decoded(frame) if kind is WSMsgType.TEXT else None
        if said is None:  # the process behind the socket crashes on it
            return await client.close(1011)
        if fault := self._take("half_closed", said):
            return client.go_deaf(fault)
        if said.event == "heartbeat" and said.topic == "phoenix":
            await self._beat(client, said)
        elif said.event == "phx_join":
            await self._join(client, said)
        elif said.event == "phx_leave":
            await self._answer_leave(client, said)
        elif said.topic in client.channels:  # a channel that does not know an event crashes on it (a guess)
            await self._end(client, said.topic, "phx_error")
        else:
            await client.say(reply(None, said.ref, said.topic, reason="unmatched topic"))
        return None

    async def _beat(self, client: Client, said: Said) -> None:
        if not self._take("unanswered_heartbeat", said):
            await client.say(reply(None, said.ref, said.topic))
        for topic in list(client.channels):
            await self._befall(client, topic, said.event)

    async def _join(self, client: Client, said: Said) -> None:
        if self._take("unanswered_join", said):
            return None
        if refused := self._refusal(client, said):
            return await client.say(refused)
        again, before = said.topic in client.channels, client.channels.get(said.topic)
        client.channels[said.topic] = said.join_ref
        await client.say(reply(said.join_ref, said.ref, said.topic))
        if again or self._take("duplicate_join", said):  # Phoenix tells the end of the first after the second began
            await client.say(ended(before if again else "before", said.topic, "phx_close"))
        await self.market.audiences[STREAM].add(client.connection)
        await self.market.audiences[said.topic].add(client.connection)
        await self._befall(client, said.topic, said.event)
        if fault := self._take("instant_close", said):
            await client.close(int(fault.options.get("code", 1011)))
        return None

    def _refusal(self, client: Client, said: Said) -> str:
        """Return the answer to a join that is not carried out, empty if it is."""
        kind, _, number = said.topic.partition(":")
        if kind != "algorithms":
            return reply(None, said.ref, said.topic, reason="unmatched topic")
        if fault := self._take("refused_join", said):
            reason = str(fault.options.get("reason", "unauthorized"))  # what AlphaHub says is not known
        elif not number.isdecimal():
            reason = "join crashed"
        elif len(client.channels) >= CHANNELS and said.topic not in client.channels:
            reason = "too many channels joined"
        else:
            return ""
        return reply(said.join_ref, said.ref, said.topic, reason=reason)

    async def _answer_leave(self, client: Client, said: Said) -> None:
        joined = client.channels.get(said.topic)
        if said.topic in client.channels and joined not in (said.join_ref, None):
            return  # the leave of an earlier join, whose end was told
        await client.say(reply(said.join_ref, said.ref, said.topic))
        if said.topic in client.channels:
            await self._end(client, said.topic, "phx_close")

    async def _tell(self, client: Client, publication: Publication, frame: str) -> None:
        topic, facts = publication.topic, {"algorithm": publication.algorithm, "event": NEW_SIGNALS}
        if await self._befall(client, topic, NEW_SIGNALS):
            self.market.lost[STREAM] += 1
        elif topic in client.channels:
            await client.tell(frame, **facts)

    async def _befall(self, client: Client, topic: str, event: str) -> bool:
        """Let happen to a channel what faults say; return whether it has ended."""
        facts = {"algorithm": _algorithm(topic), "event": event}
        take = self.market.faults.take
        if fault := take("garbage", STREAM, **facts):
            await client.say_garbage(str(fault.options.get("kind") or next(client.kinds)), topic)
        for name, told in (("channel_crash", "phx_error"), ("channel_close", "phx_close")):
            if topic in client.channels and take(name, STREAM, **facts):
                await self._end(client, topic, told)
                return True
        return False

    async def _end(self, client: Client, topic: str, event: str) -> None:
        await client.end(topic, event)
        await self._leave(client, topic)

    async def _leave(self, client: Client, topic: str) -> None:
        """Let the market know that a channel has ended."""
        client.channels.pop(topic, None)
        await self.market.audiences[topic].discard(client.connection)
        if not client.channels:
            await self.market.audiences[STREAM].discard(client.connection)

    def _take(self, name: str, said: Said) -> Fault | None:
        algorithm = _algorithm(said.topic)
        return self.market.faults.take(name, STREAM, event=said.event, algorithm=algorithm)


def _algorithm(topic: str) -> int | None:
    number = topic.rpartition(":")[2]
    return int(number) if number.isdecimal() else None
