"""AlphaHub's signals where everything goes wrong: each arrives once, and in its order.

What no client can see through is what looks as if nothing was published: a socket that is mute and answers
heartbeats, a publication that is never pushed or late, and a history that says there is none. The history shows it
when it is asked next; where a newer signal was told by then, or it cannot be shown to be new any more, it is late.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from drills.drill_stage import seeds
from drills.signals_stage import NOT_SEEN_THROUGH, SEEN_THROUGH, Stage, over_sockets, schedule, staged
from memory.loop import run

from framework.errors import AuthenticationError

EVERYTHING = (*SEEN_THROUGH, *NOT_SEEN_THROUGH)


@pytest.mark.parametrize("seed", seeds(10, "DRILL_SIGNALS"))
def test_every_signal_arrives_once_and_in_order(seed: int) -> None:
    """Both lines drop at random, channels crash, requests fail; the client is restarted twice in every third."""
    stage = run(schedule(seed, SEEN_THROUGH, restarts=2 if seed % 3 == 0 else 0))
    assert stage.broken() == []
    assert len(stage.late) <= 0.2 * len(stage.published)


@pytest.mark.parametrize("seed", seeds(6, "DRILL_SIGNALS"))
def test_what_cannot_be_seen_through_arrives_too(seed: int) -> None:
    """Once, as a signal in its order or as late, when the history is asked next."""
    assert run(schedule(seed, EVERYTHING, restarts=seed % 2)).broken() == []


@pytest.mark.parametrize("seed", seeds(12, "DRILL_SIGNALS"))
def test_drops_alone_make_nothing_late(seed: int) -> None:
    """Whenever both lines are cut, each signal is handed on while it is new."""
    stage = run(schedule(seed, ("drop", "cut_halfway", "cut_after"), rate=0.2))
    assert (stage.broken(), stage.late) == ([], [])


@pytest.mark.parametrize("seed", range(10))
def test_every_signal_arrives_over_real_sockets(seed: int) -> None:
    """In a hurry, with lines that are replaced meanwhile."""
    assert asyncio.run(over_sockets(seed)).broken() == []


def test_checks_of_a_drill_see_a_loss_a_double_and_an_exchange() -> None:
    """What is checked above can fail."""
    stage = run(schedule(1, (), minutes=5, rate=0.0))
    whole = list(stage.told)
    for wrong in (whole[:-1], [*whole, whole[-1]], [whole[0], *reversed(whole[1:])]):
        stage.told = wrong
        assert stage.broken() != []


def played(scene: Any, **settings: Any) -> Stage:
    """Play a scene with a client that listens; return what is left."""

    async def play() -> Stage:
        async with staged(3, **settings) as stage, stage.listening():
            await stage.sandbox.clock.sleep(10)  # the second line is there too
            await scene(stage)
            return stage

    return run(play())


def test_signal_published_while_every_line_is_down_is_not_lost() -> None:
    """The example client's own note says that it is lost for good."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.hang_up("alphahub")
        await stage.publish(Random(1))
        await stage.sandbox.clock.sleep(5)
        assert (stage.broken(), stage.late) == ([], [])
        assert stage.signals
        assert stage.links == [True, False, True]

    played(scene)


def test_signal_missed_comes_before_the_one_that_is_pushed() -> None:
    """The line is back, history is being asked, and the next signal waits for its answer."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.hang_up("alphahub")
        await stage.publish(Random(1), 16)
        stage.sandbox.fault("slow_answer", stream="alphahub_api", count=2, seconds=2)
        await stage.sandbox.attend("alphahub")
        await stage.publish(Random(2), 16)
        await stage.sandbox.clock.sleep(10)
        assert (stage.broken(), stage.late) == ([], [])

    played(scene)


def test_two_restarts_neither_double_nor_lose() -> None:
    """Published before the first, between the two, and after the second."""

    async def play() -> Stage:
        async with staged(3) as stage:
            for run_number in range(3):
                async with stage.listening():
                    await stage.publish(Random(run_number), 16)
                    await stage.sandbox.clock.sleep(1)
                await stage.publish(Random(10 + run_number), 14)
                await stage.sandbox.clock.sleep(60)
            async with stage.listening():
                await stage.sandbox.clock.sleep(10)
            return stage

    stage = run(play())
    assert (stage.broken(), stage.late) == ([], [])


@pytest.mark.parametrize("code", [1000, 1011])
def test_instant_closes_are_no_storm(code: int) -> None:
    """Ten minutes in which each join is followed by a close: some connections at first, then one in half a minute."""

    async def play() -> Stage:
        async with staged(3) as stage:
            stage.sandbox.fault("instant_close", count=0, code=code)
            async with stage.listening(is_awaited=False):
                await stage.sandbox.clock.sleep(10)
                first = stage.sandbox.market.requests["alphahub"]
                await stage.sandbox.clock.sleep(590)
                requests = stage.sandbox.market.requests
                assert first <= 12
                assert requests["alphahub"] <= first + 2 * 590 / 15
                assert requests["alphahub_logins"] <= 3
            return stage

    run(play())


def test_wrong_password_is_sent_once() -> None:
    """By one of the lines; the others wait, and it ends with an error that says so."""

    async def play() -> int:
        async with staged(3) as stage:
            stage.sandbox.fault("wrong_password", count=0)
            with pytest.raises(AuthenticationError, match="ALPHAHUB_PASSWORD"):
                async with stage.listening(is_awaited=False):
                    await stage.sandbox.clock.sleep(600)
            return stage.sandbox.market.requests["alphahub_logins"]

    assert run(play()) == 1


def test_password_that_was_right_is_not_sent_in_a_loop() -> None:
    """It was changed at the other side: an hour of it is a dozen logins, the user is told, and the rest goes on."""

    async def scene(stage: Stage) -> None:
        market = stage.sandbox.market
        stage.sandbox.fault("wrong_password", count=0)
        stage.sandbox.fault("renewal_refused", count=0)
        stage.sandbox.fault("expired_token", count=0)
        before = market.requests["alphahub_logins"]
        stage.sandbox.hang_up("alphahub")
        await stage.sandbox.clock.sleep(3600)
        assert market.requests["alphahub_logins"] - before <= 30
        assert any("refused" in each for each in stage.remarks)
        market.faults.clear()
        await stage.sandbox.clock.sleep(3700)
        assert stage.links[-1]

    played(scene)


def test_half_open_lines_are_found() -> None:
    """Both say nothing any more and do not close: a ping tells within ten seconds, and what was missed is there."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("half_closed", stream="alphahub", count=2)
        await stage.publish(Random(1))
        await stage.sandbox.clock.sleep(15)
        assert (stage.broken(), stage.late) == ([], [])

    played(scene)


def test_restart_waits_out_a_refusal_as_the_run_before_did() -> None:
    """The password is right, the sockets are refused for a while: found by a drill, where it gave up."""

    async def play() -> Stage:
        async with staged(3) as stage:
            async with stage.listening():
                await stage.sandbox.clock.sleep(10)
            stage.sandbox.fault("expired_token", stream="alphahub", count=6)
            async with stage.listening(is_awaited=False):
                await stage.sandbox.clock.sleep(400)
                await stage.publish(Random(1))
                await stage.sandbox.clock.sleep(1)
            return stage

    stage = run(play())
    assert (stage.broken(), stage.late) == ([], [])
    assert any("is refused" in each for each in stage.remarks)


def test_push_after_a_join_waits_for_an_answer_that_is_younger_than_the_join() -> None:
    """One that is on its way may not have what was missed: found by a drill, where two signals changed places."""

    async def scene(stage: Stage) -> None:
        sandbox = stage.sandbox
        sandbox.fault("slow_answer", stream="alphahub_api", count=2, seconds=2)
        for each in stage.listening_now.followings.values():
            each.want()  # asked now, answered in two seconds
        await sandbox.clock.sleep(0.5)
        sandbox.hang_up("alphahub")
        await stage.publish(Random(1), 16)
        await sandbox.attend("alphahub")
        await stage.publish(Random(2), 16)
        await sandbox.clock.sleep(10)
        assert (stage.broken(), stage.late) == ([], [])

    played(scene)
