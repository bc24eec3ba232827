"""A session that listens to signals in lock-step with a sandbox, or on its accelerated clock, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from drills.signals_stage import Journal
from memory.loop import run
from memory.sandbox import MemorySandbox

from feeds import AlphaHubSignals
from feeds.alphahub.sandbox_signals import Publication
from framework.live.clock import VenueClock
from framework.live.heard import Heard
from framework.live.lockstep import said
from framework.model import Link, Remark, Signals
from framework.ports import Session, Source


class Steps:
    """A session around a source of signals."""

    def __init__(self, sandbox: MemorySandbox, http: Any) -> None:
        self.sandbox, self.told = sandbox, []
        market = sandbox.market
        self.clock = VenueClock(market.tape.starts_at, market.clock.speed, sandbox.clock)
        self.heard = Heard(self.clock)
        self.session = Session("steps", self.clock, http, Journal(self.clock.now), self.heard)
        self.source = AlphaHubSignals([16], tz="UTC", base_url=sandbox.url, email="a@example.com", password="a word")

    async def step(self) -> bool:
        """Play an instant as a session does; return whether as much was heard as was sent."""
        following = self.sandbox.market.tape.next_at(self.sandbox.market.played_at)
        self.clock.set(following - timedelta(microseconds=1))
        await self.heard.catch_up()
        if self.heard.is_behind:
            self.heard.settle(said({"sent": self.sandbox.market.sent, "lost": self.sandbox.market.lost}))
        answer = await self.sandbox.step()
        self.clock.set(following)
        return await self.heard.until(said({"sent": answer["sent"], "lost": self.sandbox.market.lost}))

    @property
    def batches(self) -> list[Signals]:
        return [each for each in self.told if isinstance(each, Signals)]

    @property
    def late(self) -> list[str]:
        return [each.text for each in self.told if isinstance(each, Remark) and "late" in each.text]


def played(
    bars: list[Source],
    signals: Iterable[Publication],
    *,
    arm: Callable[[MemorySandbox], Any] = lambda sandbox: None,
    speed: float | None = None,
    count: int = 30,
) -> tuple[Steps, list[bool]]:
    """Play so many instants, or seconds on an accelerated clock; return the session and what each step returned."""

    async def play() -> tuple[Steps, list[bool]]:
        async with MemorySandbox(bars, signals=signals, speed=speed) as sandbox, sandbox.http() as http:
            steps = Steps(sandbox, http)
            running = asyncio.create_task(steps.source.listen(steps.session, steps.told.append))
            while not any(isinstance(each, Link) for each in steps.told):
                await sandbox.clock.sleep(0.01)
            await sandbox.attend("alphahub", 2 if speed is None else 1)
            arm(sandbox)
            heard = [await steps.step() for _ in range(count)] if speed is None else []
            await sandbox.clock.sleep(0 if speed is None else count)
            running.cancel()
            await asyncio.wait([running])
            return steps, heard

    return run(play())
