"""What a client of AlphaHub loses when lines drop, and how long a signal takes, beside the well-known example client.

    python benchmarks/signals.py [--quick]

Both listen to the same sandbox, one after the other, each on its own: a hundred drops a second apart, at the worst
moment (before, in the middle of and after a publication) and shortly before it; five seconds in which the server
closes as soon as a join was answered; two hundred publications on a line that is well. It takes five minutes.

The peer is written anew from what is known of the example client: a state machine over one connection, a login that
blocks the loop, a token that is used for 29 minutes, joins one after the other, a wait of 5 s for a frame, a heartbeat
15 s after the last frame that was sent, no wait after a line that broke, 5 s after any other error, and a task for each
call of the user's function.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from feeds import AlphaHubConnection
from framework.app.sandbox import Sandbox

ALGORITHM = 16
ITEM = {"symbol": "SPY", "side": "buy"}
MOMENTS = ("drop", "cut_halfway", "cut_after", "hang up")
CLOSING = 5.0
"""Seconds of instant closes."""

STORM = 5.0
"""Connections a second that are too many."""

LATENCY = 3.0
"""Times the peer's that a signal may take."""

KEPT = 30.0
"""Milliseconds that it may take with a journal: it is on the disk before the function is called."""

OnSignal = Callable[[int, Any], Any]
Client = Callable[[Sandbox, OnSignal], Coroutine[Any, Any, None]]


class Peer:
    """The example client's way of listening, in little."""

    def __init__(self, sandbox: Sandbox, on_signal: OnSignal) -> None:
        self._base, self._on_signal = sandbox.url, on_signal
        self._form = {"user[email]": sandbox.alphahub["email"], "user[password]": sandbox.alphahub["password"]}
        self._token, self._logged_in_at = "", -1e9

    async def run(self) -> None:
        while True:
            try:
                await self._once()
            except ConnectionClosedError:
                continue  # at once
            except Exception:  # a clean close, a frame that is no JSON, a refusal
                self._logged_in_at = -1e9
                await asyncio.sleep(5)

    async def _once(self) -> None:
        if time.monotonic() - self._logged_in_at > 29 * 60:
            answer = requests.post(f"{self._base}/api/v1/session", self._form)  # noqa: S113  (blocks, as theirs does)
            self._token, self._logged_in_at = answer.json()["data"]["token"], time.monotonic()
        address = f"{self._base.replace('http', 'ws', 1)}/socket/websocket?vsn=2.0.0&api_token={self._token}"
        async with connect(address) as socket:
            await self._say(socket, f"algorithms:{ALGORITHM}", "phx_join")
            while True:
                await self._listen(socket)

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            *_, topic, event, payload = json.loads(await asyncio.wait_for(socket.recv(), 5))
        except TimeoutError:
            if time.monotonic() - self._sent_at >= 15:
                await self._say(socket, "phoenix", "heartbeat")
            return
        if event == "new_signals":
            self._task = asyncio.create_task(self._call(int(topic.partition(":")[2]), payload))

    async def _call(self, algorithm: int, payload: Any) -> None:
        self._on_signal(algorithm, payload)

    async def _say(self, socket: ClientConnection, topic: str, event: str) -> None:
        await socket.send(json.dumps([None, None, topic, event, {}]))
        self._sent_at = time.monotonic()


async def theirs(sandbox: Sandbox, on_signal: OnSignal) -> None:
    await Peer(sandbox, on_signal).run()


async def unkept(sandbox: Sandbox, on_signal: OnSignal) -> None:
    await connected(sandbox, on_signal, None)


async def ours(sandbox: Sandbox, on_signal: OnSignal) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await connected(sandbox, on_signal, Path(folder) / "signals.sqlite")


async def connected(sandbox: Sandbox, on_signal: OnSignal, journal: Path | None) -> None:
    await AlphaHubConnection(
        algo_ids=[ALGORITHM], on_signal=on_signal, on_late=on_signal_late(on_signal), on_news=lambda news: None,
        journal=journal, tz="UTC", **sandbox.alphahub,
    ).run()  # fmt: skip


def on_signal_late(on_signal: OnSignal) -> Callable[[int, Any, str], Any]:
    """Return what notes signals that came too late to be acted on: by an id that no algorithm has."""
    return lambda algorithm, info, why: on_signal(-algorithm, info)


@asynccontextmanager
async def listening(client: Client, sandbox: Sandbox, on_signal: OnSignal, lines: int) -> AsyncIterator[None]:
    running = asyncio.create_task(client(sandbox, on_signal))
    try:
        if lines:
            await asyncio.to_thread(sandbox.attend, "alphahub", lines)
            await asyncio.sleep(0.5)
        yield
    finally:
        while not running.done():  # who reconnects at once may miss a word
            running.cancel()
            await asyncio.wait([running], timeout=0.1)


def prices(info: Any) -> list[float]:
    return [each["price"] for name in ("close", "open") for each in info.get(name) or ()]


async def lost(client: Client, lines: int, drops: int) -> tuple[int, int, int]:
    """Return how many signals never came, how many came twice, and how many too late to be acted on."""
    came: list[float] = []
    late: list[float] = []
    chance = Random(7)
    with Sandbox(speed=1.0) as sandbox:
        async with listening(
            client, sandbox, lambda number, info: (came if number > 0 else late).extend(prices(info)), lines
        ):
            for number in range(drops):
                await one_drop(sandbox, MOMENTS[number % len(MOMENTS)], number + 1.0, lines, chance)
                await asyncio.sleep(1.0)
            end = time.monotonic() + 60
            while len({*came, *late}) < drops and time.monotonic() < end:
                await asyncio.sleep(0.1)
    return drops - len({*came, *late}), len(came) + len(late) - len({*came, *late}), len(late)


async def one_drop(sandbox: Sandbox, moment: str, price: float, lines: int, chance: Random) -> None:
    if moment == "hang up":
        sandbox.hang_up("alphahub")
        await asyncio.sleep(chance.uniform(0.0, 0.05))
    else:
        sandbox.fault(moment, stream="alphahub", count=lines)
    await published(sandbox, price)
    await asyncio.to_thread(sandbox._server.call, sandbox.market.faults.clear)


async def published(sandbox: Sandbox, price: float) -> None:
    await asyncio.to_thread(lambda: sandbox.publish(ALGORITHM, open=[{**ITEM, "price": price}]))


async def connections(client: Client) -> float:
    """Return the connections a second where each is closed as soon as it has joined."""
    with Sandbox(speed=1.0) as sandbox:
        sandbox.fault("instant_close", stream="alphahub", count=0)
        async with listening(client, sandbox, lambda *told: None, 0):
            await asyncio.sleep(CLOSING)
        return sandbox.market.requests["alphahub"] / CLOSING


async def latency(client: Client, lines: int, count: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of milliseconds from a publication to the user's function."""
    at: dict[float, float] = {}
    with Sandbox(speed=1.0) as sandbox:

        def on_signal(algorithm: int, info: Any) -> None:
            at[prices(info)[0]] = time.perf_counter()

        took = []
        async with listening(client, sandbox, on_signal, lines):
            for number in range(count):
                begun, price = time.perf_counter(), number + 1.0
                await published(sandbox, price)
                while price not in at:
                    await asyncio.sleep(0.001)
                took.append(1000 * (at[price] - begun))
                await asyncio.sleep(0.02)
    return float(np.median(took)), float(np.percentile(took, 99))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="twelve drops, forty publications")
    options = parser.parse_args()
    drops, count = (12, 40) if options.quick else (100, 200)
    found = {}
    for name, client, lines in (("theirs", theirs, 1), ("ours", ours, 2)):
        gone, doubled, late = asyncio.run(lost(client, lines, drops))
        rate = asyncio.run(connections(client))
        middle, slowest = asyncio.run(latency(client, lines, count))
        found[name] = gone, doubled, late, rate, middle
        print(f"{name}: {gone} of {drops} signals lost, {doubled} doubled, {late} late")
        print(f"{name}: {rate:.1f} connections a second where each is closed")
        print(f"{name}: {middle:.1f} ms to the function, 99th percentile {slowest:.1f} ms", flush=True)
    unkept_middle, unkept_slowest = asyncio.run(latency(unkept, 2, count))
    print(f"ours, without a journal: {unkept_middle:.1f} ms to the function, 99th percentile {unkept_slowest:.1f} ms")
    gone, doubled, late, rate, middle = found["ours"]
    wrong = [name for name, is_wrong in {
        "signals lost": gone, "signals doubled": doubled, "signals late": late, "a storm of connections": rate > STORM,
        "slow": unkept_middle > LATENCY * found["theirs"][4] + 2.0, "slow with a journal": middle > KEPT,
    }.items() if is_wrong]  # fmt: skip
    print(f"wrong: {', '.join(wrong)}" if wrong else "as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
