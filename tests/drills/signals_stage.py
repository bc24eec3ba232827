"""AlphaHub's signals in drills: a sandbox that publishes, a client that may be restarted, and what it was told."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from memory.sandbox import MemorySandbox

from feeds.alphahub.intake import Late
from feeds.alphahub.listening import SignalListening
from feeds.alphahub.sandbox_signals import stamp
from feeds.alphahub.settings import USUAL, Settings, Waits
from framework.app.sandbox import sample
from framework.config import Credentials
from framework.live.codec import dumps, loads
from framework.live.records import TOLD
from framework.live.stream import Pace
from framework.model import Link, Remark, Signal, Signals
from framework.ports import AsyncHttp, Session
from framework.retries import Patience

ALGORITHMS = (14, 16)
NAMES = tuple("ABCDEFGH")

Facts = tuple[str, str, str, str, float | None]
"""Of a signal: algorithm, action, side, symbol, price."""

SEEN_THROUGH = (
    "drop", "cut_halfway", "cut_after", "half_closed", "unanswered_heartbeat", "duplicate_signals", "garbage",
    "channel_crash", "channel_close", "duplicate_join", "unanswered_join", "refused_join", "instant_close",
    "expired_token", "renewal_refused", "server_error", "slow_answer", "bad_gateway", "cut_answer", "stall",
)  # fmt: skip
"""What goes wrong and can be noticed: a line, a channel, a request."""

NOT_SEEN_THROUGH = ("mute", "missing_signals", "late_signals", "slow", "empty_history")
"""What looks as if nothing was published, while it lasts: the history shows it when it is asked next."""


@dataclass(frozen=True)
class Row:
    """A record of the journal."""

    kind: str
    at: datetime
    key: str
    body: Mapping[str, Any]


class Journal:
    """Records in a list, each written and read as a file would have it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.rows: list[Row] = []
        self._now = now

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> int:
        self.rows.append(Row(kind, self._now(), key, loads(dumps(body))))
        return len(self.rows)

    def entries(self, kind: str, key: str | None = None) -> Iterator[Row]:
        return (each for each in list(self.rows) if each.kind == kind and key in (None, each.key))


class Unheard:
    """Counts nothing: time is not told here."""

    def hear(self, stream: str, count: int = 1) -> None: ...

    def caught_up(self, stream: str) -> None: ...

    def before_step(self, work: Any) -> None: ...

    def after_step(self, work: Any) -> None: ...


@dataclass
class Stage:
    """A sandbox, and a client that listens to it, over as many runs as it takes."""

    sandbox: MemorySandbox
    settings: Settings
    told: list[Any] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    published: list[Facts] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self.sandbox.clock.now)
        self._held: dict[int, dict[str, str]] = {each: {} for each in ALGORITHMS}
        self._prices = itertools.count(1)
        self._stamp = self.sandbox.market.now().replace(microsecond=0)

    def session(self, http: AsyncHttp) -> Session:
        """Return what a client shares with whom it serves."""
        return Session("drill", self.sandbox.clock, http, self.journal, Unheard())

    @asynccontextmanager
    async def listening(self, *, is_awaited: bool = True) -> AsyncIterator[SignalListening]:
        """Listen until the block is left."""
        async with self.sandbox.http("AlphaHub", limit=None) as http:
            self.listening_now = SignalListening(self.settings, self.session(http), self.act, on_late=self.late.append)
            running = asyncio.create_task(self.listening_now.run())
            try:
                links = self.links.count(True)
                while is_awaited and self.links.count(True) == links and not running.done():
                    await self.sandbox.clock.sleep(0.01)
                yield self.listening_now
            finally:
                running.cancel()
                await asyncio.wait([running])
        if not running.cancelled() and (error := running.exception()) is not None:
            raise error

    async def publish(self, chance: Random, algorithm: int | None = None) -> None:
        """Let an algorithm close some of what it holds, and open something else; each price is used once.

        No two messages bear the same second: which was first could not be told, once one of them was missed.
        """
        number = algorithm or chance.choice(ALGORITHMS)
        held = self._held[number]
        closing = [name for name in held if chance.random() < 0.6]
        free = [name for name in NAMES if name not in held]
        self._stamp = max(self._stamp + timedelta(seconds=1), self.sandbox.market.now().replace(microsecond=0))
        close = [self._item(name, "sell" if held.pop(name) == "buy" else "buy") for name in closing]
        sides = {name: chance.choice(["buy", "sell"]) for name in chance.sample(free, k=min(len(free), 2))}
        held.update(sides)
        opened = [self._item(name, side) for name, side in sides.items()]
        for action, items in (("close", close), ("open", opened)):
            self.published += [(str(number), action, each["side"], each["symbol"], each["price"]) for each in items]
        await self.sandbox.publish(number, close=close, open=opened)

    def _item(self, name: str, side: str) -> dict[str, Any]:
        return {"symbol": name, "side": side, "price": float(next(self._prices)), "timestamp": stamp(self._stamp)}

    def act(self, news: Any) -> None:
        """Take what a session is told, and write down what was acted on, as an engine does."""
        self.told.append(news)
        if isinstance(news, Signals):
            self.journal.append(TOLD, news.name, {})

    @property
    def batches(self) -> list[Signals]:
        return [each for each in self.told if isinstance(each, Signals)]

    @property
    def signals(self) -> list[Signal]:
        return [signal for each in self.batches for signal in each.signals]

    @property
    def links(self) -> list[bool]:
        return [each.is_up for each in self.told if isinstance(each, Link)]

    @property
    def remarks(self) -> list[str]:
        return [each.text for each in self.told if isinstance(each, Remark)]

    def broken(self) -> list[str]:
        """Return what is wrong: signals that did not come, or came twice, or out of their order."""
        came = [facts(each) for each in self.signals]
        late = [facts(each.signal) for each in self.late]
        counts = Counter(came + late)
        wrong = [f"{each} came {counts[each]} times" for each in self.published if counts[each] != 1]
        wrong += [f"{each} was never published" for each in counts if each not in self.published]
        places = {each: number for number, each in enumerate(self.published)}
        for number in map(str, ALGORITHMS):
            order = [places.get(each, -1) for each in came if each[0] == number]
            wrong += [] if order == sorted(order) else [f"algorithm {number} came in the order {order}"]
        return wrong


def facts(signal: Signal) -> Facts:
    side = signal.side.value if signal.side else "hold"
    return signal.algorithm, signal.action.value, side, signal.symbol, signal.price


def settings(sandbox: MemorySandbox, waits: Waits = USUAL, **more: Any) -> Settings:
    account = Credentials("drill@example.com", "a password")
    return Settings.of(ALGORITHMS, tz=UTC, credentials=account, base_url=sandbox.url, waits=waits, **more)


@asynccontextmanager
async def staged(seed: int, waits: Waits = USUAL, **more: Any) -> AsyncIterator[Stage]:
    async with MemorySandbox(sample(("SPY",), "2026-10-05"), seed=seed) as sandbox:
        yield Stage(sandbox, settings(sandbox, waits, **more))


async def schedule(
    seed: int, names: Sequence[str], *, minutes: float = 15.0, rate: float = 0.05, restarts: int = 0
) -> Stage:
    """Play a random schedule: publications, lines that are cut, faults at a rate, restarts; then all is well again."""
    chance = Random(seed)
    async with staged(seed) as stage:
        clock = stage.sandbox.clock
        await stage.sandbox.publish(14, open=[{"symbol": "Z", "side": "buy", "price": 0.5}])  # is past
        stage.sandbox.market.faults.clear()
        for run in range(restarts + 1):
            async with stage.listening(is_awaited=run == 0):
                stage.sandbox.random_faults(seed + run, rate, *names)
                end = clock.monotonic() + 60 * minutes / (restarts + 1)
                while clock.monotonic() < end:
                    await clock.sleep(chance.expovariate(1 / 40))
                    for _ in range(chance.choice([0, 1, 1, 2])):
                        stage.sandbox.hang_up("alphahub")
                        await clock.sleep(chance.choice([0.0, 0.3, 2.0]))
                    await stage.publish(chance)
                if run == restarts:
                    stage.sandbox.market.faults.clear()
                    await clock.sleep(600)
        return stage


QUICK = Waits(
    pace=Pace(ping=0.1, pong=0.2, look=0.02, close=0.05, first_wait=0.001, longest_wait=0.05),
    retries=Patience(first_wait=0.001, longest_wait=0.02),
    stagger=0.02, overlap=0.02, answer=1.0, hold=0.5, refused=0.02, join=1.0, rotate=0.7,
)  # fmt: skip


async def over_sockets(seed: int, publications: int = 20) -> Stage:
    """Play a short schedule over real sockets, in a hurry: lines are replaced every second, too."""
    chance = Random(seed)
    names = [each for each in SEEN_THROUGH if each not in ("slow_answer", "stall", "half_closed")]
    async with staged(seed, QUICK, every=0.2) as stage, stage.listening():
        stage.sandbox.random_faults(seed, 0.02, *names)
        for _ in range(publications):
            await asyncio.sleep(chance.uniform(0.0, 0.04))
            for _ in range(chance.choice([0, 0, 1, 2])):
                stage.sandbox.hang_up("alphahub")
                await asyncio.sleep(chance.choice([0.0, 0.005]))
            await stage.publish(chance)
        stage.sandbox.market.faults.clear()
        async with asyncio.timeout(20):
            while len(stage.signals) + len(stage.late) < len(stage.published):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # for what might come twice
        return stage
