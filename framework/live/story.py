"""A session's records as a reader wants them: lines of text, and each order's life in one place. Pure.

The same lines are logged while a session runs and shown by `switchback journal` afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self
from zoneinfo import ZoneInfo

from framework.live.identity import NamedOrderId, parsed
from framework.live.journal import Entry
from framework.live.limits import told
from framework.live.records import (
    ADDED,
    BARS,
    CANCEL,
    FLAT,
    HALT,
    INTENT,
    LINK,
    POSITION,
    REFUSED,
    REMARK,
    REPLACE,
    REVISION,
    SIGNALS,
    SPLIT,
    START,
    STOP,
    UPDATE,
)
from framework.live.wording import amount, asked, money
from framework.model import (
    GroupKind,
    OrderGroup,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Revision,
    Signal,
    SignalAction,
)

QUIET = timedelta(minutes=15)
"""After so much venue time without a line, the bars that still come are told."""

KEPT = timedelta(days=3)
"""For how long who tells of a session while it runs remembers orders that are over: a weekend."""

STREAMS = {"trade_updates": "orders", "data": "bars", "alphahub": "signals"}
"""What a reader calls the streams."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: when (in the exchange's zone), of what (a symbol, a stream), and what happened."""

    at: datetime
    subject: str
    text: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S}  {self.subject:<8} {self.text}".rstrip()


@dataclass(slots=True)
class Life:
    """What became of an order; `value` is what its fills were worth, `ended` None while it is open."""

    request: OrderRequest
    sent: datetime
    kind: GroupKind = GroupKind.LIST
    filled: float = 0.0
    value: float = 0.0
    status: OrderStatus = OrderStatus.PENDING_NEW
    reason: str = ""
    ended: datetime | None = None

    @property
    def is_filled(self) -> bool:
        """Whether it was filled in full."""
        return self.status is OrderStatus.FILLED

    @property
    def average(self) -> float | None:
        """The average price of its fills."""
        return self.value / self.filled if self.filled else None

    def outcome(self, zone: tzinfo) -> str:
        """Return what became of it, such as `filled at 126.84, 10:17` or `10 filled at 126.84, canceled 10:20`."""
        told = []
        if self.average is not None:
            told.append(f"{'' if self.is_filled else f'{self.filled:g} '}filled at {money(self.average)}")
        if self.ended is None:
            told.append("open")
        else:
            word = "" if self.is_filled else f"{self.status.value} "
            told.append(f"{word}{self.ended.astimezone(zone):%H:%M}")
        return ", ".join(told) + (f" ({self.reason})" if self.reason else "")

    def hear(self, update: OrderUpdate) -> None:
        """Take news of the order; what comes after its end are late fills."""
        if update.fill is not None:
            self.filled += update.fill.quantity
            self.value += update.fill.quantity * update.fill.price
        if self.ended is None:
            self.status, self.reason = update.status, update.reason or self.reason
            self.ended = update.at if update.status.is_final else None


@dataclass(slots=True)
class Story:
    """The fold of a session's records. Owned by whoever tells it.

    Orders that have been over for longer than `keeps` are forgotten; None keeps all.
    """

    name: str = ""
    start: Mapping[str, Any] = field(default_factory=dict)
    runs: int = 0
    is_running: bool = False
    lives: dict[str, Life] = field(default_factory=dict)
    zone: tzinfo = UTC
    keeps: timedelta | None = None
    _told: datetime | None = None
    _forgot: datetime | None = None
    _instants: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Return the story of a whole journal."""
        story = cls()
        for entry in entries:
            story.take(entry.at, entry.kind, entry.key, entry.body)
        return story

    @property
    def open(self) -> dict[str, Life]:
        """The orders that are not over, by client order id."""
        return {name: life for name, life in self.lives.items() if life.ended is None}

    def told(self, *, only_open: bool = False) -> Iterator[Line]:
        """Yield each order's life in a line, in the order in which they were sent."""
        for name, life in (self.open if only_open else self.lives).items():
            sent = life.sent.astimezone(self.zone)
            text = f"{short(name)} {asked(life.request, sent)}: {life.outcome(self.zone)}"
            yield Line(sent, life.request.symbol, text)

    def take(self, at: datetime, kind: str, key: str, body: Mapping[str, Any]) -> list[Line]:
        """Take one record and return the lines that it makes, mostly one."""
        told = list(self._read(at.astimezone(self.zone), kind, key, body))
        if told:
            self._told, self._instants = at, 0
        return [Line(at.astimezone(self.zone), *each) for each in told]

    def _read(self, at: datetime, kind: str, key: str, body: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
        match kind:
            case k if k == BARS:
                return self._pulse(at)
            case k if k == INTENT:
                return self._sent(at, body["group"])
            case k if k == UPDATE:
                return self._heard(key, body["update"])
            case k if k == START:
                return self._begun(key, body)
            case k if k == STOP:
                self.is_running, is_orderly = False, body["why"] == "ended"
                return [("session", "over" if is_orderly else f"cut short: {body['why']}", not is_orderly)]
            case k if k == CANCEL:
                return [(self._symbol(key), f"{short(key)} cancel asked for")]
            case k if k == REPLACE:
                return [(self._symbol(key), f"{short(key)} change asked for: {asked(body['request'], at)}")]
            case _:
                return self._else(kind, key, body)

    def _else(self, kind: str, key: str, body: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
        match kind:
            case k if k == LINK and body["is_up"]:
                return [(STREAMS.get(key, key), "up")]
            case k if k == LINK:
                return [(STREAMS.get(key, key), f"down: {body['reason'] or 'no reason was told'}", True)]
            case k if k == REMARK:
                return [(self._symbol(key) if key in self.lives else key, body["text"], True)]
            case k if k == REFUSED:
                return [(key, f"{body['order']} not sent: {body['reason']}", True)]
            case k if k == FLAT:
                return [("session", body["text"], not body["is_sure"])]
            case k if k == POSITION:
                return [(key, f"position taken over: {body['quantity']:g} at {money(body['price'])}")]
            case k if k == HALT and body["is_halted"]:
                return [(key, f"halted at its exchange ({body['reason']})", True)]
            case k if k == HALT:
                return [(key, "trades again")]
            case k if k == SIGNALS:
                return _signalled(key, body)
            case k if k == ADDED:
                return [(key, "added: its bars come too from now on")]
            case k if k == SPLIT:
                return [(key, f"split by {body['split'].ratio:.6g}: {body['before']:g} held are {body['after']:g}")]
            case k if k == REVISION:
                return [(key, _revised(Revision(**body), self.zone))]
        return []

    def _begun(self, name: str, body: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        self.name, self.start, self.runs, self.is_running = name, self.start or body, int(body["run"]), True
        self.zone = ZoneInfo(body["zone"]) if "zone" in body else UTC
        yield "session", f"{name}, run {self.runs}"
        yield "session", f"{body['strategy']} on {', '.join(body['symbols'])}"
        kind = f"{body['money']} " if "money" in body else ""
        cash = f"{body['cash']:,.2f} {body['currency']} to trade with"
        yield "session", f"{kind}account that ends in {body['account'][-4:]}, {cash}"
        if body.get("algorithms"):
            yield "session", f"follows {', '.join(body['algorithms'])}"
        if "limits" in body:
            yield "session", told(body["limits"])

    def _forget(self, at: datetime) -> None:
        """Forget, once in a while, the orders that were over long ago."""
        if self.keeps is None or (self._forgot is not None and at - self._forgot < self.keeps / 3):
            return
        self._forgot, before = at, at - self.keeps
        over = [name for name, life in self.lives.items() if life.ended is not None and life.ended < before]
        for name in over:
            del self.lives[name]

    def _sent(self, at: datetime, group: OrderGroup) -> Iterator[tuple[Any, ...]]:
        self._forget(at)
        together = "" if group.kind is GroupKind.LIST else f" ({group.kind.value})"
        for request in group.orders:
            self.lives[request.client_order_id] = Life(request, at, group.kind)
            yield request.symbol, f"{short(request.client_order_id)} {asked(request, at)}{together}"

    def _heard(self, key: str, update: OrderUpdate) -> Iterator[tuple[Any, ...]]:
        life = self.lives.get(key)
        before = None if life is None else life.status
        if life is not None:
            life.hear(update)
        if (fill := update.fill) is not None:
            whole = "" if life is None or life.ended else f" of {amount(life.request)}"
            yield self._symbol(key), f"{short(key)} filled {fill.quantity:g}{whole} at {money(fill.price)}"
        if update.status is not before and (word := _WORDS.get(update.status)):
            why = f": {update.reason}" if update.reason else ""
            yield self._symbol(key), f"{short(key)} {word}{why}", update.status is OrderStatus.REJECTED

    def _pulse(self, at: datetime) -> Iterable[tuple[Any, ...]]:
        self._instants += 1
        self._told = self._told or at
        if at - self._told < QUIET:
            return []
        waiting = f"{len(self.open)} open" if self.open else "no open orders"
        return [("bars", f"{self._instants} instants since {self._told.astimezone(self.zone):%H:%M}, {waiting}")]

    def _symbol(self, key: str) -> str:
        return self.lives[key].request.symbol if key in self.lives else ""


def dated(lines: Iterable[Line]) -> Iterator[str]:
    """Yield lines as text, with a line of its own where a day begins."""
    day = None
    for line in lines:
        if line.at.date() != day:
            day = line.at.date()
            yield day_of(line)
        yield str(line)


def day_of(line: Line) -> str:
    """Return the line that begins a day."""
    return f"{line.at:%A, %Y-%m-%d}, times of {line.at.tzinfo}"


_WORDS = {
    OrderStatus.NEW: "accepted",
    OrderStatus.HELD: "held until its turn",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REPLACED: "replaced",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.SUSPENDED: "suspended",
}


def short(client_order_id: str) -> str:
    """Return an order's name within its session, such as #2-17: the run, and the order in it; or the name it has."""
    name = parsed(client_order_id)
    if name is None:
        return client_order_id
    if isinstance(name, NamedOrderId):
        return f"#{name.name}"
    return f"#{name.run}-{name.ref}" + (f".{name.change}" if name.change else "")


def _signalled(algorithm: str, body: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return a line for signals that came together; those of before the session are none of its story."""
    late = body["why_late"]
    if body["came"] == "past":
        return []
    told = "; ".join(worded(each) for each in body["signals"])
    return [(f"signals {algorithm}", f"{told}, late: {late}" if late else told, bool(late))]


def worded(signal: Signal) -> str:
    """Return a signal in words, such as `open buy SPY, 0.5 of the capital`."""
    if signal.side is None:
        return f"hold {signal.symbol}"
    share = f", {signal.weight:.6g} of the capital" if signal.action is SignalAction.OPEN else ""
    return f"{signal.action.value} {signal.side.value} {signal.symbol}{share}"


def _revised(revision: Revision, zone: tzinfo) -> str:
    bar, was = revision.bar, revision.was
    before = "" if was is None else f", was {money(was.close)}"
    return f"the bar of {bar.end.astimezone(zone):%H:%M} was changed: close {money(bar.close)}{before}"
