"""The request budget: turns, priorities and waits, on the virtual clock."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.live.budget import Budget
from framework.live.clock import VirtualClock
from framework.live.window import Allowance, Window
from framework.wire import Priority

EXIT, LOOK_UP, ENTRY, DATA = Priority


def play(scenario, **window):
    """Run a scenario on a virtual clock with a budget."""

    async def run():
        clock = VirtualClock()
        return await scenario(clock, Budget(clock, Window(**window)))

    return asyncio.run(run())


async def send(clock, budget, priority, sent, seconds=0.0):
    async with budget.turn(priority):
        sent.append((clock.monotonic(), priority))
        await clock.sleep(seconds)


def test_most_urgent_goes_first():
    """Cancels and exits before look-ups, these before entries, these before data."""

    async def scenario(clock, budget):
        sent = []
        async with asyncio.TaskGroup() as group:
            for priority in (EXIT, DATA, ENTRY, LOOK_UP, EXIT, DATA):
                group.create_task(send(clock, budget, priority, sent))
            await clock.advance(400)
        return [priority for _, priority in sent]

    assert play(scenario, limit=1) == [EXIT, EXIT, LOOK_UP, ENTRY, DATA, DATA]


def test_what_waits_is_seen():
    """Counted by kind, and no longer once it went."""

    async def scenario(clock, budget):
        sent, seen = [], []
        async with asyncio.TaskGroup() as group:
            for priority in (EXIT, DATA, DATA, ENTRY):
                group.create_task(send(clock, budget, priority, sent))
            await clock.advance(1)
            seen.append(dict(budget.waiting))
            await clock.advance(400)
            seen.append(dict(budget.waiting))
        return seen

    assert play(scenario, limit=1) == [{DATA: 2, ENTRY: 1}, {}]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 90), st.floats(0, 30), st.sampled_from(Priority)), max_size=25))
def test_no_minute_holds_more_than_the_limit(arrivals):
    """Whenever they come, all of them go in the end, and never more than three in a minute."""

    async def scenario(clock, budget):
        sent = []

        async def come(at, seconds, priority):
            await clock.sleep(at)
            await send(clock, budget, priority, sent, seconds)

        async with asyncio.TaskGroup() as group:
            for arrival in arrivals:
                group.create_task(come(*arrival))
            await clock.advance(60 * 60)
        return [at for at, _ in sent]

    times = play(scenario, limit=3, at_once=2)
    assert len(times) == len(arrivals)
    assert all(sum(at <= other <= at + 60 for other in times) <= 3 for at in times)


def test_answer_lets_the_next_one_go():
    """Where the connections are the limit, nobody waits for a clock."""

    async def scenario(clock, budget):
        sent = []
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(send(clock, budget, ENTRY, sent, seconds=2))
            await clock.advance(10)
        return [at for at, _ in sent]

    assert play(scenario, limit=100, at_once=1) == [0, 2, 4]


@pytest.mark.parametrize("is_let_go", [False, True])
def test_cancelled_request_takes_no_place(is_let_go):
    """Neither one that waits, nor one that was let go and is cancelled before it runs on."""

    async def scenario(clock, budget):
        sent = []
        async with budget.turn(EXIT):
            gone = asyncio.create_task(send(clock, budget, EXIT, sent))
            await asyncio.sleep(0)
            if not is_let_go:
                gone.cancel()
        gone.cancel()
        await send(clock, budget, EXIT, sent)
        return len(sent), gone.cancelled(), budget.window.in_flight, budget.window.room(0)

    assert play(scenario, limit=3, at_once=1) == (1, True, 0, 1)


def test_429_closes_until_the_reset():
    """And then opens by itself, in the order of urgency."""

    async def scenario(clock, budget):
        sent = []
        async with budget.turn(ENTRY):
            budget.close(7)
        async with asyncio.TaskGroup() as group:
            group.create_task(send(clock, budget, ENTRY, sent))
            group.create_task(send(clock, budget, EXIT, sent))
            await clock.advance(7)
        return sent

    assert play(scenario) == [(7, EXIT), (7, ENTRY)]


def test_others_on_the_account_make_us_wait():
    """What the venue says remains is the limit until its reset."""

    async def scenario(clock, budget):
        sent = []
        async with budget.turn(EXIT):
            budget.hear(Allowance(limit=200, remaining=1, resets_in=20))
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(send(clock, budget, EXIT, sent))
            await clock.advance(20)
        return sent

    assert play(scenario) == [(0, EXIT), (20, EXIT)]


def test_waiter_that_is_gone_leaves_no_task():
    """No alarm rings for nobody."""

    async def scenario(clock, budget):
        async with budget.turn(EXIT):
            waiter = asyncio.create_task(send(clock, budget, EXIT, []))
            await clock.advance(1)
        await clock.advance(1)
        waiter.cancel()
        await clock.advance(1)
        return clock.due, len(asyncio.all_tasks())

    assert play(scenario, limit=1) == ((), 1)
