"""Which order of one side is which of the other: the same decision, made twice. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from framework.research.booked import Booked


@dataclass(frozen=True, slots=True)
class Pair:
    """An order of one side and its like of the other; None where a side has none."""

    one: Booked | None
    other: Booked | None

    @property
    def decided(self) -> datetime:
        """When the earlier of the two was decided."""
        return min(each.decided for each in (self.one, self.other) if each is not None)

    @property
    def any(self) -> Booked:
        """The other side's order, else the one's."""
        found = self.other or self.one
        assert found is not None
        return found


def matched(one: Sequence[Booked], other: Sequence[Booked], reach: timedelta = timedelta(minutes=1)) -> list[Pair]:
    """Return the orders of two sides in pairs, by when they were decided.

    Alike are those of one minute, symbol, side and kind, the first with the first and so on. What is left over is
    matched with what is left of the same symbol, side and kind that was decided within `reach`: an answer to a
    fill is decided a bar earlier where the fill is heard of between two bars.
    """
    pairs, ones, others = _paired(one, other)
    near, ones, others = _near(ones, others, reach)
    pairs += [*near, *(Pair(each, None) for each in ones), *(Pair(None, each) for each in others)]
    ranks = {id(each): rank for side in (one, other) for rank, each in enumerate(side)}
    return sorted(pairs, key=lambda pair: (pair.decided, ranks[id(pair.any)]))


def _paired(one: Sequence[Booked], other: Sequence[Booked]) -> tuple[list[Pair], list[Booked], list[Booked]]:
    """Return pairs of one decision, and what is left of both sides."""
    waiting: defaultdict[Hashable, list[Booked]] = defaultdict(list)
    for each in one:
        waiting[_decision(each)].append(each)
    pairs, left = [], []
    for each in other:
        if alike := waiting[_decision(each)]:
            pairs.append(Pair(alike.pop(0), each))
        else:
            left.append(each)
    return pairs, [each for alike in waiting.values() for each in alike], left


def _near(
    one: Sequence[Booked], other: Sequence[Booked], reach: timedelta
) -> tuple[list[Pair], list[Booked], list[Booked]]:
    """Return pairs of decisions that are nearly one, and what is left of both sides."""
    ones, pairs, left = sorted(one, key=lambda each: each.decided), [], []
    for each in sorted(other, key=lambda each: each.decided):
        found = [a for a in ones if _what(a) == _what(each) and abs(a.decided - each.decided) <= reach]
        if not found:
            left.append(each)
            continue
        nearest = min(found, key=lambda a: abs(a.decided - each.decided))
        ones = [a for a in ones if a is not nearest]
        pairs.append(Pair(nearest, each))
    return pairs, ones, left


def _what(order: Booked) -> Hashable:
    return order.symbol, order.sign, order.kind


def _decision(order: Booked) -> Hashable:
    return order.decided.replace(second=0, microsecond=0), _what(order)
