"""One run of a live session as its journal tells it: what it was made of, its bars, what became of its orders."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt
import numpy as np

from framework.calendar import Calendar, Hours
from framework.columns import Columns, instant, moment
from framework.engine.dates import num2date
from framework.errors import ConfigError
from framework.live.journal import Entry
from framework.live.recipe import bars_of
from framework.live.records import (
    ADDED,
    BARS,
    FLAT,
    HISTORY,
    INTENT,
    POSITION,
    REFUSED,
    REPLACE,
    REVISION,
    SPLIT,
    UPDATE,
)
from framework.live.story import short
from framework.model import Bar, OrderUpdate, Timeframe
from framework.research.booked import Booked, Ledger, Part

STEP = timedelta(milliseconds=10)
"""How far behind the last instant a bar that came too late is put, so that it makes a `next` of its own."""

Key = tuple[str, datetime]
"""A bar: its symbol and its end (aware UTC)."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What a symbol's feed began with: its timeframe and calendar, and the history before the first bar."""

    symbol: str
    timeframe: Timeframe
    calendar: Calendar
    opens_at: datetime
    bars: Columns

    def bar(self, end: datetime, values: Sequence[float]) -> Bar:
        """Return a bar of the feed; `values` are open, high, low, close and volume."""
        opened, high, low, close, volume = values
        return Bar(self.symbol, end, opened, high, low, close, volume, self.timeframe)


@dataclass(slots=True)
class Recorded:
    """One run of a session. Times are aware UTC, money is in the account's currency.

    `cash` is what the run began with. `seen` are the bars as they came, by symbol and end, and `played` when each was,
    where that was not at its end: behind a later instant. `revised` are those that the venue changed afterwards.
    """

    session: str
    run: int
    start: Mapping[str, Any]
    began: datetime
    cash: float
    is_running: bool = False
    feeds: dict[str, Begun] = field(default_factory=dict)
    seen: dict[Key, Bar] = field(default_factory=dict)
    played: dict[Key, datetime] = field(default_factory=dict)
    revised: dict[Key, Bar] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _orders: dict[str, Booked] = field(default_factory=dict)
    _latest: datetime | None = None
    _last: dict[str, datetime] = field(default_factory=dict)

    # -- what it says

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What the run was made of, see `framework.live.recipe`."""
        found: Mapping[str, Any] = self.start["recipe"]
        return found

    @property
    def params(self) -> Mapping[str, Any]:
        """The strategy's parameters; those that are no plain values are left out, see `strange`."""
        return {name: ast.literal_eval(text) for name, text in self.start["params"].items() if _is_plain(text)}

    @property
    def strange(self) -> frozenset[str]:
        """The names of parameters of which only the text is in the journal."""
        return frozenset(name for name, text in self.start["params"].items() if not _is_plain(text))

    @property
    def until(self) -> datetime:
        """The last instant of bars that was played."""
        assert self._latest is not None
        return max(end for _, end in self.seen)

    @property
    def ledger(self) -> Ledger:
        """The session's orders with their fills, and the last prices that it saw."""
        marks = {symbol: float(each.bars.close[-1]) for symbol, each in self.feeds.items() if len(each.bars)}
        marks |= {symbol: each.close for (symbol, _), each in sorted(self.seen.items(), key=lambda each: each[0][1])}
        return Ledger(tuple(self._orders.values()), marks)

    # -- the fold

    def take(self, entry: Entry) -> None:
        """Take one record of the run, the oldest first; raise `ConfigError` for what a backtest cannot play again."""
        body = entry.body
        match entry.kind:
            case k if k == HISTORY:
                self._begin(entry.key, body)
            case k if k == BARS:
                self._hear(datetime.fromisoformat(entry.key), body)
            case k if k == REVISION:
                self.revised[entry.key, body["bar"].end] = body["bar"]
            case k if k == INTENT:
                self._orders |= {each["client_order_id"]: _asked(each) for each in body["tickets"]}
            case k if k == REPLACE:
                self._change(entry.key, size=body["request"].quantity)
            case k if k == UPDATE:
                self._update(entry.key, body["update"])
            case k if k == REFUSED and "created" in body:
                self._orders[f"refused {entry.seq}"] = _refused(entry.key, body)
            case k if k == FLAT:
                self.notes.append(f"{entry.at:%H:%M:%S} the session was told to be flat: {body['text']}")
            case k if k in _CANNOT:
                raise ConfigError(f"{self.session}, {entry.at:%Y-%m-%d %H:%M} UTC: {entry.key} {_CANNOT[k]}")

    def _begin(self, symbol: str, body: Mapping[str, Any]) -> None:
        bars = bars_of(body)
        if bars is None:
            raise ConfigError(
                f"{self.session} began with more bars of history than a journal keeps, so that its warm-up cannot be "
                "played again; begin a session with a shorter one to compare it"
            )
        calendar = Calendar(body["calendar"], Hours(body["hours"]))
        if len(bars):
            self._last[symbol] = moment(bars.end[-1])
        self.feeds[symbol] = Begun(symbol, Timeframe.parse(body["timeframe"]), calendar, body["opens_at"], bars)

    def _hear(self, at: datetime, body: Mapping[str, Any]) -> None:
        """Take the bars of an instant; one that comes behind a later instant is played behind it."""
        if self._latest is None or at > self._latest:
            self._latest = at
            is_late = False
        else:
            self._latest += STEP
            is_late = True
        for symbol, values in zip(body["symbols"], body["bars"], strict=True):
            if symbol not in self._last or at > self._last[symbol]:  # as the engine has it: a feed does not go back
                self._last[symbol] = at
                self.seen[symbol, at] = self.feeds[symbol].bar(at, values)
                if is_late:
                    self.played[symbol, at] = self._latest

    def _change(self, name: str, **changed: Any) -> None:
        given = {key: value for key, value in changed.items() if value is not None}
        if name in self._orders:
            self._orders[name] = replace(self._orders[name], **given)

    def _update(self, name: str, update: OrderUpdate) -> None:
        mine = self._orders.get(name)
        if mine is None:
            return
        status, reason = update.status.value, update.reason or mine.reason
        self._change(name, status=status, reason=reason)
        if (fill := update.fill) is not None:
            fee = fill.commission or fill.quantity * fill.price * (self.start.get("commission") or 0.0)
            self._change(name, parts=(*mine.parts, Part(fill.at, fill.quantity, fill.price, fee)))


_CANNOT = {
    ADDED: "was added while the session ran, which a comparison does not play again yet",
    SPLIT: "was split while the session ran, which a comparison does not play again yet",
    POSITION: "was taken over from the account, and a backtest begins and goes on with nothing but its own",
}


def _asked(ticket: Mapping[str, Any]) -> Booked:
    """Return an order as it was sent."""
    symbol, _, _ = ticket["data"].partition(" ")  # a feed's name begins with its symbol
    name, kind = short(ticket["client_order_id"]), bt.Order.ExecTypes[ticket["exectype"]]
    return Booked(name, symbol, 1 if ticket["is_buy"] else -1, kind, ticket["size"], instant_of(ticket["created"]))


def _refused(symbol: str, body: Mapping[str, Any]) -> Booked:
    """Return an order that was not sent."""
    sign, decided = 1 if body["is_buy"] else -1, instant_of(body["created"])
    return Booked("not sent", symbol, sign, body["type"], body["size"], decided, (), body["status"], body["reason"])


def instant_of(number: float) -> datetime:
    """Return one of Backtrader's date numbers as an aware UTC time, to the millisecond."""
    found: datetime = num2date(np.array([number]))[0].astype("datetime64[us]").item()
    milliseconds = round(found.microsecond / 1000)
    return found.replace(microsecond=0, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _is_plain(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def column(bars: Sequence[tuple[datetime, Bar]]) -> Columns:
    """Return bars as columns, each at the instant beside it."""
    rows = sorted(bars, key=lambda each: each[0])
    lines = ([getattr(bar, name) for _, bar in rows] for name in ("open", "high", "low", "close", "volume"))
    return Columns.of([instant(at) for at, _ in rows], *lines)
