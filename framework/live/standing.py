"""Where a session stands by its journal: what it holds, what is open, what it did last. The fold of its records. Pure.

The same fold serves a session that runs (it hears each record), one that is over or died (its journal is read),
and the trade log. Positions are Backtrader's arithmetic at average cost, kept by feed and told by symbol.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Self

from framework.live.journal import Entry
from framework.live.records import DAY, INTENT, LINK, POSITION, REPLACE, SPLIT, START, STOP, UPDATE
from framework.live.status import (
    OVER,
    Connection,
    Execution,
    Holding,
    LastBar,
    Message,
    Requests,
    Status,
    Working,
)
from framework.live.story import STREAMS, Line, Story, short
from framework.live.wording import asked
from framework.model import OrderRequest, OrderUpdate

FILLS = 20
"""How many of the last fills are kept."""

MESSAGES = 20
"""How many of the last lines are kept."""

ENDED = 500
"""How many orders that are over are remembered: a fill may come after an order's end."""


@dataclass(slots=True)
class Lot:
    """A position at average cost; `realised` is what closing has made, before commission."""

    symbol: str
    quantity: float = 0.0
    price: float = 0.0
    realised: float = 0.0

    def trade(self, change: float, price: float) -> float:
        """Book a signed change; return what it realised."""
        before, self.quantity = self.quantity, self.quantity + change
        if not before:
            self.price = price
            return 0.0
        if before * change > 0:
            self.price = (self.price * before + change * price) / self.quantity
            return 0.0
        closed = min(abs(change), abs(before)) * (1 if before > 0 else -1)
        made = closed * (price - self.price)
        self.realised += made
        if self.quantity * before <= 0:  # it is over, or turned to the other side
            self.price = price if self.quantity else 0.0
        return made


@dataclass(frozen=True, slots=True)
class Mark:
    """The last price of a symbol, and when its bar ended; `multiplier` is what a unit is worth at a price of one."""

    price: float
    at: datetime
    multiplier: float = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What only the engine knows: cash, value, last prices and (quantity, average price) by symbol; the requests."""

    cash: float | None = None
    value: float | None = None
    marks: Mapping[str, Mark] = field(default_factory=dict)
    positions: Mapping[str, tuple[float, float]] | None = None
    requests: Requests | None = None


@dataclass(slots=True)
class Standing:
    """The fold of a session's records. Owned by whoever looks.

    `cash` is what the session has left where nothing was paid that the journal does not tell (None where the
    commission was one of the user's own making). `day` is when the trading day began, and what it was worth then.
    """

    story: Story = field(default_factory=Story)
    lots: dict[str, Lot] = field(default_factory=dict)
    fills: deque[Execution] = field(default_factory=lambda: deque(maxlen=FILLS))
    messages: deque[Line] = field(default_factory=lambda: deque(maxlen=MESSAGES))
    connections: dict[str, Connection] = field(default_factory=dict)
    started: datetime | None = None
    begun_with: float | None = None
    day: tuple[date, float] | None = None
    cash: float | None = None
    ended_by: str = ""
    realised: float = 0.0
    last: datetime | None = None
    _start: Mapping[str, Any] = field(default_factory=dict)
    _feeds: dict[str, str] = field(default_factory=dict)
    _changed: dict[str, OrderRequest] = field(default_factory=dict)
    _over: deque[str] = field(default_factory=deque)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Return where a session stands by its whole journal."""
        standing = cls()
        for entry in entries:
            standing.take(entry.at, entry.kind, entry.key, entry.body)
        return standing

    def take(self, at: datetime, kind: str, key: str, body: Mapping[str, Any]) -> Execution | None:
        """Take one record, the oldest first; return the execution that it tells of."""
        self.last = at
        self.messages += self.story.take(at, kind, key, body)
        match kind:
            case k if k == UPDATE:
                return self._heard(key, body["update"])
            case k if k == INTENT:
                self._feeds |= {each["client_order_id"]: each["data"] for each in body.get("tickets", ())}
            case k if k == REPLACE:
                self._changed[key] = body["request"]
            case k if k == LINK:
                name = STREAMS.get(key, key)
                self.connections[name] = Connection(name, body["is_up"], at, body["reason"])
            case k if k == START:
                self._begun(at, body)
            case k if k == STOP:
                self.ended_by = body["why"]
            case _:
                self._changed_by_hand(kind, key, body)
        return None

    def _changed_by_hand(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Take what changes a position without a fill, and what a day began with."""
        match kind:
            case k if k == POSITION:
                lot = self._lot(key)
                lot.quantity, lot.price = body["quantity"], body["price"] if body["quantity"] else 0.0
            case k if k == SPLIT:
                self._split(key, body["before"], body["after"])
            case k if k == DAY:
                self.day = date.fromisoformat(key), body["value"]
                self.begun_with = body["value"] if self.begun_with is None else self.begun_with

    def _split(self, symbol: str, before: float, after: float) -> None:
        """Take other shares for those that were held; their cost stays."""
        for lot in (each for each in self.lots.values() if each.symbol == symbol and before * after > 0):
            factor = after / before
            lot.quantity, lot.price = lot.quantity * factor, lot.price / factor

    def _begun(self, at: datetime, body: Mapping[str, Any]) -> None:
        first = not self._start
        self._start, self.started, self.ended_by = body, at, ""
        self.connections.clear()
        if first:
            self.cash = body["cash"]
        if body.get("commission", 0.0) is None:
            self.cash = None

    def _heard(self, key: str, update: OrderUpdate) -> Execution | None:
        life = self.story.lives.get(key)
        if life is None:
            return None
        if update.status.is_final:
            self._forget(key)
        if update.fill is None:
            return None
        told = self._booked(life.request, self._lot(self._feeds.get(key, life.request.symbol)), update)
        self.fills.appendleft(told)
        return told

    def _booked(self, request: OrderRequest, lot: Lot, update: OrderUpdate) -> Execution:
        fill = update.fill
        assert fill is not None
        change, worth = fill.quantity * request.side.sign, fill.quantity * fill.price
        commission = fill.commission or worth * (self._start.get("commission") or 0.0)
        made = lot.trade(change, fill.price)
        self.realised += made
        if self.cash is not None:
            self.cash -= worth * request.side.sign + commission
        return Execution(
            fill.at, request.symbol, request.side.value, fill.quantity, fill.price, worth, commission,
            update.client_order_id, fill.execution_id, self.held(request.symbol)[0], made, self.realised,
        )  # fmt: skip

    def _lot(self, feed: str) -> Lot:
        """Return the lot of a feed, whose name begins with its symbol."""
        return self.lots.setdefault(feed, Lot(feed.partition(" ")[0]))

    def _forget(self, key: str) -> None:
        """Remember an order that is over for a while: weeks bring many."""
        self._over.append(key)
        while len(self._over) > ENDED:
            old = self._over.popleft()
            self.story.lives.pop(old, None)
            self._feeds.pop(old, None)
            self._changed.pop(old, None)

    # -- what is shown

    def held(self, symbol: str) -> tuple[float, float]:
        """Return quantity and average price of a symbol, over the feeds in which it is traded."""
        lots = [each for each in self.lots.values() if each.symbol == symbol]
        return together((each.quantity, each.price) for each in lots)

    def status(self, at: datetime, figures: Figures = Figures(), state: str = OVER, reason: str = "") -> Status:
        """Return what an operator sees at a time (aware); `figures` are the engine's, where there is one."""
        cash = self.cash if figures.cash is None else figures.cash
        return Status(
            session=self.story.name, at=at, state=state, reason=reason, started=self.started, **self._who(),
            cash=cash, value=figures.value,
            day=_since(figures.value, self.day[1] if self.day else None),
            total=_since(figures.value, self._start.get("cash") if self.begun_with is None else self.begun_with),
            holdings=self._holdings(figures), orders=self.working(), fills=tuple(self.fills),
            connections=tuple(self.connections.values()), requests=figures.requests,
            messages=tuple(
                Message(each.at.astimezone(UTC), each.subject, each.text, each.is_warning) for each in self.messages
            ),
            bars=tuple(LastBar(symbol, mark.at) for symbol, mark in figures.marks.items()),
        )  # fmt: skip

    def working(self) -> tuple[Working, ...]:
        """Return the orders that are open, the oldest first."""
        return tuple(
            Working(
                short(name), name, life.request.symbol,
                asked(self._changed.get(name, life.request), life.sent.astimezone(self.story.zone)),
                life.status.value.replace("_", " "), life.filled, life.sent,
            )
            for name, life in self.story.open.items()
        )  # fmt: skip

    def _who(self) -> dict[str, Any]:
        start = self._start
        names = ("strategy", "money", "currency", "zone", "run")
        return {
            **{name: start[name] for name in names if name in start},
            "account": str(start.get("account", ""))[-4:],
        }

    def _holdings(self, figures: Figures) -> tuple[Holding, ...]:
        realised: dict[str, float] = {}
        for lot in self.lots.values():
            realised[lot.symbol] = realised.get(lot.symbol, 0.0) + lot.realised
        held = figures.positions
        if held is None:
            held = {symbol: self.held(symbol) for symbol in realised}
        symbols = [each for each in {**held, **realised} if held.get(each, _NONE)[0] or realised.get(each)]
        return tuple(
            _holding(symbol, *held.get(symbol, _NONE), figures.marks.get(symbol), realised.get(symbol, 0.0))
            for symbol in sorted(symbols)
        )


_NONE = (0.0, 0.0)


def together(lots: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return positions (quantity, average price) as one; its price is weighted by their sizes."""
    lots = [each for each in lots if each[0]]
    if len(lots) == 1:
        return lots[0]
    quantity, size = sum(each for each, _ in lots), sum(abs(each) for each, _ in lots)
    return quantity, sum(abs(each) * price for each, price in lots) / size if size and quantity else 0.0


def repriced(status: Status, before: Status) -> Status:
    """Give a status without prices those of an earlier one: a session that died knew them last."""
    prices = {each.symbol: each.last_price for each in before.holdings}
    bars = {each.symbol: each.at for each in before.bars}
    holdings = []
    for each in status.holdings:
        price, at = prices.get(each.symbol), bars.get(each.symbol)
        mark = None if price is None else Mark(price, at or before.at)
        holdings.append(_holding(each.symbol, each.quantity, each.average_price, mark, each.realised))
    return replace(status, holdings=tuple(holdings), bars=before.bars)


def _holding(symbol: str, quantity: float, average: float, mark: Mark | None, realised: float) -> Holding:
    if mark is None or not quantity:
        return Holding(symbol, quantity, average, None if mark is None else mark.price, realised=realised)
    value, paid = quantity * mark.price * mark.multiplier, quantity * average * mark.multiplier
    share = (value - paid) / abs(paid) if paid else None
    return Holding(symbol, quantity, average, mark.price, value, value - paid, share, realised)


def _since(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base
