"""What the well-known example client gets wrong on the side of lines, loops and callbacks; ours is right."""

from __future__ import annotations

import asyncio
import logging
import threading
from random import Random
from typing import Any

import pytest
from drills.signals_stage import QUICK, Stage, staged
from memory.loop import run

from feeds import AlphaHubConnection
from framework.app.sandbox import Sandbox
from framework.live.records import SIGNALS

BUY = {"symbol": "SPY", "side": "buy", "price": 1.5}


def played(scene: Any, **settings: Any) -> Stage:
    async def play() -> Stage:
        async with staged(3, **settings) as stage, stage.listening():
            await stage.sandbox.clock.sleep(10)
            await scene(stage)
            return stage

    return run(play())


def test_signal_published_during_a_drop_is_not_lost() -> None:
    """Theirs says so itself: it is lost for good."""

    async def scene(stage: Stage) -> None:
        for number in range(20):
            stage.sandbox.hang_up("alphahub")
            await stage.publish(Random(number))
            await stage.sandbox.clock.sleep(45)

    stage = played(scene)
    assert (stage.broken(), stage.late) == ([], [])


@pytest.mark.parametrize("fault", ["channel_crash", "channel_close"])
def test_crashed_channel_does_not_leave_us_deaf(fault: str) -> None:
    """Theirs stays connected and hears nothing any more; ours has the signal that crashed with it, and the next."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault(fault, count=2)
        for number in range(2):
            await stage.publish(Random(number), 16)
            await stage.sandbox.clock.sleep(10)

    stage = played(scene)
    assert (stage.broken(), stage.late) == ([], [])


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012])
def test_whatever_code_closes_a_line_it_comes_back_soon(code: int) -> None:
    """Theirs is away for 5 s after a clean close, and storms after another."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("instant_close", count=2, code=code)
        stage.sandbox.hang_up("alphahub")
        await stage.sandbox.clock.sleep(4)
        assert stage.links[-1]
        assert stage.sandbox.alphahub.sockets.on("algorithms:16") == 2
        assert stage.sandbox.market.requests["alphahub"] <= 8

    played(scene)


def test_join_that_is_never_answered_is_made_again() -> None:
    """Theirs waits for ever; ours leaves after 10 s and joins a second later, the other line hears meanwhile."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("unanswered_join", count=2)
        stage.sandbox.hang_up("alphahub")
        await stage.sandbox.clock.sleep(15)
        assert stage.sandbox.alphahub.sockets.on("algorithms:16") == 2

    played(scene)


def test_heartbeat_that_is_not_answered_ends_the_line() -> None:
    """Theirs never looks; ours has a new one within half a minute more."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("unanswered_heartbeat", count=2)
        before = stage.sandbox.market.requests["alphahub"]
        await stage.sandbox.clock.sleep(50)
        assert stage.sandbox.market.requests["alphahub"] > before

    played(scene)


def test_garbage_costs_no_connection() -> None:
    """Theirs tears it down for 5 s; ours tells it and stays."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("garbage", count=12)
        before = stage.sandbox.market.requests["alphahub"]
        for number in range(6):
            await stage.publish(Random(number))
            await stage.sandbox.clock.sleep(1)
        assert stage.sandbox.market.requests["alphahub"] == before

    stage = played(scene)
    assert (stage.broken(), stage.late) == ([], [])


def test_signals_overtake_nothing() -> None:
    """Theirs makes a task of each call, which may overtake one another."""

    async def scene(stage: Stage) -> None:
        for number in range(50):
            await stage.publish(Random(number))

    stage = played(scene)
    assert stage.broken() == []
    assert len(list(stage.journal.entries(SIGNALS))) >= 50


async def published(**more: Any) -> None:
    """Publish once to a connection of ours, and wait until it has called."""
    called = asyncio.Event()
    on_signal = more.pop("on_signal", lambda *told: None)

    def heard(*told: Any) -> Any:
        called.set()
        return on_signal(*told)

    with Sandbox(speed=1.0) as sandbox:
        connection = AlphaHubConnection(algo_ids=[16], on_signal=heard, waits=QUICK, **sandbox.alphahub, **more)
        running = asyncio.create_task(connection.run())
        await asyncio.to_thread(sandbox.attend, "alphahub", 2)
        await asyncio.to_thread(lambda: sandbox.publish(16, open=[BUY]))
        async with asyncio.timeout(10):
            await called.wait()
        running.cancel()
        await asyncio.wait([running])


def test_no_token_and_no_password_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Theirs logs the address with its token, and both tokens, at debug."""
    with caplog.at_level(logging.DEBUG):
        asyncio.run(published())
    assert len(caplog.records) > 10
    assert "api_token=" not in caplog.text
    assert "renew_token" not in caplog.text
    assert "no-real-password" not in caplog.text


def test_nothing_is_left_running() -> None:
    """Theirs closes its socket in a task that nobody waits for."""

    async def leave() -> tuple[int, int]:
        threads = threading.active_count()
        await published()
        return len(asyncio.all_tasks()) - 1, threading.active_count() - threads

    tasks, _ = asyncio.run(leave())
    assert tasks == 0


def test_function_is_not_cut_off_by_the_next_signal() -> None:
    """Theirs keeps no reference to a call's task, which may be collected while it waits."""
    done = []

    async def slow(algorithm: int, info: Any) -> None:
        await asyncio.sleep(0.05)
        done.append(algorithm)

    async def scene() -> None:
        with Sandbox(speed=1.0) as sandbox:
            connection = AlphaHubConnection(algo_ids=[16], on_signal=slow, waits=QUICK, **sandbox.alphahub)
            running = asyncio.create_task(connection.run())
            await asyncio.to_thread(sandbox.attend, "alphahub", 2)
            for price in (1.0, 2.0, 3.0):
                await asyncio.to_thread(sandbox.publish, 16, open=[{**BUY, "price": price}])
            async with asyncio.timeout(10):
                while len(done) < 3:
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(scene())
    assert done == [16, 16, 16]
