"""Lock-step with a sandbox: one instant is played when everything that the one before has led to is in place.

Each step answers with how many messages have been sent so far on each stream. When as many have been
read, the instant's bars and all news since the last one go to the engine as one `Instant`. So a session
comes out alike each time, and as its backtest does.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from framework.errors import ConfigError, ConnectionLost, ProtocolError
from framework.live.clock import VenueClock
from framework.live.commands import End, Instant
from framework.live.heard import Heard
from framework.live.hub import Hub
from framework.model import Bar, OrderUpdate, QuoteBar, Signals
from framework.ports import AsyncHttp, Clock
from framework.wire import Exchange, HttpRequest, Priority

log = logging.getLogger("switchback.live")

_JUST_BEFORE = timedelta(microseconds=1)
_LATER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Told:
    """A sandbox's clock; `next` is the instant that comes, None at the end, and `speed` is None in lock-step.

    With `is_path` bars are played along their path: what fills on the way is told before the bar.
    """

    now: datetime
    speed: float | None
    next: datetime | None
    is_path: bool = False

    @classmethod
    def read(cls, body: Any) -> Told:
        """Read the answer of `/_sandbox/clock`."""
        try:
            speed = None if body["speed"] is None else float(body["speed"])
            is_path = body.get("detail") == "path"
            now = datetime.fromisoformat(body["now"])
            if now.tzinfo is None:
                raise ValueError(f"{body['now']} has no time zone")
            return cls(now, speed, _instant(body["next"]), is_path)
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError("sandbox", f"/_sandbox/clock should tell now, speed and next, but: {error}") from None

    def clock(self, io: Clock) -> VenueClock:
        """Return the clock that keeps the sandbox's time; `io` gives I/O time."""
        return VenueClock(self.now, self.speed, io, is_path=self.is_path)


def clock_told(base_url: str) -> Exchange[Told]:
    """Ask a sandbox for its clock; raise `ConfigError` where there is none."""
    try:
        answer = yield HttpRequest("GET", f"{base_url}/_sandbox/clock")
    except ConnectionLost as lost:
        raise ConfigError(f"{base_url} does not answer; start one there: switchback sandbox") from lost
    if answer.status != 200:
        raise ConfigError(f"{base_url} is on this machine, but it is no sandbox (HTTP {answer.status})")
    return Told.read(answer.decode())


def sent_so_far(base_url: str) -> Exchange[Mapping[str, int]]:
    """Ask a sandbox how much it has said on each stream."""
    answer = yield HttpRequest("GET", f"{base_url}/_sandbox/state")
    return said(answer.decode())


def said(body: Mapping[str, Any]) -> Mapping[str, int]:
    """Return how much has been said on each stream, what went down with a line included: it will be made good."""
    return Counter(body["sent"]) + Counter(body.get("lost", {}))


def stepped(base_url: str) -> Exchange[Mapping[str, Any]]:
    """Play one instant."""
    answer = yield HttpRequest("POST", f"{base_url}/_sandbox/step", priority=Priority.DATA)
    if answer.status != 200:
        raise ProtocolError("sandbox", f"a step was answered with HTTP {answer.status}")
    body: Mapping[str, Any] = answer.decode()
    return body


class LockStep:
    """Drives a sandbox for one session. Owned by the I/O thread."""

    def __init__(self, hub: Hub, http: AsyncHttp, clock: VenueClock, heard: Heard, base_url: str) -> None:
        self._hub, self._http, self._clock, self._heard, self._base_url = hub, http, clock, heard, base_url
        self._told = clock.now()

    async def run(self) -> None:
        """Step until the tape is over."""
        following = (await self._http.send(clock_told(self._base_url))).next
        while following is not None:
            await self._beaten(following)
            await self._prepared(following)
            answer = await self._http.send(stepped(self._base_url))
            at, following = datetime.fromisoformat(answer["at"]), _instant(answer["next"])
            self._clock.set(at)
            if not await self._heard.until(said(answer)):
                log.warning("%s: not all that the sandbox sent has come; a reconnect will bring it", at)
            await self._heard.complete()
            await self._hand_on(at, self._hub.gathered())
            self._told = at
            if following is None:
                await self._completed(at)
        await self._hub.until_idle()
        self._hub.bridge.post(End())

    async def _completed(self, at: datetime) -> None:
        """Let the bars come that a stream has left out at the end of the tape.

        Where there are none the last `next` was the last step: as in a backtest, it is not told what it asked for.
        """
        await self._hub.until_idle()
        answers = self._hub.gathered()
        self._clock.set(at + _LATER)
        await self._heard.catch_up()
        left_out = self._hub.gathered()
        if any(isinstance(each, Bar) for each in left_out):
            await self._hand_on(at, [*answers, *left_out])

    async def _beaten(self, following: datetime) -> None:
        """Let the instants of the session's clock be that lie before the next one of the sandbox's."""
        beats = self._hub.beats
        while beats is not None and (due := beats.after(self._told)) < following:
            await self._hub.until_idle()
            self._clock.set(due)
            await self._hub.desk.catch_up()
            await self._hub.until_idle()
            self._told = due
            await self._hand_on(due, self._hub.gathered())

    async def _prepared(self, following: datetime) -> None:
        """Let everything happen that is due before the next instant: an order's end, a late send."""
        await self._hub.until_idle()
        self._clock.set(following - _JUST_BEFORE)
        await self._heard.catch_up()
        await self._hub.desk.catch_up()
        await self._hub.until_idle()
        if self._heard.is_behind:
            self._heard.settle(await self._http.send(sent_so_far(self._base_url)))

    async def _hand_on(self, at: datetime, kept: Sequence[Bar | OrderUpdate | Signals]) -> None:
        bars = [each for each in kept if isinstance(each, Bar)]
        updates = in_turn([each for each in kept if isinstance(each, OrderUpdate)], at, self._hub.turns)
        for end in sorted({bar.end for bar in bars if bar.end < at}):
            # What was backfilled: earlier instants, each with a `next` of its own.
            self._hub.bridge.post(Instant(end, tuple(bar for bar in bars if bar.end == end)))
        present = tuple(bar for bar in bars if bar.end >= at)
        signals = tuple(each for each in kept if isinstance(each, Signals))
        for each in signals:
            await self._hub.introduce(each)
        if self._clock.is_path and present and updates:
            # The last stretch of the bars: a strategy hears of its fills while it sees the bar before, as live.
            self._hub.bridge.post(Instant(at, (), updates))
            updates = ()
        quotes = self._quotes(at)
        if present or updates or signals or quotes is not None:
            self._hub.bridge.post(Instant(at, present, updates, signals=signals, quotes=quotes))

    def _quotes(self, at: datetime) -> tuple[QuoteBar, ...] | None:
        """Return what stands at an instant of the session's clock, None where it is none."""
        beats = self._hub.beats
        is_one = beats is not None and beats.after(at - _JUST_BEFORE) == at
        return self._hub.standing(at) if is_one else None


def in_turn(updates: Sequence[OrderUpdate], at: datetime, turns: Mapping[str, int]) -> tuple[OrderUpdate, ...]:
    """Return news of orders so that a session comes out alike each time; those of one order stay in their order.

    What an instant brought keeps the venue's order. What happened before it was learned from answers and from the
    stream, and which of them is read first is chance: it goes by when it happened, then by the turn in which
    something was last asked of the order.
    """
    reached: dict[str, datetime] = {}
    keyed = []
    for each in updates:
        name = each.client_order_id
        when = reached[name] = max(each.at, reached.get(name, each.at))
        keyed.append((min(when, at), turns.get(name, 0) if when < at else -1, each))
    return tuple(each for *_, each in sorted(keyed, key=lambda row: row[:2]))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
