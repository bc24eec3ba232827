"""Signals of the past as a session would have been told them: by receipt, closes first, each once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from feeds.alphahub.history import keys
from feeds.alphahub.intake import PUSHED, Batch
from framework.errors import ConfigError
from framework.model import Signal, SignalAction, Signals


def batch_of(signals: Sequence[Signal]) -> Batch:
    """Return the signals of one message, one at least, with what each is known by."""
    return Batch(signals[0].algorithm, tuple(signals), keys(signals), PUSHED)


def once(batches: Iterable[Batch]) -> tuple[Signals, ...]:
    """Return batches in the order of their receipt; of a signal that was received twice the first one counts."""
    return tuple(_new(sorted(batches, key=lambda each: each.signals[0].at), set()))


def _new(batches: Iterable[Batch], seen: set[str]) -> Iterator[Signals]:
    for batch in batches:
        pairs = [pair for pair in zip(batch.signals, batch.keys, strict=True) if pair[1] not in seen]
        pairs.sort(key=lambda pair: pair[0].action is SignalAction.OPEN)
        seen.update(batch.keys)
        if pairs:
            signals, names = zip(*pairs, strict=True)
            yield replace(batch, signals=signals, keys=names).news


def check_times(after: datetime | None, until: datetime | None) -> None:
    """Raise `ConfigError` for a time without a zone."""
    for name, at in (("after", after), ("until", until)):
        if at is not None and at.tzinfo is None:
            raise ConfigError(f"{name} {at} has no time zone; give an aware datetime, such as one with tzinfo=UTC")


def between(batches: Iterable[Signals], after: datetime | None, until: datetime | None) -> tuple[Signals, ...]:
    """Return what was received with `after` < at <= `until` (aware); None is open."""
    return tuple(each for each in batches if (after is None or after < each.at) and (until is None or each.at <= until))
