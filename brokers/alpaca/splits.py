"""Splits of the shares that an account holds, found out from its activities. Pure generators and readings.

Alpaca documents what an activity that is no trade has (id, date, symbol, qty), and not how it fills that for a
split: whether one activity tells the difference, or two tell what goes and what comes. Both are read, under any of the
types that a split has been seen with. There is no ratio in it, so it is worked out from what is held.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from brokers.alpaca.amounts import number
from brokers.alpaca.answers import decoded
from brokers.alpaca.closing import NEW_YORK
from brokers.alpaca.endpoint import Endpoint
from brokers.alpaca.lookups import activities_after, fills_after, read_position
from brokers.alpaca.reports import instant
from feeds.alpaca.protocol import NAME
from framework.errors import ProtocolError
from framework.model import Split
from framework.wire import Exchange

TYPES = ("SPLIT", "FSPLIT", "RSPLIT", "USPLIT", "SSP")

DAY = timedelta(days=1)

LOOKS = 5
"""How often positions are looked at again, while fills come in between."""

Parts = Mapping[tuple[date, str], Sequence[float]]
"""By day and symbol, the changes in shares that a split's activities tell."""


def splits_after(endpoint: Endpoint, since: datetime) -> Exchange[tuple[Split, ...]]:
    """Return the splits of the account's shares from the New York day of a time on, the oldest first.

    A split whose shares cannot be told (nothing of them is left) is not among them. Raise `VenueError`.
    """
    first = since.astimezone(NEW_YORK).date()
    # A day earlier, for what "after" means for what has a date and no time is not documented either.
    asked = yield from activities_after(endpoint, midnight(first) - DAY, category="non_trade_activity")
    told = parts(asked, first)
    if not told:
        return ()
    fills, held = yield from _holdings(endpoint, midnight(first))
    return read_splits(told, held, fills)


def _holdings(endpoint: Endpoint, since: datetime) -> Exchange[tuple[Sequence[Mapping[str, Any]], Mapping[str, float]]]:
    """Return fills since a time, and positions as they were when these were all there were."""
    fills = yield from fills_after(endpoint, since)
    for _ in range(LOOKS):
        held = decoded((yield endpoint.get("/positions")), endpoint, list)
        again = yield from fills_after(endpoint, since)
        if len(again) == len(fills):
            positions = [read_position(each) for each in held]
            return fills, {each.symbol: each.quantity for each in positions}
        fills = again
    raise ProtocolError(NAME, "positions cannot be told from fills that keep coming; ask for splits again later")


def parts(activities: Iterable[Mapping[str, Any]], first: date) -> Parts:
    """Return what activities tell of splits from a day on; one that was canceled, or has no day, is left out.

    Raise `ProtocolError` for a quantity that is no number.
    """
    found: defaultdict[tuple[date, str], list[float]] = defaultdict(list)
    for each in activities:
        if each.get("activity_type") in TYPES and each.get("status") != "canceled":
            day, quantity = _day(each), number(dict(each), "qty")
            if day is not None and day >= first and quantity:
                found[day, str(each.get("symbol") or "")].append(quantity)
    return found


def read_splits(told: Parts, held: Mapping[str, float], fills: Iterable[Mapping[str, Any]]) -> tuple[Split, ...]:
    """Return splits; `held` are the positions by symbol after all of them and after these fills."""
    traded = [(str(each.get("symbol")), _signed(dict(each)), instant(each, "transaction_time")) for each in fills]
    splits = []
    for (day, symbol), changes in sorted(told.items()):
        at = midnight(day)
        since = sum(size for of, size, when in traded if of == symbol and when is not None and when >= at)
        later = sum(sum(more) for (other, of), more in told.items() if of == symbol and other > day)
        ratio = _ratio(held.get(symbol, 0.0) - since - later, changes)
        if ratio is not None:
            splits.append(Split(symbol, at, ratio, f"{symbol} {day}"))
    return tuple(splits)


def midnight(day: date) -> datetime:
    """Return when a day begins in New York, aware UTC: a split is of its day's first trade on."""
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def _ratio(after: float, changes: Sequence[float]) -> float | None:
    """Return the shares for each one before; `after` is what was held after it, both parts of it in `changes`."""
    gone, come = (sum(each for each in changes if each * sign > 0) for sign in (-1, 1))
    if gone and come:  # a short position comes back by what is bought: the signs are the other way round
        old, new = (come, gone) if after < 0 else (gone, come)
        return abs(new / old)
    before = after - sum(changes)
    ratio = after / before if before else 0.0
    return ratio if ratio > 0 and math.isfinite(ratio) else None


def _signed(fill: dict[str, Any]) -> float:
    size = number(fill, "qty") or 0.0
    return -size if str(fill.get("side", "")).startswith("sell") else size


def _day(activity: Mapping[str, Any]) -> date | None:
    try:
        return date.fromisoformat(str(activity.get("date"))[:10])
    except ValueError:
        return None
