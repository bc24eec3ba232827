"""The two clients that `live.py` compares, each in a process of its own: `bare` and `ours`. They do the same.

A minute's bars come; of each symbol that is traded 1 share is bought where none is held, else sold; what is
decided is on the disk before it is sent (or not, with durable OFF); fills are noted when they are heard.
The last line printed is JSON: {"nexts", "heard": [[symbol, ns]], "cpu": the seconds used in ten at rest}.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

KEYS = {"APCA-API-KEY-ID": "benchkey", "APCA-API-SECRET-KEY": "benchsecret"}
REST = 10.0


@dataclass(frozen=True)
class Job:
    """What a client does; `traded` are the first so many symbols."""

    url: str
    folder: str
    symbols: list[str]
    traded: int
    bars: int
    durable: str = "FULL"
    grace: float = 0.25
    rests: bool = False


class Rest:
    """How much of the processor the process takes in ten seconds."""

    def __init__(self) -> None:
        self.share: float | None = None

    def begin(self) -> None:
        self._thread = threading.Thread(target=self._measure)
        self._thread.start()

    def _measure(self) -> None:
        time.sleep(0.5)  # the bar's own work
        before = time.process_time()
        time.sleep(REST)
        self.share = (time.process_time() - before) / REST


def bare(job: Job) -> dict[str, Any]:
    """Do it with websockets and aiohttp alone."""
    import aiohttp
    import msgpack
    from websockets.asyncio.client import connect

    database = sqlite3.connect(f"{job.folder}/bare.sqlite", isolation_level=None)
    if job.durable != "OFF":
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {job.durable}")
        database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body TEXT NOT NULL)")
    held = dict.fromkeys(job.symbols, 0)
    heard: list[tuple[str, int]] = []
    rest, minutes, waiting = Rest(), 0, dict[str, Any]()
    run, late = f"bare{time.time_ns()}", asyncio.Event()

    def decided() -> list[dict[str, str]]:
        sides = {symbol: "sell" if held[symbol] > 0 else "buy" for symbol in job.symbols[: job.traded]}
        return [
            {"symbol": symbol, "qty": "1", "side": side, "type": "market", "time_in_force": "day",
             "client_order_id": f"{run}-{minutes}-{symbol}"}
            for symbol, side in sides.items()
        ]  # fmt: skip

    def keep(orders: list[dict[str, str]]) -> None:
        if job.durable != "OFF":
            database.execute("BEGIN IMMEDIATE")
            rows = [(order["client_order_id"], json.dumps(order)) for order in orders]
            database.executemany("INSERT INTO orders VALUES (?, ?)", rows)
            database.execute("COMMIT")

    async def post(client: aiohttp.ClientSession, order: dict[str, str]) -> None:
        async with client.post("/v2/orders", json=order) as answer:
            await answer.json()

    async def act(client: aiohttp.ClientSession) -> None:
        nonlocal minutes
        waiting.clear()
        minutes += 1
        if job.rests and minutes == 2:
            rest.begin()
        orders = decided()
        keep(orders)
        await asyncio.gather(*(post(client, order) for order in orders))

    async def follow_bars(client: aiohttp.ClientSession) -> None:
        socket = await connect(job.url.replace("http", "ws") + "/v2/iex", ping_interval=5)
        await socket.recv()
        for message in ({"action": "auth", "key": "k", "secret": "s"}, {"action": "subscribe", "bars": job.symbols}):
            await socket.send(msgpack.packb(message))
            await socket.recv()
        while minutes < job.bars:
            try:
                async with asyncio.timeout(job.grace if waiting else None):
                    frame = await socket.recv()
            except TimeoutError:
                await act(client)
                continue
            waiting.update((each["S"], each) for each in msgpack.unpackb(frame) if each["T"] == "b")
            if len(waiting) == len(job.symbols):
                await act(client)

    async def follow_orders() -> None:
        socket = await connect(job.url.replace("http", "ws") + "/stream", ping_interval=5)
        await socket.send(json.dumps({"action": "authenticate", "data": {}}))
        await socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        async for frame in socket:
            data = json.loads(frame)["data"]
            if data.get("event") == "fill":
                order = data["order"]
                heard.append((order["symbol"], time.monotonic_ns()))
                held[order["symbol"]] += 1 if order["side"] == "buy" else -1
                if len(heard) == job.bars * job.traded:
                    late.set()

    async def trade() -> None:
        async with aiohttp.ClientSession(job.url, headers=KEYS) as client:
            following = asyncio.create_task(follow_orders())
            await follow_bars(client)
            async with asyncio.timeout(5):
                await late.wait()
            while job.rests and rest.share is None:
                await asyncio.sleep(0.1)
            following.cancel()

    asyncio.run(trade())
    return {"nexts": minutes, "heard": heard, "cpu": rest.share}


def ours(job: Job) -> dict[str, Any]:
    """Do it with a Backtrader strategy in a live session."""
    import backtrader as bt

    from brokers import AlpacaVenue
    from feeds import AlpacaBars
    from framework import Live, run

    heard: list[tuple[str, int]] = []
    rest, nexts = Rest(), 0

    class Trader(bt.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            nonlocal nexts
            nexts += 1
            if job.rests and nexts == 2:
                rest.begin()
            for data in self.datas[: job.traded]:
                self.sell(data, size=1) if self.getposition(data).size > 0 else self.buy(data, size=1)

        def notify_order(self, order: Any) -> None:
            if order.status == order.Completed:
                heard.append((order.data._name, time.monotonic_ns()))
                if len(heard) == job.bars * job.traded and not job.rests:
                    self.env.runstop()

    account = {"base_url": job.url, "key": KEYS["APCA-API-KEY-ID"], "secret": KEYS["APCA-API-SECRET-KEY"]}
    live = Live(durable=job.durable, grace=job.grace, requests=1_000_000)  # type: ignore[arg-type]
    run(Trader, source=AlpacaBars(job.symbols, **account), venue=AlpacaVenue(**account), warmup=0, live=live)
    return {"nexts": nexts, "heard": heard, "cpu": rest.share}


def command(which: str, job: Job) -> list[str]:
    """Return the command that runs a client."""
    return [sys.executable, "-W", "ignore", __file__, which, json.dumps(asdict(job))]


if __name__ == "__main__":
    asked = Job(**json.loads(sys.argv[2]))
    print(json.dumps((bare if sys.argv[1] == "bare" else ours)(asked)), flush=True)
