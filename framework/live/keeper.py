"""What a session does by itself while it runs: it looks at the account now and then, and keeps a sandbox's time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from framework.errors import VenueError
from framework.live.clock import VenueClock
from framework.live.commands import End
from framework.live.hub import Hub
from framework.live.lockstep import clock_told
from framework.model import Remark
from framework.ports import AsyncHttp, Clock
from framework.wire import Priority

log = logging.getLogger("switchback.live")

ACCOUNT = 40.0
"""Seconds between two looks at the account: has anybody else traded what the session holds?

It also keeps a connection warm, which would be dropped after fifty: the next order finds it open."""

REQUESTS = 1.0
"""Seconds between two looks at what waits for the request budget."""

TIME = 1.0
"""Seconds between two looks at a sandbox's clock."""

FAREWELL = 1.0
"""Seconds for which a session goes on when a sandbox's tape is over: for what is on its way."""


class Waiting(Protocol):
    """A transport that tells how many requests of each priority wait for their turn."""

    @property
    def waiting(self) -> Mapping[Priority, int]: ...


async def watch_account(hub: Hub, clock: Clock, every: float = ACCOUNT) -> None:
    """Tell the engine of the account again and again; a failed look is one that was not made."""
    while True:
        await clock.sleep(every)
        try:
            hub.bridge.post(await hub.snapshot())
        except VenueError as error:
            log.info("the account could not be looked at (%s)", error)


async def watch_requests(hub: Hub, http: Waiting, clock: Clock, limit: int) -> None:
    """Say so where requests wait for the account's budget, once until they wait no more."""
    before = is_told = False
    while True:
        await clock.sleep(REQUESTS)
        waiting = http.waiting
        count, exits = sum(waiting.values()), waiting.get(Priority.EXIT, 0)
        if count and before and not is_told:
            hub.emit(Remark(f"{count} requests wait, {exits} of them exits and cancels: {limit} a minute are allowed"))
        before, is_told = bool(count), bool(count) and (before or is_told)


async def keep_time(hub: Hub, http: AsyncHttp, clock: VenueClock, base_url: str) -> None:
    """Keep to a sandbox's time until its tape is over, and end the session then."""
    while True:
        told = await http.send(clock_told(base_url))
        clock.set(told.now)
        if told.next is None:
            break
        await clock.sleep(TIME)
    await clock.sleep(FAREWELL)
    hub.bridge.post(End())
