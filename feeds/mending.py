"""What a live feed does about what its stream leaves out: it asks history, and holds what came later until it answers.

A venue's `Listening` takes what the socket brings. Beside it `Mending` asks history when something is missing: after
each connection, and some seconds after the end of a minute without a bar, also while the stream is down. Bars of a
symbol wait for what is before them, for as long as one request takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from feeds.gaps import SETTLE, News, Range
from feeds.minutes import MINUTE
from feeds.telling import Telling
from feeds.waits import Waits
from framework.columns import Columns
from framework.errors import ConnectionLost, ProtocolError, RateLimited, SwitchbackError
from framework.live.clock import is_told, pace
from framework.live.stream import Link as Change
from framework.model import Link, Remark
from framework.ports import Clock, Emit, Session

log = logging.getLogger("switchback.bars")

Ask = Callable[[Range], Awaitable[Mapping[str, Columns]]]
"""Asks history for a range; raises `SwitchbackError` where it does not answer in time."""

_CURABLE = (ConnectionLost, RateLimited, ProtocolError)


def lateness(clock: Clock, seconds: float) -> tuple[timedelta, timedelta]:
    """Return how late a bar may be, and how long after its end a minute is final (see `Telling`), in venue time.

    `seconds` of I/O time is how long a bar takes: in a sandbox that runs fast they are no time at all.
    """
    if is_told(clock):
        return timedelta(days=1), SETTLE
    usual = timedelta(seconds=seconds) * pace(clock)
    return usual, min(max(SETTLE, usual), MINUTE)


class Mending:
    """History for what a stream leaves out, and the link that is up when it has told. Owned by the I/O thread.

    `hear` is called when all that came of the stream has been told, `found` with what history brought.
    """

    def __init__(
        self,
        stream: str,
        telling: Telling,
        session: Session,
        emit: Emit,
        waits: Waits,
        ask: Ask,
        *,
        hear: Callable[[], None] = lambda: None,
        found: Callable[[Sequence[News]], None] = lambda news: None,
    ) -> None:
        self.stream, self.telling, self.session, self.waits = stream, telling, session, waits
        self._emit, self._ask, self._hear, self._found = emit, ask, hear, found
        self._wake, self._mended_all = asyncio.Event(), asyncio.Event()
        self._is_up: bool | None = None
        self._rising: Change | None = None
        self._failure = ""

    @property
    def is_rising(self) -> bool:
        """Whether a connection is there, and what was missed before it is still asked for."""
        return self._rising is not None

    @property
    def is_failing(self) -> bool:
        """Whether history did not answer the last time."""
        return bool(self._failure)

    async def run(self) -> None:
        """Ask for what is missing until cancelled; raise what history said at first, if waiting cannot cure it."""
        failures = 0
        while True:
            self._wake.clear()
            rising = self._rising
            asked = self.telling.wanted(at_once=rising is not None)
            if asked is None:
                self._settle(rising)
                self._mended_all.set()
                await self._pause()
                continue
            try:
                bars = await self._ask(asked)
            except SwitchbackError as error:
                failures += 1
                self._fail(error)
                self._mended_all.set()  # or it is tried again
                await self.session.clock.sleep(self.waits.retries.back_off(failures, random.random()))
            else:
                failures, self._failure = 0, ""
                self._found(self.telling.mend(asked, bars))
                self._settle(rising)

    async def record(self) -> None:
        """Write down how complete the bars are, from time to time, until cancelled."""
        while True:
            await self.session.clock.sleep(self.waits.record)
            self.telling.write(self.session.journal)

    def wake(self) -> None:
        """Look at once at what is missing."""
        self._wake.set()

    async def catch_up(self) -> None:
        """Let history be asked for what is missing by now, and wait until it has answered, or failed."""
        self._mended_all.clear()
        self._wake.set()
        await self._mended_all.wait()

    def opened(self, change: Change) -> None:
        """Take a connection: the link is up when history has told what was missed before it."""
        self._rising = change
        self._wake.set()

    def closed(self, lost: Change) -> None:
        """Tell that the link is down."""
        self._rising = None
        if self._is_up is not False:
            self._is_up = False
            self._emit(Link(self.stream, False, lost.at, lost.reason))

    def remark(self, text: str) -> None:
        """Tell the user."""
        log.debug("%s", text)  # the session tells it
        self._emit(Remark(text))

    def _rise(self, reason: str = "") -> None:
        self._is_up, self._rising = True, None
        self._emit(Link(self.stream, True, self.session.clock.now(), reason))
        self._hear()
        self.session.heard.caught_up(self.stream)

    def _settle(self, rising: Change | None) -> None:
        """Go on where nothing is missing; `rising` is the connection for which history was asked."""
        if rising is not None and rising is self._rising:
            self._rise()
        elif self._rising is None and self.telling.wanted() is None:
            self._hear()

    def _fail(self, error: SwitchbackError) -> None:
        """Go on without history; what is fatal at the start may be a gateway's word later."""
        if self._is_up is None and not isinstance(error, _CURABLE):
            raise error
        if not self._failure:
            self.remark(f"history does not answer, so bars may be missing until it does: {error}")
        self._failure = str(error)
        self.telling.skip()
        if self._rising is not None:
            self._rise(f"what was missed is still to be had: {error}")
        self._hear()

    async def _pause(self) -> None:
        """Wait until a minute is due that may have no bar, or something is wanted before."""
        waiting = [asyncio.create_task(self.session.clock.sleep(self._left())), asyncio.create_task(self._wake.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def _left(self) -> float:
        at = self.telling.gaps.deadline()
        left = self.session.clock.seconds_until(at + self.telling.ahead) if at else self.waits.sleep
        # A thousandth more, so that it has come by the clock, whatever was rounded.
        return self.waits.look if left is None else min(left + 0.001, self.waits.sleep)
