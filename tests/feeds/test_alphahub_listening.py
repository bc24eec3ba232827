"""Several lines, a journal and the history: what a session hears of AlphaHub, in memory on virtual time."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from drills.signals_stage import Journal, Stage, facts, staged
from memory.loop import run
from signal_steps import Steps
from signal_steps import played as in_lockstep

from feeds.alphahub.sandbox_signals import Publication
from feeds.alphahub.settings import Waits
from framework.app.sandbox import sample
from framework.errors import SwitchbackError
from framework.live.records import FRAME, SIGNALS, TOLD
from framework.model import Signals

BUY = {"symbol": "SPY", "side": "buy", "price": 1.0}
SELL = {"symbol": "SPY", "side": "sell", "price": 2.0}


def played(scene: Any, **settings: Any) -> Stage:
    """Play a scene with a client that listens over two lines; return what is left."""

    async def play() -> Stage:
        async with staged(3, **settings) as stage, stage.listening():
            await stage.sandbox.clock.sleep(10)
            await scene(stage)
            return stage

    return run(play())


def test_frame_is_in_the_journal_before_the_signal_and_that_before_it_is_handed_on() -> None:
    """That it was acted on is written by who does; the second line's copy is a frame, and nothing else."""
    seen = []

    async def scene(stage: Stage) -> None:
        stage.listening_now._emit = lambda news: seen.append((news, [each.kind for each in stage.journal.rows][-2:]))
        await stage.sandbox.publish(16, open=[BUY])
        await stage.sandbox.clock.sleep(1)
        assert [each.kind for each in stage.journal.rows][-3:] == [FRAME, SIGNALS, FRAME]

    played(scene)
    assert [(type(news), kinds) for news, kinds in seen] == [(Signals, [FRAME, SIGNALS])]


def test_signals_that_came_together_are_told_together() -> None:
    """Closes first, each with a name of its own that an order can bear, and all by what the journal calls them."""

    async def scene(stage: Stage) -> None:
        await stage.sandbox.publish(16, open=[BUY, BUY], close=[SELL])
        await stage.sandbox.clock.sleep(1)

    stage = played(scene)
    [batch], [record] = stage.batches, stage.journal.entries(SIGNALS)
    assert [each.action.value for each in batch.signals] == ["close", "open", "open"]
    assert [each.key for each in batch.signals] == [key[:24] for key in record.body["keys"]]
    assert len({each.key for each in batch.signals}) == 3
    assert batch.name == record.body["keys"][0]


@pytest.mark.parametrize("came", ["late", "past"])
def test_what_is_not_to_be_acted_on_is_done_with_at_once(came: str) -> None:
    """Nobody else would write that it is: the next run tells neither what is late nor what is past again."""

    async def play() -> Stage:
        async with staged(3) as stage:
            if came == "past":
                await stage.publish(Random(1), 16)
            async with stage.listening():
                await stage.sandbox.clock.sleep(10)
            if came == "late":
                await stage.publish(Random(1), 16)
                await stage.sandbox.clock.sleep(1200)
            async with stage.listening():
                await stage.sandbox.clock.sleep(10)
            return stage

    stage = run(play())
    names = [each.body["keys"][0] for each in stage.journal.entries(SIGNALS)]
    assert names == [each.key for each in stage.journal.entries(TOLD)] != []
    assert stage.signals == []


def test_answers_to_heartbeats_are_not_written_down() -> None:
    """Ten thousand a day would say nothing."""

    async def scene(stage: Stage) -> None:
        await stage.sandbox.clock.sleep(3600)
        assert not [each for each in stage.journal.rows if "phoenix" in str(each.body)]

    played(scene)


def test_each_line_has_a_login_of_its_own() -> None:
    """And the history has one; hours later each is renewed, and nobody logs in again."""

    async def scene(stage: Stage) -> None:
        assert stage.sandbox.market.requests["alphahub_logins"] == 3
        await stage.sandbox.clock.sleep(20_000)
        assert stage.sandbox.market.requests["alphahub_logins"] == 3

    played(scene)


def test_line_is_replaced_before_it_leaves() -> None:
    """Each of both, in turn, while a signal comes every half minute: all of them by a push, the link stays up."""

    async def scene(stage: Stage) -> None:
        for number in range(60):
            await stage.publish(Random(number))
            assert stage.sandbox.alphahub.sockets.on("algorithms:16") >= 2
            await stage.sandbox.clock.sleep(30)
        assert stage.sandbox.market.requests["alphahub"] >= 8

    stage = played(scene, waits=Waits(rotate=600.0))
    assert (stage.broken(), stage.late, stage.links) == ([], [], [True])
    assert {each.body["came"] for each in stage.journal.entries(SIGNALS)} == {"pushed"}


def test_successor_that_joins_nothing_does_not_replace() -> None:
    """The old line stays, and is replaced later."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("unanswered_join", count=0)
        await stage.sandbox.clock.sleep(900)
        await stage.publish(Random(1))
        await stage.sandbox.clock.sleep(1)
        stage.sandbox.market.faults.clear()
        await stage.sandbox.clock.sleep(900)
        assert stage.sandbox.alphahub.sockets.on("algorithms:16") == 2

    stage = played(scene, waits=Waits(rotate=600.0))
    assert (stage.broken(), stage.late, stage.links) == ([], [], [True])


def test_what_was_published_before_anybody_listened_is_not_told() -> None:
    """Neither as a signal nor as late: it is the past, from which it follows what the algorithm holds."""

    async def play() -> Stage:
        async with staged(3) as stage:
            await stage.sandbox.publish(16, open=[BUY])
            async with stage.listening():
                await stage.sandbox.clock.sleep(10)
                stage.sandbox.hang_up("alphahub")
                await stage.sandbox.publish(16, close=[SELL])
                await stage.sandbox.clock.sleep(10)
            return stage

    stage = run(play())
    assert [facts(each) for each in stage.signals] == [("16", "close", "sell", "SPY", 2.0)]
    assert stage.late == []


def test_what_was_published_long_before_a_restart_is_late() -> None:
    """Told once, in a remark with its symbol, and not as a signal; another restart tells nothing."""

    async def play() -> Stage:
        async with staged(3) as stage:
            async with stage.listening():
                await stage.sandbox.clock.sleep(10)
            await stage.publish(Random(1), 16)
            await stage.sandbox.clock.sleep(1200)
            for _ in range(2):
                async with stage.listening():
                    await stage.sandbox.clock.sleep(10)
            return stage

    stage = run(play())
    assert stage.signals == []
    assert stage.broken() == []
    assert all("history was asked last" in each.why for each in stage.late)
    assert len([each for each in stage.remarks if "late" in each]) == len(stage.late) > 0


def test_what_was_written_down_and_not_handed_on_is_handed_on_by_the_next_run() -> None:
    """A crash in between: the next run does it, if it comes soon, by the same names."""
    before: list[Signals] = []

    async def play() -> Stage:
        async with staged(3) as stage:
            async with stage.listening():
                await stage.publish(Random(1), 16)
                await stage.sandbox.clock.sleep(1)
            stage.journal.rows = [each for each in stage.journal.rows if each.kind != TOLD]
            before.extend(stage.batches)
            stage.told.clear()
            async with stage.listening():
                await stage.sandbox.clock.sleep(10)
            return stage

    stage = run(play())
    assert stage.broken() == []
    assert stage.batches == before


def test_signal_that_waited_while_the_machine_was_asleep_is_late() -> None:
    """An hour later it lies in the line's buffer, as if it were new. The lines are made anew, and the next is one."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.clock._at += timedelta(hours=1)
        await stage.publish(Random(1), 16)
        await stage.sandbox.clock.sleep(10)
        late = len(stage.late)
        assert (late, stage.signals) == (len(stage.published), [])
        assert "did not look" in stage.late[0].why
        await stage.publish(Random(2), 16)
        await stage.sandbox.clock.sleep(1)
        assert (len(stage.late), len(stage.signals)) == (late, len(stage.published) - late)

    assert played(scene).broken() == []


@pytest.mark.parametrize("does_publish", [False, True])
def test_alarm_when_nothing_came_by_its_time(does_publish: bool) -> None:
    """By New York's clock, once a day and for each algorithm."""

    async def scene(stage: Stage) -> None:
        if does_publish:
            await stage.sandbox.publish(16, open=[])
        await stage.sandbox.clock.sleep(7200)

    stage = played(scene, alarm="10:00", zone="America/New_York")
    told = [each for each in stage.remarks if "published nothing today" in each]
    assert ["algorithm 16" in each for each in told] == ([False] if does_publish else [False, True])
    assert "2026-10-05 14:00 UTC" in told[0]


def test_what_cannot_be_read_is_told_once_and_stops_nothing() -> None:
    """It came over both lines; the other items of the message are signals."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("garbage", kind="payload", count=2)
        await stage.publish(Random(1))
        await stage.sandbox.clock.sleep(5)

    stage = played(scene)
    assert stage.broken() == []
    assert len([each for each in stage.remarks if "cannot be read" in each]) == 1


def test_algorithm_that_is_refused_is_told_and_the_other_is_heard() -> None:
    """One alarm, not one for each try and line; the link is up for what is heard."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("refused_join", count=0, match={"algorithm": 14})
        stage.sandbox.hang_up("alphahub")
        await stage.sandbox.clock.sleep(600)
        await stage.publish(Random(1), 16)
        await stage.sandbox.clock.sleep(1)

    stage = played(scene)
    assert stage.broken() == []
    assert len([each for each in stage.remarks if "algorithm 14 is not heard" in each]) == 1
    assert stage.links == [True, False, True]


def test_history_that_does_not_answer_is_told_once_and_holds_nothing_up() -> None:
    """What is pushed goes on; when history answers again, what was missed is there."""

    async def scene(stage: Stage) -> None:
        stage.sandbox.fault("server_error", count=0)
        await stage.sandbox.clock.sleep(300)
        before = stage.sandbox.clock.monotonic()
        await stage.publish(Random(1))
        await stage.sandbox.clock.sleep(0.1)
        assert stage.broken() == []
        stage.sandbox.market.faults.clear()
        assert stage.sandbox.clock.monotonic() - before < 1
        await stage.sandbox.clock.sleep(60)

    stage = played(scene)
    assert len([each for each in stage.remarks if "history does not answer" in each]) == 2  # of each algorithm


def test_around_the_usual_time_history_is_asked_more_often() -> None:
    """Each half minute, so that what was never pushed is still new when it is found."""

    async def scene(stage: Stage) -> None:
        await stage.sandbox.clock.sleep(1800)  # 10:00 in New York
        stage.sandbox.fault("missing_signals")
        await stage.publish(Random(1))
        await stage.sandbox.clock.sleep(31)
        assert (stage.broken(), stage.late) == ([], [])

    played(scene, usual="10:00", zone="America/New_York")


# Clocks of a sandbox


def in_steps(arm: Any, speed: float | None = None) -> tuple[Steps, list[bool]]:
    return in_lockstep(sample(("SPY",), "2026-10-05"), PUBLICATIONS, arm=arm, speed=speed)


def _publications() -> list[Publication]:
    opens = sample(("SPY",), "2026-10-05")[0].history()["SPY"]
    from framework.columns import moment

    begin = moment(opens.end[0]) - timedelta(minutes=1)
    pairs = [({"open": [BUY]}, 5), ({"close": [SELL]}, 65), ({"open": [BUY]}, 300), ({"close": [SELL]}, 600)]
    return [Publication(16, begin + timedelta(seconds=at), **lists) for lists, at in pairs]


PUBLICATIONS = _publications()


def test_in_lock_step_signals_come_at_their_instants() -> None:
    """As many as were sent are heard with each step; each is stamped with the step's time, and once."""
    steps, heard = in_steps(lambda sandbox: None)
    assert all(heard)
    assert [each.at for each in steps.batches] == [each.at for each in PUBLICATIONS]


@pytest.mark.parametrize("fault", ["drop", "missing_signals", "cut_halfway"])
def test_in_lock_step_what_was_missed_is_there_before_the_next_bar(fault: str) -> None:
    """The first signal comes over no line; the history is asked before a later step, and has it."""
    steps, _ = in_steps(lambda sandbox: sandbox.fault(fault, stream="alphahub", count=2))
    assert len(steps.batches) + len(steps.late) == 4


def test_on_an_accelerated_clock_a_drop_makes_nothing_late() -> None:
    """A minute a second: what takes a second at the line is a minute of venue time, and no reason to be late."""
    steps, _ = in_steps(lambda sandbox: sandbox.fault("drop", stream="alphahub", count=2), speed=60.0)
    assert len(steps.batches) == 4
    assert steps.late == []


def test_journal_that_cannot_be_written_ends_it() -> None:
    """Nothing is handed on that is not written down: the promise would be none."""

    class Full(Journal):
        def append(self, kind: str, key: str, body: Any) -> int:
            if kind == SIGNALS:
                raise SwitchbackError("the disk is full")
            return super().append(kind, key, body)

    async def scene(stage: Stage) -> None:
        stage.journal.__class__ = Full
        await stage.publish(Random(1))
        await stage.sandbox.clock.sleep(5)

    with pytest.raises(SwitchbackError, match="disk is full"):
        played(scene)


@pytest.mark.parametrize("fault", ["", "drop", "cut_after", "missing_signals", "late_signals"])
def test_signal_published_as_soon_as_the_first_line_has_joined_is_not_past(fault: str) -> None:
    """However it comes: history was asked before the join, so what it has besides now is new."""

    async def play() -> Stage:
        async with staged(3) as stage:
            stage.sandbox.fault("slow_answer", stream="alphahub_api", count=0, seconds=0.5)
            async with stage.listening(is_awaited=False):
                await stage.sandbox.market.audiences["algorithms:16"].attend(1)
                if fault:
                    stage.sandbox.fault(fault)
                await stage.publish(Random(1), 16)
                await stage.sandbox.clock.sleep(300)
            return stage

    stage = run(play())
    assert (stage.broken(), stage.late) == ([], [])
