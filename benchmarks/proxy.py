"""How many messages a second of CPU the proxy delivers, and how much later they come, beside two plain servers.

    python benchmarks/proxy.py [--quick]

The same upstream (`proxy_parts.py`) feeds each server in turn, each in a process of its own: ours, a server that calls
`websockets.broadcast` for each frame, and one in the style of the original agent, which polls a queue and awaits a send
for each client. The peers neither know who asks nor for what; ours does. CPU is the server's own, all of it: reading
upstream, too. Clients are sockets in another process that read, count bytes, and do nothing else. "a frame" is how many
messages upstream puts into one: with sixteen, the broadcast server sends sixteen on without looking at any.

Latency is at 1,000 messages a second, with ten clients, from the upstream's write to the client's read; what is added
is the difference to a client that reads upstream itself. It takes five minutes, a quick one two.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import psutil
from proxy_parts import AUTH, END, EVERYTHING, trade  # beside this file

from feeds.alpaca.messages import as_msgpack

SERVERS = {"ours": "ours", "broadcast": "websockets.broadcast", "each": "await each, polled"}
REACH = 5.0
"""Times the broadcast server's messages a CPU second, at ten clients."""

ADDED = 5.0
"""Milliseconds that the 99th of a hundred messages may be later."""

SIZE = len(as_msgpack([trade(1)])) - 1


class Part:
    """A process of `proxy_parts.py`."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("proxy_parts.py")), *words]
        root = str(Path(__file__).resolve().parent.parent)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self._process.stdout is not None
        self.told: dict[str, Any] = json.loads(self._process.stdout.readline())
        self._usage = psutil.Process(self._process.pid)

    @property
    def port(self) -> int:
        return int(self.told["port"])

    def cpu(self) -> float:
        used = self._usage.cpu_times()
        return float(used.user + used.system)

    def order(self, **what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


@contextmanager
def part(*words: str) -> Iterator[Part]:
    running = Part(*words)
    try:
        yield running
    finally:
        running.close()


def listener(port: int, keys: Mapping[str, str]) -> socket.socket:
    """Connect a client, log in and ask for everything; peers take no notice of that."""
    own = socket.create_connection(("127.0.0.1", port))
    own.sendall(
        f"GET /v2/iex HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Content-Type: application/msgpack\r\n\r\n".encode()
    )
    heard = until(own, b"\r\n\r\n")
    for message in ({**AUTH, **keys}, EVERYTHING) if keys else ():
        said = as_msgpack(message)
        own.sendall(bytes((0x82, 0x80 | len(said))) + bytes(4) + said)  # masked with nothing
    if b"subscription" not in heard:
        until(own, b"subscription")
    time.sleep(0.02)
    own.setblocking(False)
    while True:
        try:
            own.recv(1 << 16)
        except BlockingIOError:
            return own


def until(own: socket.socket, end: bytes) -> bytes:
    heard = b""
    while end not in heard:
        heard += own.recv(4_096)
    return heard


def drained(sockets: list[socket.socket]) -> list[int]:
    """Read until each has had the last message; return how many bytes each has read."""
    selector = selectors.DefaultSelector()
    counts, tails = [0] * len(sockets), [b""] * len(sockets)
    for at, own in enumerate(sockets):
        selector.register(own, selectors.EVENT_READ, at)
    left = len(sockets)
    while left:
        for key, _ in selector.select(20) or [(None, 0)]:
            assert key is not None, "nothing came for 20 s"
            data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            assert data, "a client was sent away"
            counts[key.data] += len(data)
            tails[key.data] = (tails[key.data] + data)[-200:]
            if END.encode() in tails[key.data]:
                left -= 1
                selector.unregister(key.fileobj)
    return counts


def latencies(own: socket.socket) -> list[float]:
    """Read one client's frames until the last; return each message's seconds since it was written upstream."""
    own.setblocking(True)
    found: list[float] = []
    buffer = b""
    while True:
        buffer += own.recv(1 << 16)
        now = time.monotonic_ns()
        while len(buffer) > 4:
            start = 4 if buffer[1] == 126 else 2
            end = start + (int.from_bytes(buffer[2:4], "big") if start == 4 else buffer[1])
            if len(buffer) < end:
                break
            for message in msgpack.unpackb(buffer[start:end]):
                if message["S"] == END:
                    return found
                found.append((now - message["i"]) / 1e9)
            buffer = buffer[end:]


@dataclass(frozen=True)
class Load:
    clients: int
    batch: int
    count: int


def delivered(server: str, load: Load) -> tuple[float, float]:
    """Return the messages delivered per CPU second of the server, and per second."""
    with part("feeder") as feeder, part(server, f"http://127.0.0.1:{feeder.port}") as between:
        keys = {name: between.told[name] for name in ("key", "secret") if name in between.told}
        sockets = [listener(between.port, keys) for _ in range(load.clients)]
        before, began = between.cpu(), time.monotonic()
        feeder.order(count=load.count, batch=load.batch, rate=0)
        read = drained(sockets)
        seconds, cpu = time.monotonic() - began, between.cpu() - before
        assert min(read) >= load.count * SIZE, "messages are missing"
        for each in sockets:
            each.close()
    return load.count * load.clients / max(cpu, 0.01), load.count * load.clients / seconds


def late(server: str | None, count: int) -> np.ndarray[Any, Any]:
    """Return the milliseconds of each message to one of ten clients; without a server one reads upstream itself."""
    with part("feeder") as feeder, behind(feeder, server) as between:
        keys = {name: between.told.get(name, AUTH[name]) for name in ("key", "secret")}
        shown = keys if server in ("ours", None) else {}
        others = [listener(between.port, shown) for _ in range(9 if server else 0)]
        own = listener(between.port, shown)
        numbers = [each.fileno() for each in others]
        feeder.order(count=count, batch=1, rate=1_000)
        reading = subprocess.Popen(
            [sys.executable, "-c", _SINK], pass_fds=numbers, env={"FDS": ",".join(map(str, numbers))}
        )
        found = latencies(own)
        reading.kill()
        reading.wait()
        for each in (own, *others):
            each.close()
    return np.array(found[count // 10 :]) * 1_000


_SINK = """
import os, select, socket
own = [socket.socket(fileno=int(each)) for each in os.environ["FDS"].split(",") if each]
while own:
    for each in select.select(own, [], [])[0]:
        if not each.recv(1 << 18):
            own.remove(each)
"""


@contextmanager
def behind(feeder: Part, server: str | None) -> Iterator[Part]:
    """Run a server that reads from the feeder; without one, clients read from that itself."""
    if server is None:
        yield feeder
    else:
        with part(server, f"http://127.0.0.1:{feeder.port}") as between:
            yield between


def percentiles(found: np.ndarray[Any, Any]) -> str:
    return f"p50 {np.median(found):.2f}  p99 {np.quantile(found, 0.99):.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    options = parser.parse_args()
    scale = 0.1 if options.quick else 1.0
    loads = [Load(clients, batch, int(scale * 16_000 * size) // 16 * 16) for clients, batch, size in (
        (1, 1, 40), (10, 1, 20), (100, 1, 4), (1, 16, 80), (10, 16, 40), (100, 16, 8))]  # fmt: skip
    print(
        f"{'messages delivered per CPU second':44}" + "".join(f"{name:>24}" for name in SERVERS.values()) + "   ratio"
    )
    ratios = {}
    for load in loads:
        found = {name: delivered(name, load) for name in SERVERS}
        ratios[load] = found["ours"][0] / found["broadcast"][0]
        title = f"{load.clients} clients, {load.batch} a frame, {load.count:,} messages"
        shown = "".join(f"{f'{cpu:,.0f} ({wall:,.0f}/s)':>24}" for cpu, wall in found.values())
        print(f"{title:44}{shown}   {ratios[load]:.1f}", flush=True)
    count = 3_000 if options.quick else 20_000
    direct = late(None, count)
    print(f"\n{'latency in ms at 1,000 messages a second':40}   {percentiles(direct)}   read from upstream itself")
    added = 0.0
    for name, title in SERVERS.items():
        found = late(name, count)
        more = [float(np.quantile(found, each) - np.quantile(direct, each)) for each in (0.5, 0.99)]
        added = more[1] if name == "ours" else added
        print(f"{title:40}   {percentiles(found)}   added p50 {more[0]:.2f}  p99 {more[1]:.2f}", flush=True)
    reached = next(ratios[each] for each in loads if (each.clients, each.batch) == (10, 1))
    print(f"\nat 10 clients, one message a frame, {reached:.1f} times the broadcast server (reach: {REACH:g}); "
          f"p99 added {added:.2f} ms (reach: under {ADDED:g})")  # fmt: skip
    return 0 if reached >= REACH and added < ADDED else 1


if __name__ == "__main__":
    sys.exit(main())
