"""Bars of the past: pages of up to 1,000, asked for from the end backwards. Pure.

Source: ALGOGENE's own package on `history_price`: `t` is the CLOSING time of a bar, which is what our bars are stamped
with; `timestamp` is a time that each bar of the page is before; a page is ascending.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from feeds.algogene.answers import instant, number, odd, rows, stamp
from feeds.algogene.naming import NAME
from feeds.algogene.protocol import Session
from framework.columns import Columns
from framework.columns import instant as as_instant
from framework.errors import Unsupported
from framework.model import Timeframe, Unit
from framework.wire import Exchange

PAGE = 1000

INTERVALS: Mapping[Unit, tuple[str, tuple[int, ...]]] = {
    Unit.MINUTE: ("M", (1, 2, 5, 10, 15, 30)),
    Unit.HOUR: ("H", (1, 2, 3, 4, 6, 12)),
    Unit.DAY: ("D", (1,)),
}
"""The letter of each unit, and which amounts of it there are."""

_SECOND = timedelta(seconds=1)


def interval(timeframe: Timeframe) -> str:
    """Return ALGOGENE's word for a timeframe ("M", "M5", "H4", "D"); raise `Unsupported` where it has none."""
    letter, amounts = INTERVALS.get(timeframe.unit, ("", ()))
    if timeframe.amount not in amounts:
        known = ", ".join(f"{each}{unit.value}" for unit, (_, those) in INTERVALS.items() for each in those)
        raise Unsupported(f"{NAME} has no bars of {timeframe}; it has {known}")
    return letter if timeframe.amount == 1 else f"{letter}{timeframe.amount}"


def history(
    session: Session,
    symbol: str,
    timeframe: Timeframe,
    since: datetime | None,
    until: datetime,
    most: int | None = None,
) -> Exchange[Columns]:
    """Return the bars with `since` < end <= `until` (None: as far back as there are any), the last `most` of them.

    A bar that is not over by `until` is not among them. Raise `VenueError`, `Unsupported` for the timeframe.
    """
    spelled, found = interval(timeframe), dict[datetime, tuple[float, ...]]()
    before = until.replace(microsecond=0) + _SECOND  # strictly less than, in whole seconds
    while True:
        page = yield from _page(session, symbol, spelled, before)
        if page and min(page) >= before:
            raise odd(f"{symbol}: a page of {len(page)} bars leads to itself; try again later")
        found = {**page, **found}
        wanted = sum(1 for at in found if at <= until)
        is_enough = most is not None and wanted >= most
        if not page or is_enough or (since is not None and min(page) <= since):
            return _columns(found, since, until, most)
        before = min(page)


def _page(session: Session, symbol: str, spelled: str, before: datetime) -> Exchange[dict[datetime, tuple[float, ...]]]:
    query = {"instrument": symbol, "count": str(PAGE), "interval": spelled, "timestamp": stamp(before)}
    what = f"history of {symbol}"
    body = session.answer((yield from session.price("/history_price", query)), what)
    return session.read(lambda: read_page(body), what)


def read_page(body: Mapping[str, Any]) -> dict[datetime, tuple[float, ...]]:
    """Read a page: each bar's open, high, low, close and volume by its end. Raise `ProtocolError`."""
    found = [(instant(each, "t"), _prices(each)) for each in rows(body)]
    if any(one >= two for (one, _), (two, _) in pairwise(found)):
        raise odd("a page of bars that are not in their order", body)
    return dict(found)


def _prices(bar: Mapping[str, Any]) -> tuple[float, ...]:
    open_, high, low, close, volume = (number(bar, key) for key in "ohlcv")
    if not (0 < low <= min(open_, close) <= max(open_, close) <= high and volume >= 0):
        raise odd("a bar that cannot be", dict(bar))
    return open_, high, low, close, volume


def _columns(
    found: Mapping[datetime, tuple[float, ...]], since: datetime | None, until: datetime, most: int | None
) -> Columns:
    ends = sorted(found)
    values = zip(*(found[each] for each in ends), strict=True) if ends else ([], [], [], [], [])
    bars = Columns.of([as_instant(each) for each in ends], *map(list, values)).between(since, until)
    return bars if most is None else bars[max(len(bars) - most, 0) :]
