"""The sandbox's AlphaHub in memory: what takes minutes, on virtual time, with plain clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from memory.loop import run
from memory.sandbox import MemorySandbox
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from feeds.alphahub.sandbox_signals import Publication
from framework.app.sandbox import sample
from framework.columns import moment

BUY = {"symbol": "SPY", "side": "buy"}
OK = {"response": {}, "status": "ok"}

Scene = Callable[[MemorySandbox], Awaitable[Any]]


async def ask(sandbox: MemorySandbox, method: str, path: str, token: str = "", **more: Any) -> tuple[int, Any]:
    headers = {"Authorization": token}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.request(method, sandbox.url + path, **more) as answer,
    ):
        return answer.status, await answer.json()


async def login(sandbox: MemorySandbox) -> Any:
    form = {"user[email]": "a@b.c", "user[password]": "secret"}
    return (await ask(sandbox, "POST", "/api/v1/session", data=form))[1]["data"]


@asynccontextmanager
async def joined(sandbox: MemorySandbox, **options: Any) -> AsyncIterator[ClientConnection]:
    token = (await login(sandbox))["token"]
    address = f"{sandbox.websocket}/socket/websocket?vsn=2.0.0&api_token={token}"
    async with connect(address, proxy=None, **options) as socket:
        await socket.send('["1","1","algorithms:16","phx_join",{}]')
        assert json.loads(await socket.recv())[4] == OK
        yield socket


def played(scene: Scene, **options: Any) -> Any:
    """Play a scene on a day of sample bars and return what it returns."""

    async def play() -> Any:
        async with MemorySandbox(sample(("SPY", "IBM"), "2026-10-05"), seed=3, **options) as sandbox:
            return await scene(sandbox)

    return run(play())


async def closed(socket: ClientConnection) -> int | None:
    """Wait until a socket is closed; return the code."""
    with pytest.raises(ConnectionClosed) as end:
        await socket.recv()
    return end.value.rcvd.code if end.value.rcvd else None


def test_who_says_nothing_for_a_minute_is_closed() -> None:
    """With 1000, sixty seconds after the last message; pings do not count, whatever comes the other way neither."""

    async def scene(sandbox: MemorySandbox) -> None:
        async with joined(sandbox, ping_interval=20) as socket:
            await sandbox.clock.sleep(50)
            await sandbox.publish(16, open=[])
            assert json.loads(await socket.recv())[3] == "new_signals"
            assert await closed(socket) == 1000
            assert sandbox.clock.monotonic() == 60

    played(scene)


def test_heartbeats_keep_a_socket() -> None:
    """For hours, though its token has long expired."""

    async def scene(sandbox: MemorySandbox) -> None:
        async with joined(sandbox, ping_interval=None) as socket:
            for number in range(300):
                await sandbox.clock.sleep(59)
                await socket.send(f'[null,"{number}","phoenix","heartbeat",{{}}]')
                assert json.loads(await socket.recv())[1] == str(number)

    played(scene)


@pytest.mark.parametrize("speed", [1.0, 60.0, None])
def test_tokens_live_by_io_time(speed: float | None) -> None:
    """Half an hour and thirty days, whatever the venue's clock does."""

    async def scene(sandbox: MemorySandbox) -> None:
        data = await login(sandbox)
        path = "/api/v1/algorithms/16/signals"
        await sandbox.clock.sleep(1799)
        assert (await ask(sandbox, "GET", path, data["token"]))[0] == 200
        await sandbox.clock.sleep(1)
        assert (await ask(sandbox, "GET", path, data["token"]))[0] == 401
        await sandbox.clock.sleep(30 * 86400 - 1801)
        data = (await ask(sandbox, "POST", "/api/v1/session/renew", data["renew_token"]))[1]["data"]
        await sandbox.clock.sleep(30 * 86400)
        assert (await ask(sandbox, "POST", "/api/v1/session/renew", data["renew_token"]))[0] == 401

    played(scene, speed=speed)


def test_half_open_socket_ends_by_itself_in_the_end() -> None:
    """Ninety seconds later; until then not even the rule of the minute closes it."""

    async def scene(sandbox: MemorySandbox) -> None:
        async with joined(sandbox, ping_interval=None) as socket:
            sandbox.fault("half_closed", stream="alphahub")
            await sandbox.publish(16, open=[])
            assert await closed(socket) is None
            assert sandbox.clock.monotonic() == 90

    played(scene)


def test_request_that_stalls_is_cut_after_ten_minutes() -> None:
    """Who waits that long learns nothing."""

    async def scene(sandbox: MemorySandbox) -> None:
        sandbox.fault("stall", stream="alphahub_api")
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(sandbox, "POST", "/api/v1/session", timeout=aiohttp.ClientTimeout(total=None))
        assert sandbox.clock.monotonic() == 600

    played(scene)


def test_late_publication_comes_to_the_second() -> None:
    """Thirty seconds of the venue's time, half a second at a minute a second."""

    async def scene(sandbox: MemorySandbox) -> float:
        async with joined(sandbox) as socket:
            sandbox.fault("late_signals")
            await sandbox.publish(16, open=[BUY])
            await socket.recv()
            return sandbox.clock.monotonic()

    assert played(scene) == pytest.approx(30)
    assert played(scene, speed=60.0) == pytest.approx(0.5)


def tape() -> tuple[list[Any], list[Publication]]:
    """Return a day of bars, and signals in the middle of its first minutes."""
    bars = sample(("SPY", "IBM"), "2026-10-05")
    opens = moment(bars[0].history()["SPY"].end[0]) - timedelta(minutes=1)
    times = [opens + timedelta(seconds=45 + 50 * number) for number in range(20)]
    return bars, [Publication(16, at, open=[BUY], close=[{"symbol": "IBM", "side": "sell"}]) for at in times]


async def heard_in_steps() -> list[Any]:
    """Return what is heard in forty steps of lock-step, by a client that reads as much as was sent."""
    bars, signals = tape()
    async with MemorySandbox(bars, signals=signals, speed=None) as sandbox, joined(sandbox) as socket:
        found: list[Any] = []
        for _ in range(40):
            sent = (await sandbox.step())["sent"].get("alphahub", 0)
            found += [await socket.recv() for _ in range(sent - len(found))]
        return found


def test_lock_step_in_memory_is_lock_step_over_sockets() -> None:
    """The same client and the same sandbox over real sockets: every frame is the same."""
    in_memory, over_sockets = run(heard_in_steps()), asyncio.run(heard_in_steps())
    assert in_memory == over_sockets
    assert len(in_memory) == 20


def test_running_clock_publishes_at_the_second() -> None:
    """The tape's signals come when they are due, between the bars."""

    async def scene() -> list[float]:
        bars, signals = tape()
        async with MemorySandbox(bars, signals=signals) as sandbox, joined(sandbox, ping_interval=None) as socket:
            found = []
            for _ in signals:
                await socket.recv()
                found.append(sandbox.clock.monotonic())
                await socket.send('[null,"b","phoenix","heartbeat",{}]')
                await socket.recv()
            return found

    assert run(scene()) == pytest.approx([45 + 50 * number for number in range(20)])


def test_a_day_of_chance_is_alike_each_time() -> None:
    """Twice the same frames, closes and counts, where everything can go wrong."""

    async def scene() -> tuple[list[Any], Any, Any]:
        bars, signals = tape()
        heard: list[Any] = []
        async with MemorySandbox(bars, signals=signals, seed=5) as sandbox:
            sandbox.random_faults(5, 0.05)
            end = sandbox.clock.monotonic() + 1300
            while sandbox.clock.monotonic() < end:
                await attempt(sandbox, heard)
            return heard, sandbox.market.sent, sandbox.market.faults.made

    first, second = run(scene()), run(scene())
    assert first == second
    assert len(first[2]) > 5


async def attempt(sandbox: MemorySandbox, heard: list[Any]) -> None:
    """Connect, join and listen for as long as it goes well; then wait for a second."""
    try:
        async with asyncio.timeout(200), joined(sandbox, ping_interval=None) as socket:
            while True:
                try:
                    async with asyncio.timeout(15):
                        heard.append((sandbox.clock.monotonic(), await socket.recv()))
                except TimeoutError:
                    await socket.send('[null,"b","phoenix","heartbeat",{}]')
    except Exception as error:  # a line that broke, a request or a handshake that was refused
        heard.append((sandbox.clock.monotonic(), type(error).__name__))
    await sandbox.clock.sleep(1)
