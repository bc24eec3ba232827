"""One algorithm, followed over all connections: what is pushed, what history has besides, and when it is asked.

What is pushed goes on at once. Only while history is asked (a line broke, or came anew) it waits, so that what was
missed comes before it; for some seconds at most, and not at all while history does not answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from feeds.alphahub.intake import PUSHED, Batch, Intake, Push, Question, as_late
from feeds.alphahub.login import Login
from feeds.alphahub.parsing import Unreadable
from feeds.alphahub.protocol import NAME
from feeds.alphahub.settings import Settings
from framework.errors import ConnectionLost, ProtocolError, RateLimited, SwitchbackError
from framework.live.clock import pace
from framework.live.records import CHECKED, SIGNALS, TOLD
from framework.ports import Session

CURABLE = (ConnectionLost, RateLimited, ProtocolError)
_LONGEST = 3600.0  # seconds between two tries at what may be refused for good
_JUST_AFTER = timedelta(microseconds=1)


class Told(Protocol):
    """Where it goes."""

    def tell(self, batch: Batch) -> None:
        """Hand signals on, which are in the journal."""

    def remark(self, text: str) -> None:
        """Tell the user."""

    def settled(self) -> None:
        """Note that history was asked, or that it does not answer."""

    def heard(self, count: int) -> None:
        """Note that so many messages have led to what they lead to."""


class Following:
    """One algorithm. Owned by the I/O thread; `run` it."""

    def __init__(self, algorithm: str, settings: Settings, session: Session, login: Login, told: Told) -> None:
        self.algorithm = algorithm
        self.is_pending = False
        """Whether something may have been missed, and history has not answered yet, nor failed."""
        self.came_at: datetime | None = None
        """When it last published anything, as far as we know."""
        self._settings, self._session, self._login, self._told = settings, session, login, told
        self._clock = session.clock
        self._late = settings.late * pace(self._clock)
        self.intake = Intake(
            algorithm, settings.reading, self._late, settings.lookback, trusts_times=settings.trusts_times
        )
        self._is_wanted = self._is_sure = self._holds = False
        self._waiting: list[Push] = []
        self._wake, self._done = asyncio.Event(), asyncio.Event()
        self._asked_at = self._stepped_at = datetime.min.replace(tzinfo=UTC)
        self._failures = 0
        self._since: float | None = None
        self.has_asked = asyncio.Event()
        """Set when history has answered, or failed, for the first time."""
        self._unread: set[tuple[str, str]] = set()

    # -- what an earlier run left

    def restore(self) -> list[Batch]:
        """Know what the journal has; return what it does not say to have been handed on."""
        journal = self._session.journal
        told = {each.key for each in journal.entries(TOLD)}
        untold = []
        for each in journal.entries(SIGNALS, self.algorithm):
            batch = Batch.read(self.algorithm, each.body)
            self.intake.restore(batch)
            self._note(batch)
            if batch.name not in told:
                untold.append(batch)
        for each in journal.entries(CHECKED, self.algorithm):
            self.intake.checked_at = self.intake.heard_at = each.body["whole_at"]
        return [self._again(each) for each in untold]

    def _again(self, batch: Batch) -> Batch:
        is_old = self._clock.now() - batch.signals[0].at > self._late
        return as_late(batch, "it was received before a restart, and perhaps handed on") if is_old else batch

    # -- what is pushed

    def push(self, payload: str, doubt: str = "") -> None:
        """Take what was pushed; `doubt` says why it may be old."""
        self.came_at = self._clock.now()
        push = Push(payload, self._received_at(), doubt)
        if self._holds:
            self._waiting.append(push)
        else:
            self._go_on(*self.intake.pushed(push))
            self._told.heard(1)

    def hear(self) -> None:
        """Note that the line is alive over which it is pushed; while something may be missing that says nothing."""
        if self._is_sure:
            self.intake.heard_at = self._clock.now()

    def want(self) -> None:
        """Have history asked, because something may have been missed."""
        self._is_wanted, self._is_sure = True, False
        self.is_pending = self._holds = self._failures == 0
        self._wake.set()

    def _received_at(self) -> datetime:
        """Return when a message was received. In lock-step a step was played since the clock was set."""
        now = self._clock.now()
        return now + _JUST_AFTER if now == self._stepped_at else now

    # -- what history has besides

    async def run(self) -> None:
        """Ask history at once, when it is wanted, and when it is time."""
        self.want()
        while True:
            await self._until_due()
            try:
                await self._check()
            except SwitchbackError as error:
                self._fail(error)
                await self._clock.sleep(self._wait_after(error))

    async def catch_up(self) -> None:
        """Have history asked where it is time, and wait until it has answered, or failed: before a step."""
        self._stepped_at = self._clock.now()
        if not self._failures and (self._is_wanted or self._stepped_at >= self._next_look()):
            self._done.clear()
            self._wake.set()
            await self._done.wait()

    async def _until_due(self) -> None:
        while not self._is_wanted:
            left = self._clock.seconds_until(self._next_look())
            if left == 0:
                return
            self._wake.clear()
            # A thousandth more, so that it has come by the clock, whatever was rounded.
            most = self._settings.waits.retries.longest_wait
            sleep = asyncio.create_task(self._clock.sleep(most if left is None else min(left + 0.001, most)))
            await either(sleep, asyncio.create_task(self._wake.wait()))

    def _next_look(self) -> datetime:
        if self.intake.checked_at is None or self._failures:
            return self._clock.now()
        return self._settings.watch.next_look(max(self.intake.checked_at, self._asked_at))

    async def _check(self) -> None:
        """Ask history once, and let go what has waited for it long enough."""
        since = self._since = self._clock.monotonic() if self._since is None else self._since
        self._is_wanted, self._holds = False, self._failures == 0
        question = self.intake.question(self._clock.now())
        self._asked_at = question.at
        waits = self._settings.waits
        asking = asyncio.create_task(self._login.history(self.algorithm, question.after, waits.answer))
        try:
            held = asyncio.create_task(self._clock.sleep(waits.hold))
            await asyncio.wait([asking, held], return_when=asyncio.FIRST_COMPLETED)
            held.cancel()
            if not asking.done():
                self._release()
            answer = await asking
        finally:
            asking.cancel()
        # What was wanted since is not in it for certain, and what waits must not go before that.
        if not self._is_wanted or self._clock.monotonic() - since > waits.hold:
            self._answered(question, answer)

    def _answered(self, question: Question, answer: str) -> None:
        waiting, self._waiting = self._waiting, []
        batches, lost = self.intake.answered(question, answer, self._clock.now(), waiting)
        self._since = None
        self._failures, self._holds = 0, self._is_wanted
        self._is_sure = not self._is_wanted
        new = any(each.came != PUSHED for each in batches)
        body = {
            "after": question.after.isoformat(),
            "whole_at": self.intake.checked_at,
            "answer": self._login.hidden(answer) if new or lost else "",
        }
        self._session.journal.append(CHECKED, self.algorithm, body)
        self._go_on(batches, lost)
        self._told.heard(len(waiting))
        self._settle()

    def _fail(self, error: SwitchbackError) -> None:
        """Go on without history, which is asked again."""
        self._failures += 1
        self._since = None
        self._is_wanted, self._is_sure = True, False
        if not isinstance(error, CURABLE):
            self._login.begin_anew()
        if self._failures == 1:
            text = "history does not answer, so what is published while a line is down may be missing until it does"
            self._told.remark(f"{NAME}: {text}: {error}")
        self._release()
        self._settle()

    def _wait_after(self, error: SwitchbackError) -> float:
        waits = self._settings.waits
        if not isinstance(error, CURABLE):
            return min(waits.refused * 2.0 ** min(self._failures - 1, 10), _LONGEST)
        wait = waits.retries.back_off(self._failures, random.random())
        return max(wait, min(error.retry_after, _LONGEST)) if isinstance(error, RateLimited) else wait

    def _release(self) -> None:
        """Let go what waits for history."""
        self._holds = False
        waiting, self._waiting = self._waiting, []
        for push in waiting:
            self._go_on(*self.intake.pushed(push))
        self._told.heard(len(waiting))

    def _settle(self) -> None:
        self.is_pending = self._is_wanted and not self._failures
        self._done.set()
        self.has_asked.set()
        self._told.settled()

    # -- where it goes

    def _go_on(self, batches: Sequence[Batch], lost: Sequence[Unreadable]) -> None:
        """Write down what is new, then hand it on."""
        for each in lost:
            if (each.text, each.why) not in self._unread:
                self._unread.add((each.text, each.why))
                what = f"algorithm {self.algorithm} published what cannot be read"
                self._told.remark(f"{NAME}: {what}: {each.why}: {each.text}")
        for batch in batches:
            self._session.journal.append(SIGNALS, self.algorithm, batch.body())
            self._note(batch)
            self._told.tell(batch)

    def _note(self, batch: Batch) -> None:
        """Note when an algorithm published; what was pushed says so by its coming."""
        times = [each.at if batch.came == PUSHED else each.published or each.at for each in batch.signals]
        self.came_at = max([*times, *filter(None, [self.came_at])])


async def either(*tasks: asyncio.Task[Any]) -> None:
    """Wait for the first of some tasks, and end the others."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
