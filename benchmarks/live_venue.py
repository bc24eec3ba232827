"""A venue for `live.py` and `execution.py`, in a process of its own: it writes bars, takes orders, fills them, and
stamps all of it.

It speaks as much of Alpaca's dialect as a session needs. Sockets are read by hand, because a web framework
would take longer over thirty orders at once than what is measured. Stamps are `time.monotonic_ns`, which all
processes of one machine share.

    POST /bench/begin   a `Tape` as JSON: it begins when both streams are listened to
    GET  /bench/stamps  {"bars": [ns], "orders": [[symbol, ns]], "fills": [[symbol, ns]]}, in their order
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgpack
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

OPENS = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BEHIND = timedelta(minutes=1)
"""How far the clock that is told is behind: ten seconds after a minute a session asks history for what it lacks."""

SETTLES = 0.2
"""Seconds between the last subscription and the first bar."""


@dataclass(frozen=True)
class Tape:
    """What is played: a minute of the market's takes `every` seconds, and a fill comes `fills` seconds after its order.

    The `silent` symbol has no bar but the first, the `late` one has it `late_by` seconds after the others. An order is
    taken and answered `answers` seconds after it has come in, and there are `quotes` a second from the first bar on.
    """

    symbols: list[str]
    bars: int
    every: float
    fills: float = 0.002
    silent: str = ""
    late: str = ""
    late_by: float = 0.0
    first: float = 0.0
    """Seconds from the beginning to the end of its first minute."""
    answers: float = 0.0
    quotes: float = 0.0


@dataclass
class Stamps:
    bars: list[int] = field(default_factory=list)
    orders: list[tuple[str, int]] = field(default_factory=list)
    fills: list[tuple[str, int]] = field(default_factory=list)


class Venue:
    """One tape at a time, for one client."""

    def __init__(self) -> None:
        self.tape = Tape(["AAAA"], 0, 1.0)
        self.stamps, self.begun, self.played = Stamps(), 0.0, 0
        self.orders: dict[str, dict[str, Any]] = {}
        self.streams: dict[str, Conversation] = {}
        self.playing: asyncio.Task[None] | None = None
        self.quoting: asyncio.Task[None] | None = None

    # The clock

    @property
    def speed(self) -> float:
        return 60.0 / self.tape.every

    def at(self, monotonic: float) -> datetime:
        return OPENS + timedelta(seconds=(monotonic - self.begun) * self.speed)

    def clock(self) -> dict[str, Any]:
        following = self.at(time.monotonic()).isoformat() if self.played < self.tape.bars else None
        now = (self.at(time.monotonic()) - BEHIND).isoformat()
        return {"now": now, "speed": self.speed, "mode": "accelerated", "next": following}

    # The tape

    def begin(self, asked: dict[str, Any]) -> None:
        for each in filter(None, (self.playing, self.quoting)):
            each.cancel()
        self.tape, self.stamps, self.played, self.playing = Tape(**asked), Stamps(), 0, None
        self.begun = time.monotonic() - (self.tape.every - self.tape.first if self.tape.first else 0.0)
        self.streams.clear()
        self.orders.clear()

    def listens(self, stream: str, conversation: Conversation) -> None:
        self.streams[stream] = conversation
        if len(self.streams) == 2 and self.playing is None:
            self.playing = asyncio.create_task(self.play())

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        minute = int((time.monotonic() + SETTLES - self.begun) / self.tape.every) + 1
        for number in range(self.tape.bars):
            if number == 1 and self.tape.quotes:
                self.quoting = asyncio.create_task(self.quote())
            await asyncio.sleep(self.begun + (minute + number) * self.tape.every - time.monotonic())
            end = OPENS + (minute + number) * MINUTE
            missing = {self.tape.silent, self.tape.late} if number else set()
            bars = [_bar(symbol, end, number) for symbol in self.tape.symbols if symbol not in missing]
            self.stamps.bars.append(self.streams["data"].say(msgpack.packb(bars, datetime=True)))
            if number and self.tape.late:
                frame = msgpack.packb([_bar(self.tape.late, end, number)], datetime=True)
                loop.call_later(self.tape.late_by, self.streams["data"].say, frame)
            self.played += 1

    async def quote(self) -> None:
        """Write quotes, one after another, each symbol in its turn, until the tape is over."""
        stream, began = self.streams["data"], time.monotonic()
        for number in itertools.count():
            if self.played >= self.tape.bars:
                return
            symbol = self.tape.symbols[number % len(self.tape.symbols)]
            now = self.at(time.monotonic())
            quote = {"T": "q", "S": symbol, "t": now, "bp": 100.0, "bs": 1, "bx": "V", "ap": 100.01, "as": 1, "ax": "V"}
            stream.say(msgpack.packb([quote | {"c": ["R"], "z": "A"}], datetime=True))
            await asyncio.sleep(began + (number + 1) / self.tape.quotes - time.monotonic())

    # Orders

    def order(self, asked: dict[str, Any], at: int) -> dict[str, Any]:
        self.stamps.orders.append((asked["symbol"], at))
        order = _order(asked)
        self.orders[order["id"]] = self.orders[order["client_order_id"]] = order
        loop = asyncio.get_running_loop()
        loop.call_soon(self.tell, "new", order | {"status": "new"})
        loop.call_later(self.tape.fills, self.fill, order)
        return order

    def fill(self, order: dict[str, Any]) -> None:
        filled = {"status": "filled", "filled_qty": order["qty"], "filled_avg_price": "100", "filled_at": _now()}
        execution = {"qty": order["qty"], "price": "100", "execution_id": str(uuid.uuid4()), "position_qty": "1"}
        self.orders[order["id"]] = self.orders[order["client_order_id"]] = order | filled
        at = self.tell("fill", order | filled, **execution)
        self.stamps.fills.append((order["symbol"], at))

    def tell(self, event: str, order: dict[str, Any], **more: str) -> int:
        data = {"event": event, "timestamp": _now(), "order": order | {"updated_at": _now()}, **more}
        if (stream := self.streams.get("orders")) is None:
            return 0  # another client's turn
        return stream.say(json.dumps({"stream": "trade_updates", "data": data}).encode())


def _bar(symbol: str, end: datetime, number: int) -> dict[str, Any]:
    close = 100 + number % 7 / 10
    prices = {"o": close, "h": close + 0.5, "l": close - 0.5, "c": close, "v": 1_000, "n": 10, "vw": close}
    return {"T": "b", "S": symbol, "t": end - MINUTE, **prices}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _order(asked: dict[str, Any]) -> dict[str, Any]:
    at = _now()
    return {
        "id": str(uuid.uuid4()), "client_order_id": asked["client_order_id"], "created_at": at, "updated_at": at,
        "submitted_at": at, "filled_at": None, "expired_at": None, "canceled_at": None, "failed_at": None,
        "replaced_at": None, "replaced_by": None, "replaces": None, "asset_id": str(uuid.uuid4()),
        "symbol": asked["symbol"], "asset_class": "us_equity", "notional": None, "qty": asked["qty"],
        "filled_qty": "0", "filled_avg_price": None, "order_class": "", "order_type": "market", "type": "market",
        "side": asked["side"], "time_in_force": "day", "limit_price": None, "stop_price": None,
        "status": "pending_new", "extended_hours": False, "legs": None, "trail_percent": None, "trail_price": None,
        "hwm": None, "subtag": None, "source": None,
    }  # fmt: skip


class Conversation(asyncio.Protocol):
    """One connection: requests over HTTP, or one of the two streams."""

    def __init__(self, venue: Venue) -> None:
        self.venue, self.buffer, self.is_socket = venue, b"", False
        self.path = ""
        self.server = ServerProtocol()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.is_socket:
            self.hear(data)
            return
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode()
            if "upgrade: websocket" in head.lower():
                self.is_socket = True
                self.hear(self.buffer)
                return
            length = next(
                (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
            )
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            self.answer(head, body, time.monotonic_ns())

    # Requests

    def answer(self, head: str, body: bytes, at: int) -> None:
        """Answer a request; an order as late as the tape says."""
        method, target, _ = head.split(" ", 2)
        where = urlsplit(target)
        if method == "POST" and where.path == "/v2/orders" and self.venue.tape.answers:
            late = self.venue.tape.answers
            asyncio.get_running_loop().call_later(late, self.write, method, where, body, at)
        else:
            self.write(method, where, body, at)

    def write(self, method: str, where: SplitResult, body: bytes, at: int) -> None:
        found = self.found(method, where.path, json.loads(body) if body else None, at)
        if where.path.startswith("/v2/orders") and method == "GET":
            name = where.path.rpartition("/")[2] if where.path.count("/") == 3 else where.query.rpartition("=")[2]
            found = self.venue.orders.get(name, [])
        text = json.dumps(found).encode()
        lines = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        self.transport.write(lines.encode() + text)

    def found(self, method: str, path: str, body: Any, at: int) -> Any:
        match method, path:
            case "POST", "/v2/orders":
                return self.venue.order(body, at)
            case "POST", "/bench/begin":
                self.venue.begin(body)
                return {}
            case _, "/bench/stamps":
                return self.venue.stamps.__dict__
            case _, "/_sandbox/clock":
                return self.venue.clock()
            case _, "/v2/account":
                money = dict.fromkeys(("cash", "equity", "buying_power"), "10000000")
                return {"id": "1", "account_number": "PA1", "status": "ACTIVE", "currency": "USD", **money}
            case _, "/v2/stocks/bars":
                return {"bars": {}, "next_page_token": None}
        return []

    # Streams

    def hear(self, data: bytes) -> None:
        self.server.receive_data(data)
        for event in self.server.events_received():
            if isinstance(event, Request):
                self.path = event.path
                self.server.send_response(self.server.accept(event))
                if self.path != "/stream":
                    self.say(msgpack.packb([{"T": "success", "msg": "connected"}]))
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                (self.order_stream if self.path == "/stream" else self.data_stream)(bytes(event.data))
        self.flush()

    def data_stream(self, frame: bytes) -> None:
        asked = msgpack.unpackb(frame)
        if asked["action"] == "auth":
            self.say(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
            return
        channels = {name: each for name, each in asked.items() if name != "action"}
        self.say(msgpack.packb([{"T": "subscription", **channels}]))
        self.venue.listens("data", self)

    def order_stream(self, frame: bytes) -> None:
        if json.loads(frame)["action"] == "listen":
            self.say(b'{"stream":"listening","data":{"streams":["trade_updates"]}}')
            self.venue.listens("orders", self)
        else:
            self.say(b'{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}')

    def say(self, frame: bytes) -> int:
        """Write a frame; return when. One that has hung up is written nothing."""
        if self.server.state is not State.OPEN:
            return 0
        at = time.monotonic_ns()
        self.server.send_binary(frame)
        self.flush()
        return at

    def flush(self) -> None:
        for each in self.server.data_to_send():
            self.transport.write(each) if each else self.transport.close()


async def serve(told: Callable[[str], None]) -> None:
    venue = Venue()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(venue), "127.0.0.1", 0)
    told(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(lambda url: print(url, flush=True)))
