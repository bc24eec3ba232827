"""The clocks, and the time limit that runs by them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError, ProtocolError
from framework.live.clock import Deadline, VenueClock, VirtualClock, WallClock
from framework.live.lockstep import Told
from framework.ports import Clock

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)


def test_wall_clock_tells_aware_utc():
    """Venue time in the world is the world's, in UTC."""
    clock: Clock = WallClock()
    assert clock.now().tzinfo is UTC
    assert clock.seconds_until(clock.now() - timedelta(days=1)) == 0.0
    assert 86_000 < clock.seconds_until(clock.now() + timedelta(days=1)) <= 86_400


@pytest.mark.parametrize(("speed", "minutes", "wait"), [(60, 10, 60.0), (1, 1 / 6, 3600.0), (0.5, 1 / 12, 7200.0)])
def test_venue_clock_runs_at_its_speed(speed, minutes, wait):
    """Ten seconds of I/O time are ten minutes at speed 60; an hour of venue time is then a minute's wait."""
    io = VirtualClock()
    clock = Told.read({"now": AT.isoformat(), "speed": speed, "next": None}).clock(io)
    asyncio.run(io.advance(10))
    assert clock.now() == AT + timedelta(minutes=minutes)
    assert clock.monotonic() == 10.0
    assert clock.seconds_until(clock.now() + timedelta(hours=1)) == wait


def test_lock_step_clock_stands_still_until_told():
    """Between two instants no venue time passes, whatever the wall says."""
    io = VirtualClock()
    clock = Told.read({"now": "2026-10-05T09:30:00-04:00", "speed": None, "next": None}).clock(io)
    asyncio.run(io.advance(10))
    assert clock.now() == AT
    assert clock.seconds_until(AT + timedelta(minutes=1)) is None
    clock.set(AT + timedelta(minutes=1))
    assert clock.now() == AT + timedelta(minutes=1)
    assert clock.seconds_until(AT) == 0.0


def test_venue_time_never_goes_back():
    """A correction to an earlier instant holds the clock until that instant has come again."""
    io = VirtualClock()
    clock = VenueClock(AT, 1, io)
    asyncio.run(io.advance(10))
    clock.set(AT + timedelta(seconds=4))
    assert clock.now() == AT + timedelta(seconds=10)
    asyncio.run(io.advance(8))
    assert clock.now() == AT + timedelta(seconds=12)


@pytest.mark.parametrize("answer", [{}, {"now": "noon", "speed": 1}, {"now": "2026-10-05T09:30:00", "speed": 1}, []])
def test_answer_that_tells_no_clock_is_refused(answer):
    """What is no instant with a zone is not guessed at."""
    with pytest.raises(ProtocolError, match="should tell now, speed and next"):
        Told.read({**answer, "next": None} if answer else answer)


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_speed_that_is_none_is_refused(speed):
    """A clock runs forward, at a finite pace, or stands."""
    with pytest.raises(ConfigError, match="not a pace"):
        VenueClock(AT, speed, VirtualClock())


@given(st.lists(st.floats(0.001, 100), max_size=20))
def test_sleepers_wake_in_the_order_of_their_instants(naps):
    """Each finds the clock at its own instant; those of one instant wake as they fell asleep."""
    clock, woken = VirtualClock(), []

    async def sleeper(number, nap):
        await clock.sleep(nap)
        woken.append((clock.monotonic(), number))

    async def play():
        async with asyncio.TaskGroup() as group:
            for number, nap in enumerate(naps):
                group.create_task(sleeper(number, nap))
            await clock.advance(100)

    asyncio.run(play())
    assert woken == sorted((nap, number) for number, nap in enumerate(naps))
    assert clock.monotonic() == 100


def test_sleeper_that_sleeps_again_wakes_again_within_one_advance():
    """A task that ticks every ten seconds ticks six times in a minute, at its own instants."""
    clock, ticks = VirtualClock(AT), []

    async def ticker():
        while True:
            await clock.sleep(10)
            ticks.append((clock.now() - AT).total_seconds())

    async def play():
        task = asyncio.create_task(ticker())
        await clock.advance_to(AT + timedelta(minutes=1))
        task.cancel()

    asyncio.run(play())
    assert ticks == [10, 20, 30, 40, 50, 60]


def test_run_jumps_to_the_end_of_a_wait():
    """A day's wait costs no time, and the result comes back."""

    async def waits(clock):
        await clock.sleep(86_400)
        return clock.now()

    async def play(clock):
        return await clock.run(waits(clock))

    assert asyncio.run(play(VirtualClock(AT))) == AT + timedelta(days=1)


def test_run_says_so_where_no_time_would_help():
    """A wait for something that never comes is an error, not a hang."""

    async def play():
        await VirtualClock().run(asyncio.Event().wait())

    with pytest.raises(ConfigError, match="waits for something that is no clock"):
        asyncio.run(play())


def test_cancelled_sleeper_is_forgotten():
    """It no longer counts as asleep, and time passes over it."""

    async def play():
        clock = VirtualClock()
        task = asyncio.create_task(clock.sleep(5))
        await clock.asleep()
        assert clock.due == (5.0,)
        task.cancel()
        await clock.advance(10)
        return clock.due

    assert asyncio.run(play()) == ()


def test_virtual_time_does_not_go_back():
    """Neither by a mistake in a test."""
    with pytest.raises(ConfigError, match="cannot go back"):
        asyncio.run(VirtualClock().advance(-1))


@pytest.mark.parametrize(("extended", "within", "ends"), [(0, 99, 5), (3, 99, 5), (10, 99, 12), (30, 20, 20)])
def test_deadline_ends_the_block(extended, within, ends):
    """It can be put off (here after 2 s), never past the whole, and never shortened."""

    async def play():
        clock = VirtualClock()

        async def block():
            async with Deadline(clock, 5, within) as deadline:
                await clock.sleep(2)
                deadline.extend(extended)
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            await clock.run(block())
        return clock.monotonic()

    assert asyncio.run(play()) == ends


def test_deadline_leaves_nothing_behind():
    """A block that ends in time is left alone, and nobody sleeps on."""

    async def play():
        clock = VirtualClock()
        async with Deadline(clock, 5):
            await clock.sleep(0)
        await clock.advance(10)
        return clock.due, len(asyncio.all_tasks())

    assert asyncio.run(play()) == ((), 1)
