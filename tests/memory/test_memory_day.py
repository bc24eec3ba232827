"""Whole sessions in one loop, on virtual time: a client of the shipped parts, and the sandbox as it is served."""

from __future__ import annotations

from typing import Any

from memory.loop import run
from memory.sandbox import MemorySandbox
from memory.session import Session

from framework.app.sandbox import sample


async def day(seed: int, rate: float = 0.0) -> Session:
    """Return the session of a whole day, with chance at work."""
    async with MemorySandbox(sample(("SPY", "IBM"), "2026-10-05"), seed=seed) as sandbox:
        sandbox.random_faults(seed, rate)
        async with Session(sandbox).live() as session:
            while not sandbox.market.is_over:
                await session.clock.sleep(60)
        return session


def test_a_whole_day_of_trading() -> None:
    """390 minutes on the line's own time: every bar of the tape, and a fill for every order."""
    session = run(day(0))
    tape = session.sandbox.market.tape
    print(len(session.heard), session.fills[:3], session.clock.monotonic())
