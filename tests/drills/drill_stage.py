"""Whole live sessions against the sandbox: in memory on a virtual clock, and over real sockets."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar

import backtrader as bt
import numpy as np
from drills.drill_strategies import Hungry
from memory.loop import MemoryLoop
from memory.sandbox import MemorySandbox
from tape import OPEN, Tape, bars

from brokers.alpaca.book import Book
from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.line import Habits
from brokers.alpaca.sandbox import NAME as TRADING
from brokers.alpaca.settings import Settings
from brokers.alpaca.trading import AlpacaDesk
from brokers.alpaca.venue import AlpacaVenue
from feeds.alpaca.listening import Listening
from feeds.alpaca.sandbox import NAME as DATA
from feeds.alpaca.sandbox_book import Book as DataBook
from feeds.alpaca.source import AlpacaBars
from feeds.alpaca.waits import Waits
from framework.app.sandbox import Sandbox
from framework.columns import Columns
from framework.engine.day_end import AtClose
from framework.ground import Rig
from framework.live import heard
from framework.live.bridge import Bridge
from framework.live.clock import VenueClock
from framework.live.journal import Entry, JournalReader
from framework.live.records import LINK
from framework.live.settings import Live
from framework.live.stream import Pace
from framework.live.transport import PATIENCE, AioHttp
from framework.model import Split, Timeframe
from framework.ports import Clock, Emit, Session
from framework.result import Result
from framework.retries import Patience
from framework.sandbox import streams
from framework.sandbox.actions import Halted
from framework.sandbox.market import Market
from framework.sandbox.tape import Instant
from framework.stage import Piece
from framework.trade import trade
from framework.wire import HttpRequest, HttpResponse

T = TypeVar("T")

SESSION = "drill"
CASH = 40_000.0

HTTP = Patience(attempts=4, connect=0.6, read=0.3, whole=5.0, first_wait=0.001, longest_wait=0.02, longest_limit=0.0)
"""Over real sockets on this machine: who does not answer at once does not answer."""

QUICK = Pace(ping=0.1, pong=0.2, look=0.05, close=0.05, first_wait=0.001, longest_wait=0.02)


@dataclass
class Scene:
    """What is played: `tape`, and how. `faults` is called with the market before the session begins."""

    tape: Tape
    strategy: type[Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    speed: float | None = None
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    arm: Callable[[Market], Any] = lambda market: None
    calm_at: datetime | None = None
    """From this instant on nothing goes wrong any more."""
    live: Live = field(default_factory=lambda: Live(session=SESSION, durable="OFF"))
    warmup: int = 0
    longer: tuple[Timeframe, ...] = ()
    at_close: AtClose | None = None
    halts: tuple[Halted, ...] = ()
    splits: tuple[Split, ...] = ()

    def piece(self, venue: AlpacaVenue) -> Piece:
        return Piece(self.strategy, dict(self.params), venue, CASH, 0.0, 0.0, None, (), None, True, self.at_close)


@dataclass
class Played:
    """What is left when a session has ended."""

    scene: Scene
    result: Result
    book: Book
    market: Market
    posts: Counter[str]
    journal: list[Entry]

    @property
    def data(self) -> DataBook:
        """The bars as the venue has them, with what was not traded and what was reported late."""
        found: DataBook = listener(self.market, DATA).book
        return found

    @property
    def up_at(self) -> datetime:
        """When the session first had bars: on a clock that runs, it begins a little after the tape."""
        return next(each.at for each in self.journal if each.kind == LINK and each.key == "data")

    @property
    def strategy(self) -> Any:
        return self.result.strategy

    @property
    def broker(self) -> Any:
        return self.result.strategy.broker


def walk(seed: int, minutes: int = 45, symbols: Sequence[str] = ("SPY", "IBM"), holes: float = 0.1) -> Tape:
    """Return a random walk of some symbols; each but the first lacks some of its minutes."""
    drawn = np.random.default_rng(seed)
    made: dict[str, list[tuple[float, float, float, float] | None]] = {}
    for place, symbol in enumerate(symbols):
        close = 100.0 + 50 * place
        rows: list[tuple[float, float, float, float] | None] = []
        for at in range(minutes):
            opens, close = close, round(close * (1 + drawn.normal(0, 0.0006)), 2)
            high = round(max(opens, close) + abs(drawn.normal(0, 0.02)), 2)
            low = round(min(opens, close) - abs(drawn.normal(0, 0.02)), 2)
            is_hole = place and drawn.random() < holes and 0 < at < minutes - 1
            rows.append(None if is_hole else (opens, high, low, close))
        made[symbol] = rows
    return Tape({symbol: bars(rows) for symbol, rows in made.items()})


def at(minute: int) -> datetime:
    """Return the instant that ends a minute of a tape."""
    return OPEN + timedelta(minutes=minute)


def listener(market: Market, name: str) -> Any:
    """Return a dialect's state."""
    return market._listeners[name]


class Calm:
    """Disarms all faults at an instant: what is left of a tape shows that everything comes right by itself."""

    name = "calm"

    def __init__(self, market: Market, since: datetime) -> None:
        self._market, self._since = market, since

    def play(self, instant: Instant) -> None:
        if instant.at >= self._since:
            self._market.faults.clear()

    async def flush(self) -> None: ...

    def restore(self, body: Mapping[str, Any]) -> None: ...

    def forget(self) -> None: ...


def prepare(market: Market, book: Book, scene: Scene) -> Counter[str]:
    """Arm the faults of a scene; return the count, by client id, of the orders that reach the venue from now on."""
    posts: Counter[str] = Counter()
    taken = book.submit

    def submit(body: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        posts[str(body.get("client_order_id"))] += 1
        return taken(body, at)

    book.submit = submit  # type: ignore[method-assign]
    if scene.calm_at is not None:
        market.join(Calm(market, scene.calm_at))
    scene.arm(market)
    return posts


def entries(folder: Path, session: str = SESSION) -> list[Entry]:
    """Return a journal's records."""
    with JournalReader(folder / f"{session}.sqlite") as journal:
        return list(journal.entries())


class Slow(AioHttp):
    """In memory, the way to a sandbox's own side: each instant takes six seconds of a time that is for nothing."""

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith("/_sandbox/step"):
            await self._clock.sleep(6.0)
        return await super()._answer(request)


# In memory


class InlineIo:
    """A loop without a thread: it runs while somebody waits for something."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


class InlineBridge(Bridge):
    """A bridge whose `wait` lets the loop, and so its time, go on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._arrived = asyncio.Event()
        self._inline = loop

    def post(self, news: Any) -> None:
        super().post(news)
        self._arrived.set()

    def fail(self, error: BaseException) -> None:
        super().fail(error)
        self._arrived.set()

    def wait(self, seconds: float | None = None) -> Any | None:
        self._inline.run_until_complete(self._until(seconds))
        return super().wait(0.0)

    async def _until(self, seconds: float | None) -> None:
        await asyncio.sleep(0)
        if not self._news and self._error is None and seconds != 0:
            self._arrived.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
            except TimeoutError:
                pass


class InlineHttp:
    """The synchronous transport of history, over the same memory."""

    def __init__(self, sandbox: MemorySandbox, loop: asyncio.AbstractEventLoop) -> None:
        self._sandbox, self._loop = sandbox, loop

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None: ...

    def send(self, exchange: Any) -> Any:
        async def sent() -> Any:
            async with self._sandbox.http() as http:
                return await http.send(exchange)

        return self._loop.run_until_complete(sent())


def in_memory(scene: Scene, folder: Path) -> Played:
    """Play a session in one thread, on virtual time: alike each time. `folder` is where journals are kept."""
    random.seed(scene.seed)
    bt.order.OrderBase.refbasis = itertools.count(1)  # ids are made of refs
    with asyncio.Runner(loop_factory=MemoryLoop) as runner:
        loop = runner.get_loop()
        asyncio.set_event_loop(loop)
        sandbox = runner.run(_entered(scene))
        posts = prepare(sandbox.market, sandbox.book, scene)
        keys = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
        source = AlpacaBars(
            scene.tape.symbols, cache=False, now=sandbox.clock.now, http=lambda: InlineHttp(sandbox, loop), **keys
        )  # type: ignore[arg-type]
        venue = AlpacaVenue(**keys)
        rig = Rig(
            io=lambda: InlineIo(loop),
            bridge=lambda io: InlineBridge(loop),
            http=lambda name, clock, limit: _http(name)(name, clock, limit=limit, jitter=sandbox.chance),
            clock=lambda url: VenueClock(sandbox.market.now(), scene.speed, sandbox.clock),
            is_seen=False,
        )
        try:
            result = trade(scene.piece(venue), [source], venue, scene.longer, scene.warmup, _no_need, scene.live, rig)
        finally:
            runner.run(sandbox.__aexit__(None, None, None))
        return Played(scene, result, sandbox.book, sandbox.market, posts, entries(folder))


def _http(name: str) -> type[AioHttp]:
    return Slow if name == "sandbox" else AioHttp


async def _entered(scene: Scene) -> MemorySandbox:
    happens: Any = {"halts": scene.halts, "splits": scene.splits}
    sandbox = MemorySandbox(scene.tape, speed=scene.speed, seed=scene.seed, settings=scene.settings, **happens)
    return await sandbox.__aenter__()


def _no_need(kinds: Sequence[Any]) -> list[int]:
    return [1 for _ in kinds]


# Over real sockets


class QuickVenue(AlpacaVenue):
    """A venue on this machine, of which an answer is expected at once."""

    habits = Habits(back_off=Patience(first_wait=0.001, longest_wait=0.02), pace=QUICK)

    def open(self, session: Session, emit: Emit) -> AlpacaDesk:
        return AlpacaDesk(session, emit, Endpoint(self.base_url, self._credentials()), self.habits)


class QuickBars(AlpacaBars):
    """Bars from this machine, likewise."""

    waits = Waits(pace=QUICK, retries=Patience(first_wait=0.001, longest_wait=0.02), answer=2.0, look=0.02)

    async def listen(self, session: Session, emit: Emit, since: Mapping[str, datetime]) -> None:
        await Listening(self.live, session, emit, since, self.waits).run()


def quick_http(name: str, clock: Clock, limit: int | None) -> AioHttp:
    # The control side is the drill's own: what a step takes on a busy machine is no fault.
    return AioHttp(name, clock, PATIENCE if name == "sandbox" else HTTP, limit=limit)


def quick(url: str, key: str, secret: str, symbols: Sequence[str]) -> tuple[QuickBars, QuickVenue]:
    """Return source and venue of a sandbox."""
    source = QuickBars(symbols, cache=False, base_url=url, key=key, secret=secret)
    return source, QuickVenue(base_url=url, key=key, secret=secret)


@contextmanager
def impatient(seconds: float = 0.3, slot: float = 0.1) -> Iterator[None]:
    """Let lock-step wait less for messages that do not come, and the venue hold a slot for a shorter time."""
    usual = heard.PATIENCE, streams.ZOMBIE_SECONDS
    heard.PATIENCE, streams.ZOMBIE_SECONDS = seconds, slot
    try:
        yield
    finally:
        heard.PATIENCE, streams.ZOMBIE_SECONDS = usual


def over_sockets(scene: Scene, folder: Path) -> Played:
    """Play a session over real sockets, with all of its threads."""
    with served(scene) as (sandbox, book, posts), impatient():
        source, venue = quick(sandbox.url, sandbox.key, sandbox.secret, scene.tape.symbols)
        rig = Rig(http=quick_http)
        result = trade(scene.piece(venue), [source], venue, scene.longer, scene.warmup, _no_need, scene.live, rig)
        return Played(scene, result, book, sandbox.market, posts, entries(folder))


@contextmanager
def served(scene: Scene) -> Iterator[tuple[Sandbox, Book, Counter[str]]]:
    """Serve a scene's market in a thread of its own; give the sandbox, its book, and the count of its orders."""
    with Sandbox(scene.tape, speed=scene.speed, seed=scene.seed, settings=scene.settings) as sandbox:
        book: Book = listener(sandbox.market, TRADING).book
        posts = sandbox._server.call(lambda: prepare(sandbox.market, book, scene))
        yield sandbox, book, posts


LIES = frozenset({"null_bars"})
"""Faults that no client can see through: a history that says that there was no bar."""


def random_scene(seed: int, *, minutes: int = 36, rate: float = 0.03, speed: float | None = None) -> Scene:
    """Return a session in which chance decides what is traded and what goes wrong, until half of it is over."""
    tape = walk(seed, minutes)

    def arm(market: Market) -> None:
        market.faults.at_random(seed, rate, tuple(name for name in market.faults.known if name not in LIES))

    return Scene(
        tape, Hungry, {"seed": seed, "until": at(minutes - 6)}, speed=speed, seed=seed,
        settings=Settings(partial=0.3), arm=arm, calm_at=at(minutes // 2),
    )  # fmt: skip


def seeds(usual: int, variable: str) -> list[int]:
    """Return the seeds to play: `DRILL_SEED` replays one, `variable` says how many."""
    if one := os.environ.get("DRILL_SEED"):
        return [int(one)]
    return list(range(int(os.environ.get(variable) or usual)))


def whole(tape: Tape) -> Mapping[str, Columns]:
    """Return all bars of a tape."""
    return tape.history()


@dataclass
class Survivor:
    """What is left of a session in two runs, the first of which was killed; `end` is what the last one wrote down."""

    scene: Scene
    book: Book
    market: Market
    posts: Counter[str]
    journal: list[Entry]
    end: Mapping[str, Any]

    @property
    def result(self) -> Any:
        return SimpleNamespace(notes=self.end["notes"], cash=self.end["start"])

    @property
    def broker(self) -> Any:
        return SimpleNamespace(open_ids=self.end["open"])
