"""Whole sessions in one loop, on virtual time: a client of the shipped parts, and the sandbox as it is served."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from memory.loop import MemoryLoop, run
from memory.sandbox import MemorySandbox
from memory.session import Session

from feeds.alpaca.stream_events import Subscribed  # its sets are shown in any order
from framework.app.sandbox import sample
from framework.columns import moment
from framework.model import Bar
from framework.sandbox.tape import Detail


async def session_of(seed: int, rate: float = 0.0, minutes: float = 400) -> Session:
    """Return the session of a day or of the first minutes of one, with chance at work."""
    async with MemorySandbox(sample(("SPY", "IBM"), "2026-10-05"), seed=seed) as sandbox:
        sandbox.random_faults(seed, rate)
        async with Session(sandbox).live() as session:
            await session.clock.sleep(minutes * 60)
        return session


async def told_in_steps(detail: Detail) -> tuple[list[Any], list[Any]]:
    """Return what each stream told in forty steps of lock-step, with an order each five minutes."""
    sandbox = MemorySandbox(sample(("SPY", "IBM"), "2026-10-05"), speed=None, detail=detail)
    async with sandbox, Session(sandbox, every=None).live() as session:
        for step in range(40):
            if step % 5 == 0:
                await session.buy("SPY")
            await session.until((await sandbox.step())["sent"])
        return session.told("data", Bar), session.told("trade_updates", dict)


@pytest.mark.parametrize("detail", list(Detail))
def test_lock_step_in_memory_is_lock_step_over_sockets(detail: Detail) -> None:
    """The same client and the same sandbox in an ordinary loop, over real sockets: every message is the same."""
    in_memory, over_sockets = run(told_in_steps(detail)), asyncio.run(told_in_steps(detail))
    assert in_memory == over_sockets
    assert len(in_memory[1]) > 10


async def opened() -> tuple[Session, AsyncExitStack]:
    """Open a session, which `aclose` of the stack closes."""
    stack = AsyncExitStack()
    sandbox = await stack.enter_async_context(MemorySandbox(sample(("SPY", "IBM"), "2026-10-05")))
    return await stack.enter_async_context(Session(sandbox).live()), stack


def test_engine_may_block_while_it_waits() -> None:
    """It is not in the loop: it lets the loop run until there is something to do. Here it counts bars."""
    with asyncio.Runner(loop_factory=MemoryLoop) as runner:
        session, stack = runner.run(opened())
        heard = [runner.run(session.news.get()) for _ in range(10)]
        assert [bar.symbol for bar in heard] == ["SPY", "IBM"] * 5
        assert session.clock.monotonic() == 300.0
        runner.run(stack.aclose())


def fingerprint(seed: int) -> str:
    """Return a hash of everything that a client heard in an hour in which much goes wrong, and of when."""
    heard = [each for each in run(session_of(seed, 0.02, minutes=60)).heard if not isinstance(each[2], Subscribed)]
    return hashlib.sha256(repr(heard).encode()).hexdigest()


def test_whole_day_of_trading() -> None:
    """All 390 minutes of two symbols: every bar on its minute, a fill for every order but the last two.

    Those are sent at the close, and belong to the next session.
    """
    session = run(session_of(0))
    tape, market = session.sandbox.market.tape, session.sandbox.market
    expected = [(bar.end, bar.symbol, bar.close) for end in tape.instants for bar in tape.at(moment(end)).bars]
    assert [(bar.end, bar.symbol, bar.close) for bar in session.told("data", Bar)] == expected
    assert all(end == tape.starts_at + timedelta(seconds=when) for when, end in session.bars_heard())
    assert len(session.fills) == market.requests["orders"] - 2 > 30
    assert {stream: session.links(stream) for stream in ("data", "trade_updates")} == {
        "data": ["connected"],
        "trade_updates": ["connected"],
    }


def test_same_seed_is_the_same_session() -> None:
    """In another process too, with other hashes; another seed is another."""
    code = "from test_memory_day import fingerprint; print(fingerprint(7))"
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, (here, here.parent, here.parent.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "11"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.strip() == fingerprint(7) != fingerprint(8)


@pytest.mark.parametrize("seed", range(20))
def test_session_ends_whatever_goes_wrong(seed: int) -> None:
    """Half an hour in which every tenth chance goes wrong: nobody waits for ever, and no order is made twice."""
    session = run(session_of(seed, 0.1, minutes=30))
    assert session.clock.monotonic() >= 1800
    made = [entry.client_order_id for entry in session.sandbox.book.entries.values()]
    assert len(made) == len(set(made)) == session.sandbox.market.requests["orders"]
