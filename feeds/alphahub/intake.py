"""What of an algorithm's signals is new, and what is too late to act on: the memory of one algorithm. Pure.

A signal comes by a push, over one connection or several, or is found in the history. It is told once. What is
found, or was pushed to a machine that was asleep, is `Late` where it cannot be shown to be new, and where a newer
one was told before it: to open now what was closed since would be worse than to leave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, takewhile
from typing import Any

from feeds.alphahub.history import held_after, keys, missing, read_history
from feeds.alphahub.parsing import Reading, Unreadable, read_published
from framework.model import Side, Signal, Signals

PUSHED, FOUND, PAST = "pushed", "found", "past"
"""How signals came: pushed; found in the history; found there when nothing was known yet, so older than we are."""

_KEY = 24
"""How much of a key names a signal where it is acted on: 96 bits, short enough for an order's name."""

_BELIEVED = 3
"""Answers in a row that lack what was pushed: then it is the history's way."""

BEFORE_US = "it was published before anybody listened"
OVERTAKEN = "a newer one was told before it"


@dataclass(frozen=True, slots=True)
class Late:
    """A signal that is told, so that nobody has to wonder, and is not to be acted on; `why` says it in a sentence."""

    signal: Signal
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Signals of one algorithm that came together, in their order; `keys` is what each is known by.

    `why_late` is empty where they are to be acted on. `payload` is the message, where these are all that is in it.
    """

    algorithm: str
    signals: tuple[Signal, ...]
    keys: tuple[str, ...]
    came: str
    why_late: str = ""
    payload: str = ""

    @property
    def name(self) -> str:
        """What it is known by in the journal."""
        return self.keys[0]

    @property
    def news(self) -> Signals:
        """It as a session is told it, each signal with its key."""
        pairs = zip(self.signals, self.keys, strict=True)
        return Signals(self.name, tuple(replace(each, key=key[:_KEY]) for each, key in pairs))

    def body(self) -> Mapping[str, Any]:
        """Return it as a journal keeps it; `read` reads it."""
        fields = ("signals", "keys", "came", "why_late", "payload")
        return {name: getattr(self, name) for name in fields}

    @classmethod
    def read(cls, algorithm: str, body: Mapping[str, Any]) -> Batch:
        """Return the batch that a record holds."""
        return cls(
            algorithm, tuple(body["signals"]), tuple(body["keys"]), body["came"], body["why_late"], body["payload"]
        )


@dataclass(frozen=True, slots=True)
class Push:
    """A message that was pushed; `doubt` says why it may be old, where it may be."""

    payload: str
    at: datetime
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What history is asked: signals from the day `after` on, at `at`; so many of them were `known` then."""

    after: date
    at: datetime
    known: int


class Intake:
    """One algorithm's signals. Owned by the I/O thread.

    `late` is how old a signal may be (venue time). Where `trusts_times` is False no time that is written counts.
    """

    def __init__(
        self, algorithm: str, how: Reading, late: timedelta, lookback: int = 30, *, trusts_times: bool = True
    ) -> None:
        self.algorithm = algorithm
        self.checked_at: datetime | None = None
        """When history was asked last and answered with all that was known: what it did not have came later."""
        self.heard_at: datetime | None = None
        """When we last heard the line over which signals are pushed."""
        self._how, self._late, self._lookback, self._trusts_times = how, late, lookback, trusts_times
        self._known: list[Signal] = []
        self._keys: set[str] = set()
        self._unconfirmed: list[Signal] = []
        self._newest: datetime | None = None
        self._short = 0

    def restore(self, batch: Batch) -> None:
        """Know what an earlier run has told, or was about to."""
        self._learn(batch)

    def pushed(self, push: Push) -> tuple[list[Batch], list[Unreadable]]:
        """Take what was pushed; return what of it is new, and what cannot be read."""
        read = read_published(push.payload, self.algorithm, push.at, self._how)
        signals = [each for each in read if isinstance(each, Signal)]
        lost = [each for each in read if isinstance(each, Unreadable)]
        new = [pair for pair in zip(signals, keys(signals), strict=True) if not self._is_known(*pair)]
        if not new:
            return [], lost
        fresh, names = tuple(each for each, _ in new), tuple(key for _, key in new)
        why = push.doubt or (OVERTAKEN if self._is_overtaken(fresh) else "")
        payload = push.payload if len(new) == len(read) else ""
        batch = Batch(self.algorithm, fresh, names, PUSHED, why, payload)
        self._learn(batch)
        return [batch], lost

    def question(self, at: datetime) -> Question:
        """Return what to ask history for: from the day before it was asked last, for a day's own may be left out."""
        since = self.checked_at.date() if self.checked_at else at.date() - timedelta(days=self._lookback)
        return Question(min(since, at.date()) - timedelta(days=1), at, len(self._known))

    def answered(
        self, question: Question, answer: str, at: datetime, waiting: Sequence[Push] = ()
    ) -> tuple[list[Batch], list[Unreadable]]:
        """Take history's answer, and what was pushed while it was asked for, each in its place; return as `pushed`.

        An answer that lacks what is known already is not the whole truth, and shows nothing to be new.
        """
        found, lost = self._read(answer, at)
        is_whole = self._is_whole(found, question) if found or not lost else False
        told: list[Batch] = []
        for push in waiting:
            told += self._take(self._before(found, push), found, at)
            batches, unread = self.pushed(push)
            told, lost = told + batches, lost + unread
        told += self._take(missing(found, self._known), found, at)
        if is_whole:
            self.checked_at = question.at
        return told, lost

    def _read(self, answer: str, at: datetime) -> tuple[list[Signal], list[Unreadable]]:
        """Read an answer by what was held before the oldest of it."""
        held: Mapping[str, Side] = {}
        for _ in range(2):
            read = read_history(answer, self.algorithm, at, self._how, held)
            found = [each for each in read if isinstance(each, Signal)]
            held = self._held_before(min(map(_when, found), default=at))
        return found, [each for each in read if isinstance(each, Unreadable)]

    def _held_before(self, at: datetime) -> Mapping[str, Side]:
        return held_after(sorted((each for each in self._known if _when(each) < at), key=_when))

    def _is_whole(self, found: Sequence[Signal], question: Question) -> bool:
        """Return whether an answer has what was known of its days when it was asked for; the third is believed."""
        lately = question.at - timedelta(days=1)
        ours = [each for each in self._known[: question.known] if each.side is not None and each.at >= lately]
        is_short = bool(missing([each for each in ours if _when(each).date() > question.after], found))
        self._short = self._short + 1 if is_short else 0
        return not self._short or self._short >= _BELIEVED

    def _before(self, found: Sequence[Signal], push: Push) -> list[Signal]:
        """Return what of the history is not known and came before a push, which may have come after the answer."""
        read = read_published(push.payload, self.algorithm, push.at, self._how)
        pushed = [each for each in read if isinstance(each, Signal)]
        lacking = missing(found, self._known)
        others = set(map(id, missing(found, [*self._known, *pushed])))
        if len(others) == len(lacking):
            last = max(map(_when, pushed), default=push.at)
            return [each for each in lacking if _when(each) <= last]
        return list(takewhile(lambda each: id(each) in others, lacking))

    def _take(self, new: Sequence[Signal], found: Sequence[Signal], at: datetime) -> list[Batch]:
        """Tell what was found, those together that came at one time and of which the same is true."""
        rest = set(map(id, missing(found, self._known)))
        last_known = max((index for index, each in enumerate(found) if id(each) not in rest), default=-1)
        places = {id(each): index for index, each in enumerate(found)}
        judged = [(each, self._why_late(each, at, is_overtaken=places[id(each)] < last_known)) for each in new]
        told = []
        for (why, _), together in groupby(judged, key=lambda pair: (pair[1], _when(pair[0]))):
            signals = tuple(each for each, _ in together)
            came = PAST if why == BEFORE_US else FOUND
            batch = Batch(self.algorithm, signals, keys(signals), came, why)
            told.append(batch)
            self._learn(batch)
        return told

    def _why_late(self, signal: Signal, at: datetime, *, is_overtaken: bool) -> str:
        """Return why a signal that was found is not to be acted on, empty where it may be."""
        if self.checked_at is None:
            return BEFORE_US
        if is_overtaken or self._is_overtaken([signal]):
            return OVERTAKEN
        if at - self.checked_at <= self._late or self._is_shown_new(signal, at):
            return ""
        return f"it came some time after {self.checked_at:%Y-%m-%d %H:%M:%S} UTC, when history was asked last"

    def _is_shown_new(self, signal: Signal, at: datetime) -> bool:
        """Return whether the line was heard a moment ago, and the time that is written says so too."""
        if not self._trusts_times or self.heard_at is None or signal.published is None:
            return False
        return at - self.heard_at <= self._late and abs(at - signal.published) <= self._late

    def _is_overtaken(self, signals: Iterable[Signal]) -> bool:
        """Return whether a message that was told before bears a later time."""
        times = [each.published for each in signals if each.published is not None]
        return bool(times) and self._newest is not None and max(times) < self._newest

    def _is_known(self, signal: Signal, key: str) -> bool:
        """Return whether a signal was pushed before, or told by the history, which may have made another of it."""
        if key in self._keys:
            return True
        for each in self._unconfirmed:
            if (each.symbol, each.side) == (signal.symbol, signal.side) and _is_one_time(each, signal):
                self._unconfirmed.remove(each)
                self._keys.add(key)  # the other connections bring it too
                return True
        return False

    def _learn(self, batch: Batch) -> None:
        self._known += batch.signals
        self._keys.update(batch.keys)
        if batch.came != PUSHED:
            self._unconfirmed = [*self._unconfirmed, *batch.signals][-1000:]
        if batch.came != PAST:
            times = [each.published for each in batch.signals if each.published is not None]
            self._newest = max([*times, *filter(None, [self._newest])], default=None)


def as_late(batch: Batch, why: str) -> Batch:
    """Return signals that are not to be acted on any more."""
    return replace(batch, why_late=batch.why_late or why)


def _when(signal: Signal) -> datetime:
    return signal.published or signal.at


def _is_one_time(one: Signal, other: Signal) -> bool:
    if one.published is None or other.published is None:
        return _when(one).date() == _when(other).date()
    return one.published == other.published
