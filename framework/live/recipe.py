"""What a run was made of, as its journal keeps it: so that it can be played again as a backtest. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from framework.columns import Columns
from framework.engine.day_end import AtClose
from framework.engine.session_end import AtEnd
from framework.feeding import Feed
from framework.live.journal import Record
from framework.live.records import HISTORY
from framework.model import Bar, Timeframe
from framework.stage import Piece, Sizer

MOST = 100_000
"""Bars of history that a journal keeps of a run; where there are more it keeps none, and says so."""


def recipe(piece: Piece, longer: Sequence[Timeframe], *, venue: str, is_intrabar: bool) -> Mapping[str, Any]:
    """Return what decides how a run comes out, beside its bars, its money and the strategy's parameters.

    What JSON has no word for (a sizer's class, a function) is `{"other": its text}`: it has to be given again.
    """
    strategy, end = piece.strategy, piece.at_close
    module = sys.modules.get(strategy.__module__)
    return {
        "module": strategy.__module__,
        "class": strategy.__qualname__,
        "file": getattr(module, "__file__", None),
        "resample": [str(each) for each in longer],
        "sizer": _sizer(piece.sizer),
        "tz": None if piece.tz is None else str(piece.tz),
        "quicknotify": piece.quicknotify,
        "at_close": _end(end),
        "before_close": end.before if isinstance(end, AtClose) else None,
        "venue": venue,
        "intrabar": is_intrabar,
    }


def _end(end: AtClose | AtEnd | None) -> Any:
    if end is None or isinstance(end, AtEnd):
        return "hold"
    return end.how if isinstance(end.how, str) else {"other": repr(end.how)}


def _sizer(sizer: Sizer | None) -> Any:
    return sizer if sizer is None or isinstance(sizer, int) else {"other": repr(sizer)}


def history(feeds: Iterable[Feed]) -> list[Record]:
    """Return a record of the bars that each symbol begins with; without them where they are too many."""
    own = [feed for feed in feeds if not feed.is_resampled]
    is_kept = sum(len(feed.bars) for feed in own) <= MOST
    return [(HISTORY, feed.symbol, _body(feed, is_kept=is_kept)) for feed in own]


def _body(feed: Feed, *, is_kept: bool) -> Mapping[str, Any]:
    bars = feed.bars
    lines = {name: getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume")}
    return {
        "timeframe": str(feed.timeframe),
        "calendar": feed.calendar.name,
        "hours": feed.calendar.hours.value,
        "opens_at": feed.opens_at,
        "bars": {"end": bars.end.astype("int64").tolist(), **lines} if is_kept else None,
    }


def bars_of(body: Mapping[str, Any]) -> Columns | None:
    """Return the bars that a record of history holds, None where there were too many."""
    lines = body["bars"]
    return None if lines is None else Columns.of(**lines)


def priced(bars: Iterable[Bar]) -> list[list[float]]:
    """Return bars as the journal keeps them: open, high, low, close and volume of each."""
    return [[each.open, each.high, each.low, each.close, each.volume] for each in bars]
