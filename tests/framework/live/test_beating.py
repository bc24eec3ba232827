"""The clock of a session on quotes: its instants do not drift, and none waits behind another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework.calendar import Calendar
from framework.live.beating import beat
from framework.live.clock import VirtualClock
from framework.quoting import Beats

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


class Hub:
    """What of a hub the clock knows; `slow` are the instants at which the engine is still at an earlier one."""

    def __init__(self, slow: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.told: list[int] = []
        self.remarks: list[str] = []
        self.slow, self.seen, self.bridge = slow, 0, self

    @property
    def is_behind(self) -> bool:
        self.seen += 1
        return self.seen in self.slow

    def beat(self, at: datetime) -> None:
        self.told.append(int((at - OPEN).total_seconds()))

    def post(self, remark: Any) -> None:
        self.remarks.append(remark.text)


async def beaten(hub: Hub, clock: VirtualClock, seconds: float, every: int = 10) -> None:
    beats = Beats(timedelta(seconds=every), Calendar("XNYS"))
    task = asyncio.create_task(beat(hub, beats, clock))  # type: ignore[arg-type]
    await clock.advance(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_instants_are_those_of_the_clock_however_the_session_began() -> None:
    """The original slept between two calls, so that each came later than the one before."""
    hub = Hub()
    asyncio.run(beaten(hub, VirtualClock(OPEN + timedelta(seconds=3.3)), 40))
    assert hub.told == [10, 20, 30, 40]


def test_an_instant_is_left_out_while_the_engine_is_at_an_earlier_one() -> None:
    """It is said once; a queue of what the market was helps nobody."""
    hub = Hub(slow={2, 3, 5})
    asyncio.run(beaten(hub, VirtualClock(OPEN), 60))
    assert hub.told == [10, 40, 60]
    (remark,) = hub.remarks
    assert remark.startswith("what is done at an instant takes longer than the 10 s to the next one")


def test_the_night_has_no_instants() -> None:
    """The first of the next day comes after its open."""
    hub = Hub()
    asyncio.run(beaten(hub, VirtualClock(OPEN + timedelta(hours=6)), 20 * 3600, every=1800))
    assert hub.told == [6.5 * 3600, 24 * 3600 + 1800, 24 * 3600 + 3600, 24 * 3600 + 5400, 24 * 3600 + 7200]
