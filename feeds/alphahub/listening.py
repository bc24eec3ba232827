"""AlphaHub's signals, nothing missed: several lines, a journal, and the history for what they leave out.

Each line is a connection with a login of its own. What one of them brings is told once, by its content and day. Each
frame is in the journal before anything is made of it, each signal before it is handed on, and that it was acted on
after that, by who did: a restart knows what was told. Answers to heartbeats alone are not written down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from feeds.alphahub import phoenix
from feeds.alphahub.following import Following
from feeds.alphahub.intake import PAST, Batch, Late
from feeds.alphahub.line import Connection, Line
from feeds.alphahub.login import Login
from feeds.alphahub.protocol import NAME
from feeds.alphahub.settings import Settings
from feeds.alphahub.stream_events import Event, Heard, Joined, Left, Published, Strange
from framework.live.clock import is_told, pace
from framework.live.records import FRAME, TOLD
from framework.live.socket import first_to_fail
from framework.live.stream import Frame, LinkState
from framework.live.stream import Link as Change
from framework.model import Link, Remark
from framework.ports import Emit, Session
from framework.when import text

log = logging.getLogger("switchback.signals")

STREAM = "alphahub"
"""The name of the stream, in links and in a sandbox's counts."""

Hand = Callable[[Batch], None]
"""Takes signals that came together. Who takes them calls `SignalListening.told` when they have been acted on."""


class SignalListening:
    """One session's signals: `run` it until it is cancelled. Owned by the I/O thread.

    `Signals` go to `emit`, each algorithm's in order; who acts on them writes `TOLD`. Those that are late are told in a
    `Remark`, and to `on_late` where it is given. With `hand` batches go there, late ones too, and none to `emit`.
    """

    def __init__(
        self,
        settings: Settings,
        session: Session,
        emit: Emit,
        *,
        on_late: Callable[[Late], None] | None = None,
        hand: Hand | None = None,
    ) -> None:
        self.settings, self.session = settings, session
        self._emit, self._on_late, self._hand = emit, on_late, hand or self._emitted
        self._clock = session.clock
        self._history = self._login()
        self.followings = {
            each: Following(each, settings, session, self._history, self) for each in settings.algorithms
        }
        self.lines = [self._line(number) for number in range(settings.connections)]
        self._is_up: bool | None = None
        self._is_proven = self._was_here = False
        self._unheard: set[str] = set()
        self._strange: set[tuple[str, str]] = set()
        self._looked_at = self._clock.now()

    @property
    def _is_told(self) -> bool:
        """Whether venue time only moves when it is told, as in lock-step."""
        return is_told(self._clock)

    @property
    def _connections(self) -> list[Connection]:
        return [connection for line in self.lines for connection in line.connections]

    async def run(self) -> None:
        """Follow the algorithms; raise `AuthenticationError` for a wrong password, or what waiting cannot cure."""
        if self._is_told:
            self.session.heard.before_step(self._catch_up)
        untold = [batch for each in self.followings.values() for batch in each.restore()]
        self._was_here = any(each.intake.checked_at for each in self.followings.values())
        for batch in untold:
            self.tell(batch)
        jobs = [self._kept(line) for line in self.lines]
        jobs += [self._asked(each) for each in self.followings.values()]
        if not self._is_told:
            jobs += [self._look_out()] + ([self._alarm()] if self.settings.watch.by else [])
        await first_to_fail([asyncio.create_task(each) for each in jobs])

    def told(self, batch: Batch) -> None:
        """Note that signals have been handed on, and acted on by who was to act on them."""
        self.session.journal.append(TOLD, batch.name, {})

    def _login(self) -> Login:
        credentials, http = self.settings.credentials, self.session.http
        return Login(credentials, self.settings.base_url, http, self.session.clock)

    def _line(self, number: int) -> Line:
        is_proven, may_join = self._is_account_proven, self._history_was_asked
        return Line(number, self.settings, self._login(), self._clock, self._take, self.remark, is_proven, may_join)

    def _is_account_proven(self) -> bool:
        """Return whether anything was ever joined: now, or by an earlier run with the password that is right now."""
        return self._is_proven or (self._was_here and self.lines[0].login.was_in.is_set())

    # -- the jobs

    async def _kept(self, line: Line) -> None:
        """Keep a line: the first shows that the password is right, before another sends it too."""
        if line.number:
            await self.lines[0].login.was_in.wait()
            await self._clock.sleep(0 if self._is_told else self.settings.waits.stagger * line.number)
        await line.run()

    async def _history_was_asked(self) -> None:
        """Wait until history was asked, before anything is joined: what it does not have then was not before us."""
        for each in self.followings.values():
            await each.has_asked.wait()

    async def _asked(self, following: Following) -> None:
        await self.lines[0].login.was_in.wait()
        await following.run()

    async def _catch_up(self) -> None:
        """Have done what is due before a step."""
        if self._is_proven:
            for each in self.followings.values():
                await each.catch_up()

    async def _look_out(self) -> None:
        while True:
            await self._clock.sleep(self.settings.waits.look)
            self._look()
            if self._is_up:
                self._sink("the last line was replaced by one that broke")

    def _look(self) -> None:
        """Doubt what comes over lines that were open while this machine was asleep: it may have waited for hours."""
        now, before = self._clock.now(), self._looked_at
        self._looked_at = now
        if self._is_told or now - before <= self.settings.late * pace(self._clock):
            return
        for each in self._connections:
            each.doubt = f"it may have waited since {text(before)}, this machine did not look until {text(now)}"
            each.socket.give_up("this machine was asleep, or very busy")
        for following in self.followings.values():
            following.want()

    async def _alarm(self) -> None:
        """Tell of algorithms that have published nothing on a day by when they should have."""
        watch = self.settings.watch
        at = self._clock.now()
        while (due := watch.next_alarm(at)) is not None:
            while (left := self._clock.seconds_until(due)) and left > 0:
                await self._clock.sleep(min(left + 0.001, 60.0))  # a machine may be asleep meanwhile
            at = due
            for name, each in self.followings.items():
                if each.came_at is None or watch.day_of(each.came_at) < watch.day_of(due):
                    what = f"algorithm {name} has published nothing today by {text(due)}"
                    self.remark(f"{NAME}: {what}; look whether it should have")

    # -- what the connections tell

    def _take(self, connection: Connection, item: Event | Change) -> None:
        self._look()
        match item:
            case Heard():
                self._hear(connection, item.frame)
            case Published():
                self.followings[item.algorithm].push(item.payload, connection.doubt)
            case Joined():
                self._is_proven = True
                self._unheard.discard(item.algorithm)
                self.followings[item.algorithm].want()
                self.settled()
            case Left():
                self._left(item)
            case Strange():
                self._told_strange(item)
            case Change(state=LinkState.LOST):
                log.info("%s: %s", connection.name, item.reason)
                self._sink(item.reason)

    def _hear(self, connection: Connection, frame: Frame) -> None:
        for each in connection.joined if not connection.doubt else ():
            self.followings[each].hear()
        if not _is_beat(frame):
            told = frame if isinstance(frame, str) else frame.hex()
            body = {"frame": connection.login.hidden(told), "is_binary": isinstance(frame, bytes)}
            self.session.journal.append(FRAME, connection.name, body)

    def _left(self, left: Left) -> None:
        """Tell once of an algorithm that nobody hears, until somebody does; of an alarm too."""
        is_heard = any(left.algorithm in each.joined for each in self._connections)
        log.info("algorithm %s: %s", left.algorithm, left.why)
        if (left.is_alarm or not is_heard) and left.algorithm not in self._unheard:
            self._unheard.add(left.algorithm)
            where = "on one of its lines" if is_heard else "now"
            self.remark(f"{NAME}: algorithm {left.algorithm} is not heard {where}: {left.why}; it is joined again")
        self._sink(left.why)

    def _told_strange(self, strange: Strange) -> None:
        for each in self.followings.values():
            each.want()  # it may have been a signal
        if (strange.what, strange.example) not in self._strange:
            self._strange.add((strange.what, strange.example))
            self.remark(f"{NAME} told {strange.what}, which is left out: {strange.example}")

    def _sink(self, reason: str) -> None:
        """Say that we are down, where nothing is heard any more."""
        if self._is_up is not False and not any(each.joined for each in self._connections):
            self._is_up = False
            self._emit(Link(STREAM, False, self._clock.now(), reason, brings_prices=False))

    # -- what the followings tell

    def tell(self, batch: Batch) -> None:
        """Hand signals on, which are in the journal."""
        self._hand(batch)

    def remark(self, told: str) -> None:
        """Tell the user."""
        log.debug("%s", told)  # the session tells it
        self._emit(Remark(told))

    def settled(self) -> None:
        """Say that we are up, where all that was missed has been asked for."""
        if self._is_up or not any(each.joined for each in self._connections):
            return
        if any(each.is_pending for each in self.followings.values()):
            return
        self._is_up = True
        self._emit(Link(STREAM, True, self._clock.now(), brings_prices=False))
        self.session.heard.caught_up(STREAM)

    def heard(self, count: int) -> None:
        """Note that so many messages have led to what they lead to."""
        if count:
            self.session.heard.hear(STREAM, count)

    def _emitted(self, batch: Batch) -> None:
        if not batch.why_late:
            self._emit(batch.news)
            return
        if batch.came != PAST:
            self._tell_late(batch)
        self.told(batch)

    def _tell_late(self, batch: Batch) -> None:
        for each in batch.signals:
            what = f"{each.action.value} {each.side.value if each.side else 'hold'} {each.symbol}"
            said = f"{NAME}: algorithm {each.algorithm}, {what}: late, so it is not handed on: {batch.why_late}"
            self._emit(Remark(said, each.symbol))
            if self._on_late is not None:
                self._on_late(Late(each, batch.why_late))


def _is_beat(frame: Frame) -> bool:
    """Return whether a frame is of the socket itself: an answer to a heartbeat, which says nothing of signals."""
    try:
        return phoenix.read(frame).topic == phoenix.SOCKET
    except ValueError:
        return False
