"""What goes before a strategy's will: the kill switch, the end of the day, the end of the session.

The loop asks it after each turn. All of it looks at how things stand and does what is lacking, so that it
makes no difference whether a halt comes while orders are in flight, while the line is down, or after a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from framework.engine.day_end import NEARLY
from framework.engine.flattening import Flattening
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import last_time, number
from framework.engine.session_end import End
from framework.engine.verification import Verification
from framework.live.killswitch import KillSwitch, Pulled
from framework.live.records import FLAT, Records
from framework.live.status import CLOSING, HALTED, RUNNING
from framework.model import Snapshot, Split
from framework.ports import Clock

LAST_BAR = timedelta(seconds=20)
"""How long after the close a session that ends with the day goes on: for its last bar, and for late news."""

REST = 0.25
"""Seconds between two looks at the kill switch while no order asks for it."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a session was told for its whole life: the kill switch, and when it ends.

    `until` is the close with which it ends. `look` asks for the account as it is, `say_state` tells the operator
    what the session is doing, and why.
    """

    switch: KillSwitch | None = None
    look: Callable[[], None] = lambda: None
    say_state: Callable[[str, str], None] = lambda state, reason: None
    day_end: End | None = None
    until: datetime | None = None
    session: str = ""


@dataclass(slots=True)
class Left:
    """What a session's end has to tell: why it ended, and what is not flat although it was to be."""

    why: str = ""
    not_flat: list[str] = field(default_factory=list)


class Oversight:
    """One session's. Owned by the engine's thread. `foreign` is what the account holds beside the session's own."""

    def __init__(
        self, orders: Orders, broker: LiveBroker, strategy: Any, clock: Clock, records: Records, *, is_told: bool
    ) -> None:
        self._orders, self._broker, self._strategy = orders, broker, strategy
        self._clock, self._records, self._is_told = clock, records, is_told
        self._seconds = None if is_told else clock.monotonic
        self.foreign: dict[str, float] = {}
        self.left = Left()
        self._pulled: Pulled | None = None
        self._flattening: Flattening | None = None
        self._verification: Verification | None = None
        self._looked_at = float("-inf")
        self._told_missed = 0
        self._ending: list[Any] = []
        self._state = RUNNING, ""
        self._asked_why = ""
        broker.refusals.append(self._refusal)

    # -- what the loop asks

    def look(self) -> None:
        """Do what is due now."""
        self._watch_switch()
        if self._flattening is not None:
            self._flattening.step()
        day_end = self._orders.day_end
        if day_end is not None and not self._is_told:
            day_end.play(self._strategy, number(self._clock.now()))
        self._verify(self._flattening or (day_end.flattening if day_end else None))
        self._tell_missed()
        if self._is_time_to_go():
            self.leave("the day's close")
        elif day_end is not None and day_end.is_over and self._is_verified(day_end):
            self.leave(self._asked_why or "the session's time is over")
        self._tell_state()

    def take(self, account: Snapshot) -> None:
        """Take the account as it is."""
        if self._verification is not None:
            self._verification.take(account)

    def split(self, split: Split) -> None:
        """Take a split: what is not the session's is split too."""
        if split.symbol in self.foreign:
            self.foreign[split.symbol] *= split.ratio

    def ask_to_leave(self, why: str) -> None:
        """Leave, once that is done which the session is to end with."""
        day_end = self._orders.day_end
        self._asked_why = why
        if day_end is None or not day_end.hasten(self._strategy):
            self.leave(why)

    def _is_verified(self, end: End) -> bool:
        """Whether the account has been asked, where all was to be flat."""
        verification = self._verification
        return end.flattening is None or bool(end.missed) or (verification is not None and verification.is_told)

    def leave(self, why: str) -> None:
        """Cancel what opens positions, and let nothing follow; what protects them stays at the venue."""
        if not self.left.why:
            self.left.why = why
            self.cancel_entries()

    def cancel_entries(self) -> None:
        """Cancel every order that opens a position or adds to one; the exits that wait for it end with it."""
        for order in self._broker.restraint.entries():
            self._ending.append(order)
            self._broker.take_back(order)

    @property
    def is_any_ending(self) -> bool:
        """Whether the end of an entry is awaited."""
        return any(order.alive() for order in self._ending)

    @property
    def is_leaving(self) -> bool:
        """Whether the session is to end now."""
        return bool(self.left.why)

    @property
    def pulled(self) -> Pulled | None:
        """How the kill switch was pulled, as far as it is known."""
        return self._pulled

    # -- the kill switch

    def _refusal(self, order: Any) -> str:
        """Return why an order of the strategy's is not sent. The switch itself is asked: it works at once."""
        if self.is_leaving and not self._broker.only_reduces(order):
            return f"the session is ending ({self.left.why}): no position is opened"
        pulled = self._switch()
        if pulled is None or (not pulled.flatten and self._broker.only_reduces(order)):
            return ""
        return f"{pulled}: no order is sent; switchback resume lifts it"

    def _watch_switch(self) -> None:
        now = self._clock.monotonic()
        if not self._is_told and now - self._looked_at < REST:
            return  # in lock-step a day may be over by then
        self._looked_at = now
        pulled = self._switch()
        if pulled != self._pulled:
            before, self._pulled = self._pulled, pulled
            self._turned(pulled, before)

    def _switch(self) -> Pulled | None:
        return self._orders.switch.pulled() if self._orders.switch else None

    def _turned(self, pulled: Pulled | None, before: Pulled | None) -> None:
        if pulled is None:
            self._broker.say(f"resumed; it was {before}")
            self._flattening = None
            return
        what = "all is cancelled and closed" if pulled.flatten else "exits and cancels still pass"
        self._broker.say(f"{pulled}: no position is opened, {what}; switchback resume lifts it")
        self.cancel_entries()
        if pulled.flatten and self._flattening is None:
            self._flattening = Flattening(self._broker, self._strategy, str(pulled), self._seconds)

    # -- flat, and the account says so

    def _verify(self, flattening: Flattening | None) -> None:
        if flattening is None:
            self._verification = None
            return
        if self._verification is None or self._verification.flattening is not flattening:
            self._verification = Verification(
                flattening, self._orders.session, self._symbols(), self.foreign, self._orders.look, self._seconds
            )
        text = self._verification.step(self._clock.now())
        if text:
            self._records.append(FLAT, self._orders.session, {"text": text, "is_sure": self._verification.is_sure})
            if self._verification.is_sure:
                return
            self.left.not_flat.append(text)
            self._broker.say(text)

    def _symbols(self) -> frozenset[str]:
        return frozenset(data.p.symbol for data in self._strategy.datas if data.p.symbol)

    def _tell_missed(self) -> None:
        missed = self._orders.day_end.missed if self._orders.day_end else []
        for text in missed[self._told_missed :]:
            self.left.not_flat.append(text)
            self._records.append(FLAT, self._orders.session, {"text": text, "is_sure": False})
            self._broker.say(text)
        self._told_missed = len(missed)

    def _tell_state(self) -> None:
        """Tell the operator where the session does something else than before."""
        day_end = self._orders.day_end
        if self._pulled is not None:
            state = HALTED, str(self._pulled).removeprefix("halted ")
        elif self.is_leaving or (day_end is not None and day_end.flattening is not None):
            state = CLOSING, self.left.why or "the end of the day"
        else:
            state = RUNNING, ""
        if state != self._state:
            self._state = state
            self._orders.say_state(*state)

    # -- the end

    def finish(self) -> None:
        """Note what was to be flat and is not, when the session ends."""
        if self._orders.day_end is not None:
            self._orders.day_end.over(self._strategy)
            self._tell_missed()
        if self._flattening is not None and not self._flattening.is_flat:
            self.left.not_flat.append(f"{self._pulled}, but the session ended before all was closed")

    def _is_time_to_go(self) -> bool:
        until = self._orders.until
        if until is None or self.is_leaving:
            return False
        if self._is_told:  # its clock may be ahead of what has been played
            return max(last_time(data) for data in self._strategy.datas) >= number(until) - NEARLY
        return self._clock.now() >= until + LAST_BAR
