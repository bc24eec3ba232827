"""Signals told apart, and those of the REST history: what of it we have, and what was missed. Pure.

There is no number and no id on the wire, so a signal is known by its content and its day, and the second of two
that are the same in one message by being the second. Two messages of one day that say the same are one.

The history is one flat list, newest first, that does not say which items open and which close. What was heard is
recognized without that; of what was missed it follows from what the algorithm held: an order against its position
closes it, any other opens one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from feeds.alphahub.parsing import Read, Reading, Unreadable, folded, load, read_item
from feeds.alphahub.phoenix import shown
from framework.model import Side, Signal, SignalAction

_ACTIONS = {each.value: each for each in SignalAction}


def keys(signals: Iterable[Signal]) -> tuple[str, ...]:
    """Return what each signal of one message is known by, however often and by whichever connection it comes.

    The day is that of its own time, or of its receipt (UTC) where it has none: one that is received twice around
    that midnight is then taken for two. Neither the weight nor what we do not know tells signals apart.
    """
    seen: Counter[str] = Counter()
    return tuple(_key(signal, seen) for signal in signals)


def _key(signal: Signal, seen: Counter[str]) -> str:
    content = json.dumps([signal.algorithm, _day(signal), signal.action.value, *_content(signal)])
    seen[content] += 1
    return hashlib.sha256(f"{content}#{seen[content]}".encode()).hexdigest()


def _content(signal: Signal) -> tuple[str | float | None, ...]:
    side = signal.side.value if signal.side else "hold"
    published = signal.published.isoformat() if signal.published else None
    return signal.symbol, side, signal.price, published


def held_after(signals: Iterable[Signal], held: Mapping[str, Side] | None = None) -> dict[str, Side]:
    """Return what the algorithm holds after these signals, in their order: the side that opened each position."""
    after = dict(held or {})
    for signal in signals:
        match signal.action, signal.side:
            case SignalAction.OPEN, Side() as side:
                after[signal.symbol] = side
            case SignalAction.CLOSE, Side():
                after.pop(signal.symbol, None)
    return after


def read_history(answer: str, algorithm: str, at: datetime, how: Reading, held: Mapping[str, Side]) -> tuple[Read, ...]:
    """Read the history's answer, oldest first; `at` is when it was received, aware UTC. Nothing is raised.

    `held` is what the algorithm held before the oldest of it: by that an item is read that does not say itself
    whether it opens or closes (as `type` or `action`, a guess). The answer has no weights: an order's is 1 of the
    day's that open, or close. What cannot be read comes first.
    """
    try:
        rows = _rows(load(answer))
    except ValueError as wrong:
        return (Unreadable(shown(answer), str(wrong)),)
    read = [read_item(row, algorithm, at, _stated(row) or SignalAction.OPEN, how, math.nan) for row in rows]
    lost = [each for each in read if isinstance(each, Unreadable)]
    told = [(each, _stated(row)) for row, each in zip(rows, read, strict=True) if isinstance(each, Signal)]
    return (*lost, *_weighed(_settled(_oldest_first(told), held)))


def missing(found: Iterable[Signal], known: Iterable[Signal]) -> list[Signal]:
    """Return what of one algorithm's history is not among the signals that are known already, in its order.

    As many of a symbol, a side and a day are known as there are of them, whatever else is told differently: a price
    in other digits, or a time that was not there, is no reason to trade twice.
    """
    ours = list(known)
    exactly = Counter(_content(each) for each in ours)
    strangers = [each for each in found if not _taken(exactly, _content(each))]
    roughly = Counter(_roughly(each) for each in ours if _taken(exactly, _content(each)))
    return [each for each in strangers if not _taken(roughly, _roughly(each))]


def _taken(counts: Counter[Any], what: object) -> bool:
    """Take one of a kind, where there is one left."""
    is_there = counts[what] > 0
    counts[what] -= is_there
    return is_there


def _roughly(signal: Signal) -> tuple[object, ...]:
    return signal.symbol, signal.side, _day(signal)


def _rows(body: Mapping[str, Any]) -> list[Any]:
    """Return the rows of `{"data": {"signals": [...]}}`, or of one of the two without the other."""
    found: Any = body
    for name in ("data", "signals"):
        found = folded(found).get(name, found) if isinstance(found, dict) else found
    if not isinstance(found, list):
        raise ValueError(f"no list of signals, but {shown(found)}")
    return [folded(each) if isinstance(each, dict) else each for each in found]


def _stated(row: object) -> SignalAction | None:
    words = [row.get("type"), row.get("action")] if isinstance(row, dict) else []
    known = [_ACTIONS.get(each.strip().lower()) for each in words if isinstance(each, str)]
    return next(filter(None, known), None)


_Told = tuple[Signal, SignalAction | None]


def _oldest_first(told: Sequence[_Told]) -> list[_Told]:
    """Turn the rows round, but where they come oldest first; by their times, where each has one."""
    times = [signal.published for signal, _ in told]
    stamps = [each for each in times if each is not None]
    is_turned = len(stamps) < 2 or stamps[0] >= stamps[-1]
    ordered = list(reversed(told)) if is_turned else list(told)
    return sorted(ordered, key=lambda each: each[0].published or each[0].at) if len(stamps) == len(told) else ordered


def _settled(told: Iterable[_Told], held: Mapping[str, Side]) -> list[Signal]:
    """Say of each order whether it opens or closes."""
    now = dict(held)
    settled = []
    for signal, stated in told:
        is_against = signal.side is not None and now.get(signal.symbol, signal.side) is not signal.side
        action = stated or (SignalAction.CLOSE if is_against else SignalAction.OPEN)
        settled.append(replace(signal, action=action))
        now = held_after(settled[-1:], now)
    return settled


def _weighed(signals: Sequence[Signal]) -> list[Signal]:
    counts = Counter((_day(each), each.action) for each in signals if each.side is not None)
    return [
        replace(each, weight=1.0 / counts[_day(each), each.action]) if math.isnan(each.weight) else each
        for each in signals
    ]


def _day(signal: Signal) -> str:
    return (signal.published or signal.at).astimezone(UTC).date().isoformat()
