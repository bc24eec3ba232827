"""The clients that `execution.py` compares, each in a process of its own.

Each sends bursts of orders, one after another, and prints JSON last: {"bursts": [[ms, cpu]]}, the milliseconds from
the first order asked for to the last acknowledgement known, and the CPU seconds of all its processes from the one
until a while after the other. `our_fills` and `their_fills` count instead the fills that are known, {"known", "of"}.

Of blockpaca it is its own functions that run, from the installed package, with the address changed: `blockpaca` is
its worker alone, `whole` its worker, its listener to order updates and its owner of the portfolio.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

KEYS = {"APCA-API-KEY-ID": "benchkey", "APCA-API-SECRET-KEY": "benchsecret"}
REST = 0.3
"""Seconds after the last acknowledgement of a burst: what follows of it is counted with it."""


@dataclass(frozen=True)
class Job:
    """What a client does: `bursts` of `orders`, the symbols in turn."""

    url: str
    folder: str
    symbols: list[str]
    orders: int
    bursts: int

    def each_symbol(self) -> list[str]:
        return [self.symbols[number % len(self.symbols)] for number in range(self.orders)]


def bare(job: Job) -> dict[str, Any]:
    """Send them with aiohttp alone, over one session."""
    import aiohttp

    names = iter(range(job.orders * job.bursts))

    async def post(client: aiohttp.ClientSession, symbol: str) -> None:
        order = {"symbol": symbol, "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        async with client.post("/v2/orders", json=order | {"client_order_id": f"bare-{next(names)}"}) as answer:
            assert (await answer.json())["id"]

    async def trade() -> list[tuple[float, float]]:
        pool = aiohttp.TCPConnector(limit=100)
        found = []
        async with aiohttp.ClientSession(job.url, headers=KEYS, connector=pool) as client:
            for _ in range(job.bursts):
                cpu, began = time.process_time(), time.perf_counter()
                await asyncio.gather(*(post(client, symbol) for symbol in job.each_symbol()))
                taken = time.perf_counter() - began
                await asyncio.sleep(REST)
                found.append((taken * 1e3, time.process_time() - cpu))
        return found

    return {"bursts": asyncio.run(trade())}


@dataclass
class Theirs:
    """Parts of blockpaca's program, as its `run_trading` begins them."""

    core: Any
    algorithm: Any
    results: Any
    parts: list[Any]

    def cpu(self) -> float:
        """Return the CPU seconds so far of this process and of those parts."""
        import psutil

        return time.process_time() + sum(sum(psutil.Process(each.pid).cpu_times()[:2]) for each in self.parts)


FORK = multiprocessing.get_context("fork")  # as on Linux before 3.14: its module is to be the one that was changed


@contextmanager
def theirs(job: Job, *, is_whole: bool = False) -> Iterator[Theirs]:
    """Run as many workers as it would here, and the parts around them where the whole is asked for."""
    import zmq
    from alpaca.trading.stream import TradingStream
    from blockpaca import core

    core.ALPACA_REST_BASE = f"{job.url}/v2"
    stream = partial(TradingStream, url_override=f"{job.url.replace('http', 'ws')}/stream")
    core.get_trading_stream = lambda: stream
    commands, results = FORK.Queue(), FORK.Queue()
    tokens = FORK.BoundedSemaphore(job.orders * job.bursts)  # its limit is not what is measured
    count = max(1, multiprocessing.cpu_count() - 4)  # its own rule: three for itself, and one for Alpaca
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.bind("tcp://127.0.0.1:*")
    where = push.getsockopt_string(zmq.LAST_ENDPOINT)
    with core.PriceSharedMemory(job.symbols) as prices:
        shown = prices.meta()
        works = [
            (core.execution_worker_zmq, (where, results, shown, number, tokens, *KEYS.values(), True))
            for number in range(count)
        ]
        if is_whole:
            works.append((core.trade_update_listener, (results, "log", job.folder, *KEYS.values())))
            works.append((core.portfolio_owner, (commands, results, job.symbols, None, False)))
        parts = [FORK.Process(target=work, args=given, daemon=True) for work, given in works]
        for each in parts:
            each.start()
        time.sleep(1.5)  # so does it
        algorithm = core.Trading_Algorithm(shown, commands, results, where, num_workers=count)
        algorithm.push = push
        yield Theirs(core, algorithm, results, parts)
        for each in parts:
            each.terminate()


def _their_orders(job: Job) -> list[dict[str, Any]]:
    return [{"ticker": symbol, "quantity": 1, "side": "buy", "order_type": "market"} for symbol in job.each_symbol()]


def blockpaca(job: Job) -> dict[str, Any]:
    """Send them as blockpaca does: a list to its workers, which answer over its queue."""
    orders, found = _their_orders(job), []
    with theirs(job) as running:
        for _ in range(job.bursts):
            cpu, began = running.cpu(), time.perf_counter()
            running.algorithm.submit_order(orders)
            for _ in orders:
                assert running.results.get(timeout=30)["status_code"] == 200
            taken = time.perf_counter() - began
            time.sleep(REST)
            found.append((taken * 1e3, running.cpu() - cpu))
    return {"bursts": found}


def whole(job: Job) -> dict[str, Any]:
    """Send them so, while its listener and its owner hear of them; there is nobody who learns of an acknowledgement."""
    found = []
    with theirs(job, is_whole=True) as running:
        for _ in range(job.bursts):
            cpu = running.cpu()
            running.algorithm.submit_order(_their_orders(job))
            time.sleep(4 * REST)
            found.append((float("nan"), running.cpu() - cpu))
    heard = Path(job.folder, "log.csv").read_text().count("OrderStatus.NEW")
    assert heard == job.orders * job.bursts, f"its listener heard of {heard} orders"
    return {"bursts": found}


def their_fills(job: Job) -> dict[str, Any]:
    """Put quotes and fills into blockpaca's queue as its streams do, and ask for its positions as its users do."""
    from blockpaca import core

    commands, results = FORK.Queue(), FORK.Queue()
    with core.PriceSharedMemory(job.symbols) as prices:
        owner = FORK.Process(
            target=core.portfolio_owner, args=(commands, results, job.symbols, None, False), daemon=True
        )
        feeder = FORK.Process(target=_feed, args=(results, job), daemon=True)
        algorithm = core.Trading_Algorithm(prices.meta(), commands, results, "tcp://127.0.0.1:9")
        with redirect_stdout(sys.stderr):
            owner.start()
            feeder.start()
            while feeder.is_alive():
                algorithm.get_current_data()
                time.sleep(EVERY)
            time.sleep(1.0)
            while (positions := algorithm.get_current_data()[1]) is None:
                pass  # its owner reads the same queue, and takes answers away
        owner.terminate()
    return {"known": sum(each["quantity"] for each in positions), "of": job.orders * job.bursts}


EVERY = 0.1
"""Seconds between two looks at the positions by blockpaca's users: its `frequency`."""


def _feed(results: Any, job: Job) -> None:
    """Put in what its quote stream and its listener would: 200 quotes a second, and 20 fills between them."""
    fills, chance = iter(range(job.orders * job.bursts)), Random(1)
    for number in itertools.count():
        symbol = job.symbols[number % len(job.symbols)]
        results.put({"type": "quote", "ticker": symbol, "bid": 100.0, "ask": 100.01})
        time.sleep(chance.expovariate(2 * QUOTES))
        if not number % 10:
            if (fill := next(fills, None)) is None:
                break
            results.put(
                {"type": "execution", "client_order_id": f"order-0-{fill}", "ticker": symbol, "executed_price": 100.0,
                 "executed_qty": 1.0, "status": "filled", "side": "buy", "action": "order", "timestamp": time.time(),
                 "raw_status": "OrderStatus.FILLED"}
            )  # fmt: skip
        time.sleep(chance.expovariate(2 * QUOTES))
    time.sleep(0.5)


QUOTES = 200
"""Quotes a second."""


def ours(job: Job) -> dict[str, Any]:
    """Send them from a strategy's `next`, in a live session: limits, journal, desk and all."""
    import backtrader as bt

    found: list[tuple[float, float]] = []
    known = 0

    class Trader(bt.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            nonlocal known
            known, self.taken = 0, 0.0
            self.cpu, self.began = time.process_time(), time.perf_counter()
            named = {data._name: data for data in self.datas}
            for symbol in job.each_symbol():
                self.buy(named[symbol], size=1)

        def notify_order(self, order: Any) -> None:
            nonlocal known
            if order.status == order.Accepted:
                known += 1
                if known == job.orders:
                    self.taken = time.perf_counter() - self.began
            elif order.status == order.Completed and self.taken:  # the first fill comes a while later
                found.append((self.taken * 1e3, time.process_time() - self.cpu))
                self.taken = 0.0
                if len(found) == job.bursts:
                    self.env.runstop()

    _trade(Trader, job)
    assert len(found) == job.bursts, f"{len(found)} bursts of {job.bursts} were acknowledged"
    return {"bursts": found}


def our_fills(job: Job) -> dict[str, Any]:
    """Count the fills that a strategy is told of, and what it then holds, while quotes come."""
    import backtrader as bt

    known = quotes = asked = 0
    held = 0.0

    class Trader(bt.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            nonlocal asked
            named = {data._name: data for data in self.datas}
            for symbol in job.each_symbol() if asked < job.orders * job.bursts else ():
                asked += 1
                self.buy(named[symbol], size=1)

        def notify_quote(self, quote: Any) -> None:
            nonlocal quotes
            quotes += 1

        def notify_order(self, order: Any) -> None:
            nonlocal known, held
            known += order.status == order.Completed
            held = sum(self.getposition(data).size for data in self.datas)

    _trade(Trader, job, "quotes")
    return {"known": min(known, held), "of": asked, "quotes": quotes}


def _trade(strategy: Any, job: Job, *channels: str) -> None:
    """Run a session until it ends itself, or the tape does."""
    from brokers import AlpacaVenue
    from feeds import AlpacaBars
    from framework import Live, run

    account = {"base_url": job.url, "key": KEYS["APCA-API-KEY-ID"], "secret": KEYS["APCA-API-SECRET-KEY"]}
    bars = AlpacaBars(job.symbols, channels=("bars", *channels), **account)  # type: ignore[arg-type]
    live = Live(requests=1_000_000)
    run(strategy, source=bars, venue=AlpacaVenue(**account), warmup=0, cash=5e6, live=live)


def command(which: str, job: Job) -> list[str]:
    """Return the command that runs a client."""
    return [sys.executable, "-W", "ignore", __file__, which, json.dumps(asdict(job))]


CLIENTS = {each.__name__: each for each in (bare, blockpaca, whole, ours, our_fills, their_fills)}

if __name__ == "__main__":
    asked = Job(**json.loads(sys.argv[2]))
    print(json.dumps(CLIENTS[sys.argv[1]](asked)), flush=True)
