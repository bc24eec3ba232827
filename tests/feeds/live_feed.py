"""A session of the smallest kind around a live feed: a sandbox in lock-step, and all that the feed told."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tape import OPEN, Tape

from feeds import AlpacaBars
from feeds.alpaca.listening import Listening
from feeds.alpaca.waits import Waits
from feeds.ledger import KIND, Entry, Ledger
from feeds.minutes import Minutes
from framework.app.sandbox import Sandbox
from framework.columns import moment
from framework.live.additions import Offers
from framework.live.clock import VenueClock, WallClock
from framework.live.stream import Pace
from framework.live.transport import AioHttp
from framework.model import Bar, Link, Remark
from framework.ports import Session
from framework.retries import Patience

PRICES = {"SPY": [100.0, 101.0, 102.0, 103.0, None, 105.0], "IBM": [50.0, None, 52.0, 53.0, 54.0, 55.0]}
FULL = {"SPY": [100.0 + at for at in range(6)], "IBM": [50.0 + at for at in range(6)]}

PACE = Pace(ping=9.0, look=0.02, close=0.05, first_wait=0.001, longest_wait=0.002)
RETRIES = Patience(attempts=2, first_wait=0.001, longest_wait=0.002)
QUICK = Waits(pace=PACE, retries=RETRIES, look=0.002, record=9e9, mute=0.0)


@dataclass
class Heard:
    """Counts what was heard of each stream; `sent` is what the sandbox has told last."""

    counts: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    caught: list[str] = field(default_factory=list)

    def hear(self, stream: str, count: int = 1) -> None:
        self.counts[stream] += count

    def before_step(self, work: Any) -> None: ...

    def after_step(self, work: Any) -> None: ...

    def caught_up(self, stream: str) -> None:
        self.counts[stream] = self.sent[stream]
        self.caught.append(stream)


class Journal:
    """Entries in a list."""

    def __init__(self):
        self.entries = []

    def append(self, kind, key, body):
        self.entries.append((kind, key, dict(body)))
        return len(self.entries)


class Stage:
    """A feed that is listened to, and what it told."""

    def __init__(self, venue, source, session):
        self.venue, self.source, self.session = venue, source, session
        self.heard, self.journal, self.told = session.heard, session.journal, []
        self.added = {}

    def of(self, kind):
        return [each for each in self.told if isinstance(each, kind)]

    @property
    def bars(self):
        """Each symbol's bars; of one that was added those that it came with, and those that were told."""
        told = {
            name: [bar for bar in self.of(Bar) if bar.symbol == name] for name in (*self.source.symbols, *self.added)
        }
        return told | {name: [*came_with(each), *told[name]] for name, each in self.added.items()}

    @property
    def links(self):
        return [each.is_up for each in self.of(Link)]

    @property
    def remarks(self):
        return [each.text for each in self.of(Remark)]

    async def until(self, condition):
        async with asyncio.timeout(15):
            while not condition():
                if self.running.done():
                    self.running.result()
                await asyncio.sleep(0)

    async def add(self, symbol):
        """Add a symbol, and note what it came with."""
        self.added[symbol] = await self.session.additions.add(symbol)
        return self.added[symbol]

    async def up(self, times=1):
        """Wait until the stream has come up so often."""
        await self.until(lambda: self.links.count(True) == times)

    async def play(self):
        """Play one instant of the sandbox and let its clock be known."""
        answer = await asyncio.to_thread(self.venue.step)
        self.heard.sent.update({name: count - self.heard.sent[name] for name, count in answer["sent"].items()})
        self.session.clock.set(datetime.fromisoformat(answer["at"]))

    async def step(self, count=1):
        """Play instants, and after each wait until all that was sent is heard."""
        for _ in range(count):
            await self.play()
            await self.caught_up()

    async def caught_up(self):
        await self.until(lambda: self.heard.counts == self.heard.sent)

    def ledger(self):
        """Return the ledger as the journal has it."""
        ledger = Ledger(Minutes(self.source.calendar), dict.fromkeys(self.source.symbols, OPEN))
        for kind, _, body in self.journal.entries:
            assert kind == KIND
            ledger.restore(Entry.read(body))
        return ledger


def came_with(added):
    """Return the bars that an added symbol came with."""
    names = ("open", "high", "low", "close", "volume")
    rows = zip(added.bars.end, *(getattr(added.bars, name).tolist() for name in names), strict=True)
    return [Bar(added.symbol, moment(end), *values) for end, *values in rows]


def bars_of(venue, **settings):
    return AlpacaBars(
        settings.pop("symbols", list(venue.market.tape.symbols)),
        base_url=venue.url, key=venue.key, secret=settings.pop("secret", venue.secret), progress=False, **settings,
    )  # fmt: skip


@asynccontextmanager
async def listening(
    venue, source=None, *, since=None, waits=QUICK, is_awaited=True, patience=RETRIES, ahead=timedelta()
):
    """Listen to a sandbox until the block is left."""
    source = source or bars_of(venue)
    clock = VenueClock(venue.market.now() + ahead, venue.market.clock.speed, WallClock())
    async with AioHttp("Alpaca", clock, patience) as http:
        stage = Stage(venue, source, Session("test", clock, http, Journal(), Heard(), Offers()))
        begin = dict.fromkeys(source.symbols, OPEN) if since is None else since
        stage.listening = Listening(source.live, stage.session, stage.told.append, begin, waits)
        stage.running = asyncio.create_task(stage.listening.run())
        try:
            if is_awaited:
                await stage.up()
            yield stage
        finally:
            stage.running.cancel()
            await asyncio.wait([stage.running])


def sandbox(prices=PRICES, **settings):
    return Sandbox(Tape(prices), **settings)


def play(scenario, prices=PRICES, *, source: Any = None, **settings):
    """Run a scenario over a feed that listens to a sandbox in lock-step; return the stage and the tape's bars."""
    with sandbox(prices) as venue:

        async def run():
            async with listening(venue, bars_of(venue, **(source or {})), **settings) as stage:
                await scenario(stage)
            return stage, played(venue)

        return asyncio.run(run())


def played(venue):
    """Return each symbol's bars that the tape has played, as they are told."""
    tape = venue.market.tape
    ends = {name: [moment(end) for end in tape.known(name, venue.market.now()).end] for name in tape.symbols}
    return {name: [tape.ended(name, end) for end in each] for name, each in ends.items()}
