"""The desk in a small session over real sockets, as a test tells it: submit, step, look at what was told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from asked import fills, statuses
from sandbox_client import Rest

from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.line import Habits
from brokers.alpaca.trading import AlpacaDesk
from framework.app.sandbox import Sandbox
from framework.config import Credentials
from framework.live.clock import VenueClock, WallClock
from framework.live.stream import Pace
from framework.live.transport import AioHttp
from framework.model import GroupKind, Link, OrderGroup, OrderRequest, OrderStatus, OrderUpdate, Remark, Snapshot, Trade
from framework.ports import News, Resumed, Session
from framework.retries import Patience

STREAM = "trade_updates"
WAIT = 20.0

PATIENCE = Patience(attempts=3, connect=5.0, read=0.3, whole=5.0, first_wait=0.0, longest_wait=0.0, longest_limit=0.0)
HABITS = Habits(
    back_off=Patience(first_wait=0.001, longest_wait=0.01),
    pace=Pace(ping=0.1, pong=0.2, close=0.05, first_wait=0.001, longest_wait=0.01),
)


class Memory:
    """A journal that is not written."""

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> int:
        return 0


class Heard:
    """How many messages of the stream were handed on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.count, self.changed = sandbox, 0, asyncio.Event()

    @property
    def sent(self) -> int:
        return int(self.sandbox.state()["sent"].get(STREAM, 0))

    def hear(self, stream: str, count: int = 1) -> None:
        assert stream == STREAM
        self.count += count
        self.changed.set()

    def caught_up(self, stream: str) -> None:
        assert stream == STREAM
        self.count = max(self.count, self.sent)
        self.changed.set()


class Trader:
    """A session that trades in lock-step with a sandbox. Its event loop runs while one of its methods does."""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        resumed: Sequence[Resumed] = (),
        habits: Habits = HABITS,
        secret: str | None = None,
        clock: Any = None,
        wrapped: Callable[[Any], Any] = lambda http: http,
    ) -> None:
        self.sandbox, self.rest = sandbox, Rest(sandbox)
        self.told: list[News] = []
        self.requests: dict[str, OrderRequest] = {}
        self._runner = asyncio.Runner()
        self._listening: asyncio.Task[None] | None = None
        self._run(self._open(resumed, habits, secret or sandbox.secret, clock, wrapped))

    async def _open(self, resumed: Sequence[Resumed], habits: Habits, secret: str, clock: Any, wrapped: Any) -> None:
        self.clock = clock or VenueClock(self.sandbox.market.now(), None, WallClock())
        self.heard = Heard(self.sandbox)
        self.http = await AioHttp("Alpaca", self.clock, PATIENCE, limit=100_000).__aenter__()
        session = Session("run", self.clock, wrapped(self.http), Memory(), self.heard)
        endpoint = Endpoint(self.sandbox.url, Credentials(self.sandbox.key, secret))
        self.desk = AlpacaDesk(session, self._emit, endpoint, habits)
        self.desk.resume(resumed)

    def __enter__(self) -> Trader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._run(self.http.close())
        self._runner.close()

    def _run(self, work: Awaitable[Any]) -> Any:
        async def timed() -> Any:
            return await asyncio.wait_for(work, WAIT)

        return self._runner.run(timed())

    def _emit(self, news: News) -> None:
        self.told.append(news)
        self.heard.changed.set()

    # What a session does

    def listen(self) -> Trader:
        """Listen from now on, and wait until the stream is up."""

        async def begin() -> None:
            self._listening = asyncio.create_task(self.desk.listen())

        self._run(begin())
        self.until(lambda: self.links[-1:] == [True])
        return self

    def stop(self) -> None:
        """End as a process does that is killed: nothing is told to the venue."""

        async def end() -> None:
            assert self._listening is not None
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

        if self._listening is not None:
            self._run(end())
            self._listening = None

    def submit(self, *orders: OrderRequest, kind: GroupKind = GroupKind.LIST, position: float = 0.0) -> None:
        self.requests.update({each.client_order_id: each for each in orders})
        self._run(self.desk.submit(OrderGroup(orders, kind, position)))
        self.settle()

    def begin(self, *orders: OrderRequest) -> asyncio.Task[None]:
        """Begin to send, and return before anything has left."""

        async def begin() -> asyncio.Task[None]:
            return asyncio.create_task(self.desk.submit(OrderGroup(orders)))

        self.requests.update({each.client_order_id: each for each in orders})
        task: asyncio.Task[None] = self._run(begin())
        return task

    def end(self, task: asyncio.Task[None]) -> None:
        self._run(task)
        self.settle()

    def cancel(self, name: str) -> None:
        self._run(self.desk.cancel(name))
        self.settle()

    def replace(self, name: str, request: OrderRequest) -> None:
        self._run(self.desk.replace(name, request))
        self.settle()

    def snapshot(self) -> Snapshot:
        found: Snapshot = self._run(self.desk.snapshot())
        return found

    def price(self, symbol: str, price: float) -> None:
        self.desk.price(Trade(symbol, self.clock.now(), price, 1.0))
        self.settle()

    def play(self, count: int = 1) -> None:
        """Play instants as the lock-step driver does: what is due before each, then its prices and news."""
        for _ in range(count):
            if (after := self.sandbox.market.tape.after(self.sandbox.market.played_at)) is not None:
                self.pass_until(after.at - timedelta(microseconds=1))
            self.sandbox.step()
            self.clock.set(self.sandbox.market.now())
            for bar in after.bars if after is not None else ():
                self.desk.price(bar)
            self.settle()

    def pass_until(self, at: datetime) -> None:
        """Let venue time pass, without an instant."""
        self.clock.set(at)
        self.settle()

    def settle(self) -> None:
        """Wait until all that was sent is heard, and what follows is done."""
        self.until(lambda: self.heard.count >= self.heard.sent)
        self._run(self.desk.catch_up())
        self.until(lambda: self.heard.count >= self.heard.sent)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Let the loop run until something is so; raise what ended the listening."""

        async def watch() -> None:
            while not is_so():
                if self._listening is not None and self._listening.done():
                    return self._listening.result()
                self.heard.changed.clear()
                waiting = [asyncio.ensure_future(self.heard.changed.wait()), *filter(None, [self._listening])]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return None

        self._run(watch())

    # What was told

    @property
    def updates(self) -> list[OrderUpdate]:
        return [each for each in self.told if isinstance(each, OrderUpdate)]

    @property
    def links(self) -> list[bool]:
        return [each.is_up for each in self.told if isinstance(each, Link)]

    @property
    def remarks(self) -> list[str]:
        return [each.text for each in self.told if isinstance(each, Remark)]

    def statuses(self, name: str = "run-1-1") -> list[OrderStatus]:
        """Return an order's statuses but those on its way in."""
        return [each for each in statuses(self.updates, name) if each is not OrderStatus.PENDING_NEW]

    def last(self, name: str = "run-1-1") -> OrderUpdate:
        return [each for each in self.updates if each.client_order_id == name][-1]

    def filled(self, name: str = "run-1-1") -> float:
        return sum(size for size, _ in fills(each for each in self.updates if each.client_order_id == name))

    # What the venue says

    def shown(self, name: str) -> Any:
        """Return an order as the venue has it."""
        venue_order_id = self.desk._telling.reports.venue_order_id(name)
        return self.rest.get(f"/v2/orders/{venue_order_id}") if venue_order_id else None

    @property
    def made(self) -> int:
        """How many POSTs the book has taken."""
        return int(self.sandbox.state()["requests"].get("orders", 0))

    def check(self) -> None:
        """Hold what was told against the book: fills, ends, each once, nothing that is not ours."""
        for name in self.requests:
            shown, ends = self.shown(name), [each for each in self.statuses(name) if each.is_final]
            assert len(ends) <= 1, (name, ends)
            if shown is not None:
                assert self.filled(name) == float(shown["filled_qty"]), (name, shown, self.updates)
                final = {each.value for each in OrderStatus if each.is_final} & {shown["status"]}
                assert {each.value for each in ends} == final or ends == [OrderStatus.EXPIRED], (name, ends, shown)
