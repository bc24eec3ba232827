"""What of each stream has been read, beside what a venue in lock-step says it has sent."""

import asyncio

from framework.live.clock import VirtualClock
from framework.live.heard import PATIENCE, Heard


def run(coroutine):
    return asyncio.run(coroutine)


def test_waits_until_as_much_was_read_as_was_sent() -> None:
    """The wait is over with the last message, not before it."""

    async def steps():
        heard = Heard(VirtualClock())
        heard.hear("data", 0)
        waits = asyncio.ensure_future(heard.until({"data": 2}))
        heard.hear("data")
        await asyncio.sleep(0)
        early = waits.done()
        heard.hear("data")
        return early, await waits

    assert run(steps()) == (False, True)


def test_streams_that_nobody_follows_are_not_waited_for() -> None:
    """A sandbox counts what others listen to as well."""
    assert run(Heard(VirtualClock()).until({"crypto": 5})) is True


def test_what_never_comes_is_given_up_after_a_while() -> None:
    """A message that was lost with its connection does not stop the session; the next step sets the count right."""

    async def steps():
        clock = VirtualClock()
        heard = Heard(clock)
        heard.hear("data", 3)
        came = await clock.run(heard.until({"data": 4}))
        behind = heard.is_behind
        heard.settle({"data": 4})
        return came, clock.monotonic(), behind, heard.is_behind, await heard.until({"data": 4})

    assert run(steps()) == (False, PATIENCE, True, False, True)


def test_a_stream_that_came_up_counts_from_what_was_sent_by_then() -> None:
    """What was sent while it was down has been made good, and is not waited for."""

    async def steps():
        heard = Heard(VirtualClock())
        heard.hear("trade_updates", 2)
        heard.caught_up("trade_updates")
        heard.settle({"trade_updates": 7})
        heard.hear("trade_updates")
        return await heard.until({"trade_updates": 8})

    assert run(steps()) is True


def test_what_is_due_after_a_step_is_awaited_in_its_order() -> None:
    """A bar that is over, then the orders of a venue that has to be asked; what is due before a step is apart."""

    async def steps():
        heard, done = Heard(VirtualClock()), []

        def work(name):
            async def run():
                done.append(name)

            return run

        heard.before_step(work("before"))
        heard.after_step(work("bars"))
        heard.after_step(work("orders"))
        await heard.complete()
        return done

    assert run(steps()) == ["bars", "orders"]
