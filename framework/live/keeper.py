"""What a session does by itself while it runs: it looks at the account now and then, and keeps a sandbox's time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from framework.calendar import Calendar
from framework.columns import instant, moment
from framework.errors import ConfigError, ConnectionLost, VenueError
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

LOOKS = (timedelta(minutes=-10), timedelta(minutes=30))
"""When splits are asked for, from the opening of a day: before it, and again should the venue have been late."""

LATE = timedelta(days=3)
"""How much later than its day a venue may tell of a split; what is told twice is known by its name."""

NAP = 600.0
"""Seconds, at most, without a look at the clock: a machine may have been asleep."""

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
            if hub.are_splits_wanted:
                await tell_splits(hub, clock.now())
                hub.are_splits_wanted = False
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


async def tell_splits(hub: Hub, since: datetime) -> None:
    """Tell the engine of the splits since a time, and a while before; it knows those that it has been through.

    Raise `VenueError`.
    """
    for each in await hub.splits(since - LATE):
        hub.emit(each)


class SplitWatch:
    """Asks for splits when a trading day begins. Owned by the I/O thread."""

    def __init__(self, hub: Hub, clock: Clock, calendar: Calendar) -> None:
        self._hub, self._clock, self._calendar = hub, clock, calendar
        self._since = clock.now()
        self.due = next_look(calendar, self._since)

    async def run(self) -> None:
        """Ask whenever it is time."""
        while True:
            await self._clock.sleep(min(max(self._clock.seconds_until(self.due) or 0.0, 0.01), NAP))
            await self.look()

    async def look(self) -> None:
        """Ask where it is time; what fails is asked for at the next."""
        now = self._clock.now()
        if now < self.due:
            return
        self.due = next_look(self._calendar, now)
        try:
            await tell_splits(self._hub, self._since)
            self._since = now
        except VenueError as error:
            self._hub.emit(
                Remark(f"the account could not be asked for splits, positions may be of old shares: {error}")
            )


def next_look(calendar: Calendar, after: datetime) -> datetime:
    """Return when splits are asked for next."""
    opens = calendar.windows.opens
    first = int(np.searchsorted(opens, instant(after - LOOKS[-1]), side="right"))
    times = (moment(each) + look for each in opens[first : first + 2] for look in LOOKS)
    return min(each for each in times if each > after)


async def keep_time(hub: Hub, http: AsyncHttp, clock: VenueClock, base_url: str) -> None:
    """Keep to a sandbox's time until its tape is over, and end the session then."""
    while True:
        try:
            told = await http.send(clock_told(base_url))
        except ConfigError as error:
            if not isinstance(error.__cause__, ConnectionLost):
                raise
            await clock.sleep(TIME)  # its streams wait for it too: one that is started again goes on
            continue
        clock.set(told.now)
        if told.next is None:
            break
        await clock.sleep(TIME)
    await clock.sleep(FAREWELL)
    hub.bridge.post(End())
