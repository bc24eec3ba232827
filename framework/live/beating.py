"""The clock of a session on quotes: at each of its instants the engine is told what stands then.

An instant that comes while the engine is still at the one before is left out: a strategy that takes longer than the
time between two of them is to see the market as it is, not a queue of what it was.
"""

from __future__ import annotations

from datetime import datetime

from framework.live.hub import Hub
from framework.model import Remark
from framework.ports import Clock
from framework.quoting import Beats


async def beat(hub: Hub, beats: Beats, clock: Clock) -> None:
    """Tell the engine of each instant when it has come."""
    due = beats.after(clock.now())
    is_told = False
    while True:
        await _until(due, clock)
        if hub.is_behind:
            if not is_told:
                hub.bridge.post(Remark(_slow(beats)))
            is_told = True
        else:
            hub.beat(due)
        due = beats.after(max(due, clock.now()))


async def _until(due: datetime, clock: Clock) -> None:
    while seconds := clock.seconds_until(due):
        await clock.sleep(seconds)


def _slow(beats: Beats) -> str:
    return (
        f"what is done at an instant takes longer than the {beats.every.total_seconds():g} s to the next one; "
        "those that come meanwhile are left out"
    )
