"""Whole sessions on the sandbox's ALGOGENE in memory, on virtual time: chance trades, breaks things and kills."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from drills.drill_stage import (
    QUICK,
    SESSION,
    Calm,
    InlineBridge,
    InlineHttp,
    InlineIo,
    Slow,
    at,
    entries,
    impatient,
    listener,
    quick_http,
    walk,
)  # fmt: skip
from drills.drill_strategies import Hungry, cents
from memory.loop import MemoryLoop
from memory.sandbox import MemorySandbox
from tape import Tape

from brokers import AlgogeneVenue
from brokers.algogene.line import Habits
from brokers.algogene.sandbox import Algogene
from brokers.algogene.sandbox_records import ACCOUNT
from brokers.algogene.settings import Settings
from brokers.algogene.trading import AlgogeneDesk
from feeds import AlgogeneBars
from feeds.algogene.listening import Listening
from feeds.algogene.waits import Waits
from framework.app.sandbox import Sandbox
from framework.columns import moment
from framework.errors import VenueError
from framework.ground import Rig
from framework.live.clock import VenueClock
from framework.live.journal import Entry
from framework.live.records import INTENT, REVISION, START, UPDATE, Records
from framework.live.settings import Live
from framework.live.transport import AioHttp
from framework.ports import Emit, Session
from framework.retries import Patience
from framework.sandbox.market import Market
from framework.stage import Piece
from framework.trade import trade
from framework.wire import HttpRequest, HttpResponse

CASH = 40_000.0

NOISE = 1e-5

FAULTS = (
    "expired_token", "gateway_timeout", "html_answer", "odd_answer", "bad_gateway", "rate_limited", "stall",
    "stall_early", "cut_answer", "rejected", "slow_close", "lost_close", "frozen_quotes", "drop", "mute", "no_price",
    "backward_timestamps", "interleaved_brokers", "missing_ping", "half_closed",
)  # fmt: skip


class Greedy(Hungry):
    """Opens, reduces, turns, brackets, changes and cancels at random, whatever is held."""

    def moves(self, data: Any) -> list[Any]:
        entries = [self.at_market, self.at_market, self.at_limit, self.at_stop, self.bracketed, self.at_stop_limit]
        if self.getposition(data).size:
            entries += [self.reduce, self.reduce, self.turn, self.shut]
        return entries + ([self.take_back, self.change] if self.open else [])

    def sides(self, data: Any) -> tuple[Any, float]:
        """Return a way to trade, and +1 or -1: here nothing is in the way of the other side."""
        sign = 1 if self.chance.random() < 0.6 else -1
        return (self.buy if sign > 0 else self.sell), sign

    def leave(self, data: Any, held: float) -> None:
        self.close(data=data)

    def shut(self, data: Any) -> None:
        self.close(data=data)

    def reduce(self, data: Any) -> None:
        """Take back a part of what is held."""
        held = self.getposition(data).size
        (self.sell if held > 0 else self.buy)(data=data, size=min(abs(held), self.size()))

    def turn(self, data: Any) -> None:
        """Close, and open the other side at once."""
        held = self.getposition(data).size
        (self.sell if held > 0 else self.buy)(data=data, size=abs(held) + self.size())

    def change(self, data: Any) -> None:
        """Move the price of an order that is open."""
        order = self.chance.choice(list(self.open.values()))
        if order.exectype in (bt.Order.Limit, bt.Order.Stop) and order.alive():
            self.broker.replace(order, price=cents(order.created.price * self.chance.choice((0.999, 1.001))))


class Killed(BaseException):
    """The process is gone."""


class Death:
    """Kills a session at one of its requests, before it leaves or after it was answered; 0 is never."""

    def __init__(self, at: int = 0, *, is_before: bool = False) -> None:
        self.left, self.is_before, self.is_dead = at, is_before, False

    def comes(self) -> bool:
        self.left -= 1
        self.is_dead |= self.left == 0
        return self.is_dead


@dataclass
class Scene:
    """What is played: see `drills.drill_stage.Scene`. `deaths` are the runs that are killed; the last one never is."""

    tape: Tape
    seed: int = 0
    speed: float | None = None
    rate: float = 0.0
    calm_at: datetime | None = None
    until: datetime | None = None
    settings: Settings = field(default_factory=Settings)
    reopens: bool = False
    deaths: Sequence[tuple[int, bool]] = ()
    names: tuple[str, ...] = FAULTS

    def piece(self, venue: Any) -> Piece:
        params = {"seed": self.seed, "until": self.until}
        return Piece(Greedy, params, venue, CASH, 0.0, 0.0, None, (), None, True, None)


@dataclass
class Played:
    """What is left when a session has ended."""

    scene: Scene
    result: Any
    dialect: Algogene
    market: Market
    opens: Counter[str]
    journal: list[Entry]


def scene(seed: int, *, minutes: int = 30, rate: float = 0.03, speed: float | None = None, deaths: int = 0) -> Scene:
    """Return a session in which chance decides what is traded and what goes wrong, until half of it is over."""
    drawn = random.Random(seed)
    killed = [(drawn.randint(3, 150), drawn.random() < 0.5) for _ in range(deaths)]
    settings = Settings(cash=1e6, partial=drawn.choice((0.0, 0.3)), spread=drawn.choice((0.0, 0.0004)))
    return Scene(
        walk(seed, minutes), seed, speed, rate, at(minutes // 2), at(minutes - 6), settings,
        drawn.random() < 0.3, killed,
    )  # fmt: skip


def in_memory(scene: Scene, folder: Path) -> Played:
    """Play a session, and after each death another run of it, in one thread: alike each time."""
    random.seed(scene.seed)
    bt.order.OrderBase.refbasis = itertools.count(1)  # ids are made of refs
    with asyncio.Runner(loop_factory=MemoryLoop) as runner, pytest.MonkeyPatch.context() as patch:
        loop = runner.get_loop()
        asyncio.set_event_loop(loop)
        sandbox = runner.run(_entered(scene))
        opens = _prepared(sandbox.market, sandbox.algogene, scene)
        try:
            for death in [*(Death(left, is_before=before) for left, before in scene.deaths), Death(), Death(), Death()]:
                try:
                    result = _run(scene, sandbox, loop, death, patch)
                except (Killed, VenueError):  # what fails at the start is started again
                    continue
                break  # it ended before its death came, or there was none
        finally:
            runner.run(sandbox.__aexit__(None, None, None))
        return Played(scene, result, sandbox.algogene, sandbox.market, opens, entries(folder))


def _run(scene: Scene, sandbox: MemorySandbox, loop: Any, death: Death, patch: pytest.MonkeyPatch) -> Any:
    keys: dict[str, Any] = {"base_url": sandbox.url, "user": sandbox.key, "api_key": sandbox.secret}
    source = AlgogeneBars(
        scene.tape.symbols, calendar="XNYS", now=sandbox.clock.now, http=lambda: InlineHttp(sandbox, loop), **keys
    )  # type: ignore[arg-type]
    venue = AlgogeneVenue(ACCOUNT, reopens=scene.reopens, **keys)
    rig = Rig(
        io=lambda: InlineIo(loop),
        bridge=lambda io: InlineBridge(loop),
        http=lambda name, clock, limit: _http(name, death)(name, clock, limit=limit, jitter=sandbox.chance),
        clock=lambda url: VenueClock(sandbox.market.now(), scene.speed, sandbox.clock),
        is_seen=False,
    )
    with _forgetting(death, patch):
        live = Live(session=SESSION, durable="OFF")
        return trade(scene.piece(venue), [source], venue, (), 0, lambda kinds: [1 for _ in kinds], live, rig)


@contextmanager
def _forgetting(death: Death, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing be written any more once the process is dead."""
    usual = Records.commit

    def commit(self: Records, records: Any = ()) -> None:
        if death.is_dead:
            raise Killed
        usual(self, records)

    with patch.context() as within:
        within.setattr(Records, "commit", commit)
        yield


def _http(name: str, death: Death) -> type[AioHttp]:
    class Mortal(AioHttp):
        async def _answer(self, request: HttpRequest) -> HttpResponse:
            comes = death.comes()
            if death.is_dead and (death.is_before or not comes):
                raise Killed
            answer = await super()._answer(request)
            if death.is_dead:
                raise Killed
            return answer

    return Slow if name == "sandbox" else Mortal


async def _entered(scene: Scene) -> MemorySandbox:
    sandbox = MemorySandbox(scene.tape, speed=scene.speed, seed=scene.seed, traded=scene.settings)
    return await sandbox.__aenter__()


def _prepared(market: Market, dialect: Algogene, scene: Scene) -> Counter[str]:
    """Arm the faults; return the count, by reference, of the orders that reach the venue from now on."""
    opens: Counter[str] = Counter()
    taken = dialect.book.open

    def open_(body: Mapping[str, Any], at: datetime) -> Any:
        opens[str(body.get("orderRef"))] += 1
        return taken(body, at)

    dialect.book.open = open_  # type: ignore[method-assign]
    if scene.calm_at is not None:
        market.join(Calm(market, scene.calm_at))
    if scene.rate:
        market.faults.at_random(
            scene.seed, scene.rate, tuple(each for each in scene.names if each in market.faults.known)
        )
    return opens


# What must be true afterwards


def broken(played: Played) -> list[str]:
    """Return every invariant that does not hold, in a sentence each."""
    checks = (twice, strangers, lost, positions, cash, open_orders, bars)
    return [text for check in checks for text in check(played)]


def twice(played: Played) -> Iterator[str]:
    """No order twice: the venue saw each reference once."""
    yield from (f"order {name} reached the venue {count} times" for name, count in played.opens.items() if count > 1)


def strangers(played: Played) -> Iterator[str]:
    """Nothing is at the venue of which no intent was written."""
    asked = {each.client_order_id for each in _asked(played)}
    yield from (f"the venue has {name}, of which no intent was written" for name in played.opens if name not in asked)


def lost(played: Played) -> Iterator[str]:
    """Every order was told as over, or is open for us and the result says so."""
    over = {each.key for each in _updates(played) if each.body["update"].status.is_final}
    for each in _asked(played):
        name = each.client_order_id
        if name not in over and name not in played.result.strategy.broker.open_ids:
            yield f"order {name} was never told as over, and is not open"
        if name in over and name in played.result.strategy.broker.open_ids:
            yield f"order {name} was told as over, and is open"


def positions(played: Played) -> Iterator[str]:
    """The session holds what the venue holds."""
    for data in played.result.strategy.datas:
        ours = played.result.strategy.broker.getposition(data).size
        theirs = sum(each.held * each.side.sign for each in played.dialect.book.opened if each.instrument == data._name)
        if abs(ours - theirs) > NOISE:
            yield f"{data._name}: the session holds {ours:g}, the venue {theirs:g}"


def cash(played: Played) -> Iterator[str]:
    """Cash is what it was at the start, less what the venue's transactions cost."""
    start = next(each.body["cash"] for each in played.journal if each.kind == START)
    spent = sum(each.side.sign * each.lots * each.price for each in played.dialect.book.done)
    ours = played.result.strategy.broker.getcash()
    if abs(start - spent - ours) > 1e-4:
        yield f"the session has {ours:.4f} in cash, by the venue's transactions {start - spent:.4f}"


def open_orders(played: Played) -> Iterator[str]:
    """What waits at the venue is open for us."""
    ids = played.result.strategy.broker.open_ids
    for each in played.dialect.book.waiting:
        if each.order_ref not in ids:
            yield f"order {each.order_ref} waits at the venue, and is over for us"


def bars(played: Played) -> Iterator[str]:
    """Every bar of the tape since the session was up reached the strategy, at prices that were quoted.

    A line that falls mute in a minute takes some of its quotes along, and nothing tells of it.
    """
    if played.scene.deaths:
        return
    for symbol, tape in played.scene.tape.history().items():
        got = played.result.bars[symbol]
        revised = {each.body["bar"].end for each in played.journal if each.kind == REVISION and each.key == symbol}
        first = moment(got.end[0])
        missing = {moment(end) for end in tape.end if moment(end) >= first} - {moment(end) for end in got.end} - revised
        if missing:
            yield f"{symbol}: {len(missing)} bars never came, such as {min(missing)}"
        if played.market.faults.made["backward_timestamps"]:
            continue  # where quotes were lost, one from before is the newest that was heard
        told = tape[np.isin(tape.end, got.end)]
        if len(told) != len(got) or not np.all((told.low - NOISE <= got.low) & (got.high <= told.high + NOISE)):
            yield f"{symbol}: prices that were never quoted"


def _asked(played: Played) -> Iterator[Any]:
    for each in played.journal:
        if each.kind == INTENT:
            yield from each.body["group"].orders


def _updates(played: Played) -> Iterator[Entry]:
    return (each for each in played.journal if each.kind == UPDATE)


# Over real sockets


class QuickVenue(AlgogeneVenue):
    """A venue on this machine, of which an answer is expected at once."""

    def open(self, session: Session, emit: Emit, habits: Habits | None = None) -> AlgogeneDesk:
        quick = Habits(back_off=Patience(first_wait=0.001, longest_wait=0.02), grace=0.05)
        return super().open(session, emit, habits or quick)


class QuickBars(AlgogeneBars):
    """Bars from this machine, likewise."""

    async def listen(self, session: Session, emit: Emit, since: Mapping[str, datetime]) -> None:
        waits = Waits(pace=QUICK, retries=Patience(first_wait=0.001, longest_wait=0.02), answer=2.0, look=0.02)
        await Listening(self, session, emit, since, waits).run()


def over_sockets(scene: Scene, folder: Path) -> Played:
    """Play a session over real sockets, with all of its threads."""
    random.seed(scene.seed)
    served = Sandbox(scene.tape, speed=scene.speed, seed=scene.seed, algogene=scene.settings)
    with served as sandbox, impatient():
        dialect: Algogene = listener(sandbox.market, "algogene")
        opens = sandbox._server.call(lambda: _prepared(sandbox.market, dialect, scene))
        source = QuickBars(scene.tape.symbols, calendar="XNYS", **sandbox.algogene)
        venue = QuickVenue(reopens=scene.reopens, **sandbox.algogene)
        live = Live(session=SESSION, durable="OFF")
        result = trade(
            scene.piece(venue), [source], venue, (), 0, lambda kinds: [1 for _ in kinds], live, Rig(http=quick_http)
        )
        return Played(scene, result, dialect, sandbox.market, opens, entries(folder))
