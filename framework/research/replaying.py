"""A recorded run of a session, played again as a backtest over the bars it got, or over those it should have got."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import backtrader as bt
import numpy as np

from framework.calendar import Calendar
from framework.columns import Columns, instant, joined, moment
from framework.errors import ConfigError
from framework.model import Bar, Timeframe
from framework.ports import Source, Venue
from framework.research.attributing import LATE, MISSING, REVISED
from framework.research.booked import Booked, Ledger, Part
from framework.research.held import HeldBars
from framework.research.recorded import Begun, Key, Recorded, column
from framework.result import Result
from framework.runner import run

ALL = timedelta(days=100 * 365)
"""A warm-up that reaches as far back as the history that a session began with."""


_OURS = frozenset({"live", "background", "warmup"})
"""Those of `run`'s keywords that a comparison has given."""


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of a run, each with the instant at which it is played. `cause` is what makes them other than before."""

    cause: str
    played: Mapping[Key, tuple[datetime, Bar]]

    @property
    def firsts(self) -> Mapping[str, Columns]:
        """Each symbol's bars at their own ends."""
        found: dict[str, list[tuple[datetime, Bar]]] = {}
        for (symbol, end), (_, bar) in self.played.items():
            found.setdefault(symbol, []).append((end, bar))
        return {symbol: column(bars) for symbol, bars in found.items()}


def stages(recorded: Recorded, complete: Mapping[Key, Bar]) -> list[Bars]:
    """Return the bars of a run as they should have been, and then, a cause after the other, as the session got them.

    A stage that changes nothing is left out. `complete` are the final bars of another source; where it has none, those
    that the venue changed are what it changed them to, and all others what they were.
    """
    seen = recorded.seen
    final = {**seen, **{key: bar for key, bar in recorded.revised.items() if key in seen}, **complete}
    first = {key: (bar.end, bar) for key, bar in final.items()}
    found = [Bars("", first)]
    revised = first | {key: (bar.end, bar) for key, bar in seen.items()}
    late = revised | {key: (at, seen[key]) for key, at in recorded.played.items()}
    missing = {key: late[key] for key in seen}
    for cause, played in ((REVISED, revised), (LATE, late), (MISSING, missing)):
        if played != found[-1].played:
            found.append(Bars(cause, played))
    return found


def complete(recorded: Recorded, sources: Sequence[Source]) -> dict[Key, Bar]:
    """Return the bars that sources have of a run's time; raise `ConfigError` where they are no bars of it."""
    found: dict[Key, Bar] = {}
    for source in sources:
        for symbol, bars in source.history().items():
            if (feed := recorded.feeds.get(symbol)) is not None:
                if source.timeframe != feed.timeframe:
                    raise ConfigError(f"source has {source.timeframe} bars of {symbol}, the session {feed.timeframe}")
                found |= {(symbol, bar.end): bar for bar in _bars(feed, bars, recorded.until)}
    lacking = sorted({symbol for symbol, _ in recorded.seen} - {symbol for symbol, _ in found})
    if sources and lacking:
        raise ConfigError(
            f"source has no bars of {', '.join(lacking)} from {recorded.began:%Y-%m-%d %H:%M} to "
            f"{recorded.until:%Y-%m-%d %H:%M} UTC, the session's time; give one that has"
        )
    return found


def _bars(feed: Begun, bars: Columns, until: datetime) -> Iterator[Bar]:
    kept = bars.between(feed.opens_at, until)
    lines = (getattr(kept, name).tolist() for name in ("open", "high", "low", "close", "volume"))
    for end, *values in zip(kept.end, *lines, strict=True):
        yield feed.bar(moment(end), values)


def sources(recorded: Recorded, bars: Bars) -> list[HeldBars]:
    """Return bars as the sources of a backtest, with the history that the session began with."""
    rows: dict[str, list[tuple[datetime, Bar]]] = {symbol: [] for symbol in recorded.feeds}
    for (symbol, _), each in bars.played.items():
        rows[symbol].append(each)
    kinds: dict[tuple[Timeframe, Calendar, datetime], list[str]] = {}
    for symbol, feed in recorded.feeds.items():
        kinds.setdefault((feed.timeframe, feed.calendar, feed.opens_at), []).append(symbol)
    until = max(at for at, _ in bars.played.values())
    whole = {symbol: joined([recorded.feeds[symbol].bars, column(each)]) for symbol, each in rows.items()}
    return [
        HeldBars(tuple(symbols), *kind, until, {symbol: whole[symbol] for symbol in symbols}, ALL)
        for kind, symbols in kinds.items()
    ]


def played(
    recorded: Recorded, bars: Bars, strategy: type[bt.Strategy], venue: Venue | None, how: Mapping[str, Any]
) -> Result:
    """Run the strategy over these bars as the session ran it; `how` are `run`'s keywords that go before the journal's.

    Raise `ConfigError` where the journal has only the text of something that has to be given again.
    """
    if taken := sorted(_OURS & how.keys()):
        raise ConfigError(f"{', '.join(taken)} cannot be given: a comparison is a backtest over the session's own bars")
    given = {**_told(recorded, how), **how}
    params = {**recorded.params, **given.pop("params", {})}
    if lacking := sorted(recorded.strange - params.keys() - how.keys()):
        texts = ", ".join(f"{name}={recorded.start['params'][name]}" for name in lacking)
        raise ConfigError(f"{recorded.session} ran with {texts}, which a journal cannot keep; give it again")
    params = {name: value for name, value in params.items() if name not in how}
    return run(strategy, source=sources(recorded, bars), venue=venue, params=params, background=False, **given)


def _told(recorded: Recorded, how: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the journal says of a run, as `run` takes it."""
    recipe = recorded.recipe
    names = ("resample", "sizer", "tz", "quicknotify", "at_close", "intrabar")
    told = {name: recipe[name] for name in names if name not in how}
    if recipe["before_close"] is not None:
        told["before_close"] = recipe["before_close"]
    for name, value in told.items():
        if isinstance(value, dict):
            raise ConfigError(
                f"{recorded.session} ran with {name}={value['other']}, which a journal cannot keep; give {name}="
            )
    costs = {"cash": recorded.cash, "commission": recorded.start["commission"]}
    return {**told, **costs, "warmup": ALL, "progress": False}


def ledger(result: Result, recorded: Recorded) -> Ledger:
    """Return a backtest's orders with their fills, and its last prices."""
    parts: dict[int, list[Part]] = {}
    for each in result.fills.itertuples(index=False):
        parts.setdefault(each.ref, []).append(Part(each.time.to_pydatetime(), each.size, each.price, each.commission))
    rows = enumerate(result.orders.itertuples(index=False), 1)
    orders = tuple(_booked(f"backtest {number}", row, parts.get(row.ref, ())) for number, row in rows)
    return Ledger(orders, {**_marks({name: each.bars for name, each in recorded.feeds.items()}), **_marks(result.bars)})


def _booked(name: str, row: Any, parts: Iterable[Part]) -> Booked:
    decided = row.created.round("ms").to_pydatetime()
    sign = 1 if row.side == "buy" else -1
    return Booked(name, row.symbol, sign, row.type, row.size, decided, tuple(parts), row.status, row.reason)


def _marks(bars: Mapping[str, Columns]) -> dict[str, float]:
    return {symbol: float(each.close[-1]) for symbol, each in bars.items() if len(each)}


@dataclass(frozen=True, slots=True)
class Opens:
    """The first price of the bar in which an instant lies: in the one that ends at it, or next after it."""

    bars: Mapping[str, Columns]

    def __call__(self, symbol: str, at: datetime) -> float | None:
        bars = self.bars.get(symbol)
        if bars is None:
            return None
        place = int(np.searchsorted(bars.end, instant(at), side="left"))
        return float(bars.open[place]) if place < len(bars) else None
