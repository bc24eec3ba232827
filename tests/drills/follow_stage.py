"""Sessions that follow signals, killed at any moment and begun again, in memory on a virtual clock."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import backtrader as bt
import pytest
from drills.drill_stage import InlineBridge, InlineHttp, InlineIo, Played, Scene, entries, prepare, walk
from memory.loop import MemoryLoop
from memory.sandbox import MemorySandbox
from tape import OPEN

from brokers.alpaca.venue import AlpacaVenue
from feeds import AlphaHubSignals
from feeds.alpaca.source import AlpacaBars
from feeds.alphahub.sandbox_signals import Publication
from framework.ground import Rig
from framework.live.clock import VenueClock
from framework.live.records import SIGNALS
from framework.live.transport import AioHttp
from framework.model import Signal
from framework.sandbox.market import Market
from framework.sandbox.tape import Instant
from framework.trade import trade
from strategies.signal_follower import SignalFollower

FAULTS = (
    "unanswered_heartbeat", "duplicate_signals", "channel_crash", "channel_close", "duplicate_join", "unanswered_join",
    "refused_join", "instant_close", "expired_token", "renewal_refused",
)  # fmt: skip
"""What goes wrong with AlphaHub alone: where bars come late, positions are not opened, and that is right."""

SYMBOLS = ("SPY", "IBM", "QQQ", "XYZ")
FIRST = ("SPY", "IBM")
"""The symbols that a session begins with; the others are added when a signal names them."""


class Killed(BaseException):
    """The process has gone, with all that it had not written."""


class Storm:
    """Lets things go wrong from the second instant on: a session that is refused before it ever was in gives up."""

    name = "storm"

    def __init__(self, market: Market, seed: int, rate: float) -> None:
        self._market, self._how = market, (seed, rate)
        self._instants = 0

    def play(self, instant: Instant) -> None:
        self._instants += 1
        if self._instants == 2:
            self._market.faults.at_random(*self._how, FAULTS)

    async def flush(self) -> None: ...

    def restore(self, body: Mapping[str, Any]) -> None: ...

    def forget(self) -> None: ...


class Fuse:
    """Kills at one of the moments at which it is asked, `count` moments from now."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._counts = list(counts)
        self.kills = 0

    def burn(self) -> None:
        if self._counts:
            self._counts[0] -= 1
            if self._counts[0] < 0:
                self._counts.pop(0)
                self.kills += 1
                raise Killed


class Fused(SignalFollower):
    """The follower, which may be killed before and after each of its callbacks."""

    params = (("fuse", None),)

    def next(self) -> None:
        self.p.fuse.burn()
        super().next()
        self.p.fuse.burn()

    def notify_order(self, order: Any) -> None:
        self.p.fuse.burn()
        super().notify_order(order)
        self.p.fuse.burn()


@dataclass
class Followed:
    """What is left of a session that followed signals, over as many runs as it took."""

    played: Played
    published: tuple[Publication, ...]
    kills: int

    @property
    def signals(self) -> dict[str, Signal]:
        """What was heard, by key, and not late."""
        return self._heard(is_late=False)

    @property
    def late(self) -> dict[str, Signal]:
        """What was told as late: history had failed for minutes."""
        return self._heard(is_late=True)

    def _heard(self, *, is_late: bool) -> dict[str, Signal]:
        heard = [each.body for each in self.played.journal if each.kind == SIGNALS]
        told = [body for body in heard if bool(body["why_late"]) is is_late]
        return {key[:24]: signal for body in told for key, signal in zip(body["keys"], body["signals"], strict=True)}

    def broken(self) -> list[str]:
        """Return what is wrong: signals that were not heard, or traded twice, or not; positions that are not theirs."""
        count = sum(len(each.open or ()) + len(each.close or ()) for each in self.published)
        heard = len(self.signals) + len(self.late)
        wrong = [] if heard == count else [f"{heard} of {count} signals were heard"]
        return [*wrong, *self._orders(), *([] if self.late else self._untraded() + self._positions())]

    def _orders(self) -> list[str]:
        sent = list(self.played.book.entries.values())
        names = Counter(_name(each) for each in sent)
        wrong = [f"{name} was sent {count} times" for name, count in names.items() if count > 1]
        wrong += [f"{_name(each)} is {each.status}" for each in sent if each.status != "filled"]
        return wrong + [f"{name} is no signal" for name in names if name not in self.signals]

    def _untraded(self) -> list[str]:
        names = {_name(each) for each in self.played.book.entries.values()}
        return [f"{each} was not traded" for key, each in self.signals.items() if key not in names]

    def _positions(self) -> list[str]:
        """Return what is held and was not to be, or the other way round, once nothing was late."""
        held = {symbol: _sign(each.size) for symbol, each in self.played.book.account.holdings.items() if each.size}
        wanted = {symbol: side for symbol, side in held_after(self.published).items() if side}
        return [] if held == wanted else [f"{held} is held, and was to be {wanted}"]


def _name(entry: Any) -> str:
    return str(entry.client_order_id.partition("--")[2])


def _sign(size: float) -> int:
    return (size > 0) - (size < 0)


def held_after(published: Sequence[Publication]) -> dict[str, int]:
    """Return the side of what is held after all of it: 1 long, -1 short, 0 nothing."""
    held: dict[str, int] = {}
    for each in published:
        held |= {item["symbol"]: 0 for item in each.close or ()}
        held |= {item["symbol"]: 1 if item["side"] == "buy" else -1 for item in each.open or ()}
    return held


def publications(seed: int, minutes: int) -> tuple[Publication, ...]:
    """Return what an algorithm publishes over a tape: some of it between bars, some with them."""
    chance, held, told = Random(seed), dict[str, str](), []
    minute = 2.0
    while minute < minutes - 6:
        close = [name for name in held if chance.random() < 0.6]
        closes = [_item(name, "sell" if held.pop(name) == "buy" else "buy") for name in close]
        free = [name for name in SYMBOLS if name not in held]
        names = chance.sample(free, k=min(len(free), chance.choice([0, 1, 2])))
        opened = {name: chance.choice(["buy", "sell"]) for name in names}
        held |= opened
        opens = [_item(name, side, weight=0.2) for name, side in opened.items()]
        if closes or opens:
            told.append(Publication(16, OPEN + timedelta(minutes=minute), open=opens, close=closes))
        minute += chance.choice([4, 5, 6]) + chance.choice([0.0, 0.05, 0.3, 0.71])
    return tuple(told)


def _item(symbol: str, side: str, **more: Any) -> dict[str, Any]:
    return {"symbol": symbol, "side": side, **more}


def follow(
    seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch, *, minutes: int = 60, rate: float = 0.05
) -> Followed:
    """Play a session that follows signals: it is killed three times, and AlphaHub has its faults."""
    chance = Random(seed)
    fuse = Fuse([chance.randint(0, 60) for _ in range(3)])
    told = publications(seed, minutes)
    scene = Scene(
        walk(seed, minutes, SYMBOLS, holes=0.0), Fused, {"fuse": fuse, "capital": 10_000}, seed=seed,
        arm=lambda market: market.join(Storm(market, seed, rate)),
        calm_at=OPEN + timedelta(minutes=minutes // 2),
    )  # fmt: skip
    with killing(monkeypatch):
        played = _in_memory(scene, folder, told, fuse)
    return Followed(played, told, fuse.kills)


@contextmanager
def killing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what dies write nothing more: neither that it did, nor what waited to be written."""
    with monkeypatch.context() as patch:
        patch.setattr("framework.trade.Begun.stopped", lambda self, why: None)
        yield


def _in_memory(scene: Scene, folder: Path, told: Sequence[Publication], fuse: Fuse) -> Played:
    random.seed(scene.seed)
    bt.order.OrderBase.refbasis = itertools.count(1)
    with asyncio.Runner(loop_factory=MemoryLoop) as runner:
        loop = runner.get_loop()
        asyncio.set_event_loop(loop)
        sandbox = runner.run(_entered(scene, told))
        posts = prepare(sandbox.market, sandbox.book, scene)
        try:
            result = _played(scene, sandbox, loop, fuse)
        finally:
            runner.run(sandbox.__aexit__(None, None, None))
        return Played(scene, result, sandbox.book, sandbox.market, posts, entries(folder))


async def _entered(scene: Scene, told: Sequence[Publication]) -> MemorySandbox:
    return await MemorySandbox(scene.tape, speed=None, seed=scene.seed, signals=told).__aenter__()


def _played(scene: Scene, sandbox: MemorySandbox, loop: asyncio.AbstractEventLoop, fuse: Fuse) -> Any:
    """Run the session until it ends by itself, however often it is killed."""
    keys: Any = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
    history: Any = {"cache": False, "now": sandbox.clock.now, "http": lambda: InlineHttp(sandbox, loop)}
    venue = AlpacaVenue(**keys)
    signals = AlphaHubSignals([16], tz="UTC", base_url=sandbox.url, email="drill@example.com", password="no-real-one")
    while True:
        bars = AlpacaBars(FIRST, **history, **keys)
        rig = Rig(
            io=lambda: InlineIo(loop),
            bridge=lambda io: _Fused(loop, fuse),
            http=lambda name, clock, limit: AioHttp(name, clock, limit=limit, jitter=sandbox.chance),
            clock=lambda url: VenueClock(sandbox.market.now(), None, sandbox.clock),
            is_seen=False,
        )
        try:
            return trade(scene.piece(venue), [bars], venue, (), 0, _one_each, scene.live, rig, signals=[signals])
        except Killed:
            continue


class _Fused(InlineBridge):
    """A bridge at which a process may be killed: after what it sends is written down, before it leaves."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fuse: Fuse) -> None:
        super().__init__(loop)
        self._fuse = fuse

    def send(self, *commands: Any) -> None:
        self._fuse.burn()
        super().send(*commands)


def _one_each(kinds: Sequence[Any]) -> list[int]:
    return [1 for _ in kinds]
